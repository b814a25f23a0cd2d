//! Files of format version 1: the history in them is read, the records are not.
//!
//! Version 1 had one list of values per kind of record, so that every new field needed another
//! version. Its records are misses, because their names were made from `Debug` output and are not
//! looked up any more. The history is worth more than the code that reads it: it explains the
//! failures before an update. Version 1 is never written.

use std::time::{Duration, SystemTime};

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use gatepass_core::Hint;
use zeroize::Zeroizing;

use crate::store::codec::{KINDS, RETRIES, step_from};
use crate::store::{FailureRecord, HistoryEntry};

const MAGIC: &[u8; 8] = b"gatepass";
const VERSION: [u8; 2] = [1, 0];
const KEY_ID: usize = 8;
const NONCE: usize = 24;
/// The first byte of a journal.
const JOURNAL: u8 = 1;

/// Opens a file that was sealed under this name; `None` if it is not one of version 1.
pub(super) fn open(key: &[u8; 32], name: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut from = Reader(sealed);
    read_ends_at(&mut from)?;
    let nonce: [u8; NONCE] = from.array()?;
    let (header, _) = sealed.split_at_checked(sealed.len() - from.0.len())?;
    let (ciphertext, tag) = from.0.split_last_chunk::<16>()?;
    let bound = [header, name.as_bytes()].concat();
    let mut plain = Zeroizing::new(vec![0; ciphertext.len()]);
    let buffer = InOutBuf::new(ciphertext, &mut plain).ok()?;
    XChaCha20Poly1305::new(key.into())
        .decrypt_inout_detached(&XNonce::from(nonce), &bound, buffer, &Tag::from(*tag))
        .ok()?;
    Some(plain)
}

/// Derives the key of version 1 from the device key.
pub(super) fn cipher_key(device_key: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(blake3::derive_key("gatepass file store: records, version 1", device_key))
}

/// Returns the second since 1970 at which a record of version 1 ended. The number is not
/// authenticated: it only decides when the file is removed.
pub(super) fn ends_at(sealed: &[u8]) -> Option<u64> {
    read_ends_at(&mut Reader(sealed))
}

fn read_ends_at(from: &mut Reader<'_>) -> Option<u64> {
    let is_version_1 = from.array()? == *MAGIC && from.array()? == VERSION;
    from.array::<KEY_ID>()?;
    let ends_at = from.number()?;
    is_version_1.then_some(ends_at)
}

/// Decodes a journal; `None` if the bytes are not one from beginning to end.
pub(super) fn decode_journal(bytes: &[u8]) -> Option<Vec<HistoryEntry>> {
    let mut from = Reader(bytes);
    if from.byte()? != JOURNAL {
        return None;
    }
    let mut entries = Vec::new();
    while !from.0.is_empty() {
        entries.push(entry(&mut from)?);
    }
    Some(entries)
}

fn entry(from: &mut Reader<'_>) -> Option<HistoryEntry> {
    let at = from.time()?;
    let took = Duration::from_millis(from.number()?);
    let provider = from.string()?;
    let origin = from.optional()?;
    let fingerprint = from.optional()?;
    let process = (u32::try_from(from.number()?).ok()?, from.optional()?);
    let step = match from.byte()? {
        number @ (3 | 4) => step_from(number, Some(from.time()?))?,
        number => step_from(number, None)?,
    };
    let outcome = match from.byte()? {
        0 => Ok(from.time()?),
        1 => Err(failure(from)?),
        _ => return None,
    };
    let mut entry = HistoryEntry::new(provider, at, took, Ok(at)).with_next_step(step);
    entry.outcome = outcome;
    entry.origin = origin.map(str::to_owned);
    entry.fingerprint = fingerprint.map(str::to_owned);
    Some(match process {
        (id, Some(name)) => entry.with_process(id, name),
        (_, None) => entry,
    })
}

fn failure(from: &mut Reader<'_>) -> Option<FailureRecord> {
    let (failed_at, until) = (from.time()?, from.time()?);
    let (kind, retry) = (from.choice(KINDS)?, from.choice(RETRIES)?);
    let status = u16::from_le_bytes(from.array()?);
    Some(FailureRecord {
        kind,
        retry,
        status: (status != 0).then_some(status),
        message: from.string()?.to_owned(),
        hints: from.optional()?.map(|text| Hint::new(text.to_owned())).into_iter().collect(),
        vendor_code: from.optional()?.map(str::to_owned),
        vendor_text: from.optional()?.map(str::to_owned),
        field: None,
        failed_at,
        until: until.min(failed_at.checked_add(FailureRecord::MAX_COOLDOWN)?),
        circumstances: None,
        is_lasting: false,
    })
}

/// The bytes that have not been read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn choice<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        list.get(usize::from(self.byte()?)).copied()
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn time(&mut self) -> Option<SystemTime> {
        let seconds = self.number()?;
        let nanos = u32::from_le_bytes(self.array()?);
        let since = Duration::from_secs(seconds).checked_add(Duration::from_nanos(nanos.into()))?;
        SystemTime::UNIX_EPOCH.checked_add(since)
    }

    fn string(&mut self) -> Option<&'a str> {
        let length = usize::try_from(u32::from_le_bytes(self.array()?)).ok()?;
        let (string, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(string).ok()
    }

    fn optional(&mut self) -> Option<Option<&'a str>> {
        match self.byte()? {
            0 => Some(None),
            1 => self.string().map(Some),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // The fixture of `tests/store/version_1.rs` shows that valid files are read.
    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            decode_journal(&bytes);
            decode_journal(&[&[JOURNAL], &bytes[..]].concat());
            ends_at(&bytes);
            let header = [MAGIC.as_slice(), &VERSION, &bytes].concat();
            prop_assert!(open(&[0; 32], "name", &bytes).is_none());
            prop_assert!(open(&[0; 32], "name", &header).is_none());
        }
    }
}
