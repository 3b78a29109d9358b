//! Which keys have been seen, over all batches of a run.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};

use arrow_array::{ArrayRef, BooleanArray};
use arrow_row::{RowConverter, SortField};
use arrow_schema::ArrowError;
use twox_hash::XxHash3_128;

/// The hashes of all keys so far, 128 bits each.
///
/// The set takes 20 to 40 bytes of memory for each distinct key, and up to 60 while it grows. Among
/// 10^9 keys, the probability that any two have the same hash is about 1 in 10^20.
pub(super) struct SeenKeys {
    hashes: HashSet<u128, BuildHasherDefault<Truncate>>,
    /// Known from the first batch on.
    converter: Option<RowConverter>,
    /// Random, so that no input can be made whose keys collide.
    seed: u64,
}

impl SeenKeys {
    pub(super) fn new() -> Self {
        let seed = RandomState::new().hash_one(0);
        Self { hashes: HashSet::default(), converter: None, seed }
    }

    /// Returns for each row whether its key is new.
    pub(super) fn first_times(&mut self, key: &[ArrayRef]) -> Result<BooleanArray, ArrowError> {
        let converter = match self.converter.take() {
            Some(converter) => converter,
            None => {
                let fields = key.iter().map(|column| SortField::new(column.data_type().clone()));
                RowConverter::new(fields.collect())?
            }
        };
        let rows = self.converter.insert(converter).convert_columns(key)?;
        let (seed, hashes) = (self.seed, &mut self.hashes);
        let is_new = rows.iter().map(|row| {
            let hash = XxHash3_128::oneshot_with_seed(seed, row.data());
            Some(hashes.insert(hash))
        });
        Ok(is_new.collect())
    }
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
