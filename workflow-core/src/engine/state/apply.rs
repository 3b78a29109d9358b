//! Applies the effects of the scheduler to the run's state, without calling code of the host.

use std::sync::Arc;

use serde_json::Value as Json;
use tracing::level_filters::LevelFilter;

use super::deferred::{Notice, Then};
use super::{
    ActiveRun, Alert, AttemptIo, Cause, Child, ChildFrame, ChildName, Deferred, Effect, Entry,
    EntryDetail, EntryKind, Failure, HostOwned, JobError, JobErrorKind, JobFlags, Outcome,
    RunState, TimeoutKind,
};
use crate::engine::durable::replay::Claim;
use crate::engine::durable::writer::Held;

impl RunState {
    /// Applies the effects of the scheduler to the run's state, without calling code of the host.
    #[cold]
    pub(super) fn apply(&mut self, run: &Arc<ActiveRun>, effect: Effect, deferred: &mut Deferred) {
        match effect {
            Effect::Launch { .. } => {}
            Effect::Skip { job, reason } => {
                self.give_back(job);
                self.note_with(EntryKind::JobSkipped, job, 0, EntryDetail::Skip(reason));
            }
            Effect::Retry { job, attempt, delay } => {
                self.facts.remove(&job);
                if let Some(error) = self.errors.remove(&job) {
                    let failure = Failure::from(&error);
                    deferred.host_owned.push(HostOwned::Error(error));
                    self.notice(run, job, attempt, &failure, Then::RetryIn(delay), deferred);
                    let detail = EntryDetail::Error { error: failure, retry_in: Some(delay) };
                    self.note_with(EntryKind::AttemptFailed, job, attempt, detail);
                }
            }
            Effect::Expire { job } => {
                let cause = Cause::TimedOut(TimeoutKind::ScheduleToClose);
                let error = self.stopped(run, job, cause, None);
                self.failed_with(job, error, deferred);
            }
            Effect::Fail { job, attempt } => {
                self.note_failure(run, EntryKind::JobFailed, job, attempt, deferred);
            }
            Effect::Cancel { job, attempt } => {
                self.note_failure(run, EntryKind::JobCancelled, job, attempt, deferred);
            }
            Effect::Arm { timer, after } => {
                self.set_deadline(run, Alert::Scheduler(timer), after, deferred)
            }
            Effect::Interrupt { job, attempt, cause } => {
                // In a run that is lost, it may have been refused already.
                if self.scheduler.is_running(job, attempt) {
                    self.interrupt(run, job, attempt, cause, deferred);
                }
            }
            Effect::Compensate { job } => self.compensate(run, job, deferred),
            Effect::Finish(outcome) => self.finish(run, outcome, deferred),
        }
    }

    fn note_failure(
        &mut self,
        run: &ActiveRun,
        what: EntryKind,
        job: u32,
        attempt: u32,
        deferred: &mut Deferred,
    ) {
        // The job may still wait for places.
        self.give_back(job);
        let error = self.errors.remove(&job).unwrap_or_else(|| {
            JobError::of_kind(JobErrorKind::Cancelled, "stopped before it began")
        });
        let failure = Failure::from(&error);
        let then = if what == EntryKind::JobFailed { Then::Failed } else { Then::Cancelled };
        self.notice(run, job, attempt, &failure, then, deferred);
        self.note_with(what, job, attempt, EntryDetail::Error { error: failure, retry_in: None });
        self.send_result(job, Err(error), deferred);
    }

    /// Defers a log message about a failed attempt, if a subscriber listens.
    fn notice(
        &self,
        run: &ActiveRun,
        job: u32,
        attempt: u32,
        failure: &Failure,
        then: Then,
        deferred: &mut Deferred,
    ) {
        // A lost run logs only that.
        let is_lost = self.recorder.as_ref().is_some_and(|recorder| recorder.failed.is_some());
        if is_lost || LevelFilter::current() < LevelFilter::WARN {
            return;
        }
        let job = self.names.get(&run.plan.graph, job).into_owned();
        let notice = Notice { job, attempt, error: failure.to_string(), then };
        deferred.host_owned.push(HostOwned::Notice(Box::new(notice)));
    }

    pub(in crate::engine) fn send_result(
        &mut self,
        job: u32,
        result: Result<(), JobError>,
        deferred: &mut Deferred,
    ) {
        let mut untold = Some(result);
        if let Some(mut child) = self.children.remove(&job) {
            if let Some((end, result)) = child.end.take().zip(untold.take())
                && let Some(Held::Tell(end, result)) = self.hold(Held::Tell(end, result))
            {
                deferred.results.push((end, result));
            }
            deferred.host_owned.push(HostOwned::Child(child));
        }
        deferred.host_owned.extend(untold.and_then(Result::err).map(HostOwned::Error));
    }

