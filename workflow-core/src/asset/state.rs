//! The states of assets and their partitions, for people: what is current, and why the rest is not.

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use serde::Serialize;

use super::plan::{Examined, StaleReason, overdue};
use super::{AssetSpec, Maker, Partition, Partitions};
use crate::store::Materialization;

/// The state of an asset.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AssetState<'a> {
    /// The asset.
    pub spec: &'a AssetSpec,
    /// Its partitions that exist, in the order of their keys; one for an asset without partitions,
    /// and none for an asset from outside.
    pub partitions: Vec<PartitionState<'a>>,
    /// Whether it breaks the promise of its freshness: a value is too old or, for periods, the newest
    /// one that should be there by now was never materialized.
    pub is_overdue: bool,
}

/// The state of a partition.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PartitionState<'a> {
    /// The key; empty for an asset without partitions.
    pub key: &'a str,
    /// Whether it is current.
    pub standing: Standing,
    /// Why it is not current; empty if it is.
    pub reasons: &'a [StaleReason],
    /// Its current record, if it was made.
    pub made: Option<&'a Materialization>,
}

/// Whether a partition is current.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Made from the current values of its inputs, by the current function.
    Current,
    /// Made, but something has changed since.
    Stale,
    /// Never made, or its file is missing.
    Missing,
}

impl Standing {
    /// The name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Stale => "stale",
            Self::Missing => "missing",
        }
    }

    fn of(reasons: &[StaleReason]) -> Self {
        let is_missing = |reason: &StaleReason| {
            matches!(reason, StaleReason::NeverMade | StaleReason::ValueMissing)
        };
        match reasons {
            [] => Self::Current,
            reasons if reasons.iter().any(is_missing) => Self::Missing,
            _ => Self::Stale,
        }
    }
}

impl<'a> AssetState<'a> {
    /// A page of its partitions, the newest first, and the cursor of the next page. `None` if there
    /// is no partition `after`.
    pub fn page(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Option<(Vec<&PartitionState<'a>>, Option<&'a str>)> {
        let mut partitions = self.partitions.iter().rev();
        if let Some(after) = after {
            partitions.by_ref().find(|partition| partition.key == after)?;
        }
        let page: Vec<_> = partitions.by_ref().take(limit).collect();
        let last = page.last().map(|last| last.key);
        Some((page, partitions.next().and(last)))
    }

    /// The number of partitions with a standing.
    pub fn count(&self, standing: Standing) -> usize {
        self.partitions.iter().filter(|partition| partition.standing == standing).count()
    }

    /// Why partitions are not current: for each kind of reason, the newest partition with it and
    /// their number, the most frequent first.
    pub fn reasons(&self) -> Vec<(&'a StaleReason, usize)> {
        let mut kinds: Vec<(&StaleReason, usize)> = Vec::new();
        for partition in self.partitions.iter().rev() {
            let mut seen: Vec<&str> = Vec::new();
            for reason in partition.reasons {
                // A partition may have several inputs that have changed.
                if seen.contains(&reason.kind()) {
                    continue;
                }
                seen.push(reason.kind());
                match kinds.iter_mut().find(|(known, _)| known.kind() == reason.kind()) {
                    Some((_, count)) => *count += 1,
                    None => kinds.push((reason, 1)),
                }
            }
        }
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        kinds
    }

    /// The newest current record of all partitions.
    pub fn last(&self) -> Option<&Materialization> {
        self.partitions
            .iter()
            .filter_map(|partition| partition.made)
            .max_by_key(|made| made.made_at)
    }
}

impl Examined {
    /// The states of the assets that the request needs, each after its inputs.
    pub fn states(&self) -> Vec<AssetState<'_>> {
        let reasons: HashMap<(&str, &str), &[StaleReason]> = self
            .plan
            .steps
            .iter()
            .chain(&self.plan.made_otherwise)
            .map(|step| ((&*step.asset, &*step.partition), &*step.reasons))
            .collect();
        let specs = self.request.graph().assets().iter().zip(&self.needed).enumerate();
        // One that is wanted is there before its first period has ended.
        let specs = specs.filter(|(number, (_, partitions))| {
            !partitions.is_empty() || self.request.names(*number)
        });
        specs
            .map(|(_, (spec, partitions))| {
                let keys = partitions.keys().filter(|_| spec.maker != Maker::Outside);
                let states = keys.map(|key| {
                    let reasons = reasons.get(&(&*spec.name, &**key)).copied().unwrap_or_default();
                    let known = self.records.get(&(spec.name.clone(), key.clone()));
                    PartitionState {
                        key,
                        standing: Standing::of(reasons),
                        reasons,
                        made: known.map(|known| &known.made),
                    }
                });
                let states: Vec<_> = states.collect();
                let is_overdue = self.is_overdue(spec, partitions, &states);
                AssetState { spec, partitions: states, is_overdue }
            })
            .collect()
    }

    /// The states are those of the partitions, in the same order.
    fn is_overdue(
        &self,
        spec: &AssetSpec,
        partitions: &BTreeMap<String, Partition>,
        states: &[PartitionState<'_>],
    ) -> bool {
        let Some(freshness) = spec.freshness else { return false };
        let now = self.request.now();
        let is_late = |end: SystemTime| now.duration_since(end).is_ok_and(|age| age > freshness);
        match &spec.partitions {
            // The last period is younger than a freshness of its length, so that it says nothing.
            Partitions::Periods(_) => partitions
                .values()
                .zip(states)
                .rev()
                .find(|(partition, _)| partition.end().is_some_and(is_late))
                .is_some_and(|(_, state)| state.made.is_none()),
            _ => states
                .iter()
                .any(|state| state.made.is_some_and(|made| overdue(spec, made, now).is_some())),
        }
    }
}
