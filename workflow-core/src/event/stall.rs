//! The reasons why a run makes no progress.

use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::EventKind;
use super::time::{format_time, rfc3339};

/// The reason why an unfinished run makes no progress; shown beside its [`Status`](super::Status).
///
/// Serializes with `state` (`waiting` or `blocked`) and `reason`:
///
/// ```
/// use workflow_core::event::{Blocked, Stall};
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
    /// The run will continue by itself.
    #[serde(rename = "waiting")]
    Waiting(Waiting),
    /// The run needs an action to continue.
    #[serde(rename = "blocked")]
    Blocked(Blocked),
}

/// What a run is waiting for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reason")]
#[non_exhaustive]
pub enum Waiting {
    /// A job is waiting for a signal.
    #[serde(rename = "signal")]
    Signal {
        /// The job's name.
        job: String,
        /// The signal's name.
        signal: String,
        /// The start of the wait.
        #[serde(with = "rfc3339")]
        since: SystemTime,
    },
    /// A job is sleeping.
    #[serde(rename = "time")]
    Time {
        /// The job's name.
        job: String,
        /// The end of the sleep.
        #[serde(with = "rfc3339")]
        until: SystemTime,
        /// The start of the wait.
        #[serde(with = "rfc3339")]
        since: SystemTime,
    },
}

/// The reason why engines cannot resume a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reason")]
#[non_exhaustive]
pub enum Blocked {
    /// The workflow has changed since the run began.
    #[serde(rename = "definition_changed")]
    DefinitionChanged {
        /// The first difference.
        difference: String,
    },
    /// The program that tried to resume the run does not have the workflow.
    #[serde(rename = "workflow_missing")]
    WorkflowMissing {
        /// The error of the registry.
        problem: String,
    },
    /// The engine that tried to resume the run lacks state that a job takes.
    #[serde(rename = "state_missing")]
    StateMissing {
        /// The missing state, and the job that takes it.
        problem: String,
    },
    /// The events of the run contradict each other.
    #[serde(rename = "record_damaged")]
    RecordDamaged {
        /// The first contradiction.
        problem: String,
    },
    /// A job was running each time the run's process died.
    #[serde(rename = "poisoned")]
    Poisoned {
        /// The job's name.
        job: String,
        /// The consecutive deaths, oldest first.
        deaths: Vec<Death>,
    },
}

/// The death of a process while a job was running.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Death {
    /// The attempt that was running, from 1.
    pub attempt: u32,
    /// The time at which an engine detected the death.
    #[serde(with = "rfc3339")]
    pub found_at: SystemTime,
}

impl Stall {
    /// The state as a string: `waiting` or `blocked`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Waiting(_) => "waiting",
            Self::Blocked(_) => "blocked",
        }
    }

    /// The reason as a string, such as `definition_changed`.
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

    /// The action that ends it.
    pub fn cure(&self) -> String {
        match self {
            Self::Waiting(waiting) => waiting.cure(),
            Self::Blocked(blocked) => blocked.cure().to_owned(),
        }
    }
}

impl Waiting {
    /// The name of the waiting job.
    pub fn job(&self) -> &str {
        match self {
            Self::Signal { job, .. } | Self::Time { job, .. } => job,
        }
    }

    /// The start of the wait.
    pub fn since(&self) -> SystemTime {
        match self {
            Self::Signal { since, .. } | Self::Time { since, .. } => *since,
        }
    }

    /// The action that ends it.
    pub fn cure(&self) -> String {
        match self {
            Self::Signal { signal, .. } => format!("send the run the signal `{signal}`"),
            Self::Time { until, .. } => {
                format!("nothing to do: the run resumes at {}", format_time(*until))
            }
        }
    }
}

impl Blocked {
    /// Returns what blocks a run after this event, given what blocked it before.
    pub fn after(before: Option<Self>, event: &EventKind) -> Option<Self> {
        match event {
            EventKind::RunBlocked { blocked } => Some(blocked.clone()),
            EventKind::RunResumed { .. } | EventKind::RunUnblocked => None,
            event if event.is_last() => None,
            _ => before,
        }
    }

    /// The action that ends it.
    pub fn cure(&self) -> &'static str {
        match self {
            Self::DefinitionChanged { .. } => {
                "resume the run with a program that has its original definition, or cancel it"
            }
            Self::WorkflowMissing { .. } => {
                "start a program that registers the workflow, or cancel the run"
            }
            Self::StateMissing { .. } => {
                "start a program whose engine has the state, or cancel the run"
            }
            Self::RecordDamaged { .. } => "cancel the run and retry it from the start",
            Self::Poisoned { .. } => {
                "fix what crashes the process and unblock the run, or cancel it"
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
                write!(f, "poisoned: job `{job}` was running when its process died {times} times")?;
                match deaths.last() {
                    Some(last) => write!(f, ", last detected at {}", format_time(last.found_at)),
                    None => Ok(()),
                }
            }
        }
    }
}
