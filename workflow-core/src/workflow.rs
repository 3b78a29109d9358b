//! What can be run: trait [`Workflow`], and [`Flow`], which draws a graph of typed jobs.

mod flow;
mod function;
mod plan;

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;

pub use flow::Flow;
pub(crate) use flow::policy;
pub use function::{FunctionWorkflow, OutputOf};
pub use plan::{Plan, PlanError};

use crate::definition::Metadata;
use crate::id::WorkflowName;
use crate::value::Type;

/// A named workflow: something that can be planned, and so run.
///
/// Functions with `#[register_workflow]` implement it by way of the registry; implement it by
/// hand for workflows that are made at run time, and run them with `Engine::run`, or register
/// them with `registry::register`.
pub trait Workflow: Send + Sync + 'static {
    /// The workflow's name.
    fn name(&self) -> &WorkflowName;

    /// What is said about the workflow.
    fn metadata(&self) -> &Metadata;

    /// The type of the input; `None` when the workflow takes none.
    fn input(&self) -> Option<Type> {
        None
    }

    /// The type of the output, where it is known before the workflow is drawn.
    fn output(&self) -> Option<Type> {
        None
    }

    /// The workflow as data, where it is data rather than code. A store keeps it, so that a run can
    /// be finished on the workflow that it began with.
    fn source(&self) -> Option<Arc<Json>> {
        None
    }

    /// The folder in which each run has a folder of its own for what its jobs print, where the
    /// workflow decides that. Default: the engine does, with
    /// [`runs_dir`](crate::EngineBuilder::runs_dir).
    fn runs_dir(&self) -> Option<&Path> {
        None
    }

    /// Whether a run can begin now, as far as the surroundings decide: files that have to be there,
    /// for one. Asked before a run begins, and not when one is recovered.
    ///
    /// # Errors
    ///
    /// Fails with what is missing, and the cure.
    fn ready(&self) -> Result<(), String> {
        Ok(())
    }

    /// The jobs and their order, for a run with this input. Called once for every run, and without
    /// an input to look at what the jobs need; a workflow whose graph does not depend on the input
    /// returns the same plan each time.
    ///
    /// # Errors
    ///
    /// Fails when the graph cannot run.
    fn plan(&self, input: Option<&(dyn Any + Send + Sync)>) -> Result<Arc<Plan>, PlanError>;
}
