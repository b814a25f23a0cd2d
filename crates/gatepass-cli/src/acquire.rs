//! Acquires the token of a command, as `--fresh`, `--min-ttl` and `--wait` require.

use std::time::Duration;

use gatepass::clock::{Clock, SystemClock};
use gatepass::{Token, TokenSource};

use crate::error::CommandError;
use crate::options::WaitArgs;
use crate::output::Output;
use crate::wait::with_retries;

/// The token that a command wants.
pub(crate) struct WantedToken<'a> {
    pub(crate) profile: &'a str,
    /// The remaining lifetime that the token must have.
    pub(crate) min_ttl: Option<Duration>,
    /// Whether to send a token request although a usable token is cached.
    pub(crate) is_fresh: bool,
    pub(crate) wait: WaitArgs,
}

/// Acquires a token, and prints the warnings that its response caused.
///
/// Fails if the vendor issues only tokens with a shorter lifetime than the required one.
pub(crate) async fn acquire(
    wanted: &WantedToken<'_>,
    source: &TokenSource,
    output: &Output,
) -> Result<Token, CommandError> {
    let required = wanted.min_ttl.unwrap_or_default();
    let token = with_retries(wanted.wait.wait, source, output, || async {
        match wanted.is_fresh {
            true => source.refresh_now().await,
            false => source.token_for(required).await,
        }
    })
    .await?;
    output.warn_token(wanted.profile, &token);
    let lifetime = token.remaining(SystemClock::new().wall());
    if lifetime < required {
        let profile = wanted.profile.to_owned();
        return Err(CommandError::LifetimeTooShort { profile, lifetime, required });
    }
    Ok(token)
}
