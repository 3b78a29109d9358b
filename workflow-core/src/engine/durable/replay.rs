//! What a run that was taken up again has on record of jobs that were started by jobs: asked for
//! again, they are answered from the record.

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

/// What is on record, until it is asked for.
#[derive(Default)]
pub(in crate::engine) struct Replay {
    /// By the job that asked.
    asked: SparseMap<u32, Asked>,
    /// What became of the jobs that were started by jobs.
    pub(in crate::engine) pasts: SparseMap<u32, History>,
}

/// What the attempt of a job that is under way had asked for.
#[derive(Default)]
pub(in crate::engine) struct Asked {
    attempt: u32,
    /// Calls of the function, by their numbers, in order.
    calls: Vec<u32>,
    elements: HashMap<u32, u32>,
    compensation: Option<u32>,
    /// Calls that are not on record, and wait until all that is on record was asked for.
    held: Vec<u32>,
}

/// What became of a job that was started by another.
#[derive(Default)]
pub(in crate::engine) struct History {
    pub(in crate::engine) recorded: Option<Recorded>,
    pub(in crate::engine) output: Option<Arc<Json>>,
    pub(in crate::engine) error: Option<Failure>,
}

impl Replay {
    /// An attempt of a job began: what earlier attempts had asked for is history. The same attempt
    /// begins again after every crash, and asks for the same.
    pub(in crate::engine) fn begin(&mut self, job: u32, attempt: u32) {
        let asked = self.asked.entry(job).or_default();
        if asked.attempt != attempt {
            *asked = Asked { attempt, ..Asked::default() };
        }
    }

    /// All is on record: forgets who has asked for nothing.
    pub(in crate::engine) fn finish(&mut self) {
        self.asked.retain(|_, asked| {
            !asked.calls.is_empty() || !asked.elements.is_empty() || asked.compensation.is_some()
        });
    }

    /// A job was started by another.
    pub(in crate::engine) fn note(
        &mut self,
        number: u32,
        attempt: u32,
        child: &ChildName,
        by: u32,
    ) {
        let asked = self.asked.entry(by).or_default();
        match child {
            ChildName::Own(_) => {
                asked.attempt = attempt;
                asked.calls.push(number);
            }
            ChildName::Element { index, .. } => {
                asked.elements.insert(*index, number);
            }
            ChildName::Compensation { .. } => asked.compensation = Some(number),
        }
        self.pasts.entry(number).or_default();
    }
}

/// What the record says to a job that is asked for.
pub(in crate::engine) enum Claim {
    /// It has this number.
    Recorded(u32),
    /// It is new.
    New,
    /// It is not what the record goes on with.
    Unexpected,
}

impl RunState {
    /// Looks up a job that another asks for.
    pub(in crate::engine) fn claim(
        &mut self,
        by: u32,
        what: &ChildName,
        call: Option<&CalledJob>,
    ) -> Claim {
        let Some(replay) = &mut self.replay else { return Claim::New };
        let Some(asked) = replay.asked.get_mut(&by) else { return Claim::New };
        let number = match what {
            ChildName::Element { index, .. } => asked.elements.remove(index),
            ChildName::Compensation { .. } => asked.compensation.take(),
            ChildName::Own(_) => {
                let Some(call) = call.filter(|call| call.attempt == asked.attempt) else {
                    return Claim::New;
                };
                let same = |number: &u32| {
                    let on_record = self.names.calls.get(number);
                    on_record.is_some_and(|it| it.job == call.job && it.input == call.input)
                };
                match asked.calls.iter().position(same) {
                    Some(at) => Some(asked.calls.remove(at)),
                    None if asked.calls.is_empty() => None,
                    None => return Claim::Unexpected,
                }
            }
        };
        number.map_or(Claim::New, Claim::Recorded)
    }

