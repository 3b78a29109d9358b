//! What must hold of the record of runs, whatever was done to those who drove them.

use std::collections::{HashMap, HashSet};

use workflow_core::event::{Event, EventKind};

use super::notes::{Execution, Tenure};

/// What is on record of the jobs of a run.
#[derive(Default)]
struct Jobs<'a> {
    begun: HashSet<&'a str>,
    /// Where the outcome of each stands.
    outcomes: HashMap<&'a str, &'a Event>,
    failed: HashSet<(&'a str, u32)>,
}

/// Says what is wrong with a run that has ended: what its record says, and what was executed.
pub(super) fn check(events: &[Event], tenures: &[Tenure]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut jobs = Jobs::default();
    for (place, event) in events.iter().enumerate() {
        if event.sequence != place as u64 {
            wrong.push(format!("event {} stands at {place}", event.sequence));
        }
        if event.kind.is_last() && place + 1 != events.len() {
            wrong.push(format!("event {place} ends the run, and others follow"));
        }
        if let Some(problem) = jobs.take(event) {
            wrong.push(format!("event {place}: {problem}"));
        }
    }
    if !events.last().is_some_and(|event| event.kind.is_last()) {
        wrong.push(format!("it is pending after {} events", events.len()));
    }
    let open = jobs.begun.iter().filter(|job| !jobs.outcomes.contains_key(*job));
    wrong.extend(open.map(|job| format!("`{job}` began and has no outcome")));
    tenures.iter().for_each(|tenure| check_tenure(tenure, &jobs, &mut wrong));
    wrong
}

impl<'a> Jobs<'a> {
    fn take(&mut self, event: &'a Event) -> Option<String> {
        match &event.kind {
            EventKind::JobStarted { job, attempt, .. } => {
                self.begun.insert(job);
                if self.outcomes.contains_key(job.as_str()) {
                    return Some(format!("`{job}` begins after its outcome"));
                }
                let has_failed = self.failed.contains(&(job.as_str(), *attempt));
                has_failed.then(|| format!("attempt {attempt} of `{job}` begins, and had failed"))
            }
            EventKind::AttemptFailed { job, attempt, .. } => {
                let is_new = self.failed.insert((job, *attempt));
                (!is_new).then(|| format!("attempt {attempt} of `{job}` fails again"))
            }
            EventKind::JobCompleted { job, .. }
            | EventKind::JobFailed { job, .. }
            | EventKind::JobSkipped { job, .. }
            | EventKind::JobCancelled { job, .. } => {
                let earlier = self.outcomes.insert(job, event);
                earlier.map(|_| format!("`{job}` has another outcome"))
            }
            _ => None,
        }
    }
}

/// A process executes each attempt once, and none of a job whose outcome it has found on record.
fn check_tenure(tenure: &Tenure, jobs: &Jobs<'_>, wrong: &mut Vec<String>) {
    let mut seen = HashSet::new();
    for execution in &tenure.executions {
        let (job, attempt) = (execution.job.as_str(), execution.attempt);
        if !seen.insert((job, attempt)) {
            wrong.push(format!("one process ran attempt {attempt} of `{job}` twice"));
        }
        if jobs.outcomes.get(job).is_some_and(|outcome| outcome.sequence < tenure.events) {
            wrong.push(format!("`{job}` ran again after its outcome was found on record"));
        }
    }
}

/// How many executions began after another process had recorded the outcome of the job: what a
/// process that was stopped was just about to begin.
pub(super) fn count_late(events: &[Event], tenures: &[Tenure]) -> usize {
    let mut jobs = Jobs::default();
    events.iter().for_each(|event| drop(jobs.take(event)));
    let mut late = 0;
    for (place, tenure) in tenures.iter().enumerate() {
        let is_of_another = |outcome: &Event| {
            tenures[place + 1..].iter().any(|later| later.events <= outcome.sequence)
        };
        let is_late = |it: &&Execution| {
            let outcome = jobs.outcomes.get(it.job.as_str());
            outcome.is_some_and(|outcome| outcome.at < it.at && is_of_another(outcome))
        };
        late += tenure.executions.iter().filter(is_late).count();
    }
    late
}
