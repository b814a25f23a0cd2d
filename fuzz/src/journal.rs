//! What a store's journal holds of exchanges, once its seal is open.

use gatepass_engine::fuzzing;

/// Reads notes, and reads again what they are written as.
pub fn run(bytes: &[u8]) {
    let Some(notes) = fuzzing::journal(bytes) else { return };
    assert!(notes.len() <= bytes.len());
    let written = fuzzing::write_journal(&notes).expect("notes that were read can be written");
    let again = fuzzing::journal(&written).expect("notes that were written can be read");
    assert_eq!(format!("{notes:?}"), format!("{again:?}"));
    assert_eq!(fuzzing::write_journal(&again).as_deref(), Some(&*written));
    for note in &notes {
        let error = note.error().map(|error| format!("{error} {error:?}"));
        assert_eq!(error.is_some(), note.expires_at().is_none());
    }
}
