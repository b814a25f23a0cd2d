//! Acquires the token of a command, as `--fresh`, `--min-ttl` and `--wait` require.

use std::time::Duration;

use gatepass::clock::{Clock, SystemClock};
use gatepass::{Token, TokenSource};

use crate::error::CommandError;
use crate::options::Deadline;
use crate::output::Output;
use crate::wait::with_retries;

/// The token that a command wants.
pub(crate) struct WantedToken<'a> {
    pub(crate) profile: &'a str,
    /// The remaining lifetime that the token must have.
    pub(crate) min_ttl: Option<Duration>,
    /// Whether to send a token request although a usable token is cached.
    pub(crate) is_fresh: bool,
    pub(crate) deadline: Deadline,
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
    let token = with_retries(wanted.deadline, source, output, || async {
        match wanted.is_fresh {
            true => source.refresh_now().await,
            false => source.token_for(required).await,
        }
    })
    .await?;
    output.warn_token(wanted.profile, &token);
    let lifetime = token.remaining(SystemClock::new().wall());
    let is_cached = source.status().exchanges == 0;
    output.verbose(|| match is_cached {
        true => format!("{}: cached token, {} left", wanted.profile, rough(lifetime)),
        false => format!("{}: new token, valid for {}", wanted.profile, rough(lifetime)),
    });
    if lifetime < required {
        let profile = wanted.profile.to_owned();
        return Err(CommandError::LifetimeTooShort { profile, lifetime, required });
    }
    Ok(token)
}

/// Formats a duration as its largest unit, such as `43 min`.
fn rough(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7200 => format!("{} min", seconds / 60),
        seconds @ ..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}
