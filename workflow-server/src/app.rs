//! What all requests share.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::OnceCell;
use workflow_core::{Engine, WorkflowSnapshot, registry};
use workflow_files::WorkflowFile;
use workflow_store::Catalog;

use crate::auth::Authentication;
use crate::blocking::Blocking;
use crate::events::feed::Feeds;
use crate::events::sse::Streams;
use crate::options::Options;
use crate::problem::Problem;
use crate::schedule::Schedules;

/// How many workflow files are parsed at once.
const PARSED_AT_ONCE: usize = 2;

/// What all requests share.
pub(crate) struct App {
    engine: Engine,
    /// Everything that is stored. Requests use what their caller may see of it:
    /// [`Caller::catalog`](crate::auth::Caller::catalog).
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) auth: Authentication,
    pub(crate) feeds: Feeds,
    pub(crate) streams: Streams,
    pub(crate) options: Options,
    pub(crate) schedules: Schedules,
    /// Parses workflow files, and makes graphs of them.
    pub(crate) parsing: Blocking,
    /// How many requests have come.
    pub(crate) requests: AtomicU64,
    registered_synced: OnceCell<()>,
}

impl App {
    pub(crate) fn new(
        engine: Engine,
        catalog: Arc<dyn Catalog>,
        auth: Authentication,
        options: Options,
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
            schedules,
            parsing: Blocking::new(PARSED_AT_ONCE),
            requests: AtomicU64::new(0),
            registered_synced: OnceCell::new(),
        }
    }

    /// Sees to it that the store knows what is registered in the program, which it is told once.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed; then it is told the next time.
    pub(crate) async fn sync_registered(&self) -> Result<(), Problem> {
        let sync = async || {
            let snapshots: Vec<_> = match registry::list() {
                Ok(all) => {
                    all.iter().map(|entry| WorkflowSnapshot::of(&*entry.workflow())).collect()
                }
                Err(error) => {
                    tracing::error!(%error, "what is registered cannot be listed");
                    Vec::new()
                }
            };
            Ok::<_, Problem>(self.catalog.announce(&snapshots).await?)
        };
        self.registered_synced.get_or_try_init(sync).await.copied()
    }

    /// The engine that runs workflows.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Refuses a file with commands, unless this server takes them.
    pub(crate) fn check_commands(&self, file: &WorkflowFile) -> Result<(), Problem> {
        if self.options.allow_commands || !file.has_commands() {
            return Ok(());
        }
        Err(Problem::forbidden(
            "commands_not_allowed",
            "the file names shell commands, and this server was not started with \
             `--allow-commands`; use registered jobs and workflows, or start it so",
        ))
    }
}
