//! A subscription to a source's tokens, for connections that outlive one token.

use gatepass_core::{Result, Token};

use crate::prefetch::{MAX_SLEEP, MIN_SLEEP};
use crate::rt::{sleep, timeout, watch};
use crate::source::TokenSource;

impl TokenSource {
    /// Returns a subscription to this source's tokens: see [`Watch::next`].
    pub fn watch(&self) -> Watch {
        Watch { source: self.clone(), changes: self.cache().changes(), last: None }
    }
}

/// A subscription to a source's tokens, returned by [`TokenSource::watch`].
///
/// ```
/// # use gatepass_engine::TokenSource;
/// # async fn run(source: TokenSource) -> gatepass_core::Result<()> {
/// let mut tokens = source.watch();
/// loop {
///     let token = tokens.next().await?;
///     println!("log in to the broker again, the token expires at {:?}", token.expires_at());
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Watch {
    source: TokenSource,
    changes: watch::Receiver<()>,
    last: Option<Token>,
}

impl Watch {
    /// Waits for the next usable token and refreshes it in time. The first call returns the
    /// current token.
    ///
    /// Returns an error while there is no usable token. The call after an error waits for the end
    /// of the cool-down, or until the source looks for another credential or in the store; once the source is closed, each call fails immediately. Dropping the
    /// future loses no token.
    pub async fn next(&mut self) -> Result<Token> {
        loop {
            self.changes.mark_unchanged();
            let cooldown = self.source.cache().quiet_for();
            if let Some(remaining) = cooldown.filter(|_| self.source.peek().is_none()) {
                sleep(remaining).await;
            }
            let token = self.source.token().await?;
            if !self.last.as_ref().is_some_and(|last| last.is_same_as(&token)) {
                self.last = Some(token.clone());
                return Ok(token);
            }
            drop(token);
            let due = self.source.cache().due_in().clamp(MIN_SLEEP, MAX_SLEEP);
            let _ = timeout(due, self.changes.changed()).await;
        }
    }
}
