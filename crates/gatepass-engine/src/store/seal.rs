//! Sealing: encrypts stored bytes and binds them to the place they are stored at.
//!
//! ```text
//! magic 8 | version 2 | key id 8 | epoch 8 | ends at 8 | nonce 24 | ciphertext | tag 16
//! ```
//!
//! The cipher is XChaCha20-Poly1305 of the crate `chacha20poly1305`. Only this frame around it is
//! our own, since formats such as age or JWE have no place for the three things a store needs:
//! everything before the ciphertext and the name of the place are authenticated, so a value cannot
//! be changed, extended in time or moved to another place; the key id distinguishes a value of
//! another key from a damaged one, which makes it possible to change keys; and the version does the
//! same for a value of another release, so that an update never looks like an attack. The plain
//! text is padded to a multiple of 1 KiB, because the length of a token reveals its kind. Integers
//! are little-endian.

use std::error::Error as StdError;
use std::fmt;

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use gatepass_core::__private::keyed_digest;
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"gatepass";
const VERSION: u16 = 2;
const NONCE: usize = 24;
const TAG: usize = 16;
const HEADER: usize = MAGIC.len() + 2 + 8 + 8 + 8 + NONCE;
const PADDING_STEP: usize = 1024;
/// Ends the plain text; only zeros follow it.
const PADDING_MARK: u8 = 0x80;

type Key = Zeroizing<[u8; 32]>;

/// The keys of a store: they seal values, and make names and fingerprints that reveal nothing.
///
/// A key ring: one key seals, several open. To change the key, first add the new one to
/// `open_with` in all processes that share the store, then seal with it, and remove the old one
/// when the last token that it sealed has expired. Names and fingerprints have a key of their own,
/// so that they survive the change.
///
/// ```
/// use gatepass_engine::{OpenError, SealingKeys};
///
/// let (old, new, names) = ([1; 32], [2; 32], [3; 32]);
/// let before = SealingKeys::new("acme store", &old, &[], &names);
/// let after = SealingKeys::new("acme store", &new, &[&old], &names);
///
/// let place = after.name(&[7; 32]);
/// let sealed = before.seal(&place, 0, 1_800_000_000, b"plain").unwrap();
/// assert_eq!(*after.open(&place, &sealed).unwrap().plain, b"plain");
/// assert_eq!(after.open("elsewhere", &sealed).unwrap_err(), OpenError::Damaged);
/// ```
pub struct SealingKeys {
    /// The first one seals.
    keys: Vec<SealingKey>,
    names: Key,
    fingerprints: Key,
    history: Key,
}

/// Opened bytes, and the numbers that were authenticated with them.
#[non_exhaustive]
pub struct Opened {
    /// The epoch of the lease that sealed it.
    pub epoch: u64,
    /// The second since 1970 at which the value ends.
    pub ends_at: u64,
    /// The bytes that were sealed.
    pub plain: Zeroizing<Vec<u8>>,
}

/// Why sealed bytes cannot be opened. A store treats each as a missing value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// They were sealed with a key that is not in the ring.
    UnknownKey,
    /// Their format is the one of another version. This is expected after an update.
    Version,
    /// They are damaged, were sealed for another place, or were never sealed.
    Damaged,
}

struct SealingKey {
    id: [u8; 8],
    cipher: Key,
}

impl SealingKeys {
    /// Derives the keys of a store.
    ///
    /// `domain` names the kind of store and must differ from every other one's, so that the same
    /// key bytes never serve two stores. `seal_with` also opens. All key bytes must be random.
    pub fn new(
        domain: &str,
        seal_with: &[u8; 32],
        open_with: &[&[u8; 32]],
        names: &[u8; 32],
    ) -> Self {
        let derive = |what: &str, key: &[u8; 32]| {
            Zeroizing::new(blake3::derive_key(&format!("{domain}: {what}"), key))
        };
        let sealing_key = |key: &[u8; 32]| SealingKey {
            id: derive("key id, version 2", key).first_chunk().copied().unwrap_or_default(),
            cipher: derive("records, version 2", key),
        };
        let keys = [seal_with].into_iter().chain(open_with.iter().copied());
        Self {
            keys: keys.map(sealing_key).collect(),
            names: derive("names, version 1", names),
            fingerprints: derive("secrets, version 1", names),
            history: derive("fingerprints, version 1", names),
        }
    }

