//! Records of what workflows make in their own way, such as the models of dbt.

use std::time::{Duration, SystemTime};

use super::entry::version;
use super::plan::{Files, InputState, Known, StaleReason, reasons};
use super::{
    AssetError, AssetEvent, AssetGraph, AssetSpec, Assets, AssetsError, Happening, Partition,
};
use crate::id::RunId;
use crate::job::JobContext;
use crate::store::{
    CheckResult, InputVersion, Materialization, MaterializationDetails, PartitionRange, SchemaField,
};

/// A value that a workflow has made in its own way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// When it was ready. A value that is recorded twice, as by a run that was resumed, has the same
    /// time, and one record.
    pub at: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// The number of rows, if it is known.
    pub rows: Option<u64>,
    /// The columns, if they are known.
    pub schema: Vec<SchemaField>,
    /// The results of the checks. If one that blocks has failed, the value is recorded as refused.
    pub checks: Vec<CheckResult>,
}

impl Assets {
    /// Records a value of an asset without partitions, which a workflow has made in its own way, from
    /// the current values of its inputs. Inputs are recorded first, since the record names their
    /// versions. `context` is that of a job of the workflow, and `graph` has the asset.
    ///
    /// Does nothing if this value was recorded before.
    ///
    /// # Errors
    ///
    /// Fails when there is no such asset, when the store fails, and outside of a run.
    pub async fn record(
        &self,
        context: &JobContext,
        graph: &AssetGraph,
        asset: &str,
        made: Made,
    ) -> Result<(), RecordError> {
        let number = graph.number(asset)?;
        let spec = &graph.assets()[number];
        let run = context.run_id().ok_or(RecordError::NoRun)?;
        let only = PartitionRange::only("");
        let newest = self.records()?.newest_materializations(asset, &only, 1).await?;
        if let Some(newest) = newest.first()
            && newest.run == run
            && micros(newest.made_at) == micros(made.at)
        {
            return Ok(());
        }
        let inputs = self.inputs_of(graph, number, made.at).await?;
        let known = self.current_one(asset, "").await?;
        let known = known.map(|made| Known { made, files: Files::AsRecorded });
        let reasons = reasons(spec, known.as_ref(), &inputs);
        let made = made.materialization(spec, run, inputs, &reasons);
        self.records()?.record_materialization(&made).await?;
        let happening = match made.is_refused {
            true => Happening::Refused(&made),
            false => Happening::Made(&made),
        };
        let workflow = context.workflow_name();
        self.announce(&AssetEvent {
            asset: spec,
            partition: &Partition::whole(),
            workflow: &workflow,
            run,
            attempt: context.attempt(),
            at: made.made_at,
            happening,
        });
        Ok(())
    }

    /// The current values of the inputs of an asset without partitions.
    async fn inputs_of(
        &self,
        graph: &AssetGraph,
        asset: usize,
        at: SystemTime,
    ) -> Result<Vec<InputState>, AssetsError> {
        let mut inputs = Vec::new();
        for (input, partition) in graph.inputs_of(asset, &Partition::whole(), at) {
            let name = &graph.assets()[input].name;
            let current = self.current_one(name, partition.key()).await?;
            inputs.push(InputState {
                asset: name.clone(),
                partition: partition.key().to_owned(),
                version: current.map(|current| current.data_version),
                is_planned: false,
            });
        }
        Ok(inputs)
    }
}

impl Made {
    fn materialization(
        self,
        spec: &AssetSpec,
        run: RunId,
        inputs: Vec<InputState>,
        reasons: &[StaleReason],
    ) -> Materialization {
        let is_refused =
            self.checks.iter().any(|check| check.is_blocking && check.problem.is_some());
        let asset = spec.name.clone();
        Materialization {
            // Nobody has seen the value, so each one counts as new.
            data_version: version(format!("{run} {asset} {}", micros(self.at)).as_bytes()),
            asset,
            partition: String::new(),
            run,
            made_at: self.at,
            is_refused,
            code_version: spec.code_version.clone(),
            details: MaterializationDetails {
                rows: self.rows,
                schema: self.schema,
                inputs: inputs.into_iter().filter_map(read).collect(),
                checks: self.checks,
                reasons: reasons.iter().map(ToString::to_string).collect(),
                milliseconds: u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
                ..MaterializationDetails::default()
            },
        }
    }
}

/// The value that was read, if there was one.
fn read(input: InputState) -> Option<InputVersion> {
    let InputState { asset, partition, version, .. } = input;
    Some(InputVersion { asset, partition, data_version: version? })
}

/// The precision of stores.
fn micros(time: SystemTime) -> u128 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros()
}

/// Why a value is not recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// There is no such asset.
    #[error(transparent)]
    Asset(#[from] AssetError),
    /// The store failed.
    #[error(transparent)]
    Assets(#[from] AssetsError),
    /// The job belongs to no run.
    #[error("values of assets are recorded only in a run; use an engine")]
    NoRun,
}

impl From<crate::store::StoreError> for RecordError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Assets(error.into())
    }
}
