//! Entry points for fuzzing: the readers of journals, whose bytes are behind a seal.

use super::{journal, version_1};
use crate::store::HistoryEntry;

/// Decodes a journal.
pub fn journal(bytes: &[u8]) -> Option<Vec<HistoryEntry>> {
    journal::decode(bytes)
}

/// Decodes a journal of format version 1.
pub fn journal_version_1(bytes: &[u8]) -> Option<Vec<HistoryEntry>> {
    version_1::decode_journal(bytes)
}

/// Encodes a journal.
pub fn write_journal(entries: &[HistoryEntry]) -> Option<Vec<u8>> {
    journal::encode(entries)
}
