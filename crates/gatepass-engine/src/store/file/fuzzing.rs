//! A door for fuzzing: the readers behind the seal, which nobody else can hand any bytes.

use zeroize::Zeroizing;

use super::seal::Keys;
use super::{codec, journal};
use crate::store::{HistoryEntry, Record};

/// The bytes under a seal that was made with a key of zeros.
pub fn open(sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    Keys::derive(&[0; 32]).open("name", sealed).ok()
}

/// The record that these bytes are.
pub fn record(bytes: &[u8]) -> Option<Record> {
    codec::decode(bytes)
}

/// The bytes of a record.
pub fn write_record(record: &Record) -> Option<Zeroizing<Vec<u8>>> {
    codec::encode(record)
}

/// The notes that these bytes are.
pub fn journal(bytes: &[u8]) -> Option<Vec<HistoryEntry>> {
    journal::decode(bytes)
}

/// The bytes of notes.
pub fn write_journal(notes: &[HistoryEntry]) -> Option<Zeroizing<Vec<u8>>> {
    journal::encode(notes)
}
