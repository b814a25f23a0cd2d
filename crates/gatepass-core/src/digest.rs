//! Digests of data that contains a secret, without leaving the secret in memory.

use blake3::Hasher;
use zeroize::{Zeroize, Zeroizing};

/// A digest of 256 bits.
pub type Digest = [u8; 32];

/// Returns the digest of a list of parts in a context (BLAKE3's key derivation).
///
/// Each part is preceded by its length, so that two different lists never have the same input.
pub fn digest<'a>(context: &str, parts: impl IntoIterator<Item = &'a [u8]>) -> Zeroizing<Digest> {
    let digest = hash(Hasher::new_derive_key(context), |hasher| {
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    });
    clear_stack();
    digest
}

/// Returns the keyed digest of some bytes.
pub fn keyed_digest(key: &[u8; 32], bytes: &[u8]) -> Zeroizing<Digest> {
    let digest = hash(Hasher::new_keyed(key), |hasher| {
        hasher.update(bytes);
    });
    clear_stack();
    digest
}

#[inline(never)]
fn hash(mut hasher: Hasher, update: impl FnOnce(&mut Hasher)) -> Zeroizing<Digest> {
    update(&mut hasher);
    let mut hash = hasher.finalize();
    let digest = Zeroizing::new(*hash.as_bytes());
    // Both have processed the secret.
    hash.zeroize();
    hasher.zeroize();
    digest
}

/// Overwrites the part of the stack that [`hash`] has used: blake3's own functions copy its blocks
/// and clear nothing. Without optimisation they need more than 32 KiB.
#[inline(never)]
fn clear_stack() {
    let mut space = [0_u64; 8192];
    space.zeroize();
}
