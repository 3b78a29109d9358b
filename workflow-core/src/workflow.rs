//! Workflows: trait [`Workflow`], and [`Flow`], the builder of graphs of typed jobs.

mod asset;
mod by_path;
mod flow;
mod function;
mod plan;

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;

pub use asset::WorkflowAsset;
pub use flow::Flow;
pub(crate) use flow::policy;
pub use function::{FunctionWorkflow, OutputOf};
pub use plan::{Plan, PlanError};

use crate::definition::Metadata;
use crate::id::WorkflowName;
use crate::value::Type;

pub(crate) mod private {
    //! For generated code.

    pub use super::by_path::{DrawFunction, draw_by, input_of};
}

/// A workflow: a named definition that can be planned and run.
///
/// Functions with `#[register_workflow]` implement it automatically. Implement it by hand for
/// workflows that are created at run time, and run them with `Engine::run` or register them with
/// `registry::register`.
pub trait Workflow: Send + Sync + 'static {
    /// The workflow's name.
    fn name(&self) -> &WorkflowName;

    /// The metadata.
    fn metadata(&self) -> &Metadata;

    /// The type of the input; `None` if the workflow takes no input.
    fn input(&self) -> Option<Type> {
        None
    }

    /// The type of the output, if it is known before the graph is drawn.
    fn output(&self) -> Option<Type> {
        None
    }

    /// The workflow as JSON, if it is data rather than code. A store persists it, so that a run can
    /// be resumed with the workflow that it began with.
    fn source(&self) -> Option<Arc<Json>> {
        None
    }

    /// The folder in which each run has its own folder for the output of its jobs. Default: the
    /// engine's [`runs_dir`](crate::engine::EngineBuilder::runs_dir).
    fn runs_dir(&self) -> Option<&Path> {
        None
    }

    /// Checks that the environment is ready for a run, such as files that must exist. Called before
    /// a run begins, but not when a run is resumed.
    ///
    /// # Errors
    ///
    /// Fails with what is missing and how to fix it.
    fn ready(&self) -> Result<(), String> {
        Ok(())
    }

    /// The assets that runs of this workflow make in their own way, and those from elsewhere that
    /// they read. Its jobs record what they have made, with `Assets::record` of the feature
    /// `assets`. Default: none.
    fn assets(&self) -> &[WorkflowAsset] {
        &[]
    }

    /// Returns the plan of a run with this input: the jobs and their order.
    ///
    /// Called once for each run, and without an input to check the needs of the jobs. A workflow
    /// whose graph does not depend on the input returns the same plan each time.
    ///
    /// # Errors
    ///
    /// Fails when the graph is invalid.
    fn plan(&self, input: Option<&(dyn Any + Send + Sync)>) -> Result<Arc<Plan>, PlanError>;
}
