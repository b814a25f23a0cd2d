//! Keeps a token file fresh: replaces the token at each refresh and removes it when it expires.

use std::convert::Infallible;
use std::time::Duration;

use gatepass::clock::{Clock, SystemClock};
use gatepass::config::Profile;
use gatepass::{Token, TokenSource};
use tokio::time::{Instant, sleep, timeout};

use super::file_content::content;
use super::token_file::{TokenFile, write_error};
use crate::error::CommandError;
use crate::options::Format;
use crate::output::{Output, format_duration, rfc3339};

/// The longest time between two checks of the source.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// The shortest time between two checks of the source.
const MIN_PAUSE: Duration = Duration::from_secs(1);

/// How long an expired token stays in the file while its successor is requested.
const EXPIRY_GRACE: Duration = Duration::from_secs(1);

/// A token file that follows a source.
pub(crate) struct FileKeeper<'a> {
    pub(crate) file: TokenFile,
    pub(crate) format: Format,
    pub(crate) profile: &'a Profile,
    pub(crate) source: &'a TokenSource,
    /// The remaining lifetime that every token in the file must have, if the vendor issues it.
    pub(crate) min_ttl: Duration,
    pub(crate) output: &'a Output,
}

/// A token in the file.
struct WrittenToken {
    token: Token,
    /// When it expires by a clock that no user sets. The wall clock is checked as well, because this
    /// one does not advance while the machine is suspended.
    expires: Instant,
}

impl WrittenToken {
    fn new(token: Token) -> Self {
        let expires = Instant::now() + token.remaining(SystemClock::new().wall()).min(MAX_LIFETIME);
        Self { token, expires }
    }

    fn remaining(&self) -> Duration {
        let remaining = self.token.remaining(SystemClock::new().wall());
        remaining.min(self.expires.saturating_duration_since(Instant::now()))
    }
}

/// The longest lifetime that is added to the clock without an overflow.
const MAX_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);

impl FileKeeper<'_> {
    /// Writes this token.
    pub(crate) async fn write(&mut self, token: &Token) -> Result<(), CommandError> {
        let text = content(self.format, self.profile, self.source, token).await?;
        let written = self.file.write(text.as_bytes());
        written.map_err(|error| write_error(self.file.path(), &error))
    }

    /// Writes each new token to the file that has the first one, and removes a token that expires.
    /// Of consecutive failures only the first and the removal are warnings.
    pub(crate) async fn keep(&mut self, first: Token) -> Infallible {
        let mut watch = self.source.watch();
        let mut in_file = Some(WrittenToken::new(first));
        let mut has_warned = false;
        let mut next_renewal = Instant::now();
        loop {
            let remaining = in_file.as_ref().map(WrittenToken::remaining);
            let is_short = remaining.is_some_and(|remaining| remaining < self.min_ttl)
                && Instant::now() >= next_renewal;
            if let Some(remaining) = remaining.filter(|_| is_short) {
                // A vendor that issues shorter tokens, or the same one until it expires, gets few
                // requests: one each time that the rest of the lifetime has halved.
                next_renewal = Instant::now() + (remaining / 2).max(MAX_PAUSE);
            }
            let failed = tokio::select! {
                next = watch.next() => next.is_err(),
                renewed = self.source.token_for(self.min_ttl), if is_short => {
                    self.check_lifetime(renewed.ok());
                    false
                }
                // A failed refresh does not wake watchers while the token is usable.
                () = sleep(self.pause(remaining)) => false,
            };
            let problem = self.update(&mut in_file, has_warned).await;
            has_warned = problem;
            if failed {
                // The source limits its own requests; this is for errors without a cool-down.
                let remaining = in_file.as_ref().map_or(MIN_PAUSE, WrittenToken::remaining);
                sleep(MIN_PAUSE.min(remaining)).await;
            }
        }
    }

    /// Returns the time until the next check.
    fn pause(&self, remaining: Option<Duration>) -> Duration {
        let refresh = self.source.status().refresh_in.unwrap_or(MAX_PAUSE);
        let mut pause = refresh.clamp(MIN_PAUSE, MAX_PAUSE);
        if let Some(remaining) = remaining {
            let until_short = remaining.saturating_sub(self.min_ttl).max(MIN_PAUSE);
            pause = pause.min(until_short).min(remaining);
        }
        pause
    }

    /// Brings the file up to date, and returns whether there is a problem, of which the user has
    /// been warned.
    async fn update(&mut self, in_file: &mut Option<WrittenToken>, has_warned: bool) -> bool {
        let is_expired = in_file.as_ref().is_some_and(|written| written.remaining().is_zero());
        if is_expired && self.source.status().last_error.is_none() {
            // A token that is on its way replaces the expired one, so that the file is not missing
            // for a moment. An error is in the status below.
            let _ = timeout(EXPIRY_GRACE, self.source.token()).await;
        }
        let mut problem = self.source.status().last_error.map(|error| error.to_string());
        let newest = self.source.peek().filter(|token| {
            let written = in_file.as_ref();
            !written.is_some_and(|written| written.token.is_same_as(token))
                || self.file.is_missing()
        });
        if let Some(token) = newest {
            match self.write(&token).await {
                Ok(()) => *in_file = Some(WrittenToken::new(token)),
                Err(error) => problem = Some(error.message()),
            }
        }
        let expired = in_file.take_if(|written| written.remaining().is_zero());
        let was_removed = expired.is_some() && self.file.remove();
        let token = match (&expired, &*in_file) {
            (Some(expired), _) => Some(&expired.token),
            (None, written) => written.as_ref().map(|written| &written.token),
        };
        let expiry = token.map(|token| rfc3339(token.expires_at())).unwrap_or_default();
        let state = match (was_removed, token) {
            (true, _) => Some(format!("was removed, because its token expired at {expiry}")),
            (false, _) if has_warned || problem.is_none() => None,
            (false, Some(_)) => Some(format!("keeps the token that expires at {expiry}")),
            (false, None) => Some(String::from("cannot be written")),
        };
        if let Some(state) = state {
            let (profile, file) = (&self.profile.name, self.file.path().display());
            let reason = problem.as_ref().map(|problem| format!(": {problem}")).unwrap_or_default();
            self.output.warn(&format!("{profile}: {file} {state}{reason}"));
            self.output.flush_warnings();
        }
        problem.is_some() || was_removed
    }

    /// Warns if the vendor issued a shorter token than required.
    fn check_lifetime(&self, token: Option<Token>) {
        let Some(token) = token else { return };
        let lifetime = token.remaining(SystemClock::new().wall());
        if lifetime < self.min_ttl {
            let profile = &self.profile.name;
            let (lifetime, required) = (format_duration(lifetime), format_duration(self.min_ttl));
            self.output.warn(&format!(
                "{profile}: the vendor's token is valid for {lifetime}, less than the {required} of \
                 --min-ttl"
            ));
            self.output.flush_warnings();
        }
    }
}
