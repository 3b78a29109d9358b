//! Named configurations of workers, as data.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::id::{NameError, check_name, hint, nearest};
use crate::store::{Queues, checked_queue_of, queue_of};

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
/// let queues = critical.queues("estuary")?;
/// assert_eq!(queues.to_string(), "estuary-critical, estuary-booking, estuary-payment");
/// assert!(Preset::default().queues("estuary")?.is_all());
/// # Ok::<(), Box<dyn std::error::Error>>(())
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
    /// Priorities of task queues that it serves: all runs in a queue of a higher priority begin
    /// before those of a lower one. Default: 0.
    pub priorities: BTreeMap<String, i32>,
    /// How many jobs run at once, 1 or more. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_activities: Option<usize>,
    /// How many runs it drives at once, 1 or more. Runs whose jobs all wait do not count. Default: no
    /// limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_workflows: Option<usize>,
    /// How many waiting runs it keeps in memory. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cached_workflows: Option<usize>,
}

impl Preset {
    /// The task queues that it serves, for default queues with this prefix.
    ///
    /// # Errors
    ///
    /// Fails when a domain or a task queue has no valid name, and when a priority is that of a queue
    /// that is not served.
    pub fn queues(&self, prefix: &str) -> Result<Queues, PresetError> {
        self.domains.iter().try_for_each(|domain| {
            checked_queue_of(prefix, Some(domain)).map(drop).map_err(PresetError::Domain)
        })?;
        let named = self.task_queues.iter().chain(self.priorities.keys());
        named.map(String::as_str).try_for_each(check_name).map_err(PresetError::TaskQueue)?;
        let names = self.names(prefix);
        let queues = if names.is_empty() { Queues::all() } else { Queues::named(names) };
        self.priorities.iter().try_fold(queues, |queues, (queue, priority)| {
            match queues.contains(queue) {
                true => Ok(queues.add(queue, *priority)),
                false => Err(self.unserved(queue, prefix)),
            }
        })
    }

    /// Checks that a worker can have this configuration, with default queues of this prefix.
    ///
    /// # Errors
    ///
    /// Fails as [`queues`](Self::queues), and when a limit of running jobs or runs is 0.
    pub fn check(&self, prefix: &str) -> Result<(), PresetError> {
        let limits = [
            ("max_concurrent_activities", self.max_concurrent_activities),
            ("max_concurrent_workflows", self.max_concurrent_workflows),
        ];
        match limits.into_iter().find(|(_, limit)| *limit == Some(0)) {
            Some((limit, _)) => Err(PresetError::Zero(limit)),
            None => self.queues(prefix).map(drop),
        }
    }

