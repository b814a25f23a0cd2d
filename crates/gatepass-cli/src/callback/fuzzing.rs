//! A door for fuzzing: the connections of a landing, without a socket.

use std::future::pending;
use std::io;
use std::pin::pin;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex, split};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, yield_now};

use super::server::{Delivery, Desk, converse};
use super::{Notice, Place, Verdict};

/// A landing that is spoken to directly, one connection at a time.
pub struct Connections {
    desk: Arc<Desk>,
    deliveries: mpsc::Receiver<Delivery>,
    notices: mpsc::Receiver<Notice>,
    runtime: Runtime,
}

impl Connections {
    /// The `Host` of its requests.
    pub const HOST: &str = "127.0.0.1:8400";

    /// A landing at this path, whose start address leads to `url`.
    pub fn new(path: &str, url: &str) -> io::Result<Self> {
        let (told, notices) = mpsc::channel(super::NOTICES);
        let (deliver, deliveries) = mpsc::channel(1);
        let place = Place { host: "127.0.0.1".into(), port: 8400, path: path.into() };
        let mut desk = Desk::new(&place, 8400, told, deliver)?;
        desk.leads_to(url);
        let runtime = Builder::new_current_thread().enable_time().build()?;
        Ok(Self { desk: Arc::new(desk), deliveries, notices, runtime })
    }

    /// Where a browser begins.
    pub fn start_url(&self) -> String {
        self.desk.start_url()
    }

    /// What a connection gets that sends these bytes and no more, and the answer that it brought.
    pub fn converse(&mut self, bytes: &[u8]) -> (Vec<u8>, Option<String>) {
        let (desk, deliveries) = (Arc::clone(&self.desk), &mut self.deliveries);
        let told = self.runtime.block_on(async {
            let (client, server) = duplex(bytes.len().max(64 * 1024));
            let (mut from, mut to) = split(client);
            let mut connections = JoinSet::new();
            connections.spawn(converse(server, desk));
            // Turned away early, the rest finds the connection closed.
            let _ = to.write_all(bytes).await;
            let (mut answer, mut brought) = (Vec::new(), None);
            // Whoever hangs up gets no answer, so that comes when nothing more happens.
            let hang_up = async {
                for _ in 0..TURNS {
                    yield_now().await;
                }
                let _ = to.shutdown().await;
                pending().await
            };
            let ended = {
                let (mut reading, mut hang_up) =
                    (pin!(from.read_to_end(&mut answer)), pin!(hang_up));
                loop {
                    tokio::select! {
                        biased;
                        Some(delivery) = deliveries.recv() => {
                            brought = Some(delivery.answer.to_string());
                            let (title, text) = ("Good".into(), "All <b>well</b>".into());
                            drop(delivery.reply.send(Verdict { is_good: true, title, text }));
                        }
                        read = &mut reading => break read,
                        () = &mut hang_up => {}
                    }
                }
            };
            drop(ended);
            (answer, brought)
        });
        while self.notices.try_recv().is_ok() {}
        told
    }
}

/// More than a connection takes for a request that is there.
const TURNS: usize = 100;

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}
