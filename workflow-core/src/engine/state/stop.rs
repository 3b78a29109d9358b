//! How an attempt is made to stop: dropped at once, or asked if it has a grace period.

use std::sync::Arc;
use std::time::Duration;

use super::{
    ActiveRun, Alert, Cause, Deferred, Delivery, End, EntryDetail, EntryKind, Grace, JobError,
    JobErrorKind, JobFlags, RunState, TimeoutKind,
};
use crate::store::StoreError;

impl RunState {
    /// Asks an attempt to stop that has a grace period, and drops any other at once.
    pub(super) fn interrupt(
        &mut self,
        run: &Arc<ActiveRun>,
        job: u32,
        attempt: u32,
        cause: Cause,
        deferred: &mut Deferred,
    ) {
        // Also where the attempt is given up: its thread, and tasks of its own, may look at it.
        if let Some(token) = self.tokens.get(&job) {
            deferred.stop.push(Arc::clone(token));
        }
        let grace = self.grace(run, job);
        if grace.is_zero() || self.has_not_begun(job, attempt) {
            let said = self.has_thread(job, attempt).then(|| THREAD_RUNS_ON.to_owned());
            return self.give_up(run, job, attempt, cause, said, deferred);
        }
        // As long as it takes: what the job waits for has bounds of its own.
        if grace < Duration::MAX {
            self.arm(run, Alert::Grace { job, attempt }, grace, deferred);
        }
    }

    /// How long a job has to stop: what it asks for, or what its attempt has reserved, if that is
    /// more.
    fn grace(&self, run: &ActiveRun, job: u32) -> Duration {
        let own = match self.scheduler.policy(job).and_then(|policy| policy.grace) {
            None => Duration::ZERO,
            Some(Grace::Engine) => run.engine.grace,
            Some(Grace::For(period)) => period,
        };
        self.graces.get(&job).map_or(own, |reserved| own.max(*reserved))
    }

    /// An attempt of a job with timeouts is about to leave its output.
    pub(in crate::engine) fn deliver(&mut self, job: u32, attempt: u32) -> Delivery {
        if !self.scheduler.is_running(job, attempt) {
            return Delivery::Unwanted;
        }
        if self.scheduler.deliver(job) { Delivery::InTime } else { Delivery::Late }
    }

    /// A job that was asked to stop has had its time to do so.
    pub(super) fn grace_is_over(
        &mut self,
        run: &Arc<ActiveRun>,
        job: u32,
        attempt: u32,
        deferred: &mut Deferred,
    ) {
        if !self.scheduler.is_running(job, attempt) {
            return;
        }
        if let Some(cause) = self.scheduler.asked(job) {
            let what =
                if self.has_thread(job, attempt) { THREAD_RUNS_ON } else { "it was dropped" };
            let grace = self.grace(run, job);
            let said = format!("it was asked to stop and did not within {grace:?}; {what}");
            self.give_up(run, job, attempt, cause, Some(said), deferred);
        }
    }

    /// Whether the attempt occupies a thread that nothing can stop.
    fn has_thread(&self, job: u32, attempt: u32) -> bool {
        self.scheduler.flags(job).intersects(JobFlags::BLOCKING)
            && !self.has_not_begun(job, attempt)
    }

    /// Whether the attempt waits for a thread, or for the store.
    fn has_not_begun(&self, job: u32, attempt: u32) -> bool {
        self.blocking.contains(&(job, attempt))
            || self.recorder.as_ref().is_some_and(|recorder| recorder.holds(job, attempt))
    }

    /// Ends an attempt that has not begun, in a run that is lost: what it would do is another's
    /// to do.
    pub(super) fn refuse(
        &mut self,
        run: &Arc<ActiveRun>,
        job: u32,
        attempt: u32,
        deferred: &mut Deferred,
    ) {
        self.give_up(run, job, attempt, Cause::Cancelled, None, deferred);
    }

    /// Ends an attempt from outside. A future is dropped; a thread is left to itself, and what
    /// it returns is not taken.
    fn give_up(
        &mut self,
        run: &Arc<ActiveRun>,
        job: u32,
        attempt: u32,
        cause: Cause,
        said: Option<String>,
        deferred: &mut Deferred,
    ) {
        run.run_values.fence(job, attempt);
        self.close(job, deferred);
        let error = self.stopped(run, job, cause, said);
        self.failed_with(job, error, deferred);
        self.scheduler.ended(job, attempt, End::Cancelled);
    }

    /// What a job that was asked to stop fails with.
    pub(super) fn stopped(
        &self,
        run: &ActiveRun,
        job: u32,
        cause: Cause,
        said: Option<String>,
    ) -> JobError {
        let said = said.map(|said| format!(": {said}")).unwrap_or_default();
        let kind = match cause {
            Cause::Cancelled => {
                return JobError::of_kind(JobErrorKind::Cancelled, format!("cancelled{said}"));
            }
            Cause::TimedOut(kind) => kind,
        };
        let timeouts = self.scheduler.policy(job).map(|policy| policy.timeouts).unwrap_or_default();
        let (limit, what) = match kind {
            TimeoutKind::StartToClose => (timeouts.start_to_close, "took longer than"),
            TimeoutKind::ScheduleToClose => (timeouts.schedule_to_close, "took longer than"),
            TimeoutKind::Heartbeat => (timeouts.heartbeat, "gave no sign of life for"),
            TimeoutKind::Run => {
                (run.plan.graph.settings.timeout, "was stopped: the run took longer than")
            }
        };
        let limit = limit.unwrap_or_default();
        JobError::of_kind(JobErrorKind::TimedOut(kind), format!("{what} {limit:?} ({kind}){said}"))
    }

    /// Fails the run, gives back what its jobs hold, and tells whoever waits for them.
    pub(in crate::engine) fn collapse(
        &mut self,
        run: &Arc<ActiveRun>,
        panic: &str,
        deferred: &mut Deferred,
    ) {
        let reason = format!("the engine panicked while it drove the run: {panic}");
        if let Some(recorder) = &mut self.recorder
            && recorder.failed.is_none()
        {
            recorder.failed = Some(Arc::new(StoreError::Unavailable(reason.clone().into())));
        }
        self.release(deferred);
        for (job, attempt) in self.scheduler.abort() {
            run.run_values.fence(job, attempt);
            self.close(job, deferred);
        }
        self.give_all_back(deferred);
        while let Some((_, child)) = self.children.pop_first() {
            let error = JobError::of_kind(JobErrorKind::Cancelled, reason.clone());
            deferred.answer(child, Err(error));
        }
        self.note_with(EntryKind::RunFailed, u32::MAX, 0, EntryDetail::Reason(reason));
        deferred.drop.extend(self.clear_alarms());
        deferred.finished = true;
    }
}

const THREAD_RUNS_ON: &str = "its thread runs on, and what it returns will not be taken";
