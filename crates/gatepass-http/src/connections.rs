//! The connections of token requests, which are closed 1 s after the last one.
//!
//! The buffers of an idle connection still contain the last request: Basic credentials, subscription
//! keys, and the query. reqwest closes a pooled connection only at the second check after the pool's
//! idle time has passed, and does not reuse it in between, so its pool cannot both keep connections
//! for a second and close them then. Instead, the whole client with its pool is dropped. The next
//! token request makes a new one from the same TLS configuration, which keeps the sessions for
//! resumption.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use gatepass_core::Result;
use reqwest::Client;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

/// The idle time after which the connections are closed.
pub(crate) const TOKEN_IDLE: Duration = Duration::from_secs(1);

/// A client that exists during token requests and for [`TOKEN_IDLE`] after the last one.
#[derive(Default)]
pub(crate) struct TokenConnections(Arc<Mutex<Slot>>);

#[derive(Default)]
struct Slot {
    client: Option<Client>,
    in_flight: usize,
    idle_since: Option<Instant>,
    /// Whether a task waits for the idle time to pass.
    is_watched: bool,
}

impl TokenConnections {
    /// Returns the client for one request, and makes it if there is none.
    pub(crate) fn handle(&self, make: impl FnOnce() -> Result<Client>) -> Result<ClientHandle> {
        let mut slot = lock(&self.0);
        let client = match &slot.client {
            Some(client) => client.clone(),
            None => slot.client.insert(make()?).clone(),
        };
        slot.in_flight += 1;
        Ok(ClientHandle { client, slot: Some(Arc::clone(&self.0)) })
    }
}

impl fmt::Debug for TokenConnections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenConnections").finish_non_exhaustive()
    }
}

/// The client of one request. A token request has ended when its handle is dropped.
pub(crate) struct ClientHandle {
    client: Client,
    slot: Option<Arc<Mutex<Slot>>>,
}

impl ClientHandle {
    /// Returns the client.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }
}

impl From<Client> for ClientHandle {
    /// Makes a handle of a client whose connections are kept.
    fn from(client: Client) -> Self {
        Self { client, slot: None }
    }
}

impl Drop for ClientHandle {
    fn drop(&mut self) {
        let Some(shared) = &self.slot else { return };
        let mut slot = lock(shared);
        slot.in_flight = slot.in_flight.saturating_sub(1);
        slot.idle_since = Some(Instant::now());
        if slot.in_flight > 0 || slot.is_watched {
            return;
        }
        match Handle::try_current() {
            Ok(runtime) => {
                slot.is_watched = true;
                drop(slot);
                let watch = Watch(Arc::downgrade(shared));
                drop(runtime.spawn(watch.close_when_idle()));
            }
            // The request was dropped outside a runtime, so no task can wait.
            Err(_) => slot.client = None,
        }
    }
}

/// The task that drops an idle client. If the runtime ends first, it drops the client then, because
/// the runtime's connections end too.
struct Watch(Weak<Mutex<Slot>>);

impl Watch {
    async fn close_when_idle(self) {
        while let Some(end) = self.next_check() {
            sleep_until(end).await;
        }
    }

    /// Returns when the idle time may have passed; `None` if it has, or if a request is in flight, whose
    /// end starts the next task.
    fn next_check(&self) -> Option<Instant> {
        let slot = self.0.upgrade()?;
        let slot = lock(&slot);
        if slot.in_flight > 0 {
            return None;
        }
        let end = slot.idle_since? + TOKEN_IDLE;
        (end > Instant::now()).then_some(end)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let Some(slot) = self.0.upgrade() else { return };
        let mut slot = lock(&slot);
        slot.is_watched = false;
        if slot.in_flight == 0 {
            slot.client = None;
        }
    }
}

fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
