//! Replays calls of jobs by jobs in a resumed run: a call that is on record is answered from the
//! record. Reading the record is the task of [`resume`](super::resume).

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::engine::active::ActiveRun;
use crate::engine::state::{Child, Deferred, HostOwned, RunState};
use crate::engine::worker::task::{Task, Work};
use crate::event::Failure;
use crate::job::{JobError, JobFlags};
use crate::run::{CalledJob, ChildName};
use crate::scheduler::{End, Recorded};
use crate::sparse_map::SparseMap;
use crate::value::{Type, ValueError};

/// Recorded calls that were not made again yet.
#[derive(Default)]
pub(in crate::engine) struct Replay {
    /// By the calling job.
    by_caller: SparseMap<u32, RecordedCalls>,
    /// Recorded outcomes of the jobs that were called.
    pub(in crate::engine) histories: SparseMap<u32, History>,
}

/// The recorded calls of a job's running attempt.
#[derive(Default)]
pub(in crate::engine) struct RecordedCalls {
    attempt: u32,
    /// Numbers of the jobs that the function called, in order.
    calls: Vec<u32>,
    elements: HashMap<u32, u32>,
    compensation: Option<u32>,
    /// New calls, which wait until all recorded calls were made again.
    held: Vec<u32>,
}

/// The recorded outcome of a job that was started by another job.
#[derive(Default)]
pub(in crate::engine) struct History {
    pub(in crate::engine) recorded: Option<Recorded>,
    pub(in crate::engine) output: Option<Arc<Json>>,
    pub(in crate::engine) error: Option<Failure>,
}

impl Replay {
    /// Handles the start of an attempt: calls of earlier attempts are obsolete. The same attempt
    /// starts again after every crash, and makes the same calls.
    pub(in crate::engine) fn begin(&mut self, job: u32, attempt: u32) {
        let recorded = self.by_caller.entry(job).or_default();
        if recorded.attempt != attempt {
            *recorded = RecordedCalls { attempt, ..RecordedCalls::default() };
        }
    }

    /// Ends the restore: removes jobs without recorded calls.
    pub(in crate::engine) fn finish(&mut self) {
        self.by_caller.retain(|_, recorded| {
            !recorded.calls.is_empty()
                || !recorded.elements.is_empty()
                || recorded.compensation.is_some()
        });
    }

    /// Records that a job was started by another job.
    pub(in crate::engine) fn note(
        &mut self,
        number: u32,
        attempt: u32,
        child: &ChildName,
        by: u32,
    ) {
        let recorded = self.by_caller.entry(by).or_default();
        match child {
            ChildName::Own(_) => {
                recorded.attempt = attempt;
                recorded.calls.push(number);
            }
            ChildName::Element { index, .. } => {
                recorded.elements.insert(*index, number);
            }
            ChildName::Compensation { .. } => recorded.compensation = Some(number),
        }
        self.histories.entry(number).or_default();
    }
}

/// What the record says about a call.
pub(in crate::engine) enum Claim {
    /// It is on record, and the called job has this number.
    Recorded(u32),
    /// It is new.
    New,
    /// It differs from the calls on record.
    Unexpected,
}

impl RunState {
    /// Looks up a call in the record.
    pub(in crate::engine) fn claim(
        &mut self,
        by: u32,
        what: &ChildName,
        call: Option<&CalledJob>,
    ) -> Claim {
        let Some(replay) = &mut self.replay else { return Claim::New };
        let Some(recorded) = replay.by_caller.get_mut(&by) else { return Claim::New };
        let number = match what {
            ChildName::Element { index, .. } => recorded.elements.remove(index),
            ChildName::Compensation { .. } => recorded.compensation.take(),
            ChildName::Own(_) => {
                let Some(call) = call.filter(|call| call.attempt == recorded.attempt) else {
                    return Claim::New;
                };
                let same = |number: &u32| {
                    let on_record = self.names.calls.get(number);
                    on_record.is_some_and(|it| it.job == call.job && it.input == call.input)
                };
                match recorded.calls.iter().position(same) {
                    Some(at) => Some(recorded.calls.remove(at)),
                    None if recorded.calls.is_empty() => None,
                    None => return Claim::Unexpected,
                }
            }
        };
        number.map_or(Claim::New, Claim::Recorded)
    }

