//! Sealing: a record's bytes, encrypted and bound to the name they are kept under.
//!
//! ```text
//! magic 8 | version 2 | key id 8 | ends at 8, seconds | nonce 24 | ciphertext | tag 16
//! ```
//!
//! All before the ciphertext is authenticated, and so is the name: no part can be changed and no
//! record put in another's place. Integers are little-endian.

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"gatepass";
const VERSION: u16 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;
const HEAD: usize = MAGIC.len() + 2 + 8 + 8 + NONCE;

type Key = Zeroizing<[u8; 32]>;

/// What a store's one key is good for: each use has a key of its own.
pub(super) struct Keys {
    cipher: Key,
    names: Key,
    fingerprints: Key,
    id: [u8; 8],
}

impl Keys {
    pub(super) fn derive(key: &[u8; 32]) -> Self {
        let derive = |context| Zeroizing::new(blake3::derive_key(context, key));
        let id = derive("gatepass file store: key id, version 1");
        Self {
            cipher: derive("gatepass file store: records, version 1"),
            names: derive("gatepass file store: names, version 1"),
            fingerprints: derive("gatepass file store: fingerprints, version 1"),
            id: id.first_chunk().copied().unwrap_or_default(),
        }
    }

    /// A name that says nothing about whose it is to who does not have the key.
    pub(super) fn name(&self, digest: &[u8; 32]) -> String {
        let hash = blake3::keyed_hash(&self.names, digest);
        hash.as_bytes().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// What fingerprints of credentials are made with.
    pub(super) fn fingerprints(&self) -> &[u8; 32] {
        &self.fingerprints
    }

    /// Seals the bytes; `None` if there is no randomness to be had.
    pub(super) fn seal(&self, name: &str, expires_at: u64, plain: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).ok()?;
        let mut sealed = Vec::with_capacity(HEAD + plain.len() + TAG);
        sealed.extend(MAGIC);
        sealed.extend(VERSION.to_le_bytes());
        sealed.extend(self.id);
        sealed.extend(expires_at.to_le_bytes());
        sealed.extend(nonce);
        let bound = [&sealed, name.as_bytes()].concat();
        // Encrypted on its way, so that the plain bytes are in no buffer that is not cleared.
        let mut text = vec![0; plain.len()];
        let buffer = InOutBuf::new(plain, &mut text).ok()?;
        let tag =
            self.cipher().encrypt_inout_detached(&XNonce::from(nonce), &bound, buffer).ok()?;
        sealed.extend(text);
        sealed.extend(tag);
        Some(sealed)
    }

    /// The bytes that were sealed under this name; otherwise why not.
    pub(super) fn open(
        &self,
        name: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, &'static str> {
        const DAMAGED: &str = "it is damaged";
        let rest = sealed.strip_prefix(MAGIC).ok_or("it is no record")?;
        let (version, rest) = rest.split_first_chunk().ok_or(DAMAGED)?;
        match u16::from_le_bytes(*version) {
            VERSION => {}
            _ => return Err("its format is another version's"),
        }
        if !rest.starts_with(&self.id) {
            return Err("it was made with another key");
        }
        let (head, rest) = sealed.split_at_checked(HEAD).ok_or(DAMAGED)?;
        let nonce: &[u8; NONCE] = head.last_chunk().ok_or(DAMAGED)?;
        let (text, tag) = rest.split_last_chunk::<TAG>().ok_or(DAMAGED)?;
        let bound = [head, name.as_bytes()].concat();
        let mut plain = Zeroizing::new(vec![0; text.len()]);
        let buffer = InOutBuf::new(text, &mut plain).map_err(|_| DAMAGED)?;
        self.cipher()
            .decrypt_inout_detached(&XNonce::from(*nonce), &bound, buffer, &Tag::from(*tag))
            .map_err(|_| DAMAGED)?;
        Ok(plain)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.cipher).into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_same_key_and_name_open_what_was_sealed() {
        let (keys, others) = (Keys::derive(&[1; 32]), Keys::derive(&[2; 32]));
        let sealed = keys.seal("a", 7, b"plain").unwrap();
        assert_eq!(keys.open("a", &sealed).unwrap().as_slice(), b"plain");
        assert_eq!(keys.open("b", &sealed), Err("it is damaged"));
        assert_eq!(others.open("a", &sealed), Err("it was made with another key"));
        let again = keys.seal("a", 7, b"plain").unwrap();
        assert_ne!(sealed, again);
        assert_ne!(keys.name(&[0; 32]), others.name(&[0; 32]));
    }

    #[test]
    fn a_record_of_the_same_key_id_and_another_key_does_not_open() {
        let keys = Keys::derive(&[1; 32]);
        let others = Keys { id: keys.id, ..Keys::derive(&[2; 32]) };
        let sealed = keys.seal("a", 7, b"plain").unwrap();
        assert_eq!(others.open("a", &sealed), Err("it is damaged"));
    }

    #[test]
    fn another_version_is_told_from_damage() {
        let keys = Keys::derive(&[1; 32]);
        let mut sealed = keys.seal("a", 7, b"plain").unwrap();
        sealed[MAGIC.len()] += 1;
        assert_eq!(keys.open("a", &sealed), Err("its format is another version's"));
    }

    proptest! {
        #[test]
        fn nothing_but_what_was_sealed_opens(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            kept in 0..=HEAD,
        ) {
            let keys = Keys::derive(&[1; 32]);
            prop_assert!(keys.open("a", &bytes).is_err());
            // With a good beginning, the rest is looked at.
            let sealed = keys.seal("a", 7, b"").unwrap();
            prop_assert!(keys.open("a", &[&sealed[..kept], &bytes].concat()).is_err());
        }
    }
}
