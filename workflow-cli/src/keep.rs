//! Whether a run is kept, where, and with which workflows it goes on.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use workflow_core::{
    Engine, EngineBuilder, LookupError, RunId, Status, Store, StoreError, StoredRun, Workflow,
    WorkflowSnapshot, registry,
};
use workflow_files::WorkflowFile;
use workflow_store::{Catalog, Viewer};

use crate::failure::{Failure, Outcome};
use crate::store::{self, HostStore};
use crate::target::RUNS_DIR;

/// Whether a run is kept, and where.
#[derive(Debug, Default, Args)]
pub(crate) struct KeepArguments {
    /// Keep the run in this database, so that it outlives a crash: a file of SQLite, or
    /// postgres://user@host/database [default: WORKFLOW_DB; else, where one is needed,
    /// sqlite://.workflow/workflows.db]
    #[arg(long, value_name = "URL")]
    db: Option<String>,
    /// The store of the host, which is meant where none is named.
    #[arg(skip)]
    pub(crate) host: Option<HostStore>,
    /// Let the run go on in a process of its own, print its id, and return at once. When that
    /// process is ended, `recover` takes the run up
    #[arg(long)]
    pub(crate) detach: bool,
    /// Idempotency key: starting again with the same key shows the existing run
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    /// The run that this process is to drive
    #[arg(long, value_name = "RUN", hide = true)]
    pub(crate) detached_run: Option<RunId>,
}

impl KeepArguments {
    /// The store, where one is asked for.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be opened.
    pub(crate) fn wanted(&self) -> Result<Option<Arc<dyn Catalog>>, Failure> {
        match store::given(self.db.as_deref()) {
            _ if self.hosts().is_some() => self.store().map(Some),
            None if !self.detach && self.idempotency_key.is_none() => Ok(None),
            _ => self.store().map(Some),
        }
    }

    /// The store, asked for or not.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be opened.
    pub(crate) fn store(&self) -> Result<Arc<dyn Catalog>, Failure> {
        if let Some(host) = self.hosts() {
            return Ok(host.seen());
        }
        store::make(&store::address(self.db.as_deref()))
    }
}

impl KeepArguments {
    /// The store of the host, unless another is named.
    fn hosts(&self) -> Option<&HostStore> {
        self.host.as_ref().filter(|_| self.db.is_none())
    }
}

/// A run on record.
///
/// # Errors
///
/// Fails when there is none with this id.
pub(crate) fn stored(store: &dyn Catalog, run: RunId) -> Result<StoredRun, Failure> {
    let stored = pollster::block_on(store.run(run))?;
    Ok(stored.ok_or(StoreError::NoRun { run })?)
}

/// The workflow of a run: the file that it began with, or what is registered under its name.
///
/// # Errors
///
/// Fails when there is none, or the file is not read any more.
pub(crate) fn workflow_of(
    snapshot: &WorkflowSnapshot,
    max_parallel: Option<usize>,
) -> Result<Arc<dyn Workflow>, LookupError> {
    let file = || snapshot.source.as_deref().and_then(WorkflowFile::from_source);
    match max_parallel.and_then(|jobs| Some((jobs, file()?))) {
        Some((jobs, file)) => Ok(Arc::new(file?.max_parallel(jobs))),
        None => snapshot.workflow(),
    }
}

/// An engine for runs on record.
pub(crate) fn engine(store: &Arc<dyn Catalog>, max_parallel: Option<usize>) -> Engine {
    let folder = Path::new(RUNS_DIR);
    let find = move |snapshot: &WorkflowSnapshot| workflow_of(snapshot, max_parallel);
    let store = store.seen_by(Viewer::All) as Arc<dyn Store>;
    let engine = builder(folder).store(store).resolver(find);
    match max_parallel {
        Some(jobs) => engine.max_parallel(jobs).build(),
        None => engine.build(),
    }
}

/// What becomes an engine for runs that are kept: the host's, which keeps in this folder what jobs
/// print, unless the host says where.
pub(crate) fn builder(runs_dir: &Path) -> EngineBuilder {
    let engine = registry::engine();
    match engine.runs_dir() {
        Some(_) => engine.to_builder(),
        None => engine.to_builder().runs_dir(runs_dir),
    }
}

/// Whether nobody drives the run, which has not ended.
///
/// # Errors
///
/// Fails when the store cannot be read.
pub(crate) async fn is_orphan(store: &dyn Catalog, run: RunId) -> Result<bool, Failure> {
    let before = run.to_u128().checked_sub(1).map(RunId::from_u128);
    let orphans = store.abandoned(before, 1).await?;
    Ok(orphans.first().is_some_and(|orphan| orphan.id == run))
}

/// What the status of a run comes to.
pub(crate) fn outcome(status: Status) -> Outcome {
    match status {
        Status::Completed => Outcome::Good,
        Status::Cancelled => Outcome::Cancelled,
        _ => Outcome::Bad,
    }
}
