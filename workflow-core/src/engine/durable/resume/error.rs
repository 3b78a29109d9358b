//! The error of a run that cannot be resumed.

use serde_json::Value as Json;

use crate::engine::LookupError;
use crate::event::{Blocked, Death};
use crate::run::RunError;
use crate::store::StoreError;
use crate::value::ValueError;
use crate::workflow::PlanError;

/// The reason why a stored run cannot be resumed. The run stays as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// The engine has no store.
    #[error("the engine has no store; give it one with `.store(..)`")]
    NoStore,
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The workflow was not found.
    #[error("{0}")]
    Lookup(LookupError),
    /// The workflow can no longer be planned.
    #[error(transparent)]
    Plan(PlanError),
    /// The workflow's input type changed.
    #[error("the definition changed: the recorded input no longer fits: {0}")]
    Input(ValueError),
    /// The workflow's graph changed.
    #[error(
        "the definition of `{workflow}` changed: {difference}; finish the run with a program that \
         has the definition it started with, or cancel it"
    )]
    Changed {
        /// The workflow's name.
        workflow: String,
        /// The first difference, as text.
        difference: String,
    },
    /// A job names a limit that neither the engine nor the workflow has.
    #[error("{0}")]
    Limit(Box<RunError>),
    /// The engine has no value for the state of a job.
    #[error("{0}")]
    State(Box<RunError>),
    /// A job's output type changed.
    #[error("the definition changed: the recorded output of job `{job}` no longer fits: {error}")]
    Output {
        /// The job's name.
        job: String,
        /// What is wrong.
        error: ValueError,
    },
    /// The same job was in flight each time that the run's process died.
    #[error("the run is blocked: {}", poisoned(job, deaths))]
    Poisoned {
        /// The job's name.
        job: String,
        /// The consecutive deaths, oldest first.
        deaths: Vec<Death>,
    },
    /// The record is inconsistent.
    #[error("the record is damaged: event {sequence} {problem}")]
    Damaged {
        /// The event's place in the run.
        sequence: u64,
        /// What is wrong with it.
        problem: String,
    },
}

impl ResumeError {
    /// Returns the reason for which the run is shown as blocked, if the error concerns the run and
    /// not the engine.
    pub fn blocked(&self) -> Option<Blocked> {
        let changed = |difference: String| Some(Blocked::DefinitionChanged { difference });
        match self {
            Self::NoStore | Self::Store(_) => None,
            Self::Lookup(error) => Some(Blocked::WorkflowMissing { problem: error.to_string() }),
            Self::State(error) => Some(Blocked::StateMissing { problem: error.to_string() }),
            Self::Changed { difference, .. } => changed(difference.clone()),
            Self::Plan(error) => changed(error.to_string()),
            Self::Limit(error) => changed(error.to_string()),
            Self::Input(error) => changed(format!("the input does not fit: {error}")),
            Self::Output { job, error } => {
                changed(format!("the output of job `{job}` does not fit: {error}"))
            }
            Self::Damaged { sequence, problem } => {
                Some(Blocked::RecordDamaged { problem: format!("event {sequence} {problem}") })
            }
            Self::Poisoned { job, deaths } => {
                Some(Blocked::Poisoned { job: job.clone(), deaths: deaths.clone() })
            }
        }
    }
}

fn poisoned(job: &str, deaths: &[Death]) -> String {
    let blocked = Blocked::Poisoned { job: job.to_owned(), deaths: deaths.to_vec() };
    format!("{blocked}; {}", blocked.cure())
}

/// Describes the first difference between the recorded graph and the current one.
pub(super) fn difference(before: &Json, now: &Json) -> String {
    let nodes = |graph: &Json| list(graph, "nodes", |node| node["id"].as_str().map(quoted));
    let edges = |graph: &Json| {
        list(graph, "edges", |edge| {
            Some((edge["source"].as_str()?.to_owned(), edge["target"].as_str()?.to_owned()))
        })
    };
    let (old, new) = (nodes(before), nodes(now));
    if let Some(job) = old.iter().find(|job| !new.contains(job)) {
        return format!("job {job} is gone");
    }
    if let Some(job) = new.iter().find(|job| !old.contains(job)) {
        return format!("job {job} is new");
    }
    let (old, new) = (edges(before), edges(now));
    if let Some((source, target)) = old.iter().find(|edge| !new.contains(edge)) {
        return format!("job `{target}` no longer waits for `{source}`");
    }
    match new.iter().find(|edge| !old.contains(edge)) {
        Some((source, target)) => format!("job `{target}` now waits for `{source}`"),
        None => "a trigger rule, a condition, a group or `on_failure` is different".to_owned(),
    }
}

fn quoted(name: &str) -> String {
    format!("`{name}`")
}

fn list<T>(graph: &Json, key: &str, item: impl Fn(&Json) -> Option<T>) -> Vec<T> {
    graph[key].as_array().into_iter().flatten().filter_map(item).collect()
}
