//! The options of a server.

use std::path::PathBuf;
use std::time::Duration;

use workflow_core::store::Queues;

use crate::watch::WatchedFolders;
use crate::webhook::WebhookSecrets;

/// The limits and permissions of a server.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Whether files sent to the API may contain shell commands.
    pub(crate) allow_commands: bool,
    /// The other origins whose pages may use the API (CORS).
    pub(crate) origins: Vec<String>,
    /// The working directory of commands in files sent to the API, and the place of their run
    /// folders.
    pub(crate) folder: PathBuf,
    /// The largest request body in bytes.
    pub(crate) body_limit: usize,
    /// The most jobs that a file sent to the API may expand to.
    pub(crate) max_jobs: usize,
    /// The longest time for a request, except for streams and requests that wait for a run.
    pub(crate) timeout: Duration,
    /// The longest time that a request may wait for a run.
    pub(crate) longest_wait: Duration,
    /// The most open streams of events and logs.
    pub(crate) streams: usize,
    /// The task queues that the server itself serves, if any.
    pub(crate) task_queues: Option<Queues>,
    /// Whether the `Host` header must name this machine.
    pub(crate) loopback_only: bool,
    /// The folders that workflows may watch.
    pub(crate) watched: WatchedFolders,
    /// The secrets of webhooks.
    pub(crate) webhook_secrets: WebhookSecrets,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            allow_commands: false,
            origins: Vec::new(),
            folder: PathBuf::from("."),
            body_limit: 4 * 1024 * 1024,
            max_jobs: 10_000,
            timeout: Duration::from_secs(30),
            longest_wait: Duration::from_secs(300),
            streams: 4096,
            task_queues: Some(Queues::all()),
            loopback_only: false,
            watched: WatchedFolders::new(),
            webhook_secrets: WebhookSecrets::default(),
        }
    }
}