    /// Stores the error of an attempt until the scheduler has decided what follows.
    pub(in crate::engine) fn failed_with(
        &mut self,
        job: u32,
        error: JobError,
        deferred: &mut Deferred,
    ) {
        let earlier = self.errors.insert(job, error);
        deferred.host_owned.extend(earlier.map(HostOwned::Error));
    }

    /// Starts the compensation of a job.
    fn compensate(&mut self, run: &Arc<ActiveRun>, of: u32, deferred: &mut Deferred) {
        let Some(compensation) =
            run.plan.extras.get(&of).and_then(|extras| extras.compensation.as_ref())
        else {
            return;
        };
        let frame = ChildFrame {
            parent: AttemptIo::graph(Arc::clone(&run.run_values), of, 1),
            inputs: Arc::clone(&compensation.inputs),
            item: crate::job::Item::Projected { index: 0, project: compensation.output },
            output: Arc::from(compensation.call.output.child_outputs(1)),
            row: 0,
            index: None,
            timed: compensation.call.is_timed(),
        };
        let child =
            Child { call: Arc::clone(&compensation.call), frame: Arc::new(frame), end: None };
        let name = ChildName::Compensation { of };
        match self.claim(of, &name, None) {
            Claim::Recorded(job) => self.answer(of, job, child, JobFlags::COMPENSATION, deferred),
            Claim::New | Claim::Unexpected => {
                self.append(of, child, JobFlags::COMPENSATION, name, false);
            }
        }
    }

    /// Adds a job that was started by another job, and returns its number.
    pub(in crate::engine) fn append(
        &mut self,
        parent: u32,
        child: Child,
        as_what: JobFlags,
        name: ChildName,
        parked: bool,
    ) -> u32 {
        let flags = child.call.flags().union(as_what);
        let (policy, flags) = match &child.call.options {
            Some(options) => crate::workflow::policy(options, flags),
            None => (None, flags),
        };
        self.names.children.push(name);
        let job = self.scheduler.next_number();
        self.children.insert(job, child);
        if parked {
            return self.scheduler.append_parked(parent, flags, policy);
        }
        self.scheduler.append(parent, flags, policy)
    }

    fn finish(&mut self, run: &Arc<ActiveRun>, outcome: Outcome, deferred: &mut Deferred) {
        self.read_at = run.read_clock();
        match outcome {
            Outcome::Completed => match self.output_on_record(run) {
                Some(output) => {
                    let detail = EntryDetail::Output(output);
                    self.note_with(EntryKind::RunCompleted, u32::MAX, 0, detail);
                }
                None => self.note(EntryKind::RunCompleted, u32::MAX, 0),
            },
            Outcome::Cancelled => self.note(EntryKind::RunCancelled, u32::MAX, 0),
            Outcome::Failed => {
                let reason = EntryDetail::Reason(self.first_failure(run));
                self.note_with(EntryKind::RunFailed, u32::MAX, 0, reason);
            }
            Outcome::TimedOut => {
                let limit = run.plan.graph.settings.timeout.unwrap_or_default();
                let reason =
                    EntryDetail::Reason(format!("the run took longer than {limit:?} (run)"));
                self.note_with(EntryKind::RunFailed, u32::MAX, 0, reason);
            }
        }
        deferred.drop.extend(self.clear_alarms());
        deferred.finished = self.is_recorded();
        deferred.wake.extend(self.driver.take());
    }

    /// The workflow's output, in a persisted run: the output of one of its jobs.
    fn output_on_record(&self, run: &ActiveRun) -> Option<Arc<Json>> {
        self.recorder.as_ref()?;
        let (source, _) = run.plan.output?;
        let job = run.plan.layout.outputs.iter().position(|output| *output == source)? as u32;
        let is_its = |entry: &Entry| entry.job == job && entry.kind() == EntryKind::JobCompleted;
        self.log.output(self.log.entries.iter().rposition(is_its)?)
    }

    /// Names the job whose failure failed the run.
    fn first_failure(&self, run: &ActiveRun) -> String {
        let jobs = run.plan.graph.len() as u32;
        let bad = |what| matches!(what, EntryKind::JobFailed | EntryKind::JobCancelled);
        let mut entries = self.log.entries.iter().enumerate();
        let first = entries.find(|(_, entry)| bad(entry.kind()) && entry.job < jobs);
        match first.and_then(|(index, entry)| Some((entry.job, self.log.failure(index)?))) {
            Some((job, error)) => {
                format!("job `{}` failed: {error}", self.names.get(&run.plan.graph, job))
            }
            None => "a job failed".to_owned(),
        }
    }
}
