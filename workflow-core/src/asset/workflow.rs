//! The workflow that makes assets: a job for each partition of a plan.

use std::collections::HashMap;
use std::time::SystemTime;

use super::graph::{entry, functions};
use super::making::make;
use super::plan::{MAX_STEPS, RunInput, RunStep, ended, named};
use super::{AssetEntry, AssetGraph, Assets, Partition, Reads, StepOutcome};
use crate::definition::Metadata;
use crate::job::{Body, Call, Handle, Inputs, JobError};
use crate::registry::{Location, Provided};
use crate::store::ASSET_WORKFLOW;
use crate::value::Type;
use crate::workflow::{Flow, FunctionWorkflow};

/// The name of the workflow that makes assets. It is registered in programs that have assets.
pub const WORKFLOW: &str = ASSET_WORKFLOW;

inventory::submit! {
    Provided { workflow: provided }
}

fn provided() -> Option<(FunctionWorkflow, Location)> {
    let first = AssetEntry::all().next()?;
    let workflow = FunctionWorkflow::per_input(WORKFLOW, draw).ok()?;
    let metadata = r#"{"description": "Materializes assets that are not current"}"#;
    let metadata = metadata.parse::<Metadata>().ok()?;
    Some((workflow.with_metadata(metadata), first.location))
}

/// Draws a job for each step, after the jobs of its inputs.
fn draw(flow: &mut Flow, input: &RunInput) -> Result<(), JobError> {
    let graph = functions().map_err(JobError::terminal)?;
    if input.steps.len() > MAX_STEPS {
        let steps = input.steps.len();
        return Err(JobError::terminal(format!(
            "{steps} steps are too many for one run, which makes at most {MAX_STEPS} partitions"
        )));
    }
    let now = SystemTime::now();
    let steps = input.steps.iter().map(|step| Drawn::new(graph, step, now));
    let mut steps: Vec<Drawn<'_>> = steps.collect::<Result<_, _>>()?;
    // Each asset comes after its inputs.
    steps.sort_by_key(|step| step.asset);
    let mut jobs: HashMap<(usize, &str), Handle<StepOutcome>> = HashMap::new();
    let mut partitions: Vec<Vec<&Partition>> = vec![Vec::new(); graph.assets().len()];
    for step in &steps {
        let inputs = graph.inputs_among(step.asset, &step.partition, &partitions);
        let inputs = inputs.iter().filter_map(|(input, key)| jobs.get(&(*input, *key)).copied());
        let call = step.call()?.after_all(inputs.collect::<Vec<_>>());
        let key = (step.asset, step.partition.key());
        if jobs.insert(key, flow.job(call)).is_some() {
            let name = step.name();
            return Err(JobError::terminal(format!("step {name} is listed twice; remove one")));
        }
        partitions[step.asset].push(&step.partition);
    }
    Ok(())
}

/// A step that is drawn.
struct Drawn<'a> {
    step: &'a RunStep,
    asset: usize,
    partition: Partition,
}

impl<'a> Drawn<'a> {
    fn new(graph: &AssetGraph, step: &'a RunStep, now: SystemTime) -> Result<Self, JobError> {
        let key = step.partition.as_deref().unwrap_or_default();
        let partition = graph.partition(&step.asset, key).map_err(JobError::terminal)?;
        // What is made of a part of a period would count as current after its end.
        ended(&step.asset, &partition, now).map_err(JobError::terminal)?;
        let asset = graph.number(&step.asset).map_err(JobError::terminal)?;
        Ok(Self { step, asset, partition })
    }

    fn name(&self) -> String {
        named(&self.step.asset, self.partition.key())
    }

    fn call(&self) -> Result<Call<StepOutcome>, JobError> {
        let entry = entry(&self.step.asset).map_err(JobError::terminal)?;
        let step = self.step.clone();
        let body = if entry.blocks {
            Body::blocking(move |io| pollster::block_on(make(io.clone(), entry, &step)))
        } else {
            Body::future(move |io| {
                let step = step.clone();
                async move { make(io, entry, &step).await }
            })
        };
        let output = Type::opaque::<StepOutcome>()
            .with_clone::<StepOutcome>()
            .with_serialize::<StepOutcome>()
            .with_deserialize::<StepOutcome>();
        let call = Call::new(entry.name, output, body, Inputs::new());
        let call = (entry.options)(call.requires_state::<Assets>());
        Ok(call.takes_context().name(self.name()))
    }
}

impl AssetGraph {
    /// The partitions of other assets, out of those that are listed for each asset, that a partition
    /// is made from.
    fn inputs_among<'p>(
        &self,
        asset: usize,
        partition: &'p Partition,
        listed: &[Vec<&'p Partition>],
    ) -> Vec<(usize, &'p str)> {
        let mut found = Vec::new();
        for (input, reads) in &self.inputs()[asset] {
            match reads {
                Reads::Same if self.assets()[*input].partitions.is_none() => {
                    found.push((*input, ""));
                }
                Reads::Same => found.push((*input, partition.key())),
                Reads::All => {
                    let within = listed[*input].iter().filter(|inner| inner.lies_in(partition));
                    found.extend(within.map(|inner| (*input, inner.key())));
                }
            }
        }
        found
    }
}
