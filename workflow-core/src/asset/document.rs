//! Assets, partitions and records as JSON, for programs that show them.

use serde::Serialize;

use super::plan::StaleReason;
use super::{AssetGraph, AssetState, PartitionState, Partitions, Standing};
use crate::event::format_time;
use crate::store::{CheckResult, InputVersion, Materialization, SchemaField};

/// An asset with its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AssetDocument {
    /// The name.
    pub name: String,
    /// What it is: for a function, the first paragraph of its documentation.
    pub description: Option<String>,
    /// The place of its declaration: a file, with line and column if they are known.
    pub location: String,
    /// The workflows that make it: `assets` for a function; none for an asset that comes from
    /// outside of this program, of which nothing else is known.
    pub made_by: Vec<String>,
    /// What its partitions are, such as `daily from 2026-01-01`; none for an asset without
    /// partitions.
    pub partitions: Option<String>,
    /// The length of its periods: `hourly`, `daily`, `weekly` or `monthly`; none for other
    /// partitions.
    pub period: Option<&'static str>,
    /// The age from which a value counts as overdue, in seconds.
    pub freshness: Option<u64>,
    /// Whether it breaks the promise of its freshness.
    pub is_overdue: bool,
    /// The version of its code in this program.
    pub code_version: String,
    /// The assets that it reads.
    pub inputs: Vec<String>,
    /// The assets that read it.
    pub readers: Vec<String>,
    /// Its checks.
    pub checks: Vec<CheckDocument>,
    /// The number of partitions that exist by now.
    pub total: usize,
    /// The number of current partitions.
    pub current: usize,
    /// The number of partitions that were made, but are not current.
    pub stale: usize,
    /// The number of partitions that were never materialized, or whose file is missing.
    pub missing: usize,
    /// Why partitions are not current, the most frequent kind first.
    pub reasons: Vec<CountedReasonDocument>,
    /// The newest current record.
    pub last: Option<MaterializationDocument>,
}

/// A check, as it is declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CheckDocument {
    /// The name.
    pub name: String,
    /// Whether a failure refuses the value.
    pub is_blocking: bool,
}

/// A partition with its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PartitionDocument {
    /// The key; none for an asset without partitions.
    pub partition: Option<String>,
    /// Whether it is current.
    pub standing: Standing,
    /// Why it is not current; empty if it is.
    pub reasons: Vec<ReasonDocument>,
    /// Its current record, if it was made.
    pub made: Option<MaterializationDocument>,
    /// Its newest record, if a check refused the value.
    pub refused: Option<MaterializationDocument>,
}

/// Why a partition is not current.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ReasonDocument {
    /// The kind, such as `input_changed`.
    pub kind: &'static str,
    /// The reason in words.
    pub text: String,
}

/// Why some partitions of an asset are not current.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CountedReasonDocument {
    /// The kind, such as `input_changed`.
    pub kind: &'static str,
    /// The reason of the newest one of the partitions, in words.
    pub text: String,
    /// The number of partitions.
    pub partitions: usize,
}

/// A value that a partition was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct InputDocument {
    /// The asset.
    pub asset: String,
    /// The key of the partition; none for an asset without partitions.
    pub partition: Option<String>,
    /// The version of the value.
    pub data_version: String,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MaterializationDocument {
    /// The key of the partition; none for an asset without partitions.
    pub partition: Option<String>,
    /// The ID of the run.
    pub run: String,
    /// When it was made, in UTC.
    pub made_at: String,
    /// Whether a blocking check refused the value, so that it was not stored.
    pub is_refused: bool,
    /// The version of the function that made it.
    pub code_version: String,
    /// The version of the value.
    pub data_version: String,
    /// The file with the value, relative to the folder of assets.
    pub file: Option<String>,
    /// The size of the value, in bytes.
    pub bytes: u64,
    /// The number of rows, for a value that has rows.
    pub rows: Option<u64>,
    /// The columns, for a value that has columns.
    pub schema: Vec<SchemaField>,
    /// The values that it was made from.
    pub inputs: Vec<InputDocument>,
    /// The results of the checks.
    pub checks: Vec<CheckResult>,
    /// Why it was made.
    pub reasons: Vec<String>,
    /// How long the function ran, in milliseconds.
    pub milliseconds: u64,
}

impl AssetDocument {
    /// Describes an asset of this program.
    pub fn new(graph: &AssetGraph, state: &AssetState<'_>) -> Self {
        let spec = state.spec;
        let number = graph.number(&spec.name).ok();
        let readers = number.into_iter().flat_map(|number| graph.readers(number));
        Self {
            name: spec.name.clone(),
            description: spec.description.clone(),
            location: spec.location.clone(),
            made_by: spec.maker.workflows().into_iter().map(str::to_owned).collect(),
            partitions: (!spec.partitions.is_none()).then(|| spec.partitions.describe()),
            period: match &spec.partitions {
                Partitions::Periods(periods) => Some(periods.period().as_str()),
                _ => None,
            },
            freshness: spec.freshness.map(|freshness| freshness.as_secs()),
            is_overdue: state.is_overdue,
            code_version: spec.code_version.clone(),
            inputs: spec.inputs.iter().map(|(input, _)| input.clone()).collect(),
            readers: readers.map(|reader| graph.assets()[reader].name.clone()).collect(),
            checks: spec
                .checks
                .iter()
                .map(|(name, is_blocking)| CheckDocument {
                    name: name.clone(),
                    is_blocking: *is_blocking,
                })
                .collect(),
            total: state.partitions.len(),
            current: state.count(Standing::Current),
            stale: state.count(Standing::Stale),
            missing: state.count(Standing::Missing),
            reasons: state
                .reasons()
                .into_iter()
                .map(|(reason, partitions)| CountedReasonDocument {
                    kind: reason.kind(),
                    text: reason.to_string(),
                    partitions,
                })
                .collect(),
            last: state.last().map(MaterializationDocument::new),
        }
    }
}

impl PartitionDocument {
    /// Describes a partition; `refused` is its newest record, if a check refused the value.
    pub fn new(state: &PartitionState<'_>, refused: Option<&Materialization>) -> Self {
        Self {
            partition: key(state.key),
            standing: state.standing,
            reasons: state.reasons.iter().map(ReasonDocument::new).collect(),
            made: state.made.map(MaterializationDocument::new),
            refused: refused.map(MaterializationDocument::new),
        }
    }
}

impl ReasonDocument {
    /// Describes a reason.
    pub fn new(reason: &StaleReason) -> Self {
        Self { kind: reason.kind(), text: reason.to_string() }
    }
}

impl InputDocument {
    /// Describes a value that a partition was made from.
    pub fn new(input: &InputVersion) -> Self {
        Self {
            asset: input.asset.clone(),
            partition: key(&input.partition),
            data_version: input.data_version.clone(),
        }
    }
}

impl MaterializationDocument {
    /// Describes a record.
    pub fn new(made: &Materialization) -> Self {
        let details = made.details.clone();
        Self {
            partition: key(&made.partition),
            run: made.run.to_string(),
            made_at: format_time(made.made_at),
            is_refused: made.is_refused,
            code_version: made.code_version.clone(),
            data_version: made.data_version.clone(),
            file: details.file,
            bytes: details.bytes,
            rows: details.rows,
            schema: details.schema,
            inputs: details.inputs.iter().map(InputDocument::new).collect(),
            checks: details.checks,
            reasons: details.reasons,
            milliseconds: details.milliseconds,
        }
    }
}

fn key(key: &str) -> Option<String> {
    (!key.is_empty()).then(|| key.to_owned())
}
