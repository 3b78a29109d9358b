//! What must be made, and why: a pure function of the assets, their records, and what is wanted.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::{AssetError, AssetGraph, AssetSpec, Maker, Partition, Partitions};
use crate::event::format_time;
use crate::store::Materialization;

mod reason;

pub use reason::{ChangedInputs, StaleReason};

/// The most steps of one plan that a run accepts.
pub const MAX_STEPS: usize = 10_000;

/// What is wanted: partitions of assets, which are brought up to date together with everything that
/// they are made from.
#[derive(Debug, Clone)]
pub struct Request {
    graph: Arc<AssetGraph>,
    now: SystemTime,
    wanted: BTreeMap<usize, Vec<Partition>>,
    is_forced: bool,
    with_overdue: bool,
}

impl Request {
    /// Wants nothing yet. Partitions that end after `now` do not exist.
    pub fn new(graph: Arc<AssetGraph>, now: SystemTime) -> Self {
        Self { graph, now, wanted: BTreeMap::new(), is_forced: false, with_overdue: false }
    }

    /// Wants all partitions of all assets.
    pub fn everything(graph: Arc<AssetGraph>, now: SystemTime) -> Self {
        let wanted =
            graph.assets().iter().map(|spec| spec.partitions.at(now)).enumerate().collect();
        Self { wanted, ..Self::new(graph, now) }
    }

    /// Adds one partition; the empty key is an asset without partitions.
    ///
    /// # Errors
    ///
    /// Fails when there is no such asset or partition, and when the partition has not ended.
    pub fn partition(&mut self, asset: &str, key: &str) -> Result<(), RequestError> {
        let number = self.graph.number(asset)?;
        let partition = self.graph.partition(asset, key)?;
        ended(asset, &partition, self.now)?;
        let wanted = self.wanted.entry(number).or_default();
        if !wanted.contains(&partition) {
            wanted.push(partition);
        }
        Ok(())
    }

