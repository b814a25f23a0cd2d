//! The journal: a profile's latest history entries in one file, sealed as records are.
//!
//! It is read, extended and replaced under the directory's lock, so that no entry of concurrent
//! processes is lost. It is not synced to the disk at once: a power failure costs a few entries,
//! and a damaged journal is replaced by a new one.
//!
//! ```text
//! format 1 | entries
//! entry: length 4 | the bytes of `HistoryEntry::encode`
//! ```

use std::io;

use gatepass_core::Result;

use super::directory::{MAX_FILE, ReadResult, io_error};
use super::folder::{Folder, off_thread};
use super::version_1;
use crate::store::seal::OpenError;
use crate::store::{HistoryEntry, ProfileKey};

const NAME: &str = "journal";
const FORMAT: u8 = 2;

/// The outcome of reading a journal.
enum JournalState {
    Entries(Vec<HistoryEntry>),
    /// A file of ours that is not a readable journal.
    Lost(String),
    /// A file that is not ours.
    Foreign(&'static str),
}

impl Folder {
    pub(super) async fn append_to_journal(
        &self,
        profile: &ProfileKey,
        entry: HistoryEntry,
    ) -> Result<()> {
        let (store, name) = (self.clone(), self.journal_name(profile));
        off_thread(move || store.append(&name, entry))
            .await
            .map_err(|error| io_error("the history could not be written", error))
    }

    pub(super) fn read_journal(&self, profile: &ProfileKey) -> Result<Vec<HistoryEntry>> {
        match self.journal(&self.journal_name(profile)) {
            Ok(JournalState::Entries(entries)) => Ok(entries),
            Ok(JournalState::Lost(reason)) => Err(lost(reason)),
            Ok(JournalState::Foreign(reason)) => Err(lost(reason.to_owned())),
            Err(error) => Err(io_error("the history cannot be read", error)),
        }
    }

    pub(super) async fn remove_journal(&self, profile: &ProfileKey) -> Result<usize> {
        let (store, name) = (self.clone(), self.journal_name(profile));
        let remove = move || {
            let _directory = store.lock_directory()?;
            let count = match store.journal(&name)? {
                JournalState::Entries(entries) => entries.len(),
                // The number of its entries is unknown.
                JournalState::Lost(_) => 1,
                JournalState::Foreign(_) => 0,
            };
            store.directory.remove(&name)?;
            store.directory.sync()?;
            Ok(count)
        };
        off_thread(remove)
            .await
            .map_err(|error| io_error("the history could not be removed", error))
    }

    fn journal_name(&self, profile: &ProfileKey) -> String {
        format!("{}{NAME}", self.prefix(profile))
    }

    fn append(&self, name: &str, entry: HistoryEntry) -> io::Result<()> {
        let _directory = self.lock_directory()?;
        let mut entries = match self.journal(name)? {
            JournalState::Entries(entries) => entries,
            JournalState::Lost(reason) => {
                tracing::info!(file = name, reason, "the history is lost");
                Vec::new()
            }
            JournalState::Foreign(_) => {
                return Err(io::Error::other("a foreign file has its name"));
            }
        };
        entries.push(entry);
        entries.drain(..entries.len().saturating_sub(HistoryEntry::MAX_ENTRIES));
        self.directory.write_unsynced(&self.seal_journal(name, entries)?)?.replace(name)
    }

    /// Seals the entries, without the oldest ones if all of them are too long for one file.
    fn seal_journal(&self, name: &str, mut entries: Vec<HistoryEntry>) -> io::Result<Vec<u8>> {
        loop {
            let sealed = encode(&entries).and_then(|plain| self.keys.seal(name, 0, 0, &plain));
            match sealed {
                Some(sealed) if sealed.len() <= MAX_FILE => return Ok(sealed),
                Some(_) if entries.len() > 1 => drop(entries.remove(0)),
                _ => return Err(io::Error::other("it is too long, or there is no randomness")),
            }
        }
    }

    fn journal(&self, name: &str) -> io::Result<JournalState> {
        Ok(match self.directory.read(name)? {
            ReadResult::Missing => JournalState::Entries(Vec::new()),
            ReadResult::File(sealed) => self.open_journal(name, &sealed),
            ReadResult::Unreadable(reason) => JournalState::Lost(reason.to_owned()),
            ReadResult::Foreign(reason) => JournalState::Foreign(reason),
        })
    }

    fn open_journal(&self, name: &str, sealed: &[u8]) -> JournalState {
        let entries = match self.keys.open(name, sealed) {
            Ok(opened) => decode(&opened.plain),
            Err(OpenError::Version) => version_1::open(&self.key_version_1, name, sealed)
                .and_then(|plain| version_1::decode_journal(&plain)),
            Err(error) => return JournalState::Lost(error.to_string()),
        };
        match entries {
            Some(entries) => JournalState::Entries(entries),
            None => JournalState::Lost(OpenError::Version.to_string()),
        }
    }
}

pub(super) fn encode(entries: &[HistoryEntry]) -> Option<Vec<u8>> {
    let mut out = vec![FORMAT];
    for entry in entries {
        let entry = entry.encode()?;
        out.extend(u32::try_from(entry.len()).ok()?.to_le_bytes());
        out.extend(entry);
    }
    Some(out)
}

/// Decodes a journal. An entry of a later version is skipped.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<HistoryEntry>> {
    let mut rest = bytes.strip_prefix(&[FORMAT])?;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (entry, after) = after.split_at_checked(length)?;
        entries.extend(HistoryEntry::decode(entry));
        rest = after;
    }
    Some(entries)
}

fn lost(reason: String) -> gatepass_core::Error {
    io_error("the history is lost", io::Error::other(reason))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use proptest::prelude::*;

    use super::*;

    fn entries() -> Vec<HistoryEntry> {
        let at = SystemTime::UNIX_EPOCH + Duration::new(1_800_000_000, 123_456_789);
        let entry = |took| HistoryEntry::new("cisco", at, Duration::from_millis(took), Ok(at));
        (1..4).map(entry).collect()
    }

    #[test]
    fn decoded_journal_equals_encoded_one() {
        let entries = entries();
        let bytes = encode(&entries).unwrap();
        assert_eq!(format!("{:?}", decode(&bytes).unwrap()), format!("{entries:?}"));
        let whole: Vec<usize> =
            (0..entries.len()).map(|n| encode(&entries[..n]).unwrap().len()).collect();
        for length in (0..bytes.len()).filter(|length| !whole.contains(length)) {
            assert!(decode(&bytes[..length]).is_none(), "{length} of {}", bytes.len());
        }
    }

    #[test]
    fn journal_of_another_format_is_not_decoded() {
        let mut bytes = encode(&entries()).unwrap();
        bytes[0] += 1;
        assert!(decode(&bytes).is_none());
    }

    #[test]
    fn entry_of_a_later_version_is_skipped() {
        let mut bytes = encode(&entries()).unwrap();
        // The format of the first entry.
        bytes[5] += 1;
        assert_eq!(decode(&bytes).unwrap().len(), 2);
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_without_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            decode(&bytes);
            decode(&[&[FORMAT], &bytes[..]].concat());
        }

        #[test]
        fn changed_byte_is_decoded_without_a_panic(at in 0..2000usize, byte: u8) {
            let mut bytes = encode(&entries()).unwrap();
            let at = at % bytes.len();
            bytes[at] = byte;
            decode(&bytes);
        }
    }
}
