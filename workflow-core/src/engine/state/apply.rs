//! Applies the effects of the scheduler to the run's state, without calling code of the host.

use std::sync::Arc;

use serde_json::Value as Json;
use tracing::level_filters::LevelFilter;

use super::deferred::{Notice, Then};
use super::{
    ActiveRun, Alert, AttemptIo, Cause, Child, ChildName, Deferred, Effect, EventKind, Failure,
    Frequent, HostOwned, JobError, JobErrorKind, JobFlags, Outcome, RunState, TimeoutKind,
};
use crate::engine::durable::replay::Claim;
use crate::engine::durable::writer::Held;
use crate::event::JobLookup;

impl RunState {
    /// Applies the effects of the scheduler to the run's state, without calling code of the host.
    #[cold]
    pub(super) fn apply(&mut self, run: &Arc<ActiveRun>, effect: Effect, deferred: &mut Deferred) {
        match effect {
            Effect::Launch { .. } => {}
            Effect::Skip { job, reason } => {
                self.release_places(job);
                self.record_event(Frequent::JobSkipped { job, reason });
            }
            Effect::Retry { job, attempt, delay } => {
                self.annotations.remove(&job);
                if let Some(error) = self.errors.remove(&job) {
                    let failure = Failure::from(&error);
                    deferred.host_owned.push(HostOwned::Error(error));
                    // The error of the job, if the run stops before the retry.
                    self.errors.insert(job, failure.clone().into());
                    self.notice(run, job, attempt, &failure, Then::RetryIn(delay), deferred);
                    let (error, retry_in) = (failure, delay);
                    self.record_job_event(job, |job| EventKind::AttemptFailed {
                        job,
                        attempt,
                        error,
                        retry_in,
                    });
                }
            }
            Effect::Expire { job } => {
                let cause = Cause::TimedOut(TimeoutKind::ScheduleToClose);
                let error = self.stopped(run, job, cause, None);
                self.failed_with(job, error, deferred);
            }
            Effect::Fail { job, attempt } => {
                self.note_failure(run, Then::Failed, job, attempt, deferred);
            }
            Effect::Cancel { job, attempt } => {
                self.note_failure(run, Then::Cancelled, job, attempt, deferred);
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
        then: Then,
        job: u32,
        attempt: u32,
        deferred: &mut Deferred,
    ) {
        // The job may still wait for places.
        self.release_places(job);
        let error = self.errors.remove(&job).unwrap_or_else(|| {
            JobError::of_kind(JobErrorKind::Cancelled, "stopped before it began")
        });
        let failure = Failure::from(&error);
        let is_cancelled = matches!(then, Then::Cancelled);
        self.notice(run, job, attempt, &failure, then, deferred);
        if is_cancelled {
            let error = Some(failure);
            self.record_job_event(job, |job| EventKind::JobCancelled { job, attempt, error });
        } else {
            let (error, annotations) = (failure, self.lookup().annotations(job));
            self.record_job_event(job, |job| EventKind::JobFailed {
                job,
                attempt,
                error,
                annotations,
            });
        }
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
        let mut unsent = Some(result);
        if let Some(mut child) = self.children.remove(&job) {
            if let Some((end, result)) = child.end.take().zip(unsent.take())
                && let Some(Held::Tell(end, result)) = self.hold(Held::Tell(end, result))
            {
                deferred.results.push((end, result));
            }
            deferred.host_owned.push(HostOwned::Child(child));
        }
        deferred.host_owned.extend(unsent.and_then(Result::err).map(HostOwned::Error));
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
        let frame = compensation.frame(AttemptIo::graph(Arc::clone(&run.run_values), of, 1));
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
        let end = match outcome {
            Outcome::Completed => EventKind::RunCompleted { output: self.output_on_record(run) },
            Outcome::Cancelled => EventKind::RunCancelled,
            Outcome::Failed => EventKind::RunFailed { reason: self.first_failure(run) },
            Outcome::TimedOut => {
                let limit = run.plan.graph.settings.timeout.unwrap_or_default();
                let reason = format!("the run timed out after {limit:?}");
                EventKind::RunFailed { reason }
            }
        };
        self.record_run_event(end);
        deferred.drop.extend(self.clear_alarms());
        deferred.finished = self.is_recorded();
        deferred.wake.extend(self.driver.take());
    }

    /// The workflow's output, in a persisted run: the output of one of its jobs.
    fn output_on_record(&self, run: &ActiveRun) -> Option<Arc<Json>> {
        self.recorder.as_ref()?;
        let (source, _) = run.plan.output?;
        let job = run.plan.layout.outputs.iter().position(|output| *output == source)? as u32;
        self.log.output_of(job)
    }

    /// Names the job whose failure failed the run.
    fn first_failure(&self, run: &ActiveRun) -> String {
        let jobs = run.plan.graph.len() as u32;
        let mut failures = self.log.failures();
        match failures.find(|(job, is_end, _)| *is_end && *job < jobs) {
            Some((job, _, error)) => {
                format!("job `{}` failed: {error}", self.names.get(&run.plan.graph, job))
            }
            None => "a job failed".to_owned(),
        }
    }
}