    /// Answers a call that is on record: with the recorded result if the job had ended, and
    /// otherwise by running the job.
    pub(in crate::engine) fn answer(
        &mut self,
        by: u32,
        number: u32,
        child: Child,
        as_what: JobFlags,
        deferred: &mut Deferred,
    ) {
        let history = self.replay.as_mut().and_then(|replay| replay.histories.remove(&number));
        let History { recorded, output, error } = history.unwrap_or_default();
        let result = match recorded {
            Some(Recorded::Completed) => {
                return deferred.host_owned.push(HostOwned::Recorded(child, output));
            }
            Some(Recorded::Failed { .. }) => Err(error.map_or_else(lost, JobError::from)),
            Some(Recorded::Cancelled { .. } | Recorded::Skipped) => Err(lost()),
            Some(Recorded::Started { .. } | Recorded::Retried { .. }) | None => {
                let flags = child.call.flags().union(as_what);
                let (policy, flags) = match &child.call.options {
                    Some(options) => crate::workflow::policy(options, flags),
                    None => (None, flags),
                };
                self.children.insert(number, child);
                self.scheduler.adopt(number, by, flags, policy, recorded);
                return;
            }
        };
        deferred.answer(child, result);
    }

    /// Starts new calls once all recorded calls were made again.
    pub(in crate::engine) fn start_new_calls(&mut self, by: u32) {
        let Some(recorded) = self.replay.as_mut().and_then(|replay| replay.by_caller.get_mut(&by))
        else {
            return;
        };
        if recorded.calls.is_empty() {
            for number in std::mem::take(&mut recorded.held) {
                let flags = self.scheduler.flags(number);
                self.scheduler.begin_child(by, number, flags);
            }
        }
    }

    /// Holds back a new call.
    pub(in crate::engine) fn hold_call(&mut self, by: u32, number: u32) {
        if let Some(recorded) =
            self.replay.as_mut().and_then(|replay| replay.by_caller.get_mut(&by))
        {
            recorded.held.push(number);
        }
    }

    /// Returns an error if a function that has ended, or that waits only for held-back calls, has
    /// not made all recorded calls.
    pub(in crate::engine) fn divergence(&self, job: u32, attempt: u32) -> Option<JobError> {
        let recorded = self.replay.as_ref()?.by_caller.get(&job)?;
        let on_record = self.describe_call(*recorded.calls.first()?);
        let what = match recorded.held.first() {
            Some(held) => format!("now calls {}", self.describe_call(*held)),
            None => "now does not".to_owned(),
        };
        let error = format!(
            "the function changed: attempt {attempt} called {on_record} when it was recorded, but \
             {what}; finish the run with the original program"
        );
        Some(JobError::terminal(error).with_type("DefinitionChanged"))
    }

    fn describe_call(&self, number: u32) -> String {
        match self.names.calls.get(&number) {
            Some(CalledJob { job, input: Json::Null, .. }) => format!("`{job}`"),
            Some(CalledJob { job, input, .. }) => {
                let input: String = input.to_string().chars().take(200).collect();
                format!("`{job}` with {input}")
            }
            None => "a job".to_owned(),
        }
    }

    /// Fails a function that waits only for held-back calls.
    pub(in crate::engine) fn fail_diverged(
        &mut self,
        run: &Arc<ActiveRun>,
        job: u32,
        attempt: u32,
        deferred: &mut Deferred,
    ) {
        let held = self.replay.as_ref().and_then(|replay| replay.by_caller.get(&job));
        if held.is_none_or(|recorded| recorded.held.is_empty())
            || self.scheduler.active_children(job) > 0
            || self.waits_for_signal_or_sleep(job)
            || self.recorder.as_ref().is_some_and(|recorder| recorder.holds_back())
            || !self.scheduler.is_running(job, attempt)
        {
            return;
        }
        if let Some(error) = self.divergence(job, attempt) {
            run.run_values.fence(job, attempt);
            self.close(job, deferred);
            self.failed_with(job, error, deferred);
            self.scheduler.ended(job, attempt, End::FailedTerminally);
        }
    }

    /// Puts back the work of a task. Returns false if the task was woken meanwhile.
    pub(in crate::engine) fn put_aside(&mut self, task: Arc<Task>, work: Work) -> bool {
        let woken = task.put_back(work);
        if woken {
            self.woken.push_back(task);
        }
        !woken
    }
}

/// Stores the recorded output of a job for the job that calls it again.
pub(in crate::engine) fn restore(child: &Child, output: Option<Arc<Json>>) -> Result<(), JobError> {
    let (kind, frame): (Type, _) = (child.call.output, &child.frame);
    let output = output.map_or(Json::Null, |output| (*output).clone());
    let value = kind.read(output).map_err(|error| {
        if let ValueError::Panicked { .. } = error {
            return JobError::of_value(error);
        }
        let error = format!("the definition changed: the recorded output no longer fits: {error}");
        JobError::terminal(error).with_type("DefinitionChanged")
    })?;
    kind.fill(&*frame.output, frame.row, value);
    Ok(())
}

fn lost() -> JobError {
    JobError::of_kind(crate::job::JobErrorKind::Cancelled, "cancelled before the run was resumed")
}
