//! Options of a job: order, conditions, retries, timeouts, limits.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{AttemptIo, Handle, InputRef, JobError, RawCall};
use crate::id::NameError;
use crate::retry::RetryPolicy;

/// The rule that decides when a job starts, depending on how its dependencies ended.
///
/// A dependency that was skipped because another job failed counts as failed; one that its own
/// condition skipped does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TriggerRule {
    /// All dependencies completed.
    #[default]
    #[serde(rename = "all_success")]
    AllSuccess,
    /// All dependencies ended, in any way.
    #[serde(rename = "all_done")]
    AllDone,
    /// One dependency completed; the job does not wait for the others.
    #[serde(rename = "one_success")]
    OneSuccess,
    /// One dependency failed; the job does not wait for the others.
    #[serde(rename = "one_failed")]
    OneFailed,
    /// All dependencies ended, and none failed.
    #[serde(rename = "none_failed")]
    NoneFailed,
    /// All dependencies ended, in any way; runs even if the run is stopping or was cancelled.
    #[serde(rename = "always")]
    Always,
}

impl TriggerRule {
    /// The code in fingerprints of graphs.
    pub(crate) fn code(self) -> char {
        match self {
            Self::AllSuccess => 'a',
            Self::AllDone => 'b',
            Self::OneSuccess => 'c',
            Self::OneFailed => 'd',
            Self::NoneFailed => 'e',
            Self::Always => 'f',
        }
    }
}

/// The reaction of a run to a job that fails for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum OnFailure {
    /// Skips the jobs that depend on it, and finishes the rest.
    #[default]
    #[serde(rename = "continue")]
    Continue,
    /// Starts no more jobs; running jobs may finish.
    #[serde(rename = "stop")]
    Stop,
}

/// The kind of a timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TimeoutKind {
    /// One attempt took too long.
    #[serde(rename = "start_to_close")]
    StartToClose,
    /// All attempts, including the delays between them, took too long.
    #[serde(rename = "schedule_to_close")]
    ScheduleToClose,
    /// The job sent no heartbeat in time.
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

/// The timeouts of a job. `None` means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Timeouts {
    /// The longest duration of one attempt.
    pub start_to_close: Option<Duration>,
    /// The longest duration of all attempts, from the time at which the job could first start.
    pub schedule_to_close: Option<Duration>,
    /// The longest time between two calls of `JobContext::heartbeat`.
    pub heartbeat: Option<Duration>,
}

impl Timeouts {
    /// Returns whether any timeout is set.
    pub(crate) fn any(&self) -> bool {
        *self != Self::default()
    }

    /// Returns the first timeout that is zero, which no job can meet.
    pub(crate) fn zero(&self) -> Option<TimeoutKind> {
        let limits = [
            (self.start_to_close, TimeoutKind::StartToClose),
            (self.schedule_to_close, TimeoutKind::ScheduleToClose),
            (self.heartbeat, TimeoutKind::Heartbeat),
        ];
        limits.into_iter().find(|(limit, _)| *limit == Some(Duration::ZERO)).map(|(_, kind)| kind)
    }
}

/// Formats the error for a timeout of zero, of a job or of the run.
pub(crate) fn zero_timeout(job: Option<&str>, timeout: TimeoutKind) -> String {
    let what = match job {
        Some(job) => format!("the timeout `{timeout}` of job `{job}`"),
        None => "the timeout of the run".to_owned(),
    };
    format!("{what} is 0, so nothing could run; set it above 0, or remove it")
}

/// Why a job cannot have the task queue that it names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskQueueError {
    /// The name is invalid.
    #[error("names an invalid task queue: {0}")]
    Name(NameError),
    /// The job only waits for other jobs: a map, a function with a `WorkflowContext`, or a child
    /// workflow.
    #[error(
        "cannot have the task queue `{0}`, because it only waits for other jobs; set the queue on \
         the jobs that do the work"
    )]
    Waits(String),
}

/// The length of a job's grace period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Grace {
    /// The engine's default.
    Engine,
    /// The job's own.
    For(Duration),
}

/// All options of one job except its name: those that the methods of a [`Call`](super::Call) set
/// one by one. For crates that read workflows from data.
pub struct JobOptions {
    pub(crate) after: Vec<InputRef>,
    pub(crate) after_groups: Vec<Group>,
    /// When it starts, depending on how its dependencies ended.
    pub trigger: TriggerRule,
    /// The retry policy; `None` for one attempt.
    pub retry: Option<RetryPolicy>,
    /// The timeouts.
    pub timeouts: Timeouts,
    /// The grace period; without one, the job is dropped at once when it is cancelled.
    pub grace: Option<Grace>,
    /// The priority; jobs with a higher one start first.
    pub priority: i32,
    /// The names of limits, with the number of permits of each.
    pub limits: Vec<(String, usize)>,
    /// The task queue whose workers make its attempts; `None` for the process of the run.
    pub task_queue: Option<String>,
    pub(crate) condition: Option<Condition>,
    pub(crate) compensation: Option<Compensation>,
    /// The number of children that may run at once.
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
            task_queue: None,
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

    /// Runs the job only if `test`, which may read the job's inputs, returns true.
    pub fn set_condition(
        &mut self,
        test: impl Fn(&AttemptIo) -> Result<bool, JobError> + Send + Sync + 'static,
    ) {
        self.condition = Some(Condition(Box::new(test)));
    }
}

/// A group of jobs that other jobs can wait for. Create it with [`Flow::group`](crate::Flow::group)
/// and pass it to [`Call::after_group`](super::Call::after_group).
///
/// It is small, `Copy`, and valid only for the flow that created it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    pub(crate) at: InputRef,
}

/// A test of upstream values that decides whether a job runs.
pub(crate) struct Condition(pub(crate) Test);

/// An error of the test fails the job.
type Test = Box<dyn Fn(&AttemptIo) -> Result<bool, JobError> + Send + Sync>;

/// The compensation of a job: a call with an item in place of the job's output.
pub(crate) struct Compensation {
    pub(crate) call: RawCall,
    /// The source of each input of `call`: the job's output, or one of the job's own inputs.
    pub(crate) inputs: Vec<super::ChildInput>,
    pub(crate) output: super::attempt_io::Project,
}
