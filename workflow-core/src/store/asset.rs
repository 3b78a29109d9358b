//! Records of assets: what was made, when, by which run, and from what.

use std::time::SystemTime;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::id::RunId;

/// The part of a [`Store`](super::Store) that keeps the records of assets.
///
/// A record is of one partition; an asset without partitions has the empty key. Keys are ordered by
/// their bytes. The *current* record of a partition is the last one that was not refused.
#[async_trait]
pub trait AssetStore: Send + Sync {
    /// Records a materialization. It replaces earlier records of the same run, asset and partition,
    /// so that an attempt that is made again is recorded once. A refused one replaces refused ones
    /// only: the value that an earlier attempt has made is still there.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed.
    async fn record_materialization(&self, made: &Materialization) -> Result<(), StoreError>;

    /// Returns at most `limit` current records of an asset, ordered by partition: those of the
    /// partitions in the range.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn current_materializations(
        &self,
        asset: &str,
        partitions: &PartitionRange,
        limit: usize,
    ) -> Result<Vec<Materialization>, StoreError>;

    /// Returns at most `limit` records of an asset, ordered by partition: the newest one of each
    /// partition in the range, refused or not.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn newest_materializations(
        &self,
        asset: &str,
        partitions: &PartitionRange,
        limit: usize,
    ) -> Result<Vec<Materialization>, StoreError>;

    /// Returns at most `limit` records of an asset, the newest first, with the refused ones: of all
    /// partitions or of one, and older than the record with the number `before`.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn materializations(
        &self,
        asset: &str,
        partition: Option<&str>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<StoredMaterialization>, StoreError>;

    /// Returns the keys of the partitions of an asset that a run has made, in order. Refused ones do
    /// not count.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn partitions_made(&self, run: RunId, asset: &str) -> Result<Vec<String>, StoreError>;
}

/// The name of the workflow whose runs make assets.
pub const ASSET_WORKFLOW: &str = "assets";

/// A range of partitions, by their keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartitionRange {
    /// The key that all keys of the range come after. `None` for no bound.
    pub after: Option<String>,
    /// The first key. `None` for no bound.
    pub from: Option<String>,
    /// The last key. `None` for no bound.
    pub to: Option<String>,
}

impl PartitionRange {
    /// The range from one partition to another one, with both.
    pub fn between(first: &str, last: &str) -> Self {
        Self { after: None, from: Some(first.to_owned()), to: Some(last.to_owned()) }
    }

    /// The range of one partition.
    pub fn only(key: &str) -> Self {
        Self::between(key, key)
    }

    /// Whether a key is in the range.
    pub fn contains(&self, key: &str) -> bool {
        self.after.as_deref().is_none_or(|after| key > after)
            && self.from.as_deref().is_none_or(|from| key >= from)
            && self.to.as_deref().is_none_or(|to| key <= to)
    }
}

/// A record of one partition of an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Materialization {
    /// The name of the asset.
    pub asset: String,
    /// The key of the partition; empty for an asset without partitions.
    pub partition: String,
    /// The run that made it.
    pub run: RunId,
    /// When it was made; stores keep microseconds.
    pub made_at: SystemTime,
    /// Whether a blocking check refused the value. A refused value is not stored.
    pub is_refused: bool,
    /// The version of the function.
    pub code_version: String,
    /// The version of the value: equal files have equal versions.
    pub data_version: String,
    /// The details, which no store searches.
    pub details: MaterializationDetails,
}

/// How a partition was materialized.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MaterializationDetails {
    /// The file with the value, relative to the folder of assets. `None` for a refused value.
    pub file: Option<String>,
    /// The size of the value, in bytes.
    pub bytes: u64,
    /// The number of rows, for a value that has rows.
    pub rows: Option<u64>,
    /// The columns, for a value that has columns.
    #[serde(default)]
    pub schema: Vec<SchemaField>,
    /// The files outside of the folder of assets that the value consists of, such as a table.
    #[serde(default)]
    pub files: Vec<ValueFile>,
    /// The values that it was made from.
    #[serde(default)]
    pub inputs: Vec<InputVersion>,
    /// The results of the checks.
    #[serde(default)]
    pub checks: Vec<CheckResult>,
    /// Why it was made.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// How long the function ran, in milliseconds.
    pub milliseconds: u64,
}

/// A file outside of the folder of assets that a value consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueFile {
    /// The file. A relative path counts from the current folder.
    pub path: String,
    /// Its size in bytes, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// A column of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaField {
    /// The name.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
}

/// A value that an asset was made from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InputVersion {
    /// The asset.
    pub asset: String,
    /// The key of the partition; empty for an asset without partitions.
    pub partition: String,
    /// The version of the value.
    pub data_version: String,
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The name of the check.
    pub name: String,
    /// Whether a failure refuses the value.
    pub is_blocking: bool,
    /// Why it failed; `None` if it passed.
    pub problem: Option<String>,
}

/// A record with its number in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMaterialization {
    /// The number: later records have larger ones.
    pub number: u64,
    /// The record.
    pub made: Materialization,
}
