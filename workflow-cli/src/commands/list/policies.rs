//! Retries, timeouts and task queues of jobs, in words.

use std::collections::HashMap;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Serialize, Serializer};
use workflow_core::job::{JobOptions, Timeouts};
use workflow_core::{RetryPolicy, Workflow};

/// The retries, timeouts and task queue of a job; `None` for the defaults: one attempt, no timeout,
/// in the process of its run.
#[derive(Serialize)]
pub(super) struct Policy {
    pub(super) retry: Option<String>,
    pub(super) timeouts: Option<String>,
    pub(super) task_queue: Option<String>,
}

/// A job of a workflow.
#[derive(Serialize)]
pub(super) struct JobPolicy {
    job: String,
    #[serde(flatten)]
    policy: Policy,
}

impl Policy {
    pub(super) fn of_job(options: JobOptions) -> Self {
        Self::new(&options.retry.unwrap_or_default(), &options.timeouts, options.task_queue)
    }

    fn new(policy: &RetryPolicy, timeouts: &Timeouts, task_queue: Option<String>) -> Self {
        Self {
            task_queue,
            retry: (policy.maximum_attempts != 1).then(|| retry(policy)),
            timeouts: (*timeouts != Timeouts::default()).then(|| limits(timeouts)),
        }
    }

    fn text(&self) -> Option<String> {
        let queue = self.task_queue.as_ref().map(|queue| format!("task queue {queue}"));
        let parts = [self.retry.clone(), self.timeouts.clone(), queue];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// The policies of the jobs in the graph that have any.
///
/// # Errors
///
/// Fails when the graph cannot be drawn, or depends on the input.
pub(super) fn of(workflow: &dyn Workflow) -> Result<Vec<JobPolicy>, String> {
    let plan = workflow.plan(None).map_err(|error| error.to_string())?;
    let queues: HashMap<&str, &str> = plan.graph().task_queues().collect();
    let jobs = plan.graph().policies().map(|(job, retry, timeouts)| {
        let queue = queues.get(job).map(|queue| (*queue).to_owned());
        JobPolicy { job: job.to_owned(), policy: Policy::new(&retry, &timeouts, queue) }
    });
    Ok(jobs.filter(|job| job.policy.text().is_some()).collect())
}

/// A line for each job. A workflow of one job has the name of the job, which is left out.
pub(super) fn text(workflow: &str, found: &Result<Vec<JobPolicy>, String>) -> Option<String> {
    let policies = match found {
        Ok(policies) => policies,
        Err(error) => return Some(error.clone()),
    };
    let lines = policies.iter().filter_map(|JobPolicy { job, policy }| {
        let text = policy.text()?;
        Some(if job == workflow { text } else { format!("{job}: {text}") })
    });
    let lines = lines.collect::<Vec<_>>();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Writes the list, or null if it is unknown.
pub(super) fn serialize<S: Serializer>(
    found: &Result<Vec<JobPolicy>, String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    found.as_ref().ok().serialize(serializer)
}

fn retry(policy: &RetryPolicy) -> String {
    let attempts = match policy.maximum_attempts {
        0 => "any number of attempts".to_owned(),
        attempts => format!("{attempts} attempts"),
    };
    let first = time(policy.initial_interval);
    let longest = policy.maximum_interval.unwrap_or(policy.initial_interval * 100);
    let growth = match policy.backoff_coefficient {
        1.0 => format!("every {first}"),
        factor => format!("after {first}, times {factor}, at most {}", time(longest)),
    };
    let refused = match &policy.non_retryable_errors[..] {
        [] => String::new(),
        errors => format!(", not for {}", errors.join(", ")),
    };
    format!("{attempts}, {growth}{refused}")
}

fn limits(timeouts: &Timeouts) -> String {
    let limits = [
        ("start_to_close", timeouts.start_to_close),
        ("schedule_to_close", timeouts.schedule_to_close),
        ("heartbeat", timeouts.heartbeat),
    ];
    let given =
        limits.into_iter().filter_map(|(name, limit)| Some(format!("{name} {}", time(limit?))));
    given.collect::<Vec<_>>().join(", ")
}

/// A duration as attributes have it.
fn time(duration: Duration) -> String {
    match SignedDuration::try_from(duration) {
        Ok(duration) => format!("{duration:#}"),
        Err(_) => format!("{duration:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_sentences() {
        let policy = RetryPolicy::attempts(5).initial_interval(Duration::from_millis(200));
        let policy = policy.non_retryable("CardDeclined");
        assert_eq!(
            retry(&policy),
            "5 attempts, after 200ms, times 2, at most 20s, not for CardDeclined"
        );
        let steady = RetryPolicy::attempts(0).backoff_coefficient(1.0);
        assert_eq!(retry(&steady), "any number of attempts, every 1s");
        let policy = |queue| Policy::new(&RetryPolicy::default(), &Timeouts::default(), queue);
        assert!(policy(None).text().is_none());
        assert_eq!(policy(Some("gpu".to_owned())).text().as_deref(), Some("task queue gpu"));
    }
}
