//! What a run waits for that may not begin yet.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::NewRun;
use crate::event::{Event, EventKind};
use crate::flow_control::{Concurrency, Debounce, OnConflict, RateLimit};
use crate::id::RunId;

/// The limit that a run waits for: see [`Store::waits_for`](super::Store::waits_for).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "limit", rename_all = "snake_case")]
#[non_exhaustive]
pub enum LimitWait {
    /// All slots of its key are taken.
    Concurrency {
        /// The limit, with the run's key.
        of: Concurrency,
        /// The runs that have the slots, oldest first.
        holders: Vec<RunId>,
        /// The number of other runs that have slots, and that the caller may not see.
        hidden: usize,
    },
    /// Too many runs of its key have begun.
    Rate {
        /// The limit, with the run's key.
        of: RateLimit,
        /// The time until the next run of the key may begin. Runs that wait before this one begin
        /// first.
        next_in: Duration,
    },
    /// Later requests may still replace its input.
    Debounce {
        /// The delay, with the run's key.
        of: Debounce,
        /// The time until the run may begin, without another request.
        begins_in: Duration,
    },
}

impl fmt::Display for LimitWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |length: &Duration| Duration::from_millis(length.as_millis() as u64 + 1);
        match self {
            Self::Concurrency { of, holders, hidden } => {
                let mut held_by: Vec<String> = holders.iter().map(RunId::to_string).collect();
                match hidden {
                    0 => {}
                    1 => held_by.push("a run of another user".to_owned()),
                    _ => held_by.push(format!("{hidden} runs of other users")),
                }
                let (limit, key) = (of.limit, Key(&of.key));
                write!(f, "concurrency limit {limit}{key}: held by {}", held_by.join(", "))
            }
            Self::Rate { of, next_in } => {
                let (limit, per, key) = (of.limit, of.per, Key(&of.key));
                let next = millis(next_in);
                write!(f, "rate limit {limit} in {per:?}{key}: the next run begins in {next:?}")
            }
            Self::Debounce { of, begins_in } => {
                let (key, left) = (Key(&of.key), millis(begins_in));
                write!(f, "debounce{key}: begins in {left:?} unless another request comes")
            }
        }
    }
}

/// A key, as a part of a sentence.
struct Key<'a>(&'a str);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " of key `{}`", self.0) }
    }
}

impl Concurrency {
    /// Whether a request beyond the limit begins no run.
    pub fn refuses(&self) -> bool {
        matches!(self.on_conflict, OnConflict::CancelNew | OnConflict::Skip)
    }
}

impl NewRun {
    /// The events of a run that is recorded as cancelled, because other runs have the slots of its
    /// [`Concurrency`] limit. They follow the first events of the run, and do not name runs of other
    /// users. `holders` are the runs with their users.
    pub fn refused_events(
        &self,
        first: &[Event],
        holders: impl IntoIterator<Item = (RunId, Option<String>)>,
    ) -> Vec<Event> {
        let Some(of) = self.flow_control.concurrency.clone() else { return Vec::new() };
        let is_seen = |user: &Option<String>| self.user.is_none() || *user == self.user;
        let (seen, hidden): (Vec<_>, Vec<_>) =
            holders.into_iter().partition(|(_, user)| is_seen(user));
        let holders = seen.into_iter().map(|(run, _)| run).collect();
        let wait = LimitWait::Concurrency { of, holders, hidden: hidden.len() };
        let ended: HashSet<&str> = first
            .iter()
            .filter(|event| event.kind.ends_job())
            .filter_map(|event| event.kind.job())
            .collect();
        let nodes = self.workflow.graph["nodes"].as_array().into_iter().flatten();
        let jobs = nodes.filter_map(|node| node["id"].as_str()).filter(|job| !ended.contains(job));
        let skipped = jobs.map(|job| EventKind::JobSkipped {
            job: job.to_owned(),
            reason: "the run was cancelled".to_owned(),
        });
        let request = EventKind::CancelRequested { reason: Some(wait.to_string()) };
        let kinds = [request].into_iter().chain(skipped).chain([EventKind::RunCancelled]);
        let event = |(sequence, kind)| Event::new(sequence, self.created_at, kind);
        (first.len() as u64..).zip(kinds).map(event).collect()
    }
}
