//! The key of an entry, stored inline if it is short, so that comparing it needs no second load.

use std::fmt;

/// The longest key that needs no allocation, in bytes.
const MAX_INLINE: usize = 46;

/// A key, inline or on the heap.
pub(super) enum EntryKey {
    Inline(u8, [u8; MAX_INLINE]),
    Heap(Box<str>),
}

impl EntryKey {
    pub(super) fn new(key: &str) -> Self {
        let mut bytes = [0; MAX_INLINE];
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
    pub(super) fn matches(&self, key: &str) -> bool {
        self.as_bytes() == key.as_bytes()
    }
}

impl fmt::Debug for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_equals_its_string() {
        assert_eq!(size_of::<EntryKey>(), 48);
        for length in [0, 1, MAX_INLINE - 2, MAX_INLINE, MAX_INLINE + 1, 300, 5000] {
            let text: String = "tenant-é".chars().cycle().take(length).collect();
            let key = EntryKey::new(&text);
            assert_eq!(key.as_str(), text);
            assert!(
                key.matches(&text) && !key.matches(&format!("{text}x")) && !key.matches("other")
            );
        }
        assert!(!EntryKey::new("a").matches("a\0") && !EntryKey::new("a\0").matches("a"));
    }
}
