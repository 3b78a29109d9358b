//! Runs on record, with the workflows that this program has.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;

use futures::future::{Either, select};

use crate::engine::{Cancellation, Engine, LookupError, Recovery, Resolve};
use crate::id::RunId;
use crate::registry::{self, SourceFormat};
use crate::run::{Report, RunError};
use crate::store::{StoreError, WorkflowSnapshot};
use crate::workflow::Workflow;

impl Engine {
    /// Takes up every run of the engine's store that has not ended and that no living engine
    /// drives: what a crash left behind, and what was left for others to run. Outcomes on record
    /// stand; attempts that were under way begin again, under the same idempotency key.
    ///
    /// Workflows come from the engine's [resolver](crate::EngineBuilder::resolver), which by default
    /// knows what is registered, and files from the text that the store kept.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read. What cannot be taken up is no error, and is told in
    /// [`Recovery::refused`].
    ///
    /// ```
    /// use std::sync::Arc;
    /// use workflow_core::MemoryStore;
    /// use workflow_core::prelude::*;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = Engine::builder().store(MemoryStore::new()).build();
    /// for run in engine.recover().await?.runs {
    ///     println!("{} goes on", run.id());
    /// }
    /// # Ok(())
    /// # }
    /// # futures::executor::block_on(example()).unwrap();
    /// ```
    pub async fn recover(&self) -> Result<Recovery, StoreError> {
        self.recover_with(self.known_workflows()).await
    }

    /// Cancels a run on record, whoever drives it. One that nobody drives ends at once, even when
    /// its workflow has changed or is gone; jobs of it that always run still do where the workflow
    /// is the one that the run began with.
    ///
    /// # Errors
    ///
    /// Fails when the engine has no store, when the store has no such run, and when the run has
    /// ended.
    pub async fn cancel(&self, run: RunId) -> Result<Cancellation, StoreError> {
        self.cancel_with(run, self.known_workflows()).await
    }

    /// Waits for the end of a run on record, whoever drives it, and returns its report. Takes the
    /// run up when nobody does.
    ///
    /// # Errors
    ///
    /// Fails when the run failed or was cancelled, when there is none with this id, and when its
    /// workflow is not to be had or has changed.
    pub async fn follow(&self, run: RunId) -> Result<Report, RunError> {
        self.follow_with(run, self.known_workflows()).await
    }
}

impl Engine {
    /// Takes up what nobody drives, again and again until `stop` ends: runs whose engine has died,
    /// and runs that were [left to others](crate::RunRequest::enqueue). Runs under way when it
    /// stops go on in the background. Ends by itself when the engine is
    /// [shut down](Engine::shutdown).
    ///
    /// # Errors
    ///
    /// Fails when the engine has no store, or one that is of no use; a store that is out of reach
    /// is asked again.
    pub async fn serve(&self, stop: impl Future<Output = ()>) -> Result<(), StoreError> {
        let mut stop = pin!(stop);
        let mut refused = HashSet::new();
        while !self.is_stopping() {
            match self.recover().await {
                Ok(recovery) => {
                    for (run, error) in recovery.refused {
                        if refused.insert(run) {
                            tracing::warn!(%run, %error, "the run is not taken up");
                        }
                    }
                }
                Err(StoreError::Unavailable(error)) => {
                    tracing::warn!(%error, "the store is out of reach");
                }
                Err(error) => return Err(error),
            }
            let pause = pin!(self.pause());
            if let Either::Left(_) = select(stop.as_mut(), pause).await {
                break;
            }
        }
        Ok(())
    }
}

impl Engine {
    fn known_workflows(&self) -> &dyn Resolve {
        self.resolver().unwrap_or(&WorkflowSnapshot::workflow)
    }
}

impl WorkflowSnapshot {
    /// The workflow itself: read from what the store kept, where a [`SourceFormat`] of this program
    /// knows it, or what is registered under the name.
    ///
    /// # Errors
    ///
    /// Fails when what the store kept is not valid any more, or of a format that this program does
    /// not have; when nothing is registered under the name; and when another program runs the
    /// workflow and reports on it, whatever is registered under its name.
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