    /// Returns 16 bytes, as 32 hexadecimal digits, in place of a key's
    /// [bytes](super::StoreKey::as_bytes). They mean nothing without the name key.
    pub fn name(&self, digest: &[u8; 32]) -> String {
        let name = keyed_digest(&self.names, digest);
        name.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Returns 16 bytes by which equal secrets can be recognised in this store.
    pub fn fingerprint(&self, secret: &[u8]) -> [u8; 16] {
        let digest = keyed_digest(&self.fingerprints, secret);
        digest.first_chunk().copied().unwrap_or_default()
    }

    /// Returns the key of the fingerprints in this store's history, for
    /// [`HistoryEntry::with_fingerprint_key`](super::HistoryEntry::with_fingerprint_key).
    pub fn fingerprint_key(&self) -> &[u8; 32] {
        &self.history
    }

    /// Seals a value for its place; `None` if the system has no randomness.
    ///
    /// `place` is all that the store knows about where the value belongs, in one string: its name,
    /// the name space, the field. `epoch` is the number of the lease, in a store that counts them;
    /// `ends_at` is the second since 1970 from which the value is useless.
    pub fn seal(&self, place: &str, epoch: u64, ends_at: u64, plain: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).ok()?;
        let key = self.keys.first()?;
        let padded = padded(plain);
        let mut sealed = Vec::with_capacity(HEADER + padded.len() + TAG);
        sealed.extend(MAGIC);
        sealed.extend(VERSION.to_le_bytes());
        sealed.extend(key.id);
        sealed.extend(epoch.to_le_bytes());
        sealed.extend(ends_at.to_le_bytes());
        sealed.extend(nonce);
        let bound = [&sealed, place.as_bytes()].concat();
        // Encrypted into another buffer, so that the plain bytes are in cleared ones alone.
        let mut ciphertext = vec![0; padded.len()];
        let buffer = InOutBuf::new(&padded, &mut ciphertext).ok()?;
        let tag = key.cipher().encrypt_inout_detached(&XNonce::from(nonce), &bound, buffer).ok()?;
        sealed.extend(ciphertext);
        sealed.extend(tag);
        Some(sealed)
    }

    /// Opens what was [sealed](Self::seal) for this place with one of the keys.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Opened, OpenError> {
        let mut header = Header(sealed.strip_prefix(MAGIC).ok_or(OpenError::Damaged)?);
        if u16::from_le_bytes(header.take()?) != VERSION {
            return Err(OpenError::Version);
        }
        let id = header.take()?;
        let key = self.keys.iter().find(|key| key.id == id).ok_or(OpenError::UnknownKey)?;
        let epoch = u64::from_le_bytes(header.take()?);
        let ends_at = u64::from_le_bytes(header.take()?);
        let nonce = header.take::<NONCE>()?;
        let (ciphertext, tag) = header.0.split_last_chunk::<TAG>().ok_or(OpenError::Damaged)?;
        let bound = [sealed.get(..HEADER).unwrap_or_default(), place.as_bytes()].concat();
        let mut plain = Zeroizing::new(vec![0; ciphertext.len()]);
        let buffer = InOutBuf::new(ciphertext, &mut plain).map_err(|_| OpenError::Damaged)?;
        key.cipher()
            .decrypt_inout_detached(&XNonce::from(nonce), &bound, buffer, &Tag::from(*tag))
            .map_err(|_| OpenError::Damaged)?;
        let end = plain.iter().rposition(|byte| *byte != 0).unwrap_or_default();
        if plain.get(end) != Some(&PADDING_MARK) {
            return Err(OpenError::Damaged);
        }
        plain.truncate(end);
        Ok(Opened { epoch, ends_at, plain })
    }
}

impl SealingKey {
    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.cipher).into())
    }
}

/// The part of a sealed value that has not been read yet.
struct Header<'a>(&'a [u8]);

impl Header<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], OpenError> {
        let (first, rest) = self.0.split_first_chunk().ok_or(OpenError::Damaged)?;
        self.0 = rest;
        Ok(*first)
    }
}

fn padded(plain: &[u8]) -> Zeroizing<Vec<u8>> {
    let length = (plain.len() + 1).next_multiple_of(PADDING_STEP);
    let mut padded = Zeroizing::new(Vec::with_capacity(length));
    padded.extend(plain);
    padded.push(PADDING_MARK);
    padded.resize(length, 0);
    padded
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKeys")
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("epoch", &self.epoch)
            .field("ends_at", &self.ends_at)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownKey => "it was sealed with another key",
            Self::Version => "it has the format of another version",
            Self::Damaged => "it is damaged",
        })
    }
}