    /// Answers a job that is asked for again: from the record when it had ended, and else by
    /// running it.
    pub(in crate::engine) fn answer(
        &mut self,
        by: u32,
        number: u32,
        child: Child,
        as_what: JobFlags,
        deferred: &mut Deferred,
    ) {
        let past = self.replay.as_mut().and_then(|replay| replay.pasts.remove(&number));
        let History { recorded, output, error } = past.unwrap_or_default();
        let result = match recorded {
            Some(Recorded::Completed) => {
                return deferred.hosts.push(HostOwned::Recorded(child, output));
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

    /// Lets calls begin that are not on record, once everything on record was asked for.
    pub(in crate::engine) fn let_new_calls_begin(&mut self, by: u32) {
        let Some(asked) = self.replay.as_mut().and_then(|replay| replay.asked.get_mut(&by)) else {
            return;
        };
        if asked.calls.is_empty() {
            for number in std::mem::take(&mut asked.held) {
                let flags = self.scheduler.flags(number);
                self.scheduler.begin_child(by, number, flags);
            }
        }
    }

    /// Holds a call back that is not on record.
    pub(in crate::engine) fn hold_call(&mut self, by: u32, number: u32) {
        if let Some(asked) = self.replay.as_mut().and_then(|replay| replay.asked.get_mut(&by)) {
            asked.held.push(number);
        }
    }

    /// Why a function that has ended, or waits for nothing but calls that are held back, does not
    /// do what is on record of it.
    pub(in crate::engine) fn departure(&self, job: u32, attempt: u32) -> Option<JobError> {
        let asked = self.replay.as_ref()?.asked.get(&job)?;
        let on_record = self.call_in_words(*asked.calls.first()?);
        let what = match asked.held.first() {
            Some(held) => format!("now asks for {} instead", self.call_in_words(*held)),
            None => "no longer asks for it".to_owned(),
        };
        let error = format!(
            "the definition changed: on record, attempt {attempt} asked for {on_record}, and the \
             function {what}; finish the run with the definition that it began with"
        );
        Some(JobError::terminal(error).with_type("DefinitionChanged"))
    }

    fn call_in_words(&self, number: u32) -> String {
        match self.names.calls.get(&number) {
            Some(CalledJob { job, input: Json::Null, .. }) => format!("`{job}`"),
            Some(CalledJob { job, input, .. }) => {
                let input: String = input.to_string().chars().take(200).collect();
                format!("`{job}` with {input}")
            }
            None => "a job".to_owned(),
        }
    }

    /// Fails a function that waits for nothing but calls that are held back.
    pub(in crate::engine) fn fail_departed(
        &mut self,
        run: &Arc<ActiveRun>,
        job: u32,
        attempt: u32,
        deferred: &mut Deferred,
    ) {
        let held = self.replay.as_ref().and_then(|replay| replay.asked.get(&job));
        if held.is_none_or(|asked| asked.held.is_empty())
            || self.scheduler.active_children(job) > 0
            || self.awaits_mail(job)
            || self.recorder.as_ref().is_some_and(|recorder| recorder.holds_back())
            || !self.scheduler.is_running(job, attempt)
        {
            return;
        }
        if let Some(error) = self.departure(job, attempt) {
            run.run_values.fence(job, attempt);
            self.close(job, deferred);
            self.failed_with(job, error, deferred);
            self.scheduler.ended(job, attempt, End::FailedTerminally);
        }
    }

    /// The attempt of a job whose task was put aside, unless it was woken meanwhile.
    pub(in crate::engine) fn put_aside(&mut self, task: Arc<Task>, work: Work) -> bool {
        let woken = task.put_back(work);
        if woken {
            self.woken.push_back(task);
        }
        !woken
    }
}

/// Leaves what a job had left for the one that asks for it.
pub(in crate::engine) fn restore(child: &Child, output: Option<Arc<Json>>) -> Result<(), JobError> {
    let (kind, frame): (Type, _) = (child.call.output, &child.frame);
    let output = output.map_or(Json::Null, |output| (*output).clone());
    let value = kind.read(output).map_err(|error| {
        if let ValueError::Panicked { .. } = error {
            return JobError::of_value(error);
        }
        let error = format!("the definition changed: what is on record no longer fits: {error}");
        JobError::terminal(error).with_type("DefinitionChanged")
    })?;
    kind.fill(&*frame.output, frame.row, value);
    Ok(())
}

fn lost() -> JobError {
    JobError::of_kind(crate::job::JobErrorKind::Cancelled, "cancelled before the run was resumed")
}
