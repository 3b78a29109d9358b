//! Task queues: where runs wait until a worker takes them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Lease, StoredRun};
use crate::id::{NameError, check_name};

/// The prefix of task queues where nothing else is configured.
pub const DEFAULT_PREFIX: &str = "default";

/// Returns the task queue of workflows of this domain: `{prefix}-{domain}`, or `{prefix}-workflows`
/// for workflows without a domain.
///
/// ```
/// use workflow_core::store::queue_of;
///
/// assert_eq!(queue_of("estuary", Some("booking")), "estuary-booking");
/// assert_eq!(queue_of("estuary", None), "estuary-workflows");
/// ```
pub fn queue_of(prefix: &str, domain: Option<&str>) -> String {
    format!("{prefix}-{}", domain.unwrap_or("workflows"))
}

/// Returns the task queue as [`queue_of`], if the domain and the queue have valid names: 1 to 200
/// printable characters, without white space at either end.
///
/// ```
/// use workflow_core::store::checked_queue_of;
///
/// assert!(checked_queue_of("estuary", Some("booking")).is_ok());
/// assert!(checked_queue_of("estuary", Some("")).is_err());
/// ```
///
/// # Errors
///
/// Fails when one of the names is invalid.
pub fn checked_queue_of(prefix: &str, domain: Option<&str>) -> Result<String, NameError> {
    domain.map_or(Ok(()), check_name)?;
    let queue = queue_of(prefix, domain);
    check_name(&queue)?;
    Ok(queue)
}

/// The task queues that a worker serves. Each has a priority: all runs in a queue of a higher
/// priority begin before those of a lower one.
///
/// ```
/// use workflow_core::store::Queues;
///
/// let queues = Queues::named(["estuary-booking", "estuary-payment"]).add("estuary-critical", 10);
/// assert!(queues.contains("estuary-booking") && !queues.contains("estuary-room"));
/// assert_eq!(queues.to_string(), "estuary-critical, estuary-booking, estuary-payment");
/// assert_eq!(Queues::all().add("estuary-critical", 10).to_string(), "estuary-critical, all others");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queues {
    /// Names with their priorities.
    named: BTreeMap<String, i32>,
    /// Whether all other queues are served, too, with the priority 0.
    others: bool,
}

/// Queues of one priority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueTier<'a> {
    /// These queues, in alphabetical order.
    Named(Vec<&'a str>),
    /// All queues but these, which belong to other tiers.
    AllBut(Vec<&'a str>),
}

impl Queues {
    /// All task queues, with the priority 0.
    pub fn all() -> Self {
        Self { named: BTreeMap::new(), others: true }
    }

    /// These task queues, with the priority 0.
    pub fn named<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self { named: names.into_iter().map(|name| (name.into(), 0)).collect(), others: false }
    }

    /// Adds a task queue with a priority, or changes its priority.
    #[must_use]
    pub fn add(mut self, name: impl Into<String>, priority: i32) -> Self {
        self.named.insert(name.into(), priority);
        self
    }

    /// Whether runs of this task queue are served.
    pub fn contains(&self, name: &str) -> bool {
        self.others || self.named.contains_key(name)
    }

    /// Whether all task queues are served.
    pub fn is_all(&self) -> bool {
        self.others
    }

    /// The queues by priority, the highest first.
    pub fn tiers(&self) -> Vec<QueueTier<'_>> {
        let mut tiers = BTreeMap::<i32, Vec<&str>>::new();
        for (name, priority) in &self.named {
            tiers.entry(*priority).or_default().push(name);
        }
        let mut tiers: BTreeMap<i32, QueueTier<'_>> = tiers
            .into_iter()
            .map(|(priority, names)| (priority, QueueTier::Named(names)))
            .collect();
        if self.others {
            let elsewhere = self.named.iter().filter(|(_, priority)| **priority != 0);
            let elsewhere = elsewhere.map(|(name, _)| name.as_str()).collect();
            tiers.insert(0, QueueTier::AllBut(elsewhere));
        }
        tiers.into_values().rev().collect()
    }

    /// The priority of a queue that is served.
    fn priority(&self, name: &str) -> i32 {
        self.named.get(name).copied().unwrap_or_default()
    }
}

impl fmt::Display for Queues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.tiers().into_iter().flat_map(|tier| match tier {
            QueueTier::Named(names) => names,
            QueueTier::AllBut(others) if others.is_empty() => vec!["all"],
            QueueTier::AllBut(_) => vec!["all others"],
        });
        f.write_str(&names.collect::<Vec<_>>().join(", "))
    }
}

/// A request for runs that wait in task queues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRequest {
    /// The task queues.
    pub queues: Queues,
    /// The names of workflows whose runs are left to others.
    pub except: Vec<String>,
    /// The largest number of runs.
    pub limit: usize,
}

impl ClaimRequest {
    /// Whether the request is for this run, if it waits in its queue.
    pub(super) fn wants(&self, run: &StoredRun) -> bool {
        self.queues.contains(&run.task_queue) && !self.except.contains(&run.workflow.name)
    }

    /// Sorts runs: by the priority of their queue, by their own, by the given rank, and oldest
    /// first.
    pub(super) fn sort(&self, runs: &mut [(i64, StoredRun)]) {
        runs.sort_by_key(|(rank, run)| (self.order(&run.task_queue, run.priority), *rank, run.id));
    }

    /// The order of what waits in this queue with this priority.
    pub(super) fn order(&self, queue: &str, priority: i32) -> Reverse<(i32, i32)> {
        Reverse((self.queues.priority(queue), priority))
    }
}

/// A run that an engine has claimed.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedRun {
    /// The lease of its new owner.
    pub lease: Lease,
    /// The run as it was before the claim, with its last owner.
    pub run: StoredRun,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_and_its_queue_have_valid_names() {
        let queue = |domain: &str| checked_queue_of("x", Some(domain));
        assert_eq!(queue("booking"), Ok("x-booking".to_owned()));
        assert_eq!(queue(""), Err(NameError::Empty));
        assert_eq!(queue("a\nb"), Err(NameError::Control("a\nb".to_owned())));
        assert!(queue(&"d".repeat(198)).is_ok());
        assert!(matches!(queue(&"d".repeat(199)), Err(NameError::TooLong { length: 201, .. })));
        assert!(checked_queue_of("a\nb", None).is_err());
    }

    #[test]
    fn tiers_are_ordered_by_priority() {
        let queues = Queues::all().add("b", 5).add("a", 5).add("late", -1).add("plain", 0);
        let expected = [
            QueueTier::Named(vec!["a", "b"]),
            QueueTier::AllBut(vec!["a", "b", "late"]),
            QueueTier::Named(vec!["late"]),
        ];
        assert_eq!(queues.tiers(), expected);
        assert_eq!(queues.to_string(), "a, b, all others, late");
        assert_eq!(Queues::all().to_string(), "all");
        assert!(queues.contains("any") && queues.is_all());
    }
}
