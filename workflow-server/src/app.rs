//! The state that all requests share.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::OnceCell;
use workflow_core::store::WorkflowSnapshot;
use workflow_core::{Engine, registry};
use workflow_files::WorkflowFile;
use workflow_store::Catalog;

use crate::auth::Authentication;
use crate::blocking::Blocking;
use crate::events::feed::Feeds;
use crate::events::sse::Streams;
use crate::options::Options;
use crate::problem::Problem;
use crate::remote::Remote;
use crate::schedule::Schedules;

/// The most workflow files that are parsed at the same time.
const MAX_PARSING: usize = 2;

/// The most tables that are read at the same time.
const MAX_PREVIEWS: usize = 4;

/// The state that all requests share.
pub(crate) struct App {
    engine: Engine,
    /// The unrestricted catalog. Handlers use the part that is visible to their caller:
    /// [`Caller::catalog`](crate::auth::Caller::catalog).
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) auth: Authentication,
    pub(crate) feeds: Feeds,
    pub(crate) streams: Streams,
    pub(crate) options: Options,
    /// What executes the runs, unless engines do.
    remote: Option<Arc<dyn Remote>>,
    pub(crate) schedules: Schedules,
    /// Runs the parsing of workflow files.
    pub(crate) parsing: Blocking,
    /// Reads previews of tables.
    pub(crate) previews: Blocking,
    /// The number of requests so far.
    pub(crate) requests: AtomicU64,
    registered_synced: OnceCell<()>,
}

impl App {
    pub(crate) fn new(
        engine: Engine,
        catalog: Arc<dyn Catalog>,
        auth: Authentication,
        options: Options,
        remote: Option<Arc<dyn Remote>>,
    ) -> Self {
        let feeds = Feeds::new(catalog.clone());
        let streams = Streams::new(options.streams);
        let schedules = Schedules::new(engine.clone());
        Self {
            engine,
            catalog,
            auth,
            feeds,
            streams,
            options,
            remote,
            schedules,
            parsing: Blocking::new(MAX_PARSING),
            previews: Blocking::new(MAX_PREVIEWS),
            requests: AtomicU64::new(0),
            registered_synced: OnceCell::new(),
        }
    }

    /// Writes the registered workflows to the store, once per process.
    ///
    /// # Errors
    ///
    /// Fails if the store cannot be written. The next call tries again.
    pub(crate) async fn sync_registered(&self) -> Result<(), Problem> {
        let sync = async || {
            let snapshots: Vec<_> = match registry::list() {
                Ok(all) => {
                    all.iter().map(|entry| WorkflowSnapshot::of(&*entry.workflow())).collect()
                }
                Err(error) => {
                    tracing::error!(%error, "cannot list the registered workflows");
                    Vec::new()
                }
            };
            Ok::<_, Problem>(self.catalog.sync_registered(&snapshots).await?)
        };
        self.registered_synced.get_or_try_init(sync).await.copied()
    }

    /// What executes the runs, unless engines do.
    pub(crate) fn remote(&self) -> Option<&dyn Remote> {
        self.remote.as_deref()
    }

    /// Rejects a request that the system which executes the runs does not have.
    ///
    /// # Errors
    ///
    /// Fails with `not_on_this_backend`.
    pub(crate) fn check_local(&self, what: &str) -> Result<(), Problem> {
        let Some(remote) = self.remote() else { return Ok(()) };
        let detail = format!("{} executes the runs of this server, and {what}", remote.name());
        Err(Problem::conflict("not_on_this_backend", detail))
    }

    /// The engine that runs workflows.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Rejects a file with shell commands, unless this server allows them.
    ///
    /// # Errors
    ///
    /// Fails with `commands_not_allowed`.
    pub(crate) fn check_commands(&self, file: &WorkflowFile) -> Result<(), Problem> {
        if self.options.allow_commands || !file.has_commands() {
            return Ok(());
        }
        Err(Problem::forbidden(
            "commands_not_allowed",
            "the file contains shell commands, which this server does not allow; use registered \
             jobs, or start the server with `--allow-commands`",
        ))
    }
}
