//! A set of hashes in memory, which never holds two copies of itself while it grows.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

type HashedSet = HashSet<u128, BuildHasherDefault<Truncate>>;

/// Hashes in 256 sets, by their first byte. Each one grows alone, so a hash takes 20 to 40 bytes
/// also while one of them grows.
pub(super) struct HashSets(Vec<HashedSet>);

impl HashSets {
    pub(super) fn new() -> Self {
        Self((0..=u8::MAX).map(|_| HashedSet::default()).collect())
    }

    /// Adds a hash. Returns whether it is new.
    pub(super) fn insert(&mut self, hash: u128) -> bool {
        self.0[first_byte(hash)].insert(hash)
    }

    pub(super) fn contains(&self, hash: u128) -> bool {
        self.0[first_byte(hash)].contains(&hash)
    }

    /// The number of hashes.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(HashSet::len).sum()
    }

    /// The memory of the sets, in bytes: 17 for each place, and 7 of 8 places may be taken.
    pub(super) fn memory(&self) -> usize {
        let places = self.0.iter().map(|set| set.capacity() / 7 * 8);
        places.sum::<usize>() * 17
    }

    /// Removes the hashes of one set after the other.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Vec<u128>> {
        self.0.iter_mut().map(|set| std::mem::take(set).into_iter().collect())
    }
}

fn first_byte(hash: u128) -> usize {
    (hash >> 120) as usize
}

/// Hashes a hash: takes half of its bits.
#[derive(Default)]
struct Truncate(u64);

impl Hasher for Truncate {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }
}
