//! Whether a profile's secrets can be read, one by one.

use std::time::Duration;

use gatepass_core::{Error, Result};

use super::super::secret::Source;
use super::{Profile, help};

impl Profile {
    /// Reads one secret from where [`secret_sources`](Self::secret_sources) says, and forgets it:
    /// to tell which of them is missing.
    ///
    /// `Config` if it cannot be read, is empty, or has not come in time.
    pub async fn check_secret(&self, field: &str) -> Result<()> {
        let (Some(field), Some(Source::Reference(reference))) =
            (self.info.field(field), self.values.get(field))
        else {
            return Ok(());
        };
        let limit = self.values.get(field.name).map_or(SLACK, |source| source.patience() + SLACK);
        let (reference, shown) = (reference.clone(), reference.shown());
        let (env, folder) = (self.env.clone(), self.folder.clone());
        // A file may lie on a disk that is gone, and nobody may write to standard input.
        let read = tokio::task::spawn_blocking(move || {
            reference.read(field.name, &env, &folder).map(drop)
        });
        let read = match tokio::time::timeout(limit, read).await {
            Ok(read) => read.unwrap_or_else(|_| Err(Error::internal("reading the secret failed"))),
            Err(_) => Err(Error::config(format!(
                "`{}`: {shown} gave nothing within {} s",
                field.name,
                limit.as_secs()
            ))),
        };
        read.map_err(|error| self.places.name(error.or_hint(help(field))))
    }
}

/// What a secret may take beyond the time limits that commands and keyrings have anyway.
const SLACK: Duration = Duration::from_secs(5);
