//! The engines and workflows that run saved runs.

use std::path::Path;
use std::sync::Arc;

use workflow_core::engine::{EngineBuilder, LookupError};
use workflow_core::id::RunId;
use workflow_core::store::{Store, StoreError, StoredRun, WorkflowSnapshot};
use workflow_core::{Engine, Workflow, registry};
use workflow_files::WorkflowFile;
use workflow_store::{Catalog, Viewer};

use super::assets::with_store;
use crate::args::RUNS_DIR;
use crate::failure::Failure;

/// Loads a saved run.
///
/// # Errors
///
/// Fails when no run has this ID.
pub(crate) fn stored_run(store: &dyn Catalog, run: RunId) -> Result<StoredRun, Failure> {
    let stored = pollster::block_on(store.run(run))?;
    Ok(stored.ok_or(StoreError::NoRun { run })?)
}

/// Resolves the workflow of a run: the file that the run started with, or a registered workflow.
///
/// # Errors
///
/// Fails when the workflow is not registered, or its file is no longer valid.
pub(crate) fn resolve_workflow(
    snapshot: &WorkflowSnapshot,
    max_parallel: Option<usize>,
) -> Result<Arc<dyn Workflow>, LookupError> {
    let file = || snapshot.source.as_deref().and_then(WorkflowFile::from_source);
    match max_parallel.and_then(|jobs| Some((jobs, file()?))) {
        Some((jobs, file)) => Ok(Arc::new(file?.max_parallel(jobs))),
        None => snapshot.workflow(),
    }
}

/// Builds an engine for saved runs.
pub(crate) fn engine(store: &Arc<dyn Catalog>, max_parallel: Option<usize>) -> Engine {
    let folder = Path::new(RUNS_DIR);
    let find = move |snapshot: &WorkflowSnapshot| resolve_workflow(snapshot, max_parallel);
    let store = store.seen_by(Viewer::All) as Arc<dyn Store>;
    let engine = with_store(engine_builder(folder), store).resolver(find);
    match max_parallel {
        Some(jobs) => engine.max_parallel(jobs).build(),
        None => engine.build(),
    }
}

/// The settings of the host's engine. The folder for logs of jobs applies unless the host sets
/// one.
pub(crate) fn engine_builder(runs_dir: &Path) -> EngineBuilder {
    let engine = registry::engine();
    match engine.runs_dir() {
        Some(_) => engine.to_builder(),
        None => engine.to_builder().runs_dir(runs_dir),
    }
}

/// Whether a run has not ended and no engine is running it.
///
/// # Errors
///
/// Fails when the store cannot be read.
pub(crate) async fn is_abandoned(store: &dyn Catalog, run: RunId) -> Result<bool, Failure> {
    let before = run.to_u128().checked_sub(1).map(RunId::from_u128);
    let abandoned = store.abandoned(before, 1).await?;
    Ok(abandoned.first().is_some_and(|orphan| orphan.id == run))
}
