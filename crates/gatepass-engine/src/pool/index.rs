//! Index: where the entry of a key is, in four bytes each and, as a rule, one line of the
//! processor's caches for each look.

/// Places by hash, with open addressing. A slot holds twelve bits of the hash and the place.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// A power of two of them, or none.
    slots: Box<[u32]>,
    len: usize,
    /// Slots that were emptied; a look goes on past them.
    gone: usize,
}

/// A place is below this: the last 64 would not leave room for what is no place.
pub(super) const PLACES: u32 = (1 << 20) - 64;
const PLACE_BITS: u32 = 20;
const EMPTY: u32 = 0;
const GONE: u32 = u32::MAX;
const SMALLEST: usize = 16;

impl Index {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The place of this hash that `is_it`.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.slot(hash, is_it).map(|(_, place)| place)
    }

    #[inline]
    fn slot(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<(usize, u32)> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let slot = *self.slots.get(at)?;
            if slot == EMPTY {
                return None;
            }
            if slot != GONE && slot >> PLACE_BITS == tag(hash) {
                let place = (slot & ((1 << PLACE_BITS) - 1)) - 1;
                if is_it(place) {
                    return Some((at, place));
                }
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds a place that is not in it. `hash_of` says the hash of any place that is.
    pub(super) fn insert(&mut self, hash: u64, place: u32, hash_of: impl Fn(u32) -> u64) {
        // A quarter stays empty, so that looks are short.
        if (self.len + self.gone + 1) * 4 > self.slots.len() * 3 {
            let size = if (self.len + 1) * 8 > self.slots.len() * 5 { 2 } else { 1 };
            let size = (self.slots.len() * size).max(SMALLEST);
            let old = std::mem::replace(self, Self::of(size));
            for slot in old.slots.into_iter().filter(|slot| ![EMPTY, GONE].contains(slot)) {
                let place = (slot & ((1 << PLACE_BITS) - 1)) - 1;
                self.put(hash_of(place), place);
            }
        }
        self.put(hash, place);
    }

    /// Removes the place of this hash that `is_it`.
    pub(super) fn remove(&mut self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let (at, place) = self.slot(hash, is_it)?;
        let next = self.slots.get((at + 1) & (self.slots.len() - 1)).copied();
        let slot = self.slots.get_mut(at)?;
        (*slot, self.gone) =
            if next == Some(EMPTY) { (EMPTY, self.gone) } else { (GONE, self.gone + 1) };
        self.len -= 1;
        Some(place)
    }

    fn of(size: usize) -> Self {
        Self { slots: vec![EMPTY; size].into(), len: 0, gone: 0 }
    }

    fn put(&mut self, hash: u64, place: u32) {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while let Some(slot) = self.slots.get_mut(at) {
            if *slot == EMPTY {
                *slot = tag(hash) << PLACE_BITS | (place + 1);
                self.len += 1;
                return;
            }
            at = (at + 1) & mask;
        }
    }
}

/// The highest bits of a hash: the lowest say where to look, and those between which shard.
fn tag(hash: u64) -> u32 {
    (hash >> 52) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    #[test]
    fn an_index_finds_what_is_in_it_and_nothing_else() {
        let mut random = fastrand::Rng::with_seed(7);
        let hasher = RandomState::new();
        // A few hashes for all, or many.
        for hashes in [3, 50, u32::MAX] {
            let hash = |place: u32| hasher.hash_one(place % hashes);
            let (mut index, mut model) = (Index::default(), HashMap::new());
            for _ in 0..20_000 {
                let place = random.u32(..if hashes == 3 { 100 } else { 1500 });
                let found = index.find(hash(place), |other| other == place);
                assert_eq!(found.is_some(), model.contains_key(&place));
                if random.bool() {
                    let removed = index.remove(hash(place), |other| other == place);
                    assert_eq!(removed, model.remove(&place).map(|()| place));
                } else if found.is_none() {
                    index.insert(hash(place), place, hash);
                    model.insert(place, ());
                }
                assert_eq!(index.len(), model.len());
            }
            assert!(index.slots.len() <= 4096, "it grew for what is gone");
            let last = PLACES - 1;
            index.insert(hash(last), last, hash);
            assert_eq!(index.find(hash(last), |other| other == last), Some(last));
        }
    }
}
