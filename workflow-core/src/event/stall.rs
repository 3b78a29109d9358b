//! Why a run that has not ended makes no progress.

use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::EventKind;
use super::time::{format_time, rfc3339};

/// Why a run that has not ended makes no progress; shown beside its [`Status`](super::Status).
///
/// Serialises with `state` (`waiting` or `blocked`) and `reason`:
///
/// ```
/// use workflow_core::{Blocked, Stall};
///
/// let blocked = Blocked::DefinitionChanged { difference: "job `audit` is new".to_owned() };
/// let stall = Stall::Blocked(blocked);
/// assert_eq!(stall.to_string(), "blocked: definition changed: job `audit` is new");
/// let json = serde_json::to_value(&stall)?;
/// assert_eq!((&json["state"], &json["reason"]), (&"blocked".into(), &"definition_changed".into()));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state")]
#[non_exhaustive]
pub enum Stall {
    /// The run goes on by itself once something happens.
    #[serde(rename = "waiting")]
    Waiting(Waiting),
    /// The run does not go on until somebody acts.
    #[serde(rename = "blocked")]
    Blocked(Blocked),
}

/// What a run waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reason")]
#[non_exhaustive]
pub enum Waiting {
    /// A job waits for a signal.
    #[serde(rename = "signal")]
    Signal {
        /// The job's name.
        job: String,
        /// The signal's name.
        signal: String,
        /// Since when.
        #[serde(with = "rfc3339")]
        since: SystemTime,
    },
    /// A job sleeps.
    #[serde(rename = "time")]
    Time {
        /// The job's name.
        job: String,
        /// When it wakes.
        #[serde(with = "rfc3339")]
        until: SystemTime,
        /// Since when.
        #[serde(with = "rfc3339")]
        since: SystemTime,
    },
}

/// Why no engine takes a run up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reason")]
#[non_exhaustive]
pub enum Blocked {
    /// The workflow is no longer the one that the run began with.
    #[serde(rename = "definition_changed")]
    DefinitionChanged {
        /// The first difference.
        difference: String,
    },
    /// The program that tried to take the run up does not have the workflow.
    #[serde(rename = "workflow_missing")]
    WorkflowMissing {
        /// What the registry said.
        problem: String,
    },
    /// The engine that tried to take the run up does not have the state that a job takes.
    #[serde(rename = "state_missing")]
    StateMissing {
        /// Which state, and of which job.
        problem: String,
    },
    /// The events of the run contradict each other.
    #[serde(rename = "record_damaged")]
    RecordDamaged {
        /// The first contradiction.
        problem: String,
    },
    /// A job was in flight each time that the run's process died.
    #[serde(rename = "poisoned")]
    Poisoned {
        /// The job's name.
        job: String,
        /// The deaths in a row, oldest first.
        deaths: Vec<Death>,
    },
}

/// A process that died while a job was in flight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Death {
    /// The attempt that was in flight, from 1.
    pub attempt: u32,
    /// When an engine found the process dead.
    #[serde(with = "rfc3339")]
    pub found_at: SystemTime,
}

impl Stall {
    /// The state as it is written: `waiting` or `blocked`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Waiting(_) => "waiting",
            Self::Blocked(_) => "blocked",
        }
    }

    /// The reason as it is written, such as `definition_changed`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Waiting(Waiting::Signal { .. }) => "signal",
            Self::Waiting(Waiting::Time { .. }) => "time",
            Self::Blocked(Blocked::DefinitionChanged { .. }) => "definition_changed",
            Self::Blocked(Blocked::WorkflowMissing { .. }) => "workflow_missing",
            Self::Blocked(Blocked::StateMissing { .. }) => "state_missing",
            Self::Blocked(Blocked::RecordDamaged { .. }) => "record_damaged",
            Self::Blocked(Blocked::Poisoned { .. }) => "poisoned",
        }
    }

    /// What ends it.
    pub fn cure(&self) -> String {
        match self {
            Self::Waiting(waiting) => waiting.cure(),
            Self::Blocked(blocked) => blocked.cure().to_owned(),
        }
    }
}

impl Waiting {
    /// The name of the job that waits.
    pub fn job(&self) -> &str {
        match self {
            Self::Signal { job, .. } | Self::Time { job, .. } => job,
        }
    }

    /// Since when it waits.
    pub fn since(&self) -> SystemTime {
        match self {
            Self::Signal { since, .. } | Self::Time { since, .. } => *since,
        }
    }

    /// What ends it.
    pub fn cure(&self) -> String {
        match self {
            Self::Signal { signal, .. } => format!("send the run the signal `{signal}`"),
            Self::Time { until, .. } => {
                format!("nothing to do: the run goes on at {}", format_time(*until))
            }
        }
    }
}

impl Blocked {
    /// What blocks a run after this event, given what blocked it before.
    pub fn after(before: Option<Self>, event: &EventKind) -> Option<Self> {
        match event {
            EventKind::RunBlocked { blocked } => Some(blocked.clone()),
            EventKind::RunResumed { .. } | EventKind::RunUnblocked => None,
            event if event.is_last() => None,
            _ => before,
        }
    }

    /// What ends it.
    pub fn cure(&self) -> &'static str {
        match self {
            Self::DefinitionChanged { .. } => {
                "finish the run with a program that has the definition it began with, or cancel it"
            }
            Self::WorkflowMissing { .. } => {
                "start a program that registers the workflow, or cancel the run"
            }
            Self::StateMissing { .. } => {
                "start a program whose engine has the state, or cancel the run"
            }
            Self::RecordDamaged { .. } => "cancel the run, and retry it from the start",
            Self::Poisoned { .. } => {
                "fix what kills the process, then unblock the run; or cancel it"
            }
        }
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting(waiting) => write!(f, "waiting: {waiting}"),
            Self::Blocked(blocked) => write!(f, "blocked: {blocked}"),
        }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal { job, signal, .. } => {
                write!(f, "job `{job}` waits for signal `{signal}`")
            }
            Self::Time { job, until, .. } => {
                write!(f, "job `{job}` sleeps until {}", format_time(*until))
            }
        }
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DefinitionChanged { difference } => write!(f, "definition changed: {difference}"),
            Self::WorkflowMissing { problem } => write!(f, "workflow missing: {problem}"),
            Self::StateMissing { problem } => write!(f, "state missing: {problem}"),
            Self::RecordDamaged { problem } => write!(f, "record damaged: {problem}"),
            Self::Poisoned { job, deaths } => {
                let times = deaths.len();
                write!(
                    f,
                    "poisoned: job `{job}` was in flight when its process died {times} times"
                )?;
                match deaths.last() {
                    Some(last) => write!(f, ", last found at {}", format_time(last.found_at)),
                    None => Ok(()),
                }
            }
        }
    }
}
