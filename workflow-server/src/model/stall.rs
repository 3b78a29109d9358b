//! Stalls: why a run makes no progress, and what its jobs wait for.

use serde::Serialize;
use utoipa::ToSchema;
use workflow_core::event::{Blocked, Waiting};

use super::time::text;

/// Why a run makes no progress.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Stall {
    /// `waiting` if the run continues after a signal or a time, or `blocked` if it needs an action.
    #[schema(value_type = String, examples("waiting"))]
    state: &'static str,
    /// Reason code: `signal` or `time`; `definition_changed`, `workflow_missing`, `state_missing`,
    /// `record_damaged` or `poisoned`.
    #[schema(value_type = String, examples("signal"))]
    reason: &'static str,
    /// Description of the reason.
    #[schema(examples("job `approval` waits for signal `approved`"))]
    detail: String,
    /// How to resolve it.
    cure: String,
    /// The wait, for a waiting run.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<Wait>,
    /// Consecutive process crashes of a poisoned run, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deaths: Vec<Death>,
}

/// A waiting job.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Wait {
    /// Name of the job.
    job: String,
    /// Signal that it waits for.
    signal: Option<String>,
    /// When its sleep ends.
    #[schema(format = DateTime)]
    until: Option<String>,
    /// When the wait started.
    #[schema(format = DateTime)]
    since: String,
}

/// A process crash during an attempt.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Death {
    /// Number of the attempt, from 1.
    attempt: u32,
    /// When an engine detected the crash.
    #[schema(format = DateTime)]
    found_at: String,
}

impl From<&Waiting> for Wait {
    fn from(of: &Waiting) -> Self {
        let (signal, until) = match of {
            Waiting::Signal { signal, .. } => (Some(signal.clone()), None),
            Waiting::Time { until, .. } => (None, Some(text(*until))),
            _ => (None, None),
        };
        Self { job: of.job().to_owned(), signal, until, since: text(of.since()) }
    }
}

impl From<&workflow_core::event::Stall> for Stall {
    fn from(of: &workflow_core::event::Stall) -> Self {
        let (detail, waiting, deaths) = match of {
            workflow_core::event::Stall::Waiting(waiting) => {
                (waiting.to_string(), Some(Wait::from(waiting)), &[][..])
            }
            workflow_core::event::Stall::Blocked(blocked) => {
                let deaths = match blocked {
                    Blocked::Poisoned { deaths, .. } => deaths.as_slice(),
                    _ => &[],
                };
                (blocked.to_string(), None, deaths)
            }
            other => (other.to_string(), None, &[][..]),
        };
        let death = |of: &workflow_core::event::Death| Death {
            attempt: of.attempt,
            found_at: text(of.found_at),
        };
        Self {
            state: of.as_str(),
            reason: of.reason(),
            detail,
            cure: of.cure(),
            waiting,
            deaths: deaths.iter().map(death).collect(),
        }
    }
}
