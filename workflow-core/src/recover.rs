//! Recovers, cancels and follows stored runs, with the workflows of this program. The engine
//! resumes them.

use std::sync::Arc;

use crate::engine::{Cancellation, Engine, LookupError, Recovery, Resolve};
use crate::id::RunId;
use crate::registry::{self, SourceFormat};
use crate::run::{Report, RunError};
use crate::store::{ProgramWorkflows, StoreError, WorkflowSnapshot};
use crate::workflow::Workflow;

impl Engine {
    /// Resumes every unfinished run of the engine's store that no living engine drives: runs after
    /// a crash, and runs that were [enqueued](crate::engine::RunRequest::enqueue). Recorded
    /// outcomes stay. Attempts that were running start again, with the same idempotency key.
    ///
    /// Workflows come from the engine's [resolver](crate::engine::EngineBuilder::resolver), which
    /// by default finds registered workflows, and workflow files in the stored text.
    ///
    /// # Errors
    ///
    /// Fails if the store cannot be read. Runs that cannot be resumed are no error;
    /// [`Recovery::refused`] lists them.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use workflow_core::store::MemoryStore;
    /// use workflow_core::prelude::*;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = Engine::builder().store(MemoryStore::new()).build();
    /// for run in engine.recover().await?.runs {
    ///     println!("{} continues", run.id());
    /// }
    /// # Ok(())
    /// # }
    /// # futures::executor::block_on(example()).unwrap();
    /// ```
    pub async fn recover(&self) -> Result<Recovery, StoreError> {
        self.recover_with(self.known_workflows()).await
    }

    /// Cancels a stored run, whichever engine drives it. A run that no engine drives ends at once,
    /// even if its workflow has changed or is missing. Its jobs that always run still run if the
    /// workflow is unchanged.
    ///
    /// # Errors
    ///
    /// Fails if the engine has no store, if the store has no such run, or if the run has ended.
    pub async fn cancel(&self, run: RunId) -> Result<Cancellation, StoreError> {
        self.cancel_with(run, self.known_workflows()).await
    }

    /// Waits for the end of a stored run, whichever engine drives it, and returns its report.
    /// Resumes the run if no engine drives it.
    ///
    /// # Errors
    ///
    /// Fails if the run failed or was cancelled, if there is no such run, or if its workflow is
    /// missing or has changed.
    pub async fn follow(&self, run: RunId) -> Result<Report, RunError> {
        self.follow_with(run, self.known_workflows()).await
    }
}

impl Engine {
    pub(crate) fn known_workflows(&self) -> &dyn Resolve {
        self.resolver().unwrap_or(&WorkflowSnapshot::workflow)
    }

    /// The workflows that [`WorkflowSnapshot::workflow`] finds; `None` if a resolver of the engine
    /// decides.
    pub(crate) fn program_workflows(&self) -> Option<ProgramWorkflows> {
        if self.resolver().is_some() {
            return None;
        }
        let registered = registry::list().ok()?;
        Some(ProgramWorkflows {
            registered: registered.iter().map(|entry| entry.name().to_owned()).collect(),
            formats: inventory::iter::<SourceFormat>()
                .map(|format| format.key.to_owned())
                .collect(),
        })
    }
}

impl WorkflowSnapshot {
    /// Returns the workflow: read from the stored source if a [`SourceFormat`] of this program can
    /// read it, or else the one that is registered under the name.
    ///
    /// # Errors
    ///
    /// Fails if the stored source is no longer valid or of an unknown format, if no workflow is
    /// registered under the name, or if the workflow is external, which means that another program
    /// runs it and reports on it.
    pub fn workflow(&self) -> Result<Arc<dyn Workflow>, LookupError> {
        if self.is_external() {
            return Err(
                format!("another program runs `{}` and reports on its runs", self.name).into()
            );
        }
        let read = self.source.as_deref().and_then(|source| {
            let format = SourceFormat::of(source)?;
            Some((format.read)(source))
        });
        match read {
            Some(workflow) => workflow,
            None if self.is_file() => Err(format!(
                "`{}` is a workflow file, which this program cannot read; add the crate \
                 `workflow-files` to it, and `use workflow_files as _;`",
                self.name
            )
            .into()),
            None => Ok(registry::get(&self.name)?.workflow()),
        }
    }
}