impl StdError for OpenError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(key: u8) -> SealingKeys {
        SealingKeys::new("test store", &[key; 32], &[], &[key; 32])
    }

    #[test]
    fn only_the_same_key_and_place_open_sealed_bytes() {
        let keys = keys(1);
        let sealed = keys.seal("a", 5, 7, b"plain").unwrap();
        let opened = keys.open("a", &sealed).unwrap();
        assert_eq!((opened.epoch, opened.ends_at), (5, 7));
        assert_eq!(opened.plain.as_slice(), b"plain");
        assert_eq!(keys.open("b", &sealed).unwrap_err(), OpenError::Damaged);
        assert_eq!(self::keys(2).open("a", &sealed).unwrap_err(), OpenError::UnknownKey);
        let other = SealingKeys::new("other store", &[1; 32], &[], &[1; 32]);
        assert_eq!(other.open("a", &sealed).unwrap_err(), OpenError::UnknownKey);
        assert_ne!(sealed, keys.seal("a", 5, 7, b"plain").unwrap());
    }

    #[test]
    fn every_key_opens_and_the_first_seals() {
        let (old, new) = (keys(1), SealingKeys::new("test store", &[2; 32], &[&[1; 32]], &[1; 32]));
        let sealed = old.seal("a", 0, 7, b"plain").unwrap();
        assert_eq!(new.open("a", &sealed).unwrap().plain.as_slice(), b"plain");
        let sealed = new.seal("a", 0, 7, b"plain").unwrap();
        assert_eq!(old.open("a", &sealed).unwrap_err(), OpenError::UnknownKey);
        assert_eq!(keys(2).open("a", &sealed).unwrap().plain.as_slice(), b"plain");
        // Names and fingerprints stay.
        assert_eq!(old.name(&[0; 32]), new.name(&[0; 32]));
        assert_eq!(old.fingerprint(b"secret"), new.fingerprint(b"secret"));
        assert_eq!(old.fingerprint_key(), new.fingerprint_key());
    }

    #[test]
    fn names_and_fingerprints_depend_on_the_name_key() {
        let (one, other) = (keys(1), keys(2));
        assert_ne!(one.name(&[0; 32]), other.name(&[0; 32]));
        assert_ne!(one.name(&[0; 32]), one.name(&[1; 32]));
        assert_ne!(one.fingerprint(b"secret"), other.fingerprint(b"secret"));
        assert_ne!(one.fingerprint(b"secret"), one.fingerprint(b"secrets"));
        assert_eq!(one.name(&[0; 32]).len(), 32);
    }

    #[test]
    fn same_key_id_with_another_key_does_not_open() {
        let (keys, mut others) = (keys(1), keys(2));
        others.keys[0].id = keys.keys[0].id;
        let sealed = keys.seal("a", 0, 7, b"plain").unwrap();
        assert_eq!(others.open("a", &sealed).unwrap_err(), OpenError::Damaged);
    }

    #[test]
    fn another_version_is_not_reported_as_damage() {
        let mut sealed = keys(1).seal("a", 0, 7, b"plain").unwrap();
        for version in [1_u16, 3] {
            sealed[MAGIC.len()..][..2].copy_from_slice(&version.to_le_bytes());
            assert_eq!(keys(1).open("a", &sealed).unwrap_err(), OpenError::Version);
        }
    }

    #[test]
    fn length_shows_whole_kibibytes_only() {
        let keys = keys(1);
        let sealed = |length: usize| {
            // Zeros and marks at the end of the plain text are not taken for padding.
            for last in [0, 1, PADDING_MARK] {
                let plain = vec![last; length];
                let sealed = keys.seal("a", 0, 7, &plain).unwrap();
                assert_eq!(*keys.open("a", &sealed).unwrap().plain, plain);
            }
            keys.seal("a", 0, 7, &vec![0; length]).unwrap().len() - HEADER - TAG
        };
        assert_eq!([0, 1, 1023, 1024, 2047].map(sealed), [1024, 1024, 1024, 2048, 2048]);
    }

    #[test]
    fn debug_output_shows_no_key_and_no_content() {
        let keys = keys(1);
        let opened = keys.open("a", &keys.seal("a", 5, 7, b"plain").unwrap()).unwrap();
        assert_eq!(
            format!("{keys:?} {opened:?}"),
            "SealingKeys Opened { epoch: 5, ends_at: 7, .. }"
        );
    }

    proptest! {
        #[test]
        fn only_sealed_bytes_open(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            kept in 0..=HEADER,
        ) {
            let keys = keys(1);
            prop_assert!(keys.open("a", &bytes).is_err());
            // With a valid beginning, the rest is read as well.
            let sealed = keys.seal("a", 0, 7, b"").unwrap();
            prop_assert!(keys.open("a", &[&sealed[..kept], &bytes].concat()).is_err());
        }
    }
}
