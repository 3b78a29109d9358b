//! From what a store keeps of a workflow to the workflow.

use std::sync::Arc;

use super::LookupError;
use crate::store::WorkflowSnapshot;
use crate::workflow::Workflow;

/// Finds the workflow of a stored run, so that an engine can take the run up.
///
/// Without one, an engine uses [`WorkflowSnapshot::workflow`], which knows what is registered and
/// every [format](crate::registry::SourceFormat) that is linked. A host with workflows that are
/// neither gives its engine one with [`EngineBuilder::resolver`](crate::EngineBuilder::resolver).
/// Functions and closures are resolvers.
///
/// ```
/// use std::sync::Arc;
/// use workflow_core::prelude::*;
/// use workflow_core::{FunctionWorkflow, MemoryStore, WorkflowSnapshot};
///
/// #[job]
/// fn hello() -> String { "hello".to_owned() }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let greet: Arc<dyn Workflow> = Arc::new(FunctionWorkflow::new("greet", |flow| flow.job(hello::draw()))?);
/// let engine = Engine::builder()
///     .store(MemoryStore::new())
///     .resolver(move |snapshot: &WorkflowSnapshot| match &*snapshot.name {
///         "greet" => Ok(Arc::clone(&greet)),
///         _ => snapshot.workflow(),
///     })
///     .build();
/// # let recovery = futures::executor::block_on(engine.recover())?;
/// # assert!(recovery.runs.is_empty());
/// # Ok(())
/// # }
/// ```
pub trait Resolve: Send + Sync {
    /// The workflow of a run that began with this snapshot.
    ///
    /// # Errors
    ///
    /// Fails when there is none. The run then stays as it is, and shows the reason.
    fn resolve(&self, snapshot: &WorkflowSnapshot) -> Result<Arc<dyn Workflow>, LookupError>;
}

impl<F> Resolve for F
where
    F: Fn(&WorkflowSnapshot) -> Result<Arc<dyn Workflow>, LookupError> + Send + Sync,
{
    fn resolve(&self, snapshot: &WorkflowSnapshot) -> Result<Arc<dyn Workflow>, LookupError> {
        self(snapshot)
    }
}
