//! Stops attempts and runs. An attempt is dropped at once, or cancelled first if it has a grace
//! period.

use std::sync::Arc;
use std::time::Duration;

use super::{
    ActiveRun, Alert, Cause, Deferred, Delivery, End, EventKind, Grace, JobError, JobErrorKind,
    JobFlags, RunState, TimeoutKind,
};
use crate::job::Timeouts;
use crate::store::StoreError;

impl RunState {
    /// Cancels the run by request, or for a reason that its report shows.
    pub(in crate::engine) fn cancel(&mut self, reason: Option<&str>) {
        if !self.scheduler.is_finished() && !self.scheduler.is_cancelling() {
            self.record_run_event(EventKind::CancelRequested { reason: reason.map(str::to_owned) });
            self.scheduler.cancel(Cause::Cancelled);
        }
    }

    /// Cancels an attempt that has a grace period, and drops any other at once.
    pub(super) fn interrupt(
        &mut self,
        run: &Arc<ActiveRun>,
        job: u32,
        attempt: u32,
        cause: Cause,
        deferred: &mut Deferred,
    ) {
        // Also if the attempt is given up, because its thread and tasks that it spawned may use the
        // token.
        if let Some(token) = self.tokens.get(&job) {
            deferred.stop.push(Arc::clone(token));
        }
        if self.scheduler.is_elsewhere(job) && !self.has_not_begun(job, attempt) {
            // Whoever makes the attempt stops the attempt, and reports its end.
            let token = Arc::clone(self.tokens.entry(job).or_default());
            return deferred.stop.push(token);
        }
        let grace = self.grace(run, job);
        if grace.is_zero() || self.has_not_begun(job, attempt) {
            let detail = self.has_thread(job, attempt).then(|| THREAD_RUNS_ON.to_owned());
            return self.give_up(run, job, attempt, cause, detail, deferred);
        }
        self.stop_waiting_for_places(job);
        // No deadline for `Duration::MAX`: what the job waits for has bounds of its own.
        if grace < Duration::MAX {
            self.set_deadline(run, Alert::Grace { job, attempt }, grace, deferred);
        }
    }

    /// The grace period of a job: its own, or what its attempt has reserved, whichever is longer.
    fn grace(&self, run: &ActiveRun, job: u32) -> Duration {
        let own = match self.scheduler.policy(job).and_then(|policy| policy.grace) {
            None => Duration::ZERO,
            Some(Grace::Engine) => run.engine.grace,
            Some(Grace::For(period)) => period,
        };
        self.graces.get(&job).map_or(own, |reserved| own.max(*reserved))
    }

    /// Whether an attempt of a job with timeouts may store its output.
    pub(in crate::engine) fn deliver(&mut self, job: u32, attempt: u32) -> Delivery {
        if !self.scheduler.is_running(job, attempt) {
            return Delivery::Unwanted;
        }
        if self.scheduler.deliver(job) { Delivery::InTime } else { Delivery::Late }
    }

    /// Ends an attempt whose grace period is over.
    pub(super) fn grace_period_over(
        &mut self,
        run: &Arc<ActiveRun>,
        job: u32,
        attempt: u32,
        deferred: &mut Deferred,
    ) {
        if !self.scheduler.is_running(job, attempt) {
            return;
        }
        if let Some(cause) = self.scheduler.stop_cause(job) {
            let what =
                if self.has_thread(job, attempt) { THREAD_RUNS_ON } else { "it was dropped" };
            let grace = self.grace(run, job);
            let detail = format!("it did not stop within its grace period of {grace:?}; {what}");
            self.give_up(run, job, attempt, cause, Some(detail), deferred);
        }
    }

    /// Whether the attempt occupies a thread, which nothing can stop.
    fn has_thread(&self, job: u32, attempt: u32) -> bool {
        self.scheduler.flags(job).intersects(JobFlags::BLOCKING)
            && !self.has_not_begun(job, attempt)
    }

    /// Whether the attempt waits for a thread or for the store.
    fn has_not_begun(&self, job: u32, attempt: u32) -> bool {
        self.blocking.contains(&(job, attempt))
            || self.recorder.as_ref().is_some_and(|recorder| recorder.holds(job, attempt))
    }

