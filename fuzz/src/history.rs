//! History entries, and the files that contain them.

use gatepass_engine::{HistoryEntry, fuzzing};

/// Reads an entry and a history file of each format, writes them, and reads them again.
pub fn run(bytes: &[u8]) {
    if let Some(entry) = HistoryEntry::decode(bytes) {
        let written = entry.encode().expect("an entry that was read can be written");
        let again = HistoryEntry::decode(&written).expect("an entry that was written can be read");
        assert_eq!(format!("{entry:?}"), format!("{again:?}"));
        assert_eq!(again.encode(), Some(written));
    }
    let journals = [fuzzing::journal(bytes), fuzzing::journal_version_1(bytes)];
    for entries in journals.into_iter().flatten() {
        assert!(entries.len() <= bytes.len());
        let written =
            fuzzing::write_journal(&entries).expect("entries that were read can be written");
        let again = fuzzing::journal(&written).expect("entries that were written can be read");
        assert_eq!(format!("{entries:?}"), format!("{again:?}"));
        assert_eq!(fuzzing::write_journal(&again), Some(written));
        for entry in &entries {
            let error = entry.error().map(|error| format!("{error} {error:?}"));
            assert_eq!(error.is_some(), entry.expires_at().is_none());
        }
    }
}
