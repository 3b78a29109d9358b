//! Making one partition: reading its inputs, checking and storing its value.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use serde::{Deserialize, Serialize};

use super::entry::version;
use super::graph::functions;
use super::plan::{InputState, RunStep, named, reasons};
use super::{
    Asset, AssetEntry, AssetEvent, AssetGraph, AssetSpec, Assets, Happening, Input, Partition,
    Partitions, Reads, StoredValue, WORKFLOW,
};
use crate::id::RunId;
use crate::job::arguments::ProvidedParameter;
use crate::job::{AttemptIo, JobError, State};
use crate::store::{
    CheckResult, InputVersion, Materialization, MaterializationDetails, PartitionRange,
};

/// One partition that is made, as the code of `#[asset]` sees it.
pub struct Making {
    io: AttemptIo,
    assets: State<Assets>,
    entry: &'static AssetEntry,
    graph: &'static AssetGraph,
    number: usize,
    partition: Partition,
    reasons: Vec<String>,
    run: RunId,
    /// The values that were read.
    read: Mutex<Vec<InputVersion>>,
    started: Instant,
}

/// All partitions of an asset that another one reads, in order: those that lie within the partition
/// of the reader.
///
/// ```
/// use workflow_core::asset::{All, Partition};
///
/// // In a unit test of a function.
/// let days = All::from_iter([(Partition::of_key("2026-01-01"), 3), (Partition::of_key("2026-01-02"), 4)]);
/// assert_eq!(days.values().sum::<i32>(), 7);
/// assert_eq!(days.iter().map(|(day, _)| day.key()).collect::<Vec<_>>(), ["2026-01-01", "2026-01-02"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct All<T>(Vec<(Partition, T)>);

impl<T> All<T> {
    /// The number of partitions.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The partitions with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&Partition, &T)> {
        self.0.iter().map(|(partition, value)| (partition, value))
    }

    /// The values.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, value)| value)
    }
}

impl<T> FromIterator<(Partition, T)> for All<T> {
    fn from_iter<I: IntoIterator<Item = (Partition, T)>>(partitions: I) -> Self {
        Self(partitions.into_iter().collect())
    }
}

/// A check of a value.
pub struct Check<T> {
    /// The name.
    pub name: &'static str,
    /// Whether a failure refuses the value.
    pub is_blocking: bool,
    /// Returns why the check failed.
    pub run: fn(&T) -> Result<(), String>,
}

/// The result of a step, which is the output of its job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepOutcome {
    /// The asset.
    pub asset: String,
    /// The key of the partition; none for an asset without partitions.
    pub partition: Option<String>,
    /// `made`, or `unchanged` if the partition was current when its turn came.
    pub outcome: String,
    /// Why it was made, or why not.
    pub reasons: Vec<String>,
    /// The version of the value.
    pub data_version: String,
    /// The number of rows, for a value that has rows.
    pub rows: Option<u64>,
    /// The warnings of its checks.
    pub warnings: Vec<String>,
}

/// Makes a partition, unless it is current.
pub(super) async fn make(
    io: AttemptIo,
    entry: &'static AssetEntry,
    step: &RunStep,
) -> Result<(), JobError> {
    let making = Making::new(io.clone(), entry, step)?;
    if let Some(unchanged) = making.unchanged(step.force).await? {
        return io.put(unchanged);
    }
    let (spec, partition) = (making.spec(), making.partition.clone());
    let (assets, run, attempt) = (making.assets.clone(), making.run, io.attempt);
    let announce = |happening: Happening<'_>| {
        let at = SystemTime::now();
        let (workflow, partition) = (WORKFLOW, &partition);
        assets.announce(&AssetEvent {
            asset: spec,
            partition,
            workflow,
            run,
            attempt,
            at,
            happening,
        });
    };
    announce(Happening::Started);
    match (entry.make)(making).await {
        Ok(outcome) => io.put(outcome),
        Err(error) => {
            announce(Happening::Failed(&error));
            Err(error)
        }
    }
}

impl Making {
    fn new(io: AttemptIo, entry: &'static AssetEntry, step: &RunStep) -> Result<Self, JobError> {
        let assets = <State<Assets> as ProvidedParameter>::of(&io)?;
        let services = io.services().ok_or_else(JobError::no_engine)?;
        let graph = functions().map_err(JobError::terminal)?;
        let key = step.partition.as_deref().unwrap_or_default();
        let partition = graph.partition(entry.name, key).map_err(JobError::terminal)?;
        Ok(Self {
            assets,
            entry,
            graph,
            number: graph.number(entry.name).map_err(JobError::terminal)?,
            partition,
            reasons: step.reasons.clone(),
            run: services.run_id(),
            read: Mutex::default(),
            started: Instant::now(),
            io,
        })
    }

    /// The partition.
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// The access to the run.
    pub fn io(&self) -> &AttemptIo {
        &self.io
    }

