//! The first record of a run: a snapshot of its workflow, its input, and why it starts. Made before
//! the store is asked, and without the store.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::engine::Shared;
use crate::engine::request::{Runnable, StoreOptions};
use crate::flow_control::FlowControl;
use crate::guard;
use crate::id::RunId;
use crate::job::ValueLayout;
use crate::run::RunError;
use crate::store::{NewRun, WorkflowSnapshot, checked_queue_of};
use crate::value::Type;
use crate::workflow::{Plan, Workflow};

impl WorkflowSnapshot {
    /// Creates a snapshot of a workflow without a run. If the graph depends on the input or cannot
    /// be built, it has no jobs and the fingerprint is empty.
    ///
    /// ```
    /// use workflow_core::prelude::*;
    /// use workflow_core::store::WorkflowSnapshot;
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

/// Creates a snapshot of a workflow for a run.
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

/// Creates the record of a run that starts now.
///
/// # Errors
///
/// Fails if an input or output of the run does not serialize to JSON, because a crash would lose
/// it, and if the workflow's domain has no valid task queue.
pub(in crate::engine) fn new_run(
    engine: &Shared,
    what: &Runnable,
    options: Option<Box<StoreOptions>>,
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
    let options = options.map_or_else(StoreOptions::default, |options| *options);
    let created_at = engine.time.time_of_day();
    let flow_control = flow_control(workflow, options.flow_control, input.as_ref())?;
    Ok(NewRun {
        id: RunId::made_at(created_at),
        workflow: snapshot(workflow, plan),
        workflow_id: options.workflow_id,
        input,
        trigger: options.trigger,
        idempotency_key: options.idempotency_key,
        parent: options.parent,
        user: what.user.as_deref().map(str::to_owned),
        runs_dir: match workflow.runs_dir() {
            // The workflow's source already has it.
            Some(_) => None,
            None => what.runs_dir.as_deref().map(Path::to_owned),
        },
        scheduled_for: options.scheduled_for,
        created_at,
        task_queue: match options.task_queue {
            Some(queue) => queue,
            None => checked_queue_of(&engine.queue_prefix, workflow.metadata().domain()).map_err(
                |error| RunError::InvalidQueue { workflow: workflow.name().to_string(), error },
            )?,
        },
        priority: options.priority,
        flow_control,
        owner: engine.lease_renewer.as_ref().map(|lease_renewer| lease_renewer.owner()),
    })
}

/// The flow control of a run, with the values of its input in the keys.
fn flow_control(
    workflow: &dyn Workflow,
    requested: FlowControl,
    input: Option<&Json>,
) -> Result<FlowControl, RunError> {
    let control = match workflow.metadata().flow_control() {
        Some(own) => requested.or(own.clone()),
        None if requested.is_empty() => return Ok(requested),
        None => requested,
    };
    control
        .check()
        .and_then(|()| control.resolve(input))
        .map_err(|error| RunError::FlowControl { workflow: workflow.name().to_string(), error })
}

fn check_outputs(workflow: &dyn Workflow, plan: &Plan) -> Result<(), RunError> {
    let opaque = |(kind, _): &(Type, u32)| !kind.is_serializable();
    let Some(column) = plan.layout.columns.iter().position(opaque) else { return Ok(()) };
    let job = job_of_column(&plan.layout, column);
    Err(RunError::NotSerializable {
        workflow: workflow.name().to_string(),
        job: job.map(|job| plan.graph.names.get(job).to_owned()).unwrap_or_default(),
        type_name: plan.layout.columns[column].0.name(),
    })
}

fn job_of_column(layout: &ValueLayout, column: usize) -> Option<usize> {
    layout.outputs.iter().position(|output| output.column as usize == column)
}