    /// Ends an attempt that has not started, in a lost run: another engine runs the job.
    pub(super) fn refuse(
        &mut self,
        run: &Arc<ActiveRun>,
        job: u32,
        attempt: u32,
        deferred: &mut Deferred,
    ) {
        self.give_up(run, job, attempt, Cause::Cancelled, None, deferred);
    }

    /// Ends an attempt from outside. A future is dropped. A thread runs on, and its result is
    /// discarded.
    fn give_up(
        &mut self,
        run: &Arc<ActiveRun>,
        job: u32,
        attempt: u32,
        cause: Cause,
        detail: Option<String>,
        deferred: &mut Deferred,
    ) {
        run.run_values.fence(job, attempt);
        self.close(job, deferred);
        let error = self.stopped(run, job, cause, detail);
        self.failed_with(job, error, deferred);
        self.scheduler.ended(job, attempt, End::Cancelled);
    }

    /// The error of a job that was stopped.
    pub(super) fn stopped(
        &self,
        run: &ActiveRun,
        job: u32,
        cause: Cause,
        detail: Option<String>,
    ) -> JobError {
        let timeouts = self.scheduler.policy(job).map(|policy| policy.timeouts).unwrap_or_default();
        stop_error(cause, &timeouts, run.plan.graph.settings.timeout, detail)
    }

    /// Ends an evicted run in this process. Its attempts are dropped without being asked to stop:
    /// they are made again where the run is resumed.
    pub(in crate::engine) fn leave_memory(
        &mut self,
        run: &Arc<ActiveRun>,
        deferred: &mut Deferred,
    ) {
        self.suspended = false;
        if let Some(recorder) = &mut self.recorder
            && recorder.failed.is_none()
        {
            recorder.failed = Some(Arc::new(StoreError::Evicted { run: run.id }));
        }
        self.end_at_once(run, "the run was evicted", deferred);
        self.record_run_event(EventKind::RunCancelled);
    }

    /// Fails a run after a panic of the engine, without using the scheduler. Releases the places of
    /// its jobs, and answers everyone who waits for them.
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
        self.end_at_once(run, &reason, deferred);
        self.record_run_event(EventKind::RunFailed { reason });
    }

    /// Ends a run whose store accepts no more events, without using the scheduler.
    fn end_at_once(&mut self, run: &Arc<ActiveRun>, reason: &str, deferred: &mut Deferred) {
        self.release(deferred);
        for (job, attempt) in self.scheduler.abort() {
            run.run_values.fence(job, attempt);
            self.close(job, deferred);
        }
        self.release_all_places(deferred);
        while let Some((_, child)) = self.children.pop_first() {
            let error = JobError::of_kind(JobErrorKind::Cancelled, reason.to_owned());
            deferred.answer(child, Err(error));
        }
        deferred.drop.extend(self.clear_alarms());
        deferred.finished = true;
    }
}

/// The error of an attempt that was stopped for this cause.
pub(in crate::engine) fn stop_error(
    cause: Cause,
    timeouts: &Timeouts,
    run_timeout: Option<Duration>,
    detail: Option<String>,
) -> JobError {
    let then = |mark: &str| detail.map(|detail| format!("{mark} {detail}")).unwrap_or_default();
    let kind = match cause {
        Cause::Cancelled => {
            let text = format!("cancelled{}", then(":"));
            return JobError::of_kind(JobErrorKind::Cancelled, text);
        }
        Cause::TimedOut(kind) => kind,
    };
    let of_kind = |text: String| JobError::of_kind(JobErrorKind::TimedOut(kind), text);
    let (limit, what) = match kind {
        TimeoutKind::StartToClose => (timeouts.start_to_close, "took longer than"),
        TimeoutKind::ScheduleToClose => (timeouts.schedule_to_close, "took longer than"),
        TimeoutKind::Heartbeat => (timeouts.heartbeat, "sent no heartbeat for"),
        TimeoutKind::Run => {
            let limit = run_timeout.unwrap_or_default();
            return of_kind(format!("stopped: the run timed out after {limit:?}{}", then(";")));
        }
    };
    let limit = limit.unwrap_or_default();
    of_kind(format!("{what} {limit:?} ({kind}){}", then(":")))
}

pub(in crate::engine) const THREAD_RUNS_ON: &str =
    "its thread runs on, and its result will be discarded";