    /// Adds all partitions of an asset whose keys are in a range, whose bounds are included.
    /// Without a bound, and with a last one that has not ended, the range is open there.
    ///
    /// # Errors
    ///
    /// Fails when there is no such asset, when a bound is none of its partitions, when the first one
    /// has not ended, and when it comes after the last one.
    pub fn range(
        &mut self,
        asset: &str,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<(), RequestError> {
        let number = self.graph.number(asset)?;
        let bound = |key: Option<&str>| key.map(|key| self.graph.partition(asset, key)).transpose();
        let (from, to) = (bound(from)?, bound(to)?);
        if let Some(from) = &from {
            ended(asset, from, self.now)?;
        }
        let all = self.graph.assets()[number].partitions.at(self.now);
        // Keys that are listed have the order of their list.
        let place = |bound: &Partition| all.iter().position(|one| one.key() == bound.key());
        let first = from.as_ref().and_then(place).unwrap_or(0);
        let last = to.as_ref().and_then(place);
        if let (Some(from), Some(to)) = (&from, &to)
            && last.is_some_and(|last| last < first)
        {
            let (from, to) = (from.key().to_owned(), to.key().to_owned());
            return Err(RequestError::Reversed { from, to });
        }
        let range = &all[first..last.map_or(all.len(), |last| last + 1)];
        self.wanted.insert(number, range.to_vec());
        Ok(())
    }

    /// Adds the last partition of an asset that has ended, or all of its keys.
    ///
    /// # Errors
    ///
    /// Fails when there is no such asset.
    pub fn latest(&mut self, asset: &str) -> Result<(), RequestError> {
        let number = self.graph.number(asset)?;
        let partitions = &self.graph.assets()[number].partitions;
        let mut all = partitions.at(self.now);
        if matches!(partitions, Partitions::Periods(_)) {
            all.drain(..all.len().saturating_sub(1));
        }
        self.wanted.insert(number, all);
        Ok(())
    }

    /// Makes what is wanted also if it is current.
    #[must_use]
    pub fn forced(mut self, is_forced: bool) -> Self {
        self.is_forced = is_forced;
        self
    }

    /// Makes values again that are older than the freshness of their asset.
    #[must_use]
    pub fn with_overdue(mut self, with_overdue: bool) -> Self {
        self.with_overdue = with_overdue;
        self
    }

    /// The assets.
    pub fn graph(&self) -> &AssetGraph {
        &self.graph
    }

    /// The time of the request.
    pub(super) fn now(&self) -> SystemTime {
        self.now
    }

    /// Everything that is wanted or that something wanted is made from: for each asset, its
    /// partitions in order.
    pub(super) fn needed(&self) -> Needed {
        let mut needed = vec![BTreeMap::new(); self.graph.assets().len()];
        for (asset, partitions) in &self.wanted {
            let keyed = partitions.iter().map(|one| (one.key().to_owned(), one.clone()));
            needed[*asset].extend(keyed);
        }
        // Each asset comes after its inputs.
        for asset in (0..needed.len()).rev() {
            let partitions: Vec<Partition> = needed[asset].values().cloned().collect();
            for partition in partitions {
                for (input, inner) in self.graph.inputs_of(asset, &partition, self.now) {
                    needed[input].entry(inner.key().to_owned()).or_insert(inner);
                }
            }
        }
        needed
    }

    /// Whether it names an asset.
    pub(super) fn names(&self, asset: usize) -> bool {
        self.wanted.contains_key(&asset)
    }

    fn wants(&self, asset: usize, partition: &Partition) -> bool {
        self.wanted.get(&asset).is_some_and(|wanted| wanted.contains(partition))
    }
}

/// Checks that a partition has ended.
///
/// # Errors
///
/// Fails when it is a period that ends later.
pub(super) fn ended(
    asset: &str,
    partition: &Partition,
    now: SystemTime,
) -> Result<(), RequestError> {
    match partition.end().filter(|end| *end > now) {
        None => Ok(()),
        Some(end) => Err(RequestError::Unended {
            asset: asset.to_owned(),
            key: partition.key().to_owned(),
            end: format_time(end),
        }),
    }
}

/// For each asset, the partitions that a request needs, by their keys.
pub(super) type Needed = Vec<BTreeMap<String, Partition>>;

/// A plan with the records that it was made from.
#[derive(Debug, Clone)]
pub struct Examined {
    pub(super) request: Request,
    pub(super) needed: Needed,
    pub(super) records: Records,
    /// The plan.
    pub plan: MaterializationPlan,
}

impl Examined {
    /// `needed` are the partitions that the request needs.
    pub(super) fn new(request: &Request, needed: Needed, records: Records) -> Self {
        let plan = plan_of(request, &needed, &records);
        Self { request: request.clone(), needed, records, plan }
    }
}

/// The current records, by asset and partition.
pub type Records = HashMap<(String, String), Known>;

/// What is known of a partition that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its current record.
    pub made: Materialization,
    /// Whether the files of the value are as they were recorded.
    pub files: Files,
}

/// Whether the files of a value are as they were recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Files {
    /// All are there, with their sizes.
    #[default]
    AsRecorded,
    /// One has another size, and was replaced, emptied or extended.
    Changed,
    /// One is missing.
    Missing,
}

/// What to make, in an order in which everything comes after its inputs, and what is current.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MaterializationPlan {
    /// The partitions to make.
    pub steps: Vec<Step>,
    /// The partitions that are skipped, because they are current: the assets and the keys.
    pub current: Vec<(String, String)>,
    /// The partitions that are not current, but are no work of this plan: workflows make them in
    /// their own way.
    pub made_otherwise: Vec<Step>,
}

/// A partition to make, with the reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The asset.
    pub asset: String,
    /// The key of the partition; empty for an asset without partitions.
    pub partition: String,
    /// Why it must be made; never empty.
    pub reasons: Vec<StaleReason>,
}

/// The name of a partition: `orders[2026-01-31]`, or `orders` for an asset without partitions.
pub fn named(asset: &str, partition: &str) -> String {
    if partition.is_empty() { asset.to_owned() } else { format!("{asset}[{partition}]") }
}

