//! The check that a profile's secrets can be read, one by one.

use std::time::Duration;

use gatepass_core::{Error, Result};

use super::super::value::SecretSource;
use super::Profile;

impl Profile {
    /// Reads one secret from its [source](Self::secret_sources) and drops it, to find out which one
    /// is missing.
    ///
    /// `Config` if it cannot be read, is empty, exceeds the time limit, or is bound to other origins
    /// than the profile's.
    pub(crate) async fn check_secret(&self, field: &str) -> Result<()> {
        let (Some(field), Some(SecretSource::Reference(reference))) =
            (self.info.field(field), self.values.get(field))
        else {
            return Ok(());
        };
        // A check does not wait for another program to write.
        let limit = if reference.is_pipe() { SLACK } else { reference.read_timeout() + SLACK };
        let (profile, reference, source) = (self.clone(), reference.clone(), reference.describe());
        let owned = field.clone();
        // A file may be on a disk that does not respond, and standard input may have no writer.
        let read =
            tokio::task::spawn_blocking(move || profile.read_one(&owned, &reference).map(drop));
        match tokio::time::timeout(limit, read).await {
            Ok(read) => read.unwrap_or_else(|_| Err(Error::internal("reading the secret failed"))),
            Err(_) => {
                let seconds = limit.as_secs();
                let error = Error::config(format!("{source} returned nothing within {seconds} s"));
                Err(self.located(error.hint(field.help.to_string()), field))
            }
        }
    }
}

/// The time that a check waits beyond the time limits of commands and keyrings.
const SLACK: Duration = Duration::from_secs(5);
