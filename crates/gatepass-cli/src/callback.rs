//! Landing: the loopback listener of one login, which hands over what the browser brings back.
//!
//! It knows no vendor and no token: an answer is text, and somebody else judges it.

#[cfg(feature = "__fuzzing")]
mod fuzzing;
mod page;
mod policy;
mod server;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use zeroize::Zeroizing;

#[cfg(feature = "__fuzzing")]
pub use fuzzing::Connections;
use server::{Delivery, Desk, Door};

/// Where the vendor sends the browser: an address of this machine, as it is registered.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// `127.0.0.1`, `[::1]` or `localhost`.
    pub(crate) host: String,
    /// 0 for any that is free.
    pub(crate) port: u16,
    /// Begins with `/`; may have a `?query`.
    pub(crate) path: String,
}

/// What the page shows of an answer. That the window can be closed the page says by itself.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) is_good: bool,
    pub(crate) title: String,
    pub(crate) text: String,
}

/// What happens while a login waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The browser fetched the start address.
    Opened,
    /// The page came without an answer: the vendor sent none, or somebody reloaded it.
    Empty,
    /// A request was turned away, and why.
    Refused(&'static str),
}

/// A port of this machine that waits for one answer.
pub(crate) struct Landing {
    door: Door,
    desk: Desk,
    start_url: String,
    happened: mpsc::Receiver<Notice>,
    deliveries: mpsc::Receiver<Delivery>,
}

impl Landing {
    /// Opens the port: on 127.0.0.1 and `[::1]` for `localhost`, as a browser may take either, or
    /// on 127.0.0.1 alone where the machine has no IPv6.
    pub(crate) async fn open(place: &Place) -> io::Result<Self> {
        let door = Door::open(&place.host, place.port).await?;
        let (notices, happened) = mpsc::channel(NOTICES);
        let (deliver, deliveries) = mpsc::channel(1);
        let desk = Desk::new(place, door.port(), notices, deliver)?;
        let start_url = desk.start_url();
        Ok(Self { door, desk, start_url, happened, deliveries })
    }

    /// The port it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.door.port()
    }

    /// Leads a browser to the authorization URL, once. That URL holds `state`, and every user of
    /// the machine can read the arguments of whatever opens a browser; this one can be shown.
    pub(crate) fn start_url(&self) -> &str {
        &self.start_url
    }

    /// Waits for one answer, lets `judge` have it, tells its page the verdict and closes the port.
    /// An answer is the query and the fragment as the browser had them: `?…#…`.
    ///
    /// It waits for as long as it is let: dropping it closes the port at once.
    pub(crate) async fn answer<T, J, F>(
        self,
        authorization_url: &str,
        notice: impl Fn(Notice),
        judge: J,
    ) -> T
    where
        J: FnOnce(Zeroizing<String>) -> F,
        F: Future<Output = (Verdict, T)>,
    {
        let Self { mut door, mut desk, mut happened, mut deliveries, .. } = self;
        desk.leads_to(authorization_url);
        let desk = Arc::new(desk);
        let delivery = loop {
            tokio::select! {
                biased;
                Some(happening) = happened.recv() => notice(happening),
                Some(delivery) = deliveries.recv() => break delivery,
                never = door.serve(&desk) => match never {},
            }
        };
        door.keep(delivery.connection).await;
        let mut judging = pin!(judge(delivery.answer));
        // Whoever comes meanwhile is told that the answer is here.
        let (verdict, outcome) = loop {
            tokio::select! {
                biased;
                Some(happening) = happened.recv() => notice(happening),
                judged = &mut judging => break judged,
                never = door.serve(&desk) => match never {},
            }
        };
        // A browser that has gone away does not change what came of the answer.
        drop(delivery.reply.send(verdict));
        door.close_after(delivery.connection).await;
        outcome
    }
}

/// Notices that may wait; those above are not told, and whoever floods the port gains nothing.
const NOTICES: usize = 16;