/// A value that a partition would be made from now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InputState {
    pub(super) asset: String,
    pub(super) partition: String,
    /// The version of its current value, if there is one.
    pub(super) version: Option<String>,
    /// Whether the same plan makes it first.
    pub(super) is_planned: bool,
}

/// Plans what to make.
pub fn plan(request: &Request, records: &Records) -> MaterializationPlan {
    plan_of(request, &request.needed(), records)
}

fn plan_of(
    request: &Request,
    needed: &[BTreeMap<String, Partition>],
    records: &Records,
) -> MaterializationPlan {
    let graph = &request.graph;
    let mut planned: Vec<Vec<&str>> = vec![Vec::new(); needed.len()];
    let mut plan = MaterializationPlan::default();
    for (asset, partitions) in needed.iter().enumerate() {
        let spec = &graph.assets()[asset];
        if spec.maker == Maker::Outside {
            continue;
        }
        for (key, partition) in partitions {
            let known = records.get(&(spec.name.clone(), key.clone()));
            let inputs = graph.inputs_of(asset, partition, request.now);
            let inputs: Vec<InputState> = inputs
                .iter()
                .map(|(input, inner)| {
                    let name = graph.assets()[*input].name.clone();
                    let known = records.get(&(name.clone(), inner.key().to_owned()));
                    InputState {
                        asset: name,
                        partition: inner.key().to_owned(),
                        version: known.map(|known| known.made.data_version.clone()),
                        // The steps of an asset are in the order of the keys.
                        is_planned: planned[*input].binary_search(&inner.key()).is_ok(),
                    }
                })
                .collect();
            let mut reasons = reasons(spec, known, &inputs);
            reasons.extend(request.further_reasons(asset, partition, known));
            if reasons.is_empty() {
                plan.current.push((spec.name.clone(), key.clone()));
                continue;
            }
            planned[asset].push(key);
            let (asset, partition) = (spec.name.clone(), key.clone());
            let steps = match spec.maker {
                Maker::Function => &mut plan.steps,
                _ => &mut plan.made_otherwise,
            };
            steps.push(Step { asset, partition, reasons });
        }
    }
    plan
}

impl Request {
    /// The reasons that lie in the request: a record is old, or something is made by force.
    fn further_reasons(
        &self,
        asset: usize,
        partition: &Partition,
        known: Option<&Known>,
    ) -> impl Iterator<Item = StaleReason> + use<> {
        let spec = &self.graph.assets()[asset];
        let wants_old = self.with_overdue && self.wants(asset, partition);
        let overdue = known.filter(|_| wants_old).and_then(|known| {
            overdue(spec, &known.made, self.now).map(|age| StaleReason::Overdue { age })
        });
        let is_forced = self.is_forced && known.is_some() && self.wants(asset, partition);
        overdue.into_iter().chain(is_forced.then_some(StaleReason::Forced))
    }
}

/// Why a partition is not current; empty if it is.
pub(super) fn reasons(
    spec: &AssetSpec,
    known: Option<&Known>,
    inputs: &[InputState],
) -> Vec<StaleReason> {
    let Some(Known { made, files }) = known else { return vec![StaleReason::NeverMade] };
    let mut reasons = Vec::new();
    match files {
        Files::AsRecorded => {}
        Files::Changed => reasons.push(StaleReason::ValueChanged),
        Files::Missing => reasons.push(StaleReason::ValueMissing),
    }
    if made.code_version != spec.code_version {
        let (from, to) = (made.code_version.clone(), spec.code_version.clone());
        reasons.push(StaleReason::CodeChanged { from, to });
    }
    let before: HashMap<(&str, &str), &str> = made
        .details
        .inputs
        .iter()
        .map(|input| {
            ((input.asset.as_str(), input.partition.as_str()), input.data_version.as_str())
        })
        .collect();
    let (mut changed, mut added, mut planned) = (Groups::new(), Groups::new(), Groups::new());
    for input in inputs {
        let group = match before.get(&(input.asset.as_str(), input.partition.as_str())) {
            None => &mut added,
            _ if input.is_planned => &mut planned,
            Some(version) if input.version.as_deref() == Some(version) => continue,
            Some(_) => &mut changed,
        };
        group.add(&input.asset, &input.partition);
    }
    let mut removed = Groups::new();
    let is_read = |asset: &str, partition: &str| {
        inputs.iter().any(|input| input.asset == asset && input.partition == partition)
    };
    // The counts are equal unless an input was removed.
    if before.len() + added.count() != inputs.len() {
        for input in &made.details.inputs {
            if !is_read(&input.asset, &input.partition) {
                removed.add(&input.asset, &input.partition);
            }
        }
    }
    reasons.extend(changed.0.into_iter().map(StaleReason::InputChanged));
    reasons.extend(added.0.into_iter().map(StaleReason::InputAdded));
    reasons.extend(removed.0.into_iter().map(StaleReason::InputRemoved));
    reasons.extend(planned.0.into_iter().map(StaleReason::InputPlanned));
    reasons
}

