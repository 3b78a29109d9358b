//! What a server may be told.

use std::path::PathBuf;
use std::time::Duration;

/// Limits and permissions of a server.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Whether files that come over the API may name commands.
    pub(crate) allow_commands: bool,
    /// The origins whose pages may use the API.
    pub(crate) origins: Vec<String>,
    /// Where commands of files that came over the API run, and their runs keep their folders.
    pub(crate) folder: PathBuf,
    /// The largest body, in bytes.
    pub(crate) body_limit: usize,
    /// The longest that a request may take, but for events, logs and waiting for a run.
    pub(crate) timeout: Duration,
    /// The longest that a request may wait for a run.
    pub(crate) longest_wait: Duration,
    /// How many streams of events and logs there may be at once.
    pub(crate) streams: usize,
    /// Whether only names of this machine are taken for its own.
    pub(crate) loopback_only: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            allow_commands: false,
            origins: Vec::new(),
            folder: PathBuf::from("."),
            body_limit: 4 * 1024 * 1024,
            timeout: Duration::from_secs(30),
            longest_wait: Duration::from_secs(300),
            streams: 4096,
            loopback_only: false,
        }
    }
}
