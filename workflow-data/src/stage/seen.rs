//! Which keys have been seen, over all batches of a run.

mod filter;
mod memory;
mod pages;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{ArrayRef, BooleanArray};
use arrow_row::{RowConverter, SortField};
use arrow_schema::ArrowError;
use twox_hash::XxHash3_128;

use self::memory::HashSets;
use self::pages::HashPages;
use super::StageError;
use crate::text::io_reason;

/// The hashes of all keys so far, 128 bits each.
///
/// Among 10^9 keys, the probability that any two have the same hash is about 1 in 10^20.
pub(super) struct SeenKeys {
    seen: Seen,
    /// Known from the first batch on.
    converter: Option<RowConverter>,
    /// Random, so that no input can be made whose keys collide.
    seed: u64,
    /// The most memory of the hashes, in bytes.
    limit: usize,
}

enum Seen {
    InMemory(HashSets),
    OnDisk(HashPages),
}

/// With 20 to 40 bytes for a key, enough for 13 million keys.
const LIMIT: usize = 512 << 20;

impl SeenKeys {
    pub(super) fn new() -> Self {
        Self::with_limit(LIMIT)
    }

    fn with_limit(limit: usize) -> Self {
        let seed = RandomState::new().hash_one(0);
        Self { seen: Seen::InMemory(HashSets::new()), converter: None, seed, limit }
    }

    /// Returns for each row whether its key is new.
    pub(super) fn first_times(&mut self, key: &[ArrayRef]) -> Result<BooleanArray, StageError> {
        let hashes = self.hashes(key)?;
        match &mut self.seen {
            Seen::InMemory(sets) => {
                let is_new = hashes.iter().map(|hash| Some(sets.insert(*hash))).collect();
                if sets.memory() > self.limit {
                    let sets = std::mem::replace(sets, HashSets::new());
                    let spilled = HashPages::spill(sets, self.limit);
                    let spilled = spilled.map_err(|error| failure(&error))?;
                    self.seen = Seen::OnDisk(spilled);
                }
                Ok(is_new)
            }
            Seen::OnDisk(pages) => {
                let is_new = pages.insert_all(&hashes).map_err(|error| failure(&error))?;
                Ok(is_new.into())
            }
        }
    }

    fn hashes(&mut self, key: &[ArrayRef]) -> Result<Vec<u128>, ArrowError> {
        let key: Vec<_> = key.iter().map(without_negative_zero).collect();
        let converter = match self.converter.take() {
            Some(converter) => converter,
            None => {
                let fields = key.iter().map(|column| SortField::new(column.data_type().clone()));
                RowConverter::new(fields.collect())?
            }
        };
        let rows = self.converter.insert(converter).convert_columns(&key)?;
        let hash = |row: arrow_row::Row<'_>| XxHash3_128::oneshot_with_seed(self.seed, row.data());
        Ok(rows.iter().map(hash).collect())
    }
}

/// The column with 0 for -0, which is the same number.
fn without_negative_zero(column: &ArrayRef) -> ArrayRef {
    match column.as_primitive_opt::<Float64Type>() {
        Some(numbers) => Arc::new(numbers.unary::<_, Float64Type>(|number| number + 0.0)),
        None => Arc::clone(column),
    }
}

fn failure(error: &std::io::Error) -> StageError {
    let folder = std::env::temp_dir();
    let (folder, reason) = (folder.display(), io_reason(error));
    StageError::new(format!(
        "cannot keep the keys that were seen in a temporary file: {reason}; the folder is `{folder}`, \
         and the variable TMPDIR names another"
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use arrow_array::{Int64Array, StringArray};

    use super::*;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    /// Beyond the limit, the answers are those of a set that never spills.
    #[test]
    fn keys_on_disk_are_those_in_memory() -> TestResult {
        let mut seen = SeenKeys::with_limit(100_000);
        let mut model = HashSet::new();
        let mut random = 7_u64;
        for batch in 0..200 {
            let keys: Vec<_> = (0..1_000)
                .map(|_| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(batch);
                    (random >> 40) as i64 % 150_000
                })
                .collect();
            let expected: Vec<_> = keys.iter().map(|key| Some(model.insert(*key))).collect();
            let column: ArrayRef = Arc::new(Int64Array::from(keys));
            let is_new = seen.first_times(&[column])?;
            assert_eq!(is_new.iter().collect::<Vec<_>>(), expected, "batch {batch}");
        }
        assert!(matches!(seen.seen, Seen::OnDisk(_)));
        assert!(model.len() > 50_000);
        Ok(())
    }

    #[test]
    fn a_key_is_all_of_its_columns() -> TestResult {
        let mut seen = SeenKeys::new();
        let names: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some("a"), None, None]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 1, 1]));
        let is_new = seen.first_times(&[names, numbers])?;
        assert_eq!(is_new, BooleanArray::from(vec![true, true, true, false]));
        Ok(())
    }
}
