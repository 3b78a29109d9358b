//! The error of jobs that do not compile into a graph.

use crate::id::NameError;
use crate::job::{TaskQueueError, TimeoutKind, zero_timeout};

/// Why jobs cannot become a [`Graph`](super::Graph).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// There is nothing to run.
    #[error("the workflow has no jobs; add one with `flow.job(..)`")]
    Empty,
    /// Two jobs have the same name.
    #[error("two jobs are named `{0}`; give one of them another name")]
    DuplicateName(String),
    /// A name is invalid.
    #[error("invalid job name: {0}")]
    Name(NameError),
    /// Jobs that wait on each other, in order; the last waits on the first.
    #[error(
        "jobs wait on each other: {}, each for the one before it; remove one of these dependencies",
        path(.0)
    )]
    Cycle(Vec<String>),
    /// A dependency on a job that does not exist.
    #[error("job `{job}` depends on `{missing}`, which is not defined{}", hint(.nearest))]
    UnknownJob {
        /// The job with the dependency.
        job: String,
        /// The name of the missing job.
        missing: String,
        /// The most similar name of a job.
        nearest: Option<String>,
    },
    /// A job depends on a group that the definition does not have.
    #[error(
        "job `{job}` depends on group {group}, but the definition has {groups} of them, \
         numbered from 0; add the group to `groups`, or correct the number"
    )]
    UnknownGroup {
        /// The job with the dependency.
        job: String,
        /// The number of the missing group.
        group: u32,
        /// The number of groups.
        groups: usize,
    },
    /// A group has a member that the definition does not have.
    #[error(
        "group {group} contains job number {member}, but the definition has {jobs} jobs, \
         numbered from 0; correct the number"
    )]
    UnknownMember {
        /// The number of the group.
        group: usize,
        /// The number of the missing job.
        member: u32,
        /// The number of jobs.
        jobs: usize,
    },
    /// A handle of another flow was used.
    #[error(
        "{} reads a handle that another flow gave out; \
         draw both jobs in one flow, or pass the value as input",
        reader(job)
    )]
    ForeignHandle {
        /// The job that reads it; `None` for the workflow's output.
        job: Option<String>,
    },
    /// A group was made of jobs of another flow.
    #[error(
        "a group contains a job of another flow; make the group with the flow that its jobs are \
         drawn in"
    )]
    ForeignMember,
    /// A job waits for a group of another flow.
    #[error(
        "job `{0}` waits for a group of another flow; make the group with the flow that the job \
         is drawn in"
    )]
    ForeignGroup(String),
    /// A timeout is zero.
    #[error("{}", zero_timeout(job.as_deref(), *timeout))]
    ZeroTimeout {
        /// The job; `None` for the run.
        job: Option<String>,
        /// Which timeout it is.
        timeout: TimeoutKind,
    },
    /// A job cannot have the task queue that it names.
    #[error("job `{job}` {error}")]
    TaskQueue {
        /// The job.
        job: String,
        /// What is wrong.
        error: TaskQueueError,
    },
    /// There are more jobs or edges than the graph can number.
    #[error("the graph is too large: at most 2147483647 jobs and 4294967295 edges")]
    TooLarge,
}

fn path(jobs: &[String]) -> String {
    let first = jobs.first().map(String::as_str);
    jobs.iter().map(String::as_str).chain(first).collect::<Vec<_>>().join(" -> ")
}

fn reader(job: &Option<String>) -> String {
    match job {
        Some(job) => format!("job `{job}`"),
        None => "the workflow's output".to_owned(),
    }
}

fn hint(nearest: &Option<String>) -> String {
    match nearest {
        Some(name) => format!("; did you mean `{name}`?"),
        None => "; define it, or remove the dependency".to_owned(),
    }
}
