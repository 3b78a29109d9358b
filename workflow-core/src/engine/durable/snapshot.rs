//! What a store is told of a run before it begins.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use crate::engine::Shared;
use crate::engine::request::{Runnable, Terms};
use crate::guard;
use crate::id::RunId;
use crate::job::ValueLayout;
use crate::run::RunError;
use crate::store::{NewRun, WorkflowSnapshot};
use crate::value::Type;
use crate::workflow::{Plan, Workflow};

impl WorkflowSnapshot {
    /// A workflow as it is apart from any run. Where its graph depends on the input, or cannot be
    /// drawn, the graph has no jobs and the fingerprint is empty.
    ///
    /// ```
    /// use workflow_core::prelude::*;
    /// use workflow_core::WorkflowSnapshot;
    ///
    /// #[register_workflow(name = "nightly", metadata = { "project": "sales" })]
    /// fn nightly() -> u64 { 7 }
    ///
    /// let workflow = registry::get("nightly")?.workflow();
    /// assert_eq!(WorkflowSnapshot::of(&*workflow).metadata.project(), Some("sales"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of(workflow: &dyn Workflow) -> Self {
        if let Ok(Ok(plan)) = guard::call(|| workflow.plan(None)) {
            return snapshot(workflow, &plan);
        }
        Self {
            name: workflow.name().to_string(),
            metadata: workflow.metadata().clone(),
            fingerprint: "".into(),
            source: workflow.source(),
            graph: Arc::new(json!({ "nodes": [], "edges": [] })),
        }
    }
}

/// A workflow as it is at the time of a run.
fn snapshot(workflow: &dyn Workflow, plan: &Plan) -> WorkflowSnapshot {
    let stored = plan.stored_graph();
    WorkflowSnapshot {
        name: workflow.name().to_string(),
        metadata: workflow.metadata().clone(),
        fingerprint: stored.fingerprint.clone(),
        source: workflow.source(),
        graph: stored.graph.clone(),
    }
}

/// What the store keeps of a run that begins now.
///
/// # Errors
///
/// Fails when a value that the run makes or takes has no JSON form, so that a crash would lose it.
pub(in crate::engine) fn new_run(
    engine: &Shared,
    what: &Runnable,
    terms: Option<Box<Terms>>,
) -> Result<NewRun, RunError> {
    let (workflow, plan) = (&*what.workflow, &*what.plan);
    check_outputs(workflow, plan)?;
    let input = match (workflow.input(), &what.input) {
        (Some(kind), Some(value)) => {
            Some(kind.write(&**value).map_err(|error| RunError::Input {
                workflow: workflow.name().to_string(),
                error: crate::run::InputError::Shape(error),
            })?)
        }
        _ => None,
    };
    let terms = terms.map_or_else(Terms::default, |terms| *terms);
    let created_at = engine.time.time_of_day();
    Ok(NewRun {
        id: RunId::made_at(created_at),
        workflow: snapshot(workflow, plan),
        workflow_id: terms.workflow_id,
        input,
        trigger: terms.trigger,
        idempotency_key: terms.idempotency_key,
        parent: terms.parent,
        user: what.user.as_deref().map(str::to_owned),
        runs_dir: match workflow.runs_dir() {
            // The workflow has it on record.
            Some(_) => None,
            None => what.runs_dir.as_deref().map(Path::to_owned),
        },
        created_at,
        owner: engine.lease_renewer.as_ref().map(|lease_renewer| lease_renewer.owner()),
    })
}

fn check_outputs(workflow: &dyn Workflow, plan: &Plan) -> Result<(), RunError> {
    let opaque = |(kind, _): &(Type, u32)| !kind.is_serializable();
    let Some(column) = plan.layout.columns.iter().position(opaque) else { return Ok(()) };
    let job = job_of_column(&plan.layout, column);
    Err(RunError::Unkeepable {
        workflow: workflow.name().to_string(),
        job: job.map(|job| plan.graph.names.get(job).to_owned()).unwrap_or_default(),
        type_name: plan.layout.columns[column].0.name(),
    })
}

fn job_of_column(layout: &ValueLayout, column: usize) -> Option<usize> {
    layout.outputs.iter().position(|output| output.column as usize == column)
}
