//! Named configurations of workers, as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::store::{Queues, queue_of};

/// The configuration of a worker: which task queues it serves, and how much at once.
///
/// ```
/// use workflow_core::worker::Preset;
///
/// let critical: Preset = serde_json::from_str(
///     r#"{
///         "domains": ["booking", "payment"],
///         "task_queues": ["estuary-critical"],
///         "priorities": { "estuary-critical": 10 },
///         "max_concurrent_workflows": 50
///     }"#,
/// )?;
/// let queues = critical.queues("estuary");
/// assert_eq!(queues.to_string(), "estuary-critical, estuary-booking, estuary-payment");
/// assert!(Preset::default().queues("estuary").is_all());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Preset {
    /// What the worker is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Domains whose default task queues it serves.
    pub domains: Vec<String>,
    /// Further task queues. Without these and without domains, it serves all task queues.
    pub task_queues: Vec<String>,
    /// Priorities of task queues: all runs in a queue of a higher priority begin before those of a
    /// lower one. Default: 0.
    pub priorities: BTreeMap<String, i32>,
    /// How many jobs run at once. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_activities: Option<usize>,
    /// How many runs it drives at once. Runs whose jobs all wait do not count. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_workflows: Option<usize>,
    /// How many waiting runs it keeps in memory. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cached_workflows: Option<usize>,
}

impl Preset {
    /// The task queues that it serves, for default queues with this prefix.
    pub fn queues(&self, prefix: &str) -> Queues {
        let of_domains = self.domains.iter().map(|domain| queue_of(prefix, Some(domain)));
        let named: Vec<String> = of_domains.chain(self.task_queues.iter().cloned()).collect();
        let is_all = named.is_empty();
        let queues = if is_all { Queues::all() } else { Queues::named(named) };
        // A priority alone does not add a queue.
        let known = |name: &String| is_all || queues.contains(name);
        let priorities = self.priorities.iter().filter(|(name, _)| known(name));
        priorities.fold(queues.clone(), |queues, (name, priority)| queues.add(name, *priority))
    }

    /// Returns this configuration with the settings of another one in place of its own, where the
    /// other has any. Domains and task queues are replaced together.
    #[must_use]
    pub fn overridden_by(self, other: Self) -> Self {
        let names_queues = !other.domains.is_empty() || !other.task_queues.is_empty();
        let (domains, task_queues) = match names_queues {
            true => (other.domains, other.task_queues),
            false => (self.domains, self.task_queues),
        };
        let mut priorities = self.priorities;
        priorities.extend(other.priorities);
        Self {
            description: other.description.or(self.description),
            domains,
            task_queues,
            priorities,
            max_concurrent_activities: other
                .max_concurrent_activities
                .or(self.max_concurrent_activities),
            max_concurrent_workflows: other
                .max_concurrent_workflows
                .or(self.max_concurrent_workflows),
            max_cached_workflows: other.max_cached_workflows.or(self.max_cached_workflows),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domains(names: &[&str]) -> Preset {
        Preset {
            domains: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Preset::default()
        }
    }

    #[test]
    fn a_priority_does_not_add_a_queue() {
        let priorities = BTreeMap::from([("x-other".to_owned(), 5), ("x-booking".to_owned(), 1)]);
        let preset = Preset { priorities, ..domains(&["room", "booking"]) };
        assert_eq!(preset.queues("x").to_string(), "x-booking, x-room");
        let all = Preset { domains: Vec::new(), ..preset };
        assert_eq!(all.queues("x").to_string(), "x-other, x-booking, all others");
    }

    #[test]
    fn queues_are_overridden_together_and_slots_alone() {
        let base = Preset {
            task_queues: vec!["q".to_owned()],
            max_concurrent_activities: Some(50),
            max_concurrent_workflows: Some(60),
            max_cached_workflows: Some(70),
            ..domains(&["booking"])
        };
        let other = Preset { max_concurrent_activities: Some(5), ..domains(&["room"]) };
        let merged = base.clone().overridden_by(other);
        assert_eq!((&merged.domains[..], merged.task_queues.len()), (&["room".to_owned()][..], 0));
        assert_eq!(merged.max_concurrent_activities, Some(5));
        assert_eq!(merged.max_concurrent_workflows, Some(60));
        assert_eq!(merged.max_cached_workflows, Some(70));
        assert_eq!(base.clone().overridden_by(Preset::default()), base);
    }
}
