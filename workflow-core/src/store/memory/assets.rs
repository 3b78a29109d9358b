//! The records of assets in memory.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::MemoryStore;
use crate::id::RunId;
use crate::store::{
    AssetStore, Materialization, PartitionRange, StoreError, StoredMaterialization,
};

#[async_trait]
impl AssetStore for MemoryStore {
    async fn record_materialization(&self, made: &Materialization) -> Result<(), StoreError> {
        let mut state = self.lock();
        let records = &mut state.materializations;
        let number = records.last().map_or(1, |last| last.number + 1);
        let is_replaced = |other: &Materialization| {
            (other.run, &other.asset, &other.partition) == (made.run, &made.asset, &made.partition)
                && (other.is_refused || !made.is_refused)
        };
        records.retain(|other| !is_replaced(&other.made));
        records.push(StoredMaterialization { number, made: made.clone() });
        Ok(())
    }

    async fn current_materializations(
        &self,
        asset: &str,
        partitions: &PartitionRange,
        limit: usize,
    ) -> Result<Vec<Materialization>, StoreError> {
        Ok(self.last(asset, partitions, limit, |made| !made.is_refused))
    }

    async fn newest_materializations(
        &self,
        asset: &str,
        partitions: &PartitionRange,
        limit: usize,
    ) -> Result<Vec<Materialization>, StoreError> {
        Ok(self.last(asset, partitions, limit, |_| true))
    }

    async fn materializations(
        &self,
        asset: &str,
        partition: Option<&str>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<StoredMaterialization>, StoreError> {
        let state = self.lock();
        let newest = state.materializations.iter().rev().filter(|stored| {
            stored.made.asset == asset
                && partition.is_none_or(|key| key == stored.made.partition)
                && before.is_none_or(|before| stored.number < before)
        });
        Ok(newest.take(limit).cloned().collect())
    }

    async fn partitions_made(&self, run: RunId, asset: &str) -> Result<Vec<String>, StoreError> {
        let state = self.lock();
        let made = state.materializations.iter().map(|stored| &stored.made);
        let made = made.filter(|made| made.run == run && made.asset == asset && !made.is_refused);
        let keys: BTreeSet<&String> = made.map(|made| &made.partition).collect();
        Ok(keys.into_iter().cloned().collect())
    }
}

impl MemoryStore {
    /// The last record of each partition in the range that counts.
    fn last(
        &self,
        asset: &str,
        partitions: &PartitionRange,
        limit: usize,
        counts: impl Fn(&Materialization) -> bool,
    ) -> Vec<Materialization> {
        let state = self.lock();
        let made = state.materializations.iter().map(|stored| &stored.made);
        let made = made.filter(|made| {
            made.asset == asset && partitions.contains(&made.partition) && counts(made)
        });
        let last: BTreeMap<&str, &Materialization> =
            made.map(|made| (made.partition.as_str(), made)).collect();
        last.into_values().take(limit).cloned().collect()
    }
}
