//! What dbt reports about a node: its status, its timing and its message.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a node ended, in the words of dbt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum NodeStatus {
    /// The model, seed, snapshot or function was built.
    #[serde(rename = "success")]
    Success,
    /// The test passed.
    #[serde(rename = "pass")]
    Pass,
    /// The test failed, and its severity is `warn`.
    #[serde(rename = "warn")]
    Warn,
    /// There was nothing to do.
    #[serde(rename = "no-op")]
    NoOp,
    /// The node could not be built.
    #[serde(rename = "error")]
    Error,
    /// The test failed.
    #[serde(rename = "fail")]
    Fail,
    /// The test could not be evaluated.
    #[serde(rename = "runtime error")]
    RuntimeError,
    /// Some batches of a microbatch model failed.
    #[serde(rename = "partial success")]
    PartialSuccess,
    /// dbt did not build the node, because a node before it failed or dbt was stopped.
    #[serde(rename = "skipped")]
    Skipped,
    /// A status that this version does not know. Counts as a failure.
    #[serde(other, rename = "unknown")]
    Unknown,
}

impl NodeStatus {
    /// Whether the node needs no further work in this run.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Success | Self::Pass | Self::Warn | Self::NoOp)
    }

    /// The word that dbt uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::NoOp => "no-op",
            Self::Error => "error",
            Self::Fail => "fail",
            Self::RuntimeError => "runtime error",
            Self::PartialSuccess => "partial success",
            Self::Skipped => "skipped",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for NodeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The result of a node, which is the output of its job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NodeResult {
    /// How it ended.
    pub status: NodeStatus,
    /// How long dbt worked on it, in seconds.
    pub seconds: f64,
    /// The number of failing records of a test.
    pub failures: u64,
    /// The number of rows that the database says it has written, if it says so.
    #[serde(default)]
    pub rows: Option<u64>,
    /// The message of dbt, such as `INSERT 3` or `Got 1 result, configured to warn if != 0`; empty
    /// if there is none.
    pub message: String,
    /// When dbt started it: UTC, as dbt writes it; empty if dbt did not start it.
    pub started_at: String,
    /// When dbt finished it: UTC, as dbt writes it; empty if dbt does not say.
    pub finished_at: String,
}
