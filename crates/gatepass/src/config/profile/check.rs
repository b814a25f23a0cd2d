//! The check that a profile's secrets can be read, one by one.

use std::time::Duration;

use gatepass_core::{Error, Hint, Result, Secret};

use super::super::form;
use super::super::secret_file;
use super::super::value::SecretSource;
use super::Profile;
use crate::blocking::run_blocking;

impl Profile {
    /// Reads one secret from its [source](Self::secret_sources) and drops it, to find out which one
    /// is missing. Returns remarks on its form and its file, each with a hint.
    ///
    /// `Config` if it cannot be read, is empty, exceeds the time limit, or is bound to other origins
    /// than the profile's.
    pub(crate) async fn check_secret(&self, field: &str) -> Result<Vec<(String, Hint)>> {
        let (Some(known), Some(SecretSource::Reference(reference, options))) =
            (self.info.field(field), self.values.get(field))
        else {
            return Ok(self.literal_remarks(field));
        };
        // A check does not wait for another program to write.
        let limit = if reference.is_pipe() { SLACK } else { reference.read_timeout() + SLACK };
        let (profile, reference, source) = (self.clone(), reference.clone(), reference.describe());
        let (field, options) = (known, options.clone());
        let owned = field.clone();
        // A file may be on a disk that does not respond, and standard input may have no writer.
        let read = run_blocking(move || {
            let secret = profile.read_one(&owned, &reference, &options)?;
            let mut remarks = match reference.file(&profile.env) {
                Some(path) => secret_file::remarks(&path),
                None => Vec::new(),
            };
            if !options.raw {
                remarks.extend(remark_on(&secret));
            }
            Ok(remarks)
        });
        match tokio::time::timeout(limit, read).await {
            Ok(read) => read.unwrap_or_else(|| Err(Error::internal("reading the secret failed"))),
            Err(_) => {
                let seconds = limit.as_secs();
                let error = Error::config(format!("{source} returned nothing within {seconds} s"));
                Err(self.located(error.hint(field.help.to_string()), field))
            }
        }
    }
}

impl Profile {
    fn literal_remarks(&self, field: &str) -> Vec<(String, Hint)> {
        match self.values.get(field) {
            Some(SecretSource::Literal(secret)) => remark_on(secret).into_iter().collect(),
            _ => Vec::new(),
        }
    }
}

fn remark_on(secret: &Secret) -> Option<(String, Hint)> {
    let remark = form::looks_structured(secret.expose_secret())?;
    Some((remark.to_owned(), Hint::new("if the vendor refuses the secret, check its form")))
}

/// The time that a check waits beyond the time limits of commands and keyrings.
const SLACK: Duration = Duration::from_secs(5);