/// Partitions by asset.
struct Groups(Vec<ChangedInputs>);

impl Groups {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn add(&mut self, asset: &str, partition: &str) {
        match self.0.iter_mut().find(|group| group.asset == asset) {
            Some(group) => group.others += 1,
            None => {
                let (asset, first) = (asset.to_owned(), partition.to_owned());
                self.0.push(ChangedInputs { asset, first, others: 0 });
            }
        }
    }

    fn count(&self) -> usize {
        self.0.iter().map(|group| group.others + 1).sum()
    }
}

/// The age of a value, if it is older than the freshness of its asset. A period that was made does
/// not age.
pub fn overdue(spec: &AssetSpec, made: &Materialization, now: SystemTime) -> Option<Duration> {
    let freshness = spec.freshness?;
    if matches!(spec.partitions, Partitions::Periods(_)) {
        return None;
    }
    let age = now.duration_since(made.made_at).unwrap_or_default();
    (age > freshness).then_some(age)
}

/// The input of the workflow of assets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunInput {
    /// The partitions to make. A step waits for those of its inputs that are in the list.
    pub steps: Vec<RunStep>,
}

/// A partition that a run makes, unless it is current when its turn comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunStep {
    /// The asset.
    pub asset: String,
    /// The key of the partition; without one for an asset without partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// Why it is made, for the record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// Whether it is made even if it is current.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

impl MaterializationPlan {
    /// The input for a run that carries out the plan.
    ///
    /// # Errors
    ///
    /// Fails when the plan has more than [`MAX_STEPS`] steps.
    pub fn to_input(&self) -> Result<RunInput, RequestError> {
        if self.steps.len() > MAX_STEPS {
            return Err(RequestError::TooLarge { steps: self.steps.len() });
        }
        Ok(RunInput { steps: self.steps.iter().map(Step::to_run_step).collect() })
    }
}

impl Step {
    fn to_run_step(&self) -> RunStep {
        let is_forcing = |reason: &StaleReason| {
            matches!(reason, StaleReason::Forced | StaleReason::Overdue { .. })
        };
        RunStep {
            asset: self.asset.clone(),
            partition: Some(self.partition.clone()).filter(|key| !key.is_empty()),
            reasons: self.reasons.iter().map(StaleReason::to_string).collect(),
            force: self.reasons.iter().any(is_forcing),
        }
    }
}

/// Why a request makes no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// There is no such asset or partition.
    #[error(transparent)]
    Asset(#[from] AssetError),
    /// The period has not ended.
    #[error("partition `{key}` of asset `{asset}` ends at {end}; materialize it after that")]
    Unended {
        /// The asset.
        asset: String,
        /// The key.
        key: String,
        /// The end of the period.
        end: String,
    },
    /// The first partition of a range comes after the last one.
    #[error("the range from `{from}` to `{to}` is empty; name the earlier partition first")]
    Reversed {
        /// The key of the first partition.
        from: String,
        /// The key of the last partition.
        to: String,
    },
    /// There is too much to do.
    #[error(
        "{steps} partitions are too many for one run, which makes at most {MAX_STEPS}; choose a shorter range"
    )]
    TooLarge {
        /// The number of partitions.
        steps: usize,
    },
}

#[cfg(test)]
mod tests;
