//! The bytes of history entries.

use std::time::{Duration, SystemTime};

use super::fields::{FieldWriter, Fields, read_time, time_bytes};
use super::{HISTORY_ENTRY, decode_failure, encode_failure};
use crate::store::{HistoryEntry, NextStep, ProcessInfo};

/// The fields of a history entry. It has either `EXPIRES_AT` or `FAILURE`.
mod field {
    use super::super::fields::REQUIRED;

    pub(super) const AT: u8 = REQUIRED | 1;
    pub(super) const TOOK: u8 = REQUIRED | 2;
    pub(super) const PROVIDER: u8 = REQUIRED | 3;
    pub(super) const NEXT_STEP: u8 = REQUIRED | 4;
    pub(super) const EXPIRES_AT: u8 = 5;
    pub(super) const FAILURE: u8 = 6;
    pub(super) const ORIGIN: u8 = 7;
    pub(super) const FINGERPRINT: u8 = 8;
    pub(super) const PROCESS_ID: u8 = 9;
    pub(super) const PROCESS_NAME: u8 = 10;

    pub(super) const ALL: &[u8] = &[
        AT,
        TOOK,
        PROVIDER,
        NEXT_STEP,
        EXPIRES_AT,
        FAILURE,
        ORIGIN,
        FINGERPRINT,
        PROCESS_ID,
        PROCESS_NAME,
    ];
}

impl HistoryEntry {
    /// Encodes the entry in the format that all stores share, as [`Record::encode`](crate::Record) does. The
    /// entry contains no token and no secret. A credential that no store has
    /// [made a fingerprint of](Self::with_fingerprint_key) is left out.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut out = FieldWriter::new(HISTORY_ENTRY, field::ALL.len(), 512);
        out.time(field::AT, self.at)?;
        let took = u64::try_from(self.took.as_millis()).ok()?;
        out.bytes(field::TOOK, &took.to_le_bytes())?;
        out.string(field::PROVIDER, &self.provider)?;
        let (step, until) = step_bytes(self.next_step);
        match until {
            Some(until) => {
                let step = [&[step], time_bytes(until)?.as_slice()].concat();
                out.bytes(field::NEXT_STEP, &step)?;
            }
            None => out.bytes(field::NEXT_STEP, &[step])?,
        }
        match &self.outcome {
            Ok(expires_at) => out.time(field::EXPIRES_AT, *expires_at)?,
            Err(failure) => out.bytes(field::FAILURE, &encode_failure(failure)?)?,
        }
        out.optional_string(field::ORIGIN, self.origin.as_deref())?;
        out.optional_string(field::FINGERPRINT, self.fingerprint.as_deref())?;
        if let Some(ProcessInfo { id, name }) = &self.process {
            out.bytes(field::PROCESS_ID, &id.to_le_bytes())?;
            out.string(field::PROCESS_NAME, name)?;
        }
        Some(out.finish().to_vec())
    }

    /// Decodes an entry; `None` if the bytes are not an entry, or are one of a version that this
    /// one cannot read.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let fields = Fields::read(bytes, HISTORY_ENTRY, field::ALL)?;
        let at = fields.time(field::AT)?;
        let took = Duration::from_millis(u64::from_le_bytes(fields.array(field::TOOK)?));
        let expires_at = fields.bytes(field::EXPIRES_AT).map(read_time);
        let failure = fields.bytes(field::FAILURE).map(decode_failure);
        let outcome = match (expires_at, failure) {
            (Some(expires_at), None) => Ok(expires_at?),
            (None, Some(failure)) => Err(failure?),
            _ => return None,
        };
        let id = fields.optional_array(field::PROCESS_ID)?.map(u32::from_le_bytes);
        let name = fields.optional_string(field::PROCESS_NAME)?;
        let process = match (id, name) {
            (Some(id), Some(name)) => Some(ProcessInfo { id, name: name.to_owned() }),
            (None, None) => None,
            _ => return None,
        };
        let mut entry = Self::new(fields.string(field::PROVIDER)?, at, took, Ok(at))
            .with_next_step(read_step(fields.bytes(field::NEXT_STEP)?)?);
        entry.outcome = outcome;
        entry.origin = fields.optional_string(field::ORIGIN)?.map(str::to_owned);
        entry.fingerprint = fields.optional_string(field::FINGERPRINT)?.map(str::to_owned);
        entry.process = process;
        Some(entry)
    }
}

/// The number of a next step and the time that belongs to it.
fn step_bytes(step: NextStep) -> (u8, Option<SystemTime>) {
    match step {
        NextStep::TokenStored => (0, None),
        NextStep::TokenNotStored => (1, None),
        NextStep::PreviousTokenKept => (2, None),
        NextStep::Denied(until) => (3, Some(until)),
        NextStep::CooledDown(until) => (4, Some(until)),
        NextStep::Retried => (5, None),
        NextStep::NotCached => (6, None),
    }
}

fn read_step(bytes: &[u8]) -> Option<NextStep> {
    let (number, until) = bytes.split_first()?;
    let until = if until.is_empty() { None } else { Some(read_time(until)?) };
    step_from(*number, until)
}

/// The next step with this number; `None` if it needs a time and has none, or the reverse.
pub(in super::super) fn step_from(number: u8, until: Option<SystemTime>) -> Option<NextStep> {
    Some(match (number, until) {
        (0, None) => NextStep::TokenStored,
        (1, None) => NextStep::TokenNotStored,
        (2, None) => NextStep::PreviousTokenKept,
        (3, Some(until)) => NextStep::Denied(until),
        (4, Some(until)) => NextStep::CooledDown(until),
        (5, None) => NextStep::Retried,
        (6, None) => NextStep::NotCached,
        _ => return None,
    })
}
