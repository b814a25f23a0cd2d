//! The journal: a profile's latest notes in one file, sealed as records are.
//!
//! It is read, added to and replaced under the folder's lock, so that none of many processes'
//! notes is lost. It is not brought down to the disk at once: what a power cut takes is a few
//! notes, and a journal that is damaged is begun anew.

use std::io;
use std::time::Duration;

use gatepass_core::Result;
use zeroize::Zeroizing;

use super::codec::{Reader, Writer, failure, put_failure};
use super::folder::{Found, MAX_FILE, failed};
use super::{FileStore, off_thread};
use crate::store::{HistoryEntry, NextStep, ProcessInfo, ProfileKey};

const NAME: &str = "journal";
/// Of what is sealed: another one is another version's.
const FORMAT: u8 = 1;

/// What stands under a journal's name.
enum There {
    Notes(Vec<HistoryEntry>),
    /// A file of ours that is no journal, or not any more.
    Lost(&'static str),
    /// Something that we have not made.
    Foreign(&'static str),
}

impl FileStore {
    pub(super) async fn add_note(&self, profile: &ProfileKey, note: &HistoryEntry) -> Result<()> {
        let note = match note.process() {
            Some(_) => note.with_fingerprint_key(self.keys.fingerprints()),
            None => note
                .with_fingerprint_key(self.keys.fingerprints())
                .with_process(std::process::id(), &self.process),
        };
        let (store, name) = (self.clone(), self.journal(profile));
        off_thread(move || store.add(&name, note))
            .await
            .map_err(|error| failed("an exchange could not be noted", error))
    }

    pub(super) fn read_notes(&self, profile: &ProfileKey) -> Result<Vec<HistoryEntry>> {
        let lost = |why| failed("what was noted of exchanges is lost", io::Error::other(why));
        match self.there(&self.journal(profile)) {
            Ok(There::Notes(notes)) => Ok(notes),
            Ok(There::Lost(why) | There::Foreign(why)) => Err(lost(why)),
            Err(error) => Err(failed("what was noted of exchanges cannot be read", error)),
        }
    }

    pub(super) async fn remove_notes(&self, profile: &ProfileKey) -> Result<usize> {
        let (store, name) = (self.clone(), self.journal(profile));
        let remove = move || {
            let _folder = store.lock_folder()?;
            let count = match store.there(&name)? {
                There::Notes(notes) => notes.len(),
                // Nobody knows how many there were.
                There::Lost(_) => 1,
                There::Foreign(_) => 0,
            };
            store.folder.remove(&name)?;
            store.folder.sync()?;
            Ok(count)
        };
        off_thread(remove)
            .await
            .map_err(|error| failed("what was noted of exchanges could not be forgotten", error))
    }

    fn journal(&self, profile: &ProfileKey) -> String {
        format!("{}{NAME}", self.prefix(profile))
    }

    fn add(&self, name: &str, note: HistoryEntry) -> io::Result<()> {
        let _folder = self.lock_folder()?;
        let mut notes = match self.there(name)? {
            There::Notes(notes) => notes,
            There::Lost(why) => {
                tracing::info!(file = name, why, "notes of exchanges are lost");
                Vec::new()
            }
            There::Foreign(_) => {
                return Err(io::Error::other("something else stands in its place"));
            }
        };
        notes.push(note);
        notes.drain(..notes.len().saturating_sub(HistoryEntry::MAX_ENTRIES));
        self.folder.write_later(&self.sealed(name, notes)?)?.replace(name)
    }

    /// The notes as a file, without the oldest where all of them are too long for one.
    fn sealed(&self, name: &str, mut notes: Vec<HistoryEntry>) -> io::Result<Vec<u8>> {
        loop {
            let sealed = encode(&notes).and_then(|plain| self.keys.seal(name, 0, &plain));
            match sealed {
                Some(sealed) if sealed.len() <= MAX_FILE => return Ok(sealed),
                Some(_) if notes.len() > 1 => drop(notes.remove(0)),
                _ => return Err(io::Error::other("it is too long, or there is no randomness")),
            }
        }
    }

    fn there(&self, name: &str) -> io::Result<There> {
        Ok(match self.folder.read(name)? {
            Found::Nothing => There::Notes(Vec::new()),
            Found::File(sealed) => match self.keys.open(name, &sealed) {
                Ok(plain) => match decode(&plain) {
                    Some(notes) => There::Notes(notes),
                    None => There::Lost("it is of another version"),
                },
                Err(why) => There::Lost(why),
            },
            Found::Unread(why) => There::Lost(why),
            Found::Foreign(why) => There::Foreign(why),
        })
    }
}

pub(super) fn encode(notes: &[HistoryEntry]) -> Option<Zeroizing<Vec<u8>>> {
    let mut out = Writer::default();
    out.byte(FORMAT);
    for note in notes {
        out.time(note.at)?;
        out.number(u64::try_from(note.took.as_millis()).ok()?);
        out.text(&note.provider)?;
        out.optional(note.origin.as_deref())?;
        out.optional(note.fingerprint.as_deref())?;
        match &note.process {
            Some(ProcessInfo { id, name }) => {
                out.number(u64::from(*id));
                out.optional(Some(name))?;
            }
            None => {
                out.number(0);
                out.optional(None)?;
            }
        }
        match note.decision {
            NextStep::TokenStored => out.byte(0),
            NextStep::TokenNotStored => out.byte(1),
            NextStep::PreviousTokenKept => out.byte(2),
            NextStep::Denied(until) => {
                out.byte(3);
                out.time(until)?;
            }
            NextStep::CooledDown(until) => {
                out.byte(4);
                out.time(until)?;
            }
            NextStep::Retried => out.byte(5),
            NextStep::NotCached => out.byte(6),
        }
        match &note.outcome {
            Ok(expires_at) => {
                out.byte(0);
                out.time(*expires_at)?;
            }
            Err(error) => {
                out.byte(1);
                put_failure(&mut out, error)?;
            }
        }
    }
    Some(out.0)
}

pub(super) fn decode(bytes: &[u8]) -> Option<Vec<HistoryEntry>> {
    let mut from = Reader(bytes);
    if from.byte()? != FORMAT {
        return None;
    }
    let mut notes = Vec::new();
    while !from.0.is_empty() {
        let at = from.time()?;
        let took = Duration::from_millis(from.number()?);
        let provider = from.text()?;
        let origin = from.optional()?;
        let fingerprint = from.optional()?.map(str::to_owned);
        let id = u32::try_from(from.number()?).ok()?;
        let name = from.optional()?.map(str::to_owned);
        let decision = match from.byte()? {
            0 => NextStep::TokenStored,
            1 => NextStep::TokenNotStored,
            2 => NextStep::PreviousTokenKept,
            3 => NextStep::Denied(from.time()?),
            4 => NextStep::CooledDown(from.time()?),
            5 => NextStep::Retried,
            6 => NextStep::NotCached,
            _ => return None,
        };
        let outcome = match from.byte()? {
            0 => Ok(from.time()?),
            1 => Err(failure(&mut from)?),
            _ => return None,
        };
        let mut note = HistoryEntry::new(provider, at, took, Ok(at)).with_next_step(decision);
        (note.outcome, note.fingerprint) = (outcome, fingerprint);
        note.origin = origin.map(str::to_owned);
        note.process = name.map(|name| ProcessInfo { id, name });
        notes.push(note);
    }
    Some(notes)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use gatepass_core::{Credential, Error};
    use proptest::prelude::*;

    use super::*;

    fn notes() -> Vec<HistoryEntry> {
        let at = SystemTime::UNIX_EPOCH + Duration::new(1_800_000_000, 123_456_789);
        let until = at + Duration::from_secs(60);
        let error = Error::denied("refused").hint("act").with_status(401);
        let error = error.with_vendor_code("invalid_client").with_vendor_text("no such client");
        let took = Duration::from_millis(112);
        let token =
            HistoryEntry::new("cisco", at, took, Ok(until)).with_origin("https://a.example");
        let failed = HistoryEntry::new("cisco", at, took, Err(&error)).with_process(7, "token");
        let failed =
            failed.with_credential(&Credential::client("a", "b")).with_fingerprint_key(&[1; 32]);
        let mut notes = vec![HistoryEntry::new("cisco", at, took, Ok(until))];
        for decision in [NextStep::TokenStored, NextStep::TokenNotStored] {
            notes.push(token.clone().with_next_step(decision));
        }
        for decision in [
            NextStep::PreviousTokenKept,
            NextStep::Denied(until),
            NextStep::CooledDown(until),
            NextStep::Retried,
            NextStep::NotCached,
        ] {
            notes.push(failed.clone().with_next_step(decision));
        }
        notes
    }

    #[test]
    fn notes_come_back_as_they_were_and_a_shorter_journal_is_none() {
        let notes = notes();
        let bytes = encode(&notes).unwrap();
        assert_eq!(format!("{:?}", decode(&bytes).unwrap()), format!("{notes:?}"));
        let whole: Vec<usize> =
            (0..notes.len()).map(|n| encode(&notes[..n]).unwrap().len()).collect();
        for length in (0..bytes.len()).filter(|length| !whole.contains(length)) {
            assert!(decode(&bytes[..length]).is_none(), "{length} of {}", bytes.len());
        }
    }

    #[test]
    fn a_journal_of_another_format_is_none() {
        let mut bytes = encode(&notes()).unwrap();
        bytes[0] += 1;
        assert!(decode(&bytes).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_journal_or_not(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            decode(&bytes);
            decode(&[&[FORMAT], &bytes[..]].concat());
        }

        #[test]
        fn a_journal_with_another_byte_is_one_or_not(at in 0..2000usize, byte: u8) {
            let mut bytes = encode(&notes()).unwrap();
            let at = at % bytes.len();
            bytes[at] = byte;
            decode(&bytes);
        }
    }
}
