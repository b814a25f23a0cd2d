//! Digests of what holds a secret, of which nothing stays behind.

use blake3::Hasher;
use zeroize::{Zeroize, Zeroizing};

pub(super) type Digest = [u8; 32];

/// No two different lists have the same digest in a context: each part's length goes before it.
pub(super) fn digest<'a>(
    context: &str,
    parts: impl IntoIterator<Item = &'a [u8]>,
) -> Zeroizing<Digest> {
    let digest = hash(context, parts);
    clear_stack();
    digest
}

#[inline(never)]
fn hash<'a>(context: &str, parts: impl IntoIterator<Item = &'a [u8]>) -> Zeroizing<Digest> {
    let mut hasher = Hasher::new_derive_key(context);
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut hash = hasher.finalize();
    let digest = Zeroizing::new(*hash.as_bytes());
    // They have seen the secret.
    hash.zeroize();
    hasher.zeroize();
    digest
}

/// Overwrites the part of the stack that [`hash`] has used: its blocks pass through functions of
/// blake3's own, which clear nothing. Built without optimisation they need more than 32 KiB.
#[inline(never)]
fn clear_stack() {
    let mut space = [0_u64; 8192];
    space.zeroize();
}
