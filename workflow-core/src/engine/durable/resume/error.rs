//! Why a run cannot be taken up again.

use serde_json::Value as Json;

use crate::engine::LookupError;
use crate::event::{Blocked, Death};
use crate::run::RunError;
use crate::store::StoreError;
use crate::value::ValueError;
use crate::workflow::PlanError;

/// Why a run on record is not taken up again. It stays as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// The engine has no store.
    #[error("the engine has no store; give it one with `.store(..)`")]
    NoStore,
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The workflow is not to be had.
    #[error("{0}")]
    Lookup(LookupError),
    /// The workflow cannot be planned any more.
    #[error(transparent)]
    Plan(PlanError),
    /// The workflow takes another input by now.
    #[error("the definition changed: the input on record does not fit any more: {0}")]
    Input(ValueError),
    /// The workflow has another graph by now.
    #[error(
        "the definition of `{workflow}` changed: {difference}; finish the run with a program that \
         has the definition it began with, or cancel it"
    )]
    Changed {
        /// The workflow's name.
        workflow: String,
        /// The first difference, in words.
        difference: String,
    },
    /// A job names a limit that neither the engine nor the workflow has.
    #[error("{0}")]
    Limit(Box<RunError>),
    /// A job takes state that the engine does not have.
    #[error("{0}")]
    State(Box<RunError>),
    /// A job leaves another output by now.
    #[error("the definition changed: what job `{job}` left does not fit any more: {error}")]
    Output {
        /// The job's name.
        job: String,
        /// What is wrong.
        error: ValueError,
    },
    /// A job was in flight each time that the run's process died.
    #[error("the run is blocked: {}", poisoned(job, deaths))]
    Poisoned {
        /// The job's name.
        job: String,
        /// The deaths in a row, oldest first.
        deaths: Vec<Death>,
    },
    /// The record tells of something that cannot be.
    #[error("the record is damaged: event {sequence} {problem}")]
    Damaged {
        /// The event's place in the run.
        sequence: u64,
        /// What is wrong with it.
        problem: String,
    },
}

impl ResumeError {
    /// Why the run shows as blocked, if the error is about the run and not about the engine.
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

/// The first difference between the graph on record and the one that there is now, in words.
pub(super) fn difference(before: &Json, now: &Json) -> String {
    let nodes = |graph: &Json| list(graph, "nodes", |node| node["id"].as_str().map(quoted));
    let edges = |graph: &Json| {
        list(graph, "edges", |edge| {
            let (source, target) = (edge["source"].as_str()?, edge["target"].as_str()?);
            Some(format!("`{target}` waits for `{source}`"))
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
    if let Some(edge) = old.iter().find(|edge| !new.contains(edge)) {
        return format!("{edge} no more");
    }
    match new.iter().find(|edge| !old.contains(edge)) {
        Some(edge) => format!("{edge} now"),
        None => "a trigger rule, a condition, a group or the rule for failures".to_owned(),
    }
}

fn quoted(name: &str) -> String {
    format!("`{name}`")
}

fn list(graph: &Json, key: &str, item: impl Fn(&Json) -> Option<String>) -> Vec<String> {
    graph[key].as_array().into_iter().flatten().filter_map(item).collect()
}
