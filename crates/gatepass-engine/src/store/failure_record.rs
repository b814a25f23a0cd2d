//! Failure records: errors that a store keeps, so that a vendor that denies is asked once.

use std::time::{Duration, SystemTime};

use gatepass_core::{Error, ErrorKind, Hint, Retry};

use super::Circumstances;

/// A failed token request, and how long callers get its error instead of sending another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureRecord {
    pub(super) kind: ErrorKind,
    pub(super) retry: Retry,
    pub(super) message: String,
    pub(super) hints: Vec<Hint>,
    pub(super) status: Option<u16>,
    pub(super) vendor_code: Option<String>,
    pub(super) vendor_text: Option<String>,
    pub(super) field: Option<String>,
    pub(super) failed_at: SystemTime,
    pub(super) until: SystemTime,
    pub(super) circumstances: Option<Circumstances>,
    pub(super) is_lasting: bool,
}

impl FailureRecord {
    /// The longest time that a failure is kept. A denied credential is part of the store's key, so
    /// a changed one sends a new request at once; this limit is for a vendor that changes its mind.
    pub const MAX_COOLDOWN: Duration = Duration::from_secs(3600);

    /// The time that a [lasting](Self::lasting) failure is kept.
    pub const LASTING_COOLDOWN: Duration = Duration::from_secs(365 * 24 * 3600);

    /// Creates the record of a request that was sent at `failed_at`. It is kept until `until`, but
    /// not longer than [`MAX_COOLDOWN`](Self::MAX_COOLDOWN).
    ///
    /// The error's provider, profile, place and cause are not kept.
    pub fn new(error: &Error, failed_at: SystemTime, until: SystemTime) -> Self {
        Self {
            kind: error.kind(),
            retry: error.retry(),
            message: error.message().to_owned(),
            hints: error.hints().to_vec(),
            status: error.status(),
            vendor_code: error.vendor_code().map(str::to_owned),
            vendor_text: error.vendor_text().map(str::to_owned),
            field: error.field().map(str::to_owned),
            failed_at,
            until: until.min(failed_at + Self::MAX_COOLDOWN),
            circumstances: None,
            is_lasting: false,
        }
    }

    /// Binds the failure to these circumstances: a caller under others does not get it.
    pub fn with_circumstances(self, circumstances: Circumstances) -> Self {
        Self { circumstances: Some(circumstances), ..self }
    }

    /// Keeps the failure until its circumstances change, for a vendor that locks accounts.
    pub fn lasting(self) -> Self {
        let until = self.failed_at.checked_add(Self::LASTING_COOLDOWN).unwrap_or(self.until);
        Self { until, is_lasting: true, ..self }
    }

    /// Returns what the failure is bound to.
    pub fn circumstances(&self) -> Option<&Circumstances> {
        self.circumstances.as_ref()
    }

    /// Returns whether a caller under these circumstances, or under any, gets the failure.
    pub(super) fn is_bound_to(&self, circumstances: Option<&Circumstances>) -> bool {
        circumstances.is_none() || self.circumstances() == circumstances
    }

    /// Returns the kind of the error, by which callers decide what to do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns when the request was sent that failed.
    pub fn failed_at(&self) -> SystemTime {
        self.failed_at
    }

    /// Returns when the cool-down ends.
    pub fn until(&self) -> SystemTime {
        self.until
    }

    /// Returns the error. If a later request can succeed, it states the wait from `now`.
    pub fn error(&self, now: SystemTime) -> Error {
        let make = match self.kind {
            ErrorKind::Config => Error::config,
            ErrorKind::Denied => Error::denied,
            ErrorKind::LoginRequired => Error::login_required,
            ErrorKind::Throttled => Error::throttled,
            ErrorKind::Unavailable => Error::unavailable,
            ErrorKind::Protocol => Error::protocol,
            ErrorKind::UnsafeToken => Error::unsafe_token,
            _ => Error::internal,
        };
        let mut error =
            make(self.message.clone()).with_retry(self.retry).with_hints(self.hints.clone());
        if let Some(status) = self.status {
            error = error.with_status(status);
        }
        if let Some(code) = &self.vendor_code {
            error = error.with_vendor_code(code);
        }
        if let Some(text) = &self.vendor_text {
            error = error.with_vendor_text(text);
        }
        if let Some(field) = &self.field {
            error = error.with_field(field.clone());
        }
        if self.retry == Retry::Later {
            error = error.with_retry_after(self.until.duration_since(now).unwrap_or_default());
        }
        error
    }
}
