//! The index of a shard: finds the slot of a key with four bytes per bucket and, as a rule, one
//! cache line per lookup.
//!
//! This is our own table and not `hashbrown::HashTable<u32>`, because that needs a control byte for
//! each bucket. For a million entries in 256 shards, both tables have 8,192 buckets per shard: ours
//! takes 8.4 bytes per entry and hashbrown's 10.5, and the engine would gain a dependency. The 12
//! bits of the hash in each bucket also make a comparison with a wrong entry, which is a cache
//! miss, 32 times rarer than hashbrown's 7 bits do.

/// Slots by hash, with open addressing. A bucket holds twelve bits of the hash and the slot.
#[derive(Debug, Default)]
pub(super) struct SlotIndex {
    /// A power of two, or empty.
    buckets: Box<[u32]>,
    len: usize,
    /// The number of buckets that were emptied. A lookup continues past them.
    removed: usize,
}

/// Slots are below this number: the last 64 values would collide with [`REMOVED`].
pub(super) const MAX_SLOTS: u32 = (1 << 20) - 64;
const SLOT_BITS: u32 = 20;
const EMPTY: u32 = 0;
const REMOVED: u32 = u32::MAX;
const MIN_BUCKETS: usize = 16;

impl SlotIndex {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Finds the slot with this hash that `is_match` accepts.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_match: impl Fn(u32) -> bool) -> Option<u32> {
        self.bucket(hash, is_match).map(|(_, slot)| slot)
    }

    #[inline]
    fn bucket(&self, hash: u64, is_match: impl Fn(u32) -> bool) -> Option<(usize, u32)> {
        let mask = self.buckets.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let bucket = *self.buckets.get(at)?;
            if bucket == EMPTY {
                return None;
            }
            if bucket != REMOVED && bucket >> SLOT_BITS == tag(hash) {
                let slot = (bucket & ((1 << SLOT_BITS) - 1)) - 1;
                if is_match(slot) {
                    return Some((at, slot));
                }
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds a slot that is not in the index. `hash_of` returns the hash of any slot that is.
    pub(super) fn insert(&mut self, hash: u64, slot: u32, hash_of: impl Fn(u32) -> u64) {
        // A quarter of the buckets stays empty, so that lookups are short.
        if (self.len + self.removed + 1) * 4 > self.buckets.len() * 3 {
            let size = if (self.len + 1) * 8 > self.buckets.len() * 5 { 2 } else { 1 };
            let size = (self.buckets.len() * size).max(MIN_BUCKETS);
            let old = std::mem::replace(self, Self::of(size));
            for bucket in
                old.buckets.into_iter().filter(|bucket| ![EMPTY, REMOVED].contains(bucket))
            {
                let slot = (bucket & ((1 << SLOT_BITS) - 1)) - 1;
                self.put(hash_of(slot), slot);
            }
        }
        self.put(hash, slot);
    }

    /// Removes the slot with this hash that `is_match` accepts.
    pub(super) fn remove(&mut self, hash: u64, is_match: impl Fn(u32) -> bool) -> Option<u32> {
        let (at, slot) = self.bucket(hash, is_match)?;
        let next = self.buckets.get((at + 1) & (self.buckets.len() - 1)).copied();
        let bucket = self.buckets.get_mut(at)?;
        (*bucket, self.removed) =
            if next == Some(EMPTY) { (EMPTY, self.removed) } else { (REMOVED, self.removed + 1) };
        self.len -= 1;
        Some(slot)
    }

    fn of(size: usize) -> Self {
        Self { buckets: vec![EMPTY; size].into(), len: 0, removed: 0 }
    }

    fn put(&mut self, hash: u64, slot: u32) {
        let mask = self.buckets.len() - 1;
        let mut at = hash as usize & mask;
        while let Some(bucket) = self.buckets.get_mut(at) {
            if *bucket == EMPTY {
                *bucket = tag(hash) << SLOT_BITS | (slot + 1);
                self.len += 1;
                return;
            }
            at = (at + 1) & mask;
        }
    }
}

/// The highest bits of a hash. The lowest choose the bucket, and those between the shard.
fn tag(hash: u64) -> u32 {
    (hash >> 52) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    #[test]
    fn index_finds_exactly_what_it_contains() {
        let mut random = fastrand::Rng::with_seed(7);
        let hasher = RandomState::new();
        // Few different hashes, or many.
        for hashes in [3, 50, u32::MAX] {
            let hash = |slot: u32| hasher.hash_one(slot % hashes);
            let (mut index, mut model) = (SlotIndex::default(), HashMap::new());
            for _ in 0..20_000 {
                let slot = random.u32(..if hashes == 3 { 100 } else { 1500 });
                let found = index.find(hash(slot), |other| other == slot);
                assert_eq!(found.is_some(), model.contains_key(&slot));
                if random.bool() {
                    let removed = index.remove(hash(slot), |other| other == slot);
                    assert_eq!(removed, model.remove(&slot).map(|()| slot));
                } else if found.is_none() {
                    index.insert(hash(slot), slot, hash);
                    model.insert(slot, ());
                }
                assert_eq!(index.len(), model.len());
            }
            assert!(index.buckets.len() <= 4096, "it grew for removed slots");
            let last = MAX_SLOTS - 1;
            index.insert(hash(last), last, hash);
            assert_eq!(index.find(hash(last), |other| other == last), Some(last));
        }
    }
}