    /// Reads an input: the same partition, or the whole of an asset without partitions.
    ///
    /// # Errors
    ///
    /// Fails when it was not made, and when its value cannot be read.
    pub async fn input<T>(&self, input: &Input<T>) -> Result<T, JobError> {
        let key = if input.is_partitioned { self.partition.key() } else { "" };
        let made = self.assets.current_one(input.declared.asset, key).await?;
        self.value(input, key, made).await
    }

    /// Reads all partitions of an input that lie within this partition and that were made.
    ///
    /// # Errors
    ///
    /// Fails when a value cannot be read.
    pub async fn all<T>(&self, input: &Input<T>) -> Result<All<T>, JobError> {
        let number = self.graph.number(input.declared.asset).map_err(JobError::terminal)?;
        let mut all = Vec::new();
        for (partition, made) in self.made_within(number).await? {
            let value = self.value(input, partition.key(), Some(made)).await?;
            all.push((partition, value));
        }
        Ok(All(all))
    }

    /// Checks, stores and records the value.
    ///
    /// # Errors
    ///
    /// Fails when a blocking check refuses the value, when it cannot be stored or recorded, and when
    /// the attempt has ended.
    pub async fn finish<T: Asset>(
        self,
        value: T,
        checks: &[Check<T>],
    ) -> Result<StepOutcome, JobError> {
        let checks: Vec<CheckResult> = checks
            .iter()
            .map(|check| CheckResult {
                name: check.name.to_owned(),
                is_blocking: check.is_blocking,
                problem: (check.run)(&value).err(),
            })
            .collect();
        let stored = value.save()?;
        drop(value);
        let refusal = checks.iter().find(|check| check.is_blocking && check.problem.is_some());
        let refusal = refusal.map(|check| {
            let problem = check.problem.as_deref().unwrap_or_default();
            JobError::terminal(format!(
                "check `{}` refused the value of {}: {problem}",
                check.name,
                self.name()
            ))
        });
        let data_version = version(&stored.bytes);
        let mut made = self.record(&stored, data_version, checks);
        self.check_under_way()?;
        if let Some(refusal) = refusal {
            made.is_refused = true;
            self.assets.records()?.record_materialization(&made).await?;
            self.announce(&made, Happening::Refused(&made));
            return Err(refusal);
        }
        let name = format!("{}.{}", made.data_version, T::EXTENSION);
        let (asset, key) = (self.entry.name, self.partition.key());
        made.details.file = Some(self.assets.write(asset, key, &name, &stored.bytes)?);
        let before = self.assets.current_one(asset, key).await?;
        // Writing takes its time. The file stays: a later attempt may have the same value.
        self.check_under_way()?;
        self.assets.records()?.record_materialization(&made).await?;
        self.announce(&made, Happening::Made(&made));
        if let Some(file) = before.and_then(|before| before.details.file)
            && made.details.file.as_ref() != Some(&file)
            && let Err(error) = self.assets.remove(&file)
        {
            // The new value is current, so that the job has done its work.
            tracing::warn!(%error, "the previous value of {} is left behind", self.name());
        }
        Ok(self.outcome("made", self.reasons.clone(), &made))
    }

    /// Checks that the result of the attempt is still wanted. A blocking function continues after
    /// its attempt has timed out or was cancelled, and another attempt may be under way.
    fn check_under_way(&self) -> Result<(), JobError> {
        let services = self.io.services().ok_or_else(JobError::no_engine)?;
        services.check_under_way(self.io.job, self.io.attempt)
    }

    /// The outcome, if the partition is current.
    async fn unchanged(&self, force: bool) -> Result<Option<StepOutcome>, JobError> {
        let made = self.assets.current_one(self.entry.name, self.partition.key()).await?;
        let Some(made) = made else { return Ok(None) };
        let reason = if made.run == self.run {
            "made by an earlier attempt of this run"
        } else if force {
            return Ok(None);
        } else {
            "its code and its inputs are unchanged"
        };
        let known = self.assets.known(made);
        let inputs = self.input_states().await?;
        if !reasons(self.spec(), Some(&known), &inputs).is_empty() {
            return Ok(None);
        }
        Ok(Some(self.outcome("unchanged", vec![reason.to_owned()], &known.made)))
    }

    /// The current values of the inputs.
    async fn input_states(&self) -> Result<Vec<InputState>, JobError> {
        let mut states = Vec::new();
        for input in self.entry.inputs {
            let number = self.graph.number(input.asset).map_err(JobError::terminal)?;
            match input.reads {
                Reads::Same => {
                    let is_whole = self.graph.assets()[number].partitions.is_none();
                    let key = if is_whole { "" } else { self.partition.key() };
                    let made = self.assets.current_one(input.asset, key).await?;
                    let version = made.map(|made| made.data_version);
                    states.push(input_state(input.asset, key, version));
                }
                Reads::All => {
                    let within = self.made_within(number).await?;
                    states.extend(within.into_iter().map(|(partition, made)| {
                        input_state(input.asset, partition.key(), Some(made.data_version))
                    }));
                }
            }
        }
        Ok(states)
    }

