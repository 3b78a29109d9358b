//! The workflow of a dbt project: a job for each node, with the edges of the manifest.

use std::any::Any;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use workflow_core::definition::Metadata;
use workflow_core::id::WorkflowName;
use workflow_core::job::closure;
use workflow_core::value::Type;
use workflow_core::workflow::{Plan, PlanError, WorkflowAsset};
use workflow_core::{Call, Flow, Handle, JobError, RetryPolicy, TriggerRule, Workflow, call_job};

use crate::asset::NodeAssets;
use crate::job::{Builds, NodeJob, ResultsJob};
use crate::lineage::{Nodes, Step, steps};
use crate::manifest::{DbtNode, Manifest, NodeKind};
use crate::node::NodeResult;
use crate::results::BuildSummary;
use crate::settings::Settings;

/// A workflow that builds a dbt project. Created by
/// [`DbtProject::workflow`](crate::DbtProject::workflow).
///
/// Its jobs have the unique IDs of the nodes as names; those of sources do nothing and show where
/// data comes from. The job [`run_results`](Self::RESULTS) ends it, and its output, a
/// [`BuildSummary`], is that of the workflow.
pub struct DbtWorkflow {
    name: WorkflowName,
    metadata: Metadata,
    runs_dir: PathBuf,
    program: PathBuf,
    nodes: Vec<DbtNode>,
    assets: Arc<NodeAssets>,
    plan: Arc<Plan>,
}

impl DbtWorkflow {
    /// The name of the job that waits for the end of dbt.
    pub const RESULTS: &str = "run_results";

    /// Draws the graph.
    pub(crate) fn draw(
        name: WorkflowName,
        settings: Settings,
        manifest: &Manifest,
        selected: &BTreeSet<String>,
    ) -> Result<Self, PlanError> {
        let steps = steps(manifest, selected);
        let runs_dir = settings.own_folder().join("runs");
        let program = settings.program.path().to_owned();
        let dbt = json!({"version": settings.program.version().to_string(),
            "project": settings.folder.to_string_lossy(), "target": settings.target});
        let metadata = Metadata::new(json!({"description": "Builds a dbt project.", "dbt": dbt}));
        let metadata = metadata.expect("a description and an object are valid");
        let retry = settings.retry.clone();
        let builds = Arc::new(Builds::new(Arc::new(settings), Nodes::of(&steps)));
        let assets = Arc::new(NodeAssets::of(manifest, &steps));
        let plan = plan(&steps, &builds, &assets, retry.as_ref())?;
        let nodes = steps.into_iter().map(|step| step.node.clone()).collect();
        Ok(Self { name, metadata, runs_dir, program, nodes, assets, plan: Arc::new(plan) })
    }

    /// The nodes that have a job, in the order of their unique IDs, with the sources.
    pub fn nodes(&self) -> &[DbtNode] {
        &self.nodes
    }

    /// The name of the job of a node: its unique ID, or the start and the end of one with more than
    /// 200 characters.
    pub fn job_name(unique_id: &str) -> String {
        let length = unique_id.chars().count();
        if length <= MAX_NAME {
            return unique_id.to_owned();
        }
        // The unique ID of a test ends with a hash.
        let start: String = unique_id.chars().take(MAX_NAME - 23).collect();
        let end: String = unique_id.chars().skip(length - 20).collect();
        format!("{start}...{end}")
    }
}

/// The longest name of a job, in characters.
const MAX_NAME: usize = 200;

fn plan(
    steps: &[Step<'_>],
    builds: &Arc<Builds>,
    assets: &Arc<NodeAssets>,
    retry: Option<&RetryPolicy>,
) -> Result<Plan, PlanError> {
    let mut flow = Flow::with_capacity(steps.len() + 1);
    let unit = flow.value(());
    let mut is_last = vec![true; steps.len()];
    for step in steps {
        let node = step.node;
        let name = DbtWorkflow::job_name(&node.id);
        step.after.iter().for_each(|before| is_last[*before] = false);
        let before = step.after.iter().map(|before| flow.output_of::<NodeResult>(*before as u32));
        let before: Vec<Handle<NodeResult>> = before.collect();
        if node.kind == NodeKind::Source {
            flow.job(source(unit).name(name));
        } else {
            let job = NodeJob { node: node.clone(), builds: Arc::clone(builds) };
            let call = call_job(job, unit).name(name).after_all(before);
            flow.job(match retry {
                Some(policy) => call.retry(policy.clone()),
                None => call,
            });
        }
    }
    let last = (0..).zip(&is_last).filter(|(_, is_last)| **is_last);
    let last: Vec<_> = last.map(|(job, _)| flow.output_of::<NodeResult>(job)).collect();
    let job = ResultsJob { builds: Arc::clone(builds), assets: Arc::clone(assets) };
    let results = call_job(job, unit);
    let results = results.name(DbtWorkflow::RESULTS).after_all(last);
    let results = flow.job(results.trigger(TriggerRule::AllDone));
    flow.output(results);
    flow.plan()
}

/// The job of a source: others write it.
fn source(unit: Handle<()>) -> Call<()> {
    closure("source", unit, |()| async { Ok::<_, JobError>(()) })
}

impl Workflow for DbtWorkflow {
    fn name(&self) -> &WorkflowName {
        &self.name
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn output(&self) -> Option<Type> {
        Some(
            Type::opaque::<BuildSummary>()
                .with_serialize::<BuildSummary>()
                .with_deserialize::<BuildSummary>(),
        )
    }

    fn assets(&self) -> &[WorkflowAsset] {
        &self.assets.declared
    }

    fn runs_dir(&self) -> Option<&Path> {
        Some(&self.runs_dir)
    }

    fn ready(&self) -> Result<(), String> {
        if self.program.is_file() {
            return Ok(());
        }
        Err(format!("dbt is no longer at `{}`; install it again", self.program.display()))
    }

    fn plan(&self, _: Option<&(dyn Any + Send + Sync)>) -> Result<Arc<Plan>, PlanError> {
        Ok(Arc::clone(&self.plan))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_unique_ids_become_names_with_their_hash() {
        let id = format!("test.shop.{}.0e7de8ba11", "\u{e9}".repeat(300));
        let name = DbtWorkflow::job_name(&id);
        assert_eq!(name.chars().count(), MAX_NAME);
        assert!(name.starts_with("test.shop.") && name.ends_with(".0e7de8ba11"), "{name}");
        assert_eq!(DbtWorkflow::job_name("model.shop.orders"), "model.shop.orders");
    }
}
