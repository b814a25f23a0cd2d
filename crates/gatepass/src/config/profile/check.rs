//! Whether a profile's secrets can be read, one by one.

use std::time::Duration;

use gatepass_core::{Error, Result};

use super::super::secret::Source;
use super::{Profile, help};

impl Profile {
    /// Reads one secret from where [`secret_sources`](Self::secret_sources) says, and forgets it:
    /// to tell which of them is missing.
    ///
    /// `Config` if it cannot be read, is empty, has not come in time, or is not kept for where the
    /// profile goes.
    pub async fn check_secret(&self, field: &str) -> Result<()> {
        let (Some(field), Some(Source::Reference(reference))) =
            (self.info.field(field), self.values.get(field))
        else {
            return Ok(());
        };
        // A look at how things are does not wait for somebody to write.
        let limit = if reference.is_pipe() { SLACK } else { reference.patience() + SLACK };
        let (profile, reference, shown) = (self.clone(), reference.clone(), reference.shown());
        // A file may lie on a disk that is gone, and nobody may write to standard input.
        let read =
            tokio::task::spawn_blocking(move || profile.read_one(field, &reference).map(drop));
        match tokio::time::timeout(limit, read).await {
            Ok(read) => read.unwrap_or_else(|_| Err(Error::internal("reading the secret failed"))),
            Err(_) => {
                let seconds = limit.as_secs();
                let late = format!("`{}`: {shown} gave nothing within {seconds} s", field.name);
                Err(self.places.name(Error::config(late).with_hint(help(field))))
            }
        }
    }
}

/// What a secret may take beyond the time limits that commands and keyrings have anyway.
const SLACK: Duration = Duration::from_secs(5);
