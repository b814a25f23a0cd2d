//! What a store's file holds of a token or of a failure, once its seal is open.

use std::time::{Duration, SystemTime};

use gatepass_engine::{Record, fuzzing};

use super::answer::sent;

/// Reads a record, and reads again what it is written as.
pub fn run(bytes: &[u8]) {
    fuzzing::open(bytes);
    let Some(record) = fuzzing::record(bytes) else { return };
    let written = fuzzing::write_record(&record).expect("a record that was read can be written");
    let again = fuzzing::record(&written).expect("a record that was written can be read");
    assert_eq!(format!("{record:?}"), format!("{again:?}"));
    assert_eq!(fuzzing::write_record(&again).as_deref(), Some(&*written));
    let limit = sent() + Duration::from_secs(1 << 40);
    for now in [SystemTime::UNIX_EPOCH, sent(), limit] {
        if record.is_current(now) {
            assert!(record.expires_at() > now);
        }
        match &record {
            Record::Token(token) => {
                let text = token.expose_secret();
                assert!(text.len() <= bytes.len() && text.bytes().all(|b| b.is_ascii_graphic()));
                assert!(token.remaining(now) <= token.lifetime().max(token.remaining(now)));
                let shown = format!("{token:?}");
                assert!(text.len() < 12 || !shown.contains(text), "a token shows itself");
            }
            Record::Failure(failure) => drop(failure.error(now).to_string()),
            _ => {}
        }
    }
}
