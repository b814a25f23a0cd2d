//! Key: an identity's name, in its entry if it is not too long, so that a look at the entry is a
//! look at the key.

use std::fmt;

/// How long a key may be to need no allocation, in bytes.
const INLINE: usize = 46;

/// The bytes of a key.
pub(super) enum Key {
    Inline(u8, [u8; INLINE]),
    Heap(Box<str>),
}

impl Key {
    pub(super) fn new(key: &str) -> Self {
        let mut bytes = [0; INLINE];
        match (u8::try_from(key.len()), bytes.get_mut(..key.len())) {
            (Ok(length), Some(start)) => {
                start.copy_from_slice(key.as_bytes());
                Self::Inline(length, bytes)
            }
            _ => Self::Heap(key.into()),
        }
    }

    #[inline]
    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Inline(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Heap(key) => key.as_bytes(),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Inline(..) => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Self::Heap(key) => key,
        }
    }

    #[inline]
    pub(super) fn is(&self, key: &str) -> bool {
        self.as_bytes() == key.as_bytes()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_what_it_was_made_of() {
        assert_eq!(size_of::<Key>(), 48);
        for length in [0, 1, INLINE - 2, INLINE, INLINE + 1, 300, 5000] {
            let text: String = "tenant-é".chars().cycle().take(length).collect();
            let key = Key::new(&text);
            assert_eq!(key.as_str(), text);
            assert!(key.is(&text) && !key.is(&format!("{text}x")) && !key.is("other"));
        }
        assert!(!Key::new("a").is("a\0") && !Key::new("a\0").is("a"));
    }
}
