//! What may be asked of a job beside its work: order, conditions, retries, timeouts, limits.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{AttemptIo, Handle, InputRef, JobError, RawCall};
use crate::retry::RetryPolicy;

/// What must have become of the jobs that a job waits for, before it may start.
///
/// A job that is skipped because another failed counts as failed here; one that its own
/// condition skipped does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum TriggerRule {
    /// All of them completed.
    #[default]
    #[serde(rename = "all_success")]
    AllSuccess,
    /// All of them ended, in whatever way.
    #[serde(rename = "all_done")]
    AllDone,
    /// One of them completed; the job does not wait for the others.
    #[serde(rename = "one_success")]
    OneSuccess,
    /// One of them failed; the job does not wait for the others.
    #[serde(rename = "one_failed")]
    OneFailed,
    /// All of them ended, and none failed.
    #[serde(rename = "none_failed")]
    NoneFailed,
    /// All of them ended, in whatever way, and even when the run is stopping or was cancelled.
    #[serde(rename = "always")]
    Always,
}

/// What a run does when a job fails for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum OnFailure {
    /// Skips the jobs that wait for it, and finishes the rest.
    #[default]
    #[serde(rename = "continue")]
    Continue,
    /// Starts nothing more; what runs may finish.
    #[serde(rename = "stop")]
    Stop,
}

/// Which clock ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TimeoutKind {
    /// One attempt took too long.
    #[serde(rename = "start_to_close")]
    StartToClose,
    /// All attempts and the waits between them took too long.
    #[serde(rename = "schedule_to_close")]
    ScheduleToClose,
    /// The job gave no sign of life.
    #[serde(rename = "heartbeat")]
    Heartbeat,
    /// The run took too long.
    #[serde(rename = "run")]
    Run,
}

impl std::fmt::Display for TimeoutKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::StartToClose => "start_to_close",
            Self::ScheduleToClose => "schedule_to_close",
            Self::Heartbeat => "heartbeat",
            Self::Run => "run",
        })
    }
}

/// How long a job may take. `None` sets no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Timeouts {
    /// The longest that one attempt may take.
    pub start_to_close: Option<Duration>,
    /// The longest that all attempts may take, from the moment when the job could first start.
    pub schedule_to_close: Option<Duration>,
    /// The longest time between two calls of `JobContext::heartbeat`.
    pub heartbeat: Option<Duration>,
}

impl Timeouts {
    /// Whether any limit is set.
    pub(crate) fn any(&self) -> bool {
        *self != Self::default()
    }

    /// The first limit that is zero, which no job can keep.
    pub(crate) fn zero(&self) -> Option<TimeoutKind> {
        let limits = [
            (self.start_to_close, TimeoutKind::StartToClose),
            (self.schedule_to_close, TimeoutKind::ScheduleToClose),
            (self.heartbeat, TimeoutKind::Heartbeat),
        ];
        limits.into_iter().find(|(limit, _)| *limit == Some(Duration::ZERO)).map(|(_, kind)| kind)
    }
}

/// Says that a timeout is zero: that of a job, or that of the run.
pub(crate) fn zero_timeout(job: Option<&str>, timeout: TimeoutKind) -> String {
    let what = match job {
        Some(job) => format!("the timeout `{timeout}` of job `{job}`"),
        None => "the timeout of the run".to_owned(),
    };
    format!("{what} is 0, which lets nothing run; set more than 0, or remove it")
}

/// How long a job that asked for a grace period has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grace {
    /// As long as the engine says.
    Engine,
    /// As long as the job says.
    For(Duration),
}

/// Everything that can be asked of one job beside a name: what the methods of a [`Call`](super::Call)
/// set one by one, for crates that draw workflows from data.
pub struct JobOptions {
    pub(crate) after: Vec<InputRef>,
    pub(crate) after_groups: Vec<Group>,
    /// What must have become of the jobs that it waits for.
    pub trigger: TriggerRule,
    /// When and how often it is tried again; `None` for one attempt.
    pub retry: Option<RetryPolicy>,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// Without one, the job is dropped at once when it is to stop.
    pub grace: Option<Grace>,
    /// Higher ones are started first.
    pub priority: i32,
    /// Names of limits, and how much of each.
    pub limits: Vec<(String, usize)>,
    pub(crate) condition: Option<Condition>,
    pub(crate) compensation: Option<Compensation>,
    /// How many children of the job may run at once.
    pub(crate) concurrency: usize,
}

impl Default for JobOptions {
    fn default() -> Self {
        Self {
            after: Vec::new(),
            after_groups: Vec::new(),
            trigger: TriggerRule::default(),
            retry: None,
            timeouts: Timeouts::default(),
            grace: None,
            priority: 0,
            limits: Vec::new(),
            condition: None,
            compensation: None,
            concurrency: usize::MAX,
        }
    }
}

impl JobOptions {
    /// Makes the job wait for another: [`Call::after`](super::Call::after).
    pub fn add_after<T: ?Sized>(&mut self, other: Handle<T>) {
        self.after.push(other.at);
    }

    /// Makes the job wait for a group: [`Call::after_group`](super::Call::after_group).
    pub fn add_after_group(&mut self, group: Group) {
        self.after_groups.push(group);
    }

    /// Runs the job only when `test` says so, which may read the job's inputs.
    pub fn set_condition(
        &mut self,
        test: impl Fn(&AttemptIo) -> Result<bool, JobError> + Send + Sync + 'static,
    ) {
        self.condition = Some(Condition(Box::new(test)));
    }
}

/// Jobs that others can wait for as a whole: made by [`Flow::group`](crate::Flow::group), given
/// to [`Call::after_group`](super::Call::after_group).
///
/// A small copyable ticket, valid for the flow that gave it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    pub(crate) at: InputRef,
}

/// A test of upstream values that decides whether a job runs.
pub(crate) struct Condition(pub(crate) Test);

/// Fails when it cannot be told, which fails the job.
type Test = Box<dyn Fn(&AttemptIo) -> Result<bool, JobError> + Send + Sync>;

/// What takes a job's work back: a call in which items stand for the job's own output.
pub(crate) struct Compensation {
    pub(crate) call: RawCall,
    /// For each input of `call`: the job's output, or one of the job's own inputs.
    pub(crate) inputs: Vec<super::ChildInput>,
    pub(crate) output: super::attempt_io::Project,
}