    /// Returns this configuration with the settings of another one in place of its own, where the
    /// other has any. Domains and task queues are replaced together: then only those of its own
    /// priorities remain whose queue is still served.
    #[must_use]
    pub fn overridden_by(self, other: Self, prefix: &str) -> Self {
        let mut priorities = self.priorities;
        let names = other.names(prefix);
        let (domains, task_queues) = if names.is_empty() {
            (self.domains, self.task_queues)
        } else {
            priorities.retain(|queue, _| names.contains(queue));
            (other.domains, other.task_queues)
        };
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

    /// The names of the queues that it serves; none for all.
    fn names(&self, prefix: &str) -> BTreeSet<String> {
        let of_domains = self.domains.iter().map(|domain| queue_of(prefix, Some(domain)));
        of_domains.chain(self.task_queues.iter().cloned()).collect()
    }

    /// The error for a priority of a queue that is not served.
    fn unserved(&self, queue: &str, prefix: &str) -> PresetError {
        let names = self.names(prefix);
        // The name of a domain instead of its queue is the likely mistake.
        let of_domain = queue_of(prefix, Some(queue));
        let nearest = match names.get(&of_domain) {
            Some(name) => Some(name.as_str()),
            None => nearest(queue, names.iter().map(String::as_str)),
        };
        let nearest = nearest.map(str::to_owned);
        PresetError::Unserved { queue: queue.to_owned(), nearest }
    }
}

/// Why a worker cannot have the configuration of a [`Preset`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PresetError {
    /// A domain, or its task queue, has no valid name.
    #[error("invalid domain: {0}")]
    Domain(NameError),
    /// A task queue has no valid name.
    #[error("invalid task queue: {0}")]
    TaskQueue(NameError),
    /// A limit is 0.
    #[error("`{0}` is 0; write 1 or more, or remove it for no limit")]
    Zero(&'static str),
    /// A priority is that of a queue that is not served.
    #[error(
        "`priorities` has the task queue `{queue}`, which is not served{}; add the queue to \
         `task_queues`, or correct or remove its priority",
        hint(.nearest)
    )]
    Unserved {
        /// The queue.
        queue: String,
        /// The most similar queue that is served.
        nearest: Option<String>,
    },
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

    fn priorities(of: &[(&str, i32)]) -> BTreeMap<String, i32> {
        of.iter().map(|(queue, priority)| ((*queue).to_owned(), *priority)).collect()
    }

    fn shown(preset: &Preset) -> String {
        preset.queues("x").expect("a valid preset").to_string()
    }

    #[test]
    fn a_priority_orders_queues_that_are_served() {
        let priorities = priorities(&[("x-other", 5), ("x-booking", 1), ("x-late", -1)]);
        let all = Preset { priorities, ..Preset::default() };
        assert_eq!(shown(&all), "x-other, x-booking, all others, x-late");
        // Of those that defaults have for all queues, each worker uses its own.
        let some = all.clone().overridden_by(domains(&["room", "booking"]), "x");
        assert_eq!(shown(&some), "x-booking, x-room");
        assert_eq!(all.clone().overridden_by(Preset::default(), "x"), all);
    }

    #[test]
    fn a_priority_of_an_unserved_queue_is_refused() {
        let error = |queue| {
            let preset = Preset { priorities: priorities(&[(queue, 1)]), ..domains(&["booking"]) };
            preset.queues("x").expect_err("not served").to_string()
        };
        let text = "`priorities` has the task queue `booking`, which is not served (did you mean \
                    `x-booking`?); add the queue to `task_queues`, or correct or remove its priority";
        assert_eq!(error("booking"), text);
        assert!(error("x-bokking").contains("did you mean `x-booking`?"));
        assert!(error("night").contains("`night`, which is not served; add"));
    }

    #[test]
    fn limits_of_zero_and_invalid_names_are_refused() {
        let activities = Preset { max_concurrent_activities: Some(0), ..Preset::default() };
        assert_eq!(activities.check("x"), Err(PresetError::Zero("max_concurrent_activities")));
        let workflows = Preset { max_concurrent_workflows: Some(0), ..Preset::default() };
        assert_eq!(workflows.check("x"), Err(PresetError::Zero("max_concurrent_workflows")));
        let cached = Preset { max_cached_workflows: Some(0), ..Preset::default() };
        assert_eq!(cached.check("x"), Ok(()));
        assert_eq!(domains(&[""]).check("x"), Err(PresetError::Domain(NameError::Empty)));
        let queue = Preset { task_queues: vec!["a\u{1b}[31m".to_owned()], ..Preset::default() };
        assert!(matches!(queue.check("x"), Err(PresetError::TaskQueue(NameError::Control(_)))));
        let priority = Preset { priorities: priorities(&[("", 1)]), ..Preset::default() };
        assert_eq!(priority.check("x"), Err(PresetError::TaskQueue(NameError::Empty)));
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
        let merged = base.clone().overridden_by(other, "x");
        assert_eq!((&merged.domains[..], merged.task_queues.len()), (&["room".to_owned()][..], 0));
        assert_eq!(merged.max_concurrent_activities, Some(5));
        assert_eq!(merged.max_concurrent_workflows, Some(60));
        assert_eq!(merged.max_cached_workflows, Some(70));
        assert_eq!(base.clone().overridden_by(Preset::default(), "x"), base);
    }
}
