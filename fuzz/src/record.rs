//! A stored token or failure as the store writes it, after decryption.

use std::time::{Duration, SystemTime};

use gatepass_engine::{Record, SealingKeys};

use super::token_response::sent;

/// Reads a record, writes it, and reads it again.
pub fn run(bytes: &[u8]) {
    let _ = SealingKeys::new("fuzz", &[0; 32], &[], &[0; 32]).open("name", bytes);
    let Some(record) = Record::decode(bytes) else { return };
    let written = record.encode().expect("a record that was read can be written");
    let again = Record::decode(&written).expect("a record that was written can be read");
    assert_eq!(format!("{record:?}"), format!("{again:?}"));
    assert_eq!(again.encode().as_deref(), Some(&*written));
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
