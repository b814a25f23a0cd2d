//! The callback server of a browser login: one port of loopback that accepts one response.
//!
//! The server knows no vendor and no token. It hands over the query and the fragment that the
//! browser brought back, and the caller decides whether they are a login. From top to bottom: this
//! file runs one login, `listener` accepts connections, `server` routes their requests, `page`
//! renders the responses, and `policy` decides which requests may be served at all.

#[cfg(feature = "__fuzzing")]
mod fuzzing;
mod listener;
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
pub use self::fuzzing::Connections;
use self::listener::CallbackListener;
pub(crate) use self::page::LoginResultPage;
use self::server::{AuthorizationResponse, CallbackHandler, MAX_PENDING_EVENTS};
pub(crate) use self::server::{CallbackAddress, CallbackEvent};

/// A port of this machine that waits for one authorization response.
pub(crate) struct CallbackServer {
    listener: CallbackListener,
    handler: CallbackHandler,
    start_url: String,
    events: mpsc::Receiver<CallbackEvent>,
    responses: mpsc::Receiver<AuthorizationResponse>,
}

impl CallbackServer {
    /// Opens the port. For `localhost` that is 127.0.0.1 and `[::1]`, because a browser may try
    /// either, or 127.0.0.1 alone on a machine without IPv6.
    pub(crate) async fn open(address: &CallbackAddress) -> io::Result<Self> {
        let listener = CallbackListener::open(&address.host, address.port).await?;
        let (report, events) = mpsc::channel(MAX_PENDING_EVENTS);
        let (accept, responses) = mpsc::channel(1);
        let handler = CallbackHandler::new(address, listener.port(), report, accept)?;
        let start_url = handler.start_url();
        Ok(Self { listener, handler, start_url, events, responses })
    }

    /// Returns the port that the server listens on.
    pub(crate) fn port(&self) -> u16 {
        self.listener.port()
    }

    /// Returns an address that redirects a browser to the authorization URL, once.
    ///
    /// The authorization URL contains `state`, and every user of the machine can read the
    /// arguments of the program that opens a browser. The start address may be shown there.
    pub(crate) fn start_url(&self) -> &str {
        &self.start_url
    }

    /// Waits for one authorization response for which `is_expected` is true, passes it to `finish`, shows the resulting page in
    /// the browser and closes the port. The response is the query and the fragment exactly as the
    /// browser had them: `?…#…`.
    ///
    /// There is no time limit: dropping the future closes the port at once.
    pub(crate) async fn wait_for_response<T, F, R>(
        self,
        authorization_url: &str,
        is_expected: impl Fn(&str) -> bool + Send + Sync + 'static,
        on_event: impl Fn(CallbackEvent),
        finish: F,
    ) -> T
    where
        F: FnOnce(Zeroizing<String>) -> R,
        R: Future<Output = (LoginResultPage, T)>,
    {
        let Self { mut listener, mut handler, mut events, mut responses, .. } = self;
        handler.expect(authorization_url, Box::new(is_expected));
        let handler = Arc::new(handler);
        let response = loop {
            tokio::select! {
                biased;
                Some(event) = events.recv() => on_event(event),
                Some(response) = responses.recv() => break response,
                never = listener.serve(&handler) => match never {},
            }
        };
        listener.close_all_but(response.connection).await;
        let mut finishing = pin!(finish(response.parameters));
        // Requests that arrive in the meantime get the page "Already received".
        let (page, outcome) = loop {
            tokio::select! {
                biased;
                Some(event) = events.recv() => on_event(event),
                finished = &mut finishing => break finished,
                never = listener.serve(&handler) => match never {},
            }
        };
        // The outcome of the login does not depend on whether the browser is still there.
        drop(response.reply.send(page));
        listener.close_after(response.connection).await;
        outcome
    }
}
