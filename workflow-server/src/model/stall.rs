//! Why a run makes no progress, and what its jobs wait for.

use serde::Serialize;
use utoipa::ToSchema;
use workflow_core::{Blocked, Waiting};

use super::time::text;

/// Why a run makes no progress.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Stall {
    /// `waiting`, when the run goes on by itself once something happens, or `blocked`.
    #[schema(value_type = String, examples("waiting"))]
    state: &'static str,
    /// Why, in one word: `signal` or `time`; `definition_changed`, `workflow_missing`,
    /// `state_missing`, `record_damaged` or `poisoned`.
    #[schema(value_type = String, examples("signal"))]
    reason: &'static str,
    /// Why, for people.
    #[schema(examples("job `approval` waits for signal `approved`"))]
    detail: String,
    /// What ends it.
    cure: String,
    /// What a waiting run waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<Wait>,
    /// Of a poisoned run: the deaths of its process in a row, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deaths: Vec<Death>,
}

/// A job that waits.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Wait {
    /// The job.
    job: String,
    /// The signal that it waits for, if it does.
    signal: Option<String>,
    /// When it wakes, if it sleeps.
    #[schema(format = DateTime)]
    until: Option<String>,
    /// Since when.
    #[schema(format = DateTime)]
    since: String,
}

/// A process that died while a job was in flight.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Death {
    /// The attempt that was in flight, from 1.
    attempt: u32,
    /// When an engine found the process dead.
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

impl From<&workflow_core::Stall> for Stall {
    fn from(of: &workflow_core::Stall) -> Self {
        let (detail, waiting, deaths) = match of {
            workflow_core::Stall::Waiting(waiting) => {
                (waiting.to_string(), Some(Wait::from(waiting)), &[][..])
            }
            workflow_core::Stall::Blocked(blocked) => {
                let deaths = match blocked {
                    Blocked::Poisoned { deaths, .. } => deaths.as_slice(),
                    _ => &[],
                };
                (blocked.to_string(), None, deaths)
            }
            other => (other.to_string(), None, &[][..]),
        };
        let death =
            |of: &workflow_core::Death| Death { attempt: of.attempt, found_at: text(of.found_at) };
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