    /// The partitions of an input that lie within this partition and that were made.
    async fn made_within(
        &self,
        input: usize,
    ) -> Result<Vec<(Partition, Materialization)>, JobError> {
        let spec = &self.graph.assets()[input];
        let within = spec.partitions.within(&self.partition, SystemTime::now());
        let (Some(first), Some(last)) = (within.first(), within.last()) else {
            return Ok(Vec::new());
        };
        let range = match &spec.partitions {
            Partitions::Periods(_) => PartitionRange::between(first.key(), last.key()),
            _ => PartitionRange::default(),
        };
        let made = self.assets.current(&spec.name, range).await?;
        let mut made: std::collections::HashMap<String, Materialization> =
            made.into_iter().map(|made| (made.partition.clone(), made)).collect();
        let found = within.into_iter().filter_map(|partition| {
            let made = made.remove(partition.key())?;
            Some((partition, made))
        });
        Ok(found.collect())
    }

    /// Reads the value of a record, or of the one that has replaced it.
    async fn value<T>(
        &self,
        input: &Input<T>,
        key: &str,
        mut found: Option<Materialization>,
    ) -> Result<T, JobError> {
        let name = input.declared.asset;
        // The file is gone if another run has replaced the value since the record was read.
        for _ in 0..ATTEMPTS {
            let Some(made) = found else { return Err(self.not_made(name, key)) };
            if let Some(bytes) = self.assets.read(&made)? {
                return self.load(input, &made, bytes);
            }
            found = self.assets.current_one(name, key).await?;
        }
        Err(self.missing(name, key))
    }

    fn load<T>(
        &self,
        input: &Input<T>,
        made: &Materialization,
        bytes: Vec<u8>,
    ) -> Result<T, JobError> {
        let value = (input.load)(bytes).map_err(|error| {
            JobError::terminal(format!(
                "cannot read the value of {}, which {} reads: {}; make it again with --force",
                named(&made.asset, &made.partition),
                self.name(),
                error.chain()
            ))
        })?;
        self.read.lock().unwrap_or_else(PoisonError::into_inner).push(InputVersion {
            asset: made.asset.clone(),
            partition: made.partition.clone(),
            data_version: made.data_version.clone(),
        });
        Ok(value)
    }

    fn record(
        &self,
        stored: &StoredValue,
        data_version: String,
        checks: Vec<CheckResult>,
    ) -> Materialization {
        let inputs = self.read.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Materialization {
            asset: self.entry.name.to_owned(),
            partition: self.partition.key().to_owned(),
            run: self.run,
            made_at: SystemTime::now(),
            is_refused: false,
            code_version: self.entry.short_version(),
            data_version,
            details: MaterializationDetails {
                file: None,
                bytes: stored.size,
                rows: stored.rows,
                schema: stored.schema.clone(),
                files: stored.files.clone(),
                inputs,
                checks,
                reasons: self.reasons.clone(),
                milliseconds: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            },
        }
    }

    fn outcome(&self, outcome: &str, reasons: Vec<String>, made: &Materialization) -> StepOutcome {
        let problems = made.details.checks.iter().filter_map(|check| {
            let problem = check.problem.as_ref()?;
            Some(format!("{}: {problem}", check.name))
        });
        StepOutcome {
            asset: self.entry.name.to_owned(),
            partition: Some(self.partition.key().to_owned()).filter(|key| !key.is_empty()),
            outcome: outcome.to_owned(),
            reasons,
            data_version: made.data_version.clone(),
            rows: made.details.rows,
            warnings: problems.collect(),
        }
    }

    fn announce(&self, made: &Materialization, happening: Happening<'_>) {
        self.assets.announce(&AssetEvent {
            asset: self.spec(),
            partition: &self.partition,
            workflow: WORKFLOW,
            run: self.run,
            attempt: self.io.attempt,
            at: made.made_at,
            happening,
        });
    }

    fn spec(&self) -> &'static AssetSpec {
        &self.graph.assets()[self.number]
    }

    fn name(&self) -> String {
        named(self.entry.name, self.partition.key())
    }

    fn not_made(&self, asset: &str, key: &str) -> JobError {
        let (input, name) = (named(asset, key), self.name());
        JobError::terminal(format!(
            "{name} reads {input}, which was never materialized; materialize it first"
        ))
    }

    fn missing(&self, asset: &str, key: &str) -> JobError {
        let (input, name) = (named(asset, key), self.name());
        let folder = self.assets.folder().display();
        JobError::terminal(format!(
            "{name} reads {input}, whose file is missing in `{folder}`; make it again, or name the \
             folder in which it was made"
        ))
    }
}

/// How often a value is looked for that other runs replace at the same time.
const ATTEMPTS: u32 = 3;

fn input_state(asset: &str, partition: &str, version: Option<String>) -> InputState {
    let (asset, partition) = (asset.to_owned(), partition.to_owned());
    InputState { asset, partition, version, is_planned: false }
}

impl fmt::Debug for Making {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Making").field("name", &self.name()).finish_non_exhaustive()
    }
}
