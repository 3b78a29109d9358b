//! What a worker does next, and what follows when an attempt has ended.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{
    ActiveRun, Deferred, Effect, End, EventKind, Frequent, HostOwned, JobError, JobErrorKind,
    JobFlags, Role, RunState, Step, Task, Work,
};
use crate::engine::durable::writer::Held;
use crate::engine::shutdown::ShutdownPhase;
use crate::engine::state::Ended;
use crate::engine::worker::monitor;
use crate::event::JobLookup;

impl RunState {
    /// Decides the next step of a worker.
    #[inline]
    pub(in crate::engine) fn next_step(
        &mut self,
        run: &Arc<ActiveRun>,
        role: Role,
        deferred: &mut Deferred,
    ) -> Step {
        if self.suspended {
            return Step::Wait;
        }
        if run.engine.stopping.has_begun() && self.shutdown == ShutdownPhase::None {
            self.note_shutdown(run);
        }
        if !self.freed.is_empty()
            && let Some(step) = self.launch_then_grant(run, role, deferred)
        {
            return step;
        }
        if role != Role::Driver
            && !self.blocking.is_empty()
            && let Some((job, attempt)) = self.next_blocking(run, deferred)
        {
            let flags = self.scheduler.flags(job);
            return Step::Launch { job, attempt, flags };
        }
        if role == Role::BlockingThread {
            deferred.wake.extend(self.driver.take());
            return if self.published { Step::Over } else { Step::Wait };
        }
        // Woken tasks and ready jobs take turns, so that neither starves.
        self.turn = !self.turn;
        if self.turn
            && let Some(task) = self.next_woken(run, deferred)
        {
            return Step::Poll(task);
        }
        if self.recorder.is_some()
            && let Some(step) = self.next_released(run, role, deferred)
        {
            return step;
        }
        let launched = self.next_launched(run, role, deferred);
        if !self.freed.is_empty() {
            self.grant_freed(deferred);
        }
        if let Some(step) = launched {
            return step;
        }
        if self.recorder.is_some() {
            self.record(run);
        }
        match self.next_woken(run, deferred) {
            _ if self.published => Step::Over,
            Some(task) => Step::Poll(task),
            None => {
                self.give_back_places(deferred);
                Step::Wait
            }
        }
    }

    /// Applies effects of the scheduler until one is an attempt that the worker may launch.
    #[inline]
    pub(super) fn next_launched(
        &mut self,
        run: &Arc<ActiveRun>,
        role: Role,
        deferred: &mut Deferred,
    ) -> Option<Step> {
        while let Some(effect) = self.scheduler.next() {
            match effect {
                Effect::Launch { job, attempt } => {
                    if let Some(step) = self.launch(run, role, job, attempt, deferred) {
                        return Some(step);
                    }
                }
                other => self.apply(run, other, deferred),
            }
        }
        None
    }

    /// Launches an attempt, if the worker may do so now.
    #[inline]
    fn launch(
        &mut self,
        run: &Arc<ActiveRun>,
        role: Role,
        job: u32,
        attempt: u32,
        deferred: &mut Deferred,
    ) -> Option<Step> {
        let flags = self.scheduler.flags(job);
        if !self.admit(run, role, job, attempt, flags, deferred) {
            return None;
        }
        if flags.intersects(JobFlags::TIMED) {
            self.start_clocks(run, job, deferred);
        }
        Some(Step::Launch { job, attempt, flags })
    }

    /// Starts the timeouts of an attempt before its body is called, which may take a while.
    #[cold]
    fn start_clocks(&mut self, run: &Arc<ActiveRun>, job: u32, deferred: &mut Deferred) {
        while let Some(effect) = self.scheduler.next_clock(job) {
            self.apply(run, effect, deferred);
        }
    }

    /// Whether the worker may launch the job now.
    #[inline]
    fn admit(
        &mut self,
        run: &Arc<ActiveRun>,
        role: Role,
        job: u32,
        attempt: u32,
        flags: JobFlags,
        deferred: &mut Deferred,
    ) -> bool {
        if run.engine.limits.apply_to(flags)
            && !self.acquire_places(run, job, attempt, flags, deferred)
        {
            return false;
        }
        if self.recorder.is_some() && !self.may_begin(run, job, attempt, flags, deferred) {
            return false;
        }
        if role == Role::Driver && flags.intersects(JobFlags::BLOCKING) {
            self.blocking.push_back((job, attempt));
            self.threads.request_one(deferred);
            return false;
        }
        if self.recorder.is_none() && !flags.intersects(JobFlags::CONDITIONAL) {
            self.record_event(Frequent::JobStarted { job, attempt });
        }
        true
    }

    /// Notes the start of an attempt in a persisted run, and holds the attempt back until the store
    /// has the events before it. If another engine may have taken over the run, holds it back until
    /// the store has the start itself: the store then rejects it.
    fn may_begin(
        &mut self,
        run: &Arc<ActiveRun>,
        job: u32,
        attempt: u32,
        flags: JobFlags,
        deferred: &mut Deferred,
    ) -> bool {
        if self.is_lost() {
            self.refuse(run, job, attempt, deferred);
            return false;
        }
        let recorded_start = !flags.intersects(JobFlags::CONDITIONAL);
        let lease_is_valid = self.may_begin_unrecorded(run);
        if recorded_start && !lease_is_valid {
            self.record_event(Frequent::JobStarted { job, attempt });
        }
        let held = self.hold(Held::Launch { job, attempt });
        if recorded_start && lease_is_valid {
            self.record_event(Frequent::JobStarted { job, attempt });
        }
        held.is_some()
    }

    /// Whether the attempt waited for the store after its condition held. Asked once.
    pub(in crate::engine) fn take_condition_held(&mut self, job: u32, attempt: u32) -> bool {
        let condition_held = self.recorder.as_mut().map(|recorder| &mut recorder.condition_held);
        condition_held.is_some_and(|condition_held| condition_held.remove(&job) == Some(attempt))
    }

    /// Handles a condition that held. Returns true if the attempt starts now. If another engine may
    /// have taken over the run, it starts once the store has its start.
    pub(in crate::engine) fn condition_held(
        &mut self,
        run: &Arc<ActiveRun>,
        job: u32,
        attempt: u32,
        deferred: &mut Deferred,
    ) -> bool {
        if self.is_lost() {
            self.refuse(run, job, attempt, deferred);
            return false;
        }
        if !self.began(job, attempt) {
            return false;
        }
        if self.may_begin_unrecorded(run) || self.hold(Held::Launch { job, attempt }).is_some() {
            return true;
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.condition_held.insert(job, attempt);
        }
        false
    }

    /// Notes the start of an attempt whose condition was evaluated. Returns false if it was given
    /// up meanwhile.
    pub(in crate::engine) fn began(&mut self, job: u32, attempt: u32) -> bool {
        let runs = self.scheduler.is_running(job, attempt);
        if runs {
            self.record_event(Frequent::JobStarted { job, attempt });
        }
        runs
    }

    /// Handles a condition that did not hold.
    pub(in crate::engine) fn condition_failed(
        &mut self,
        job: u32,
        attempt: u32,
        deferred: &mut Deferred,
    ) {
        if self.scheduler.is_running(job, attempt) {
            self.close(job, deferred);
            self.scheduler.ended(job, attempt, End::Declined);
        }
    }

    /// The next attempt that was held back and may start now.
    fn next_released(
        &mut self,
        run: &Arc<ActiveRun>,
        role: Role,
        deferred: &mut Deferred,
    ) -> Option<Step> {
        loop {
            if self.holds_back_attempts() {
                return None;
            }
            let (job, attempt) = self.recorder.as_mut()?.released.pop_front()?;
            // It may have been given up meanwhile.
            if !self.scheduler.is_running(job, attempt) {
                continue;
            }
            if self.is_lost() {
                self.refuse(run, job, attempt, deferred);
                continue;
            }
            let flags = self.scheduler.flags(job);
            if role == Role::Driver && flags.intersects(JobFlags::BLOCKING) {
                self.blocking.push_back((job, attempt));
                self.threads.request_one(deferred);
                continue;
            }
            return Some(Step::Launch { job, attempt, flags });
        }
    }

    fn next_blocking(
        &mut self,
        run: &Arc<ActiveRun>,
        deferred: &mut Deferred,
    ) -> Option<(u32, u32)> {
        while !self.holds_back_attempts()
            && let Some((job, attempt)) = self.blocking.pop_front()
        {
            // It may have been given up meanwhile.
            if self.scheduler.is_running(job, attempt) {
                if self.is_lost() {
                    self.refuse(run, job, attempt, deferred);
                    continue;
                }
                let recorded_start = self.recorder.is_some();
                if !recorded_start && !self.scheduler.flags(job).intersects(JobFlags::CONDITIONAL) {
                    self.record_event(Frequent::JobStarted { job, attempt });
                }
                return Some((job, attempt));
            }
        }
        None
    }

    /// The amount of work that waits for a worker.
    #[inline]
    pub(in crate::engine) fn waiting(&self) -> usize {
        if self.suspended {
            return 0;
        }
        if self.holds_back_attempts() {
            return self.woken.len();
        }
        let released = self.recorder.as_ref().map_or(0, |recorder| recorder.released.len());
        self.scheduler.backlog() + self.woken.len() + self.blocking.len() + released
    }

    /// Whether attempts that the scheduler has launched must not start.
    #[inline]
    fn holds_back_attempts(&self) -> bool {
        self.shutdown == ShutdownPhase::Draining && !self.is_lost()
    }

    /// Jobs whose attempt counts as running but has not started.
    pub(in crate::engine) fn unstarted(&self) -> impl Iterator<Item = u32> {
        let recorded = self.recorder.iter().flat_map(|recorder| recorder.unstarted());
        self.blocking.iter().map(|(job, _)| *job).chain(recorded)
    }

    /// The number of running jobs, without containers and without those that others execute.
    pub(in crate::engine) fn running_here(&self) -> usize {
        let elsewhere = |job: &&u32| self.scheduler.handed_out(**job).is_some();
        self.scheduler.running() - self.tasks.keys().filter(elsewhere).count()
    }

    /// Whether a thread of this role has something to do, or must end.
    pub(in crate::engine) fn has_work_for(&self, role: Role) -> bool {
        let work = match role {
            Role::BlockingThread if self.holds_back_attempts() => 0,
            Role::BlockingThread => self.blocking.len(),
            _ => self.waiting(),
        };
        work > 0 || self.published
    }

    /// Wakes subscribers and helper threads after a step. Returns true if work waits.
    #[inline]
    pub(in crate::engine) fn notify(
        &mut self,
        run: &Arc<ActiveRun>,
        deferred: &mut Deferred,
    ) -> bool {
        if !self.listeners.is_empty() && self.visible() > self.notified {
            self.notified = self.visible();
            deferred.wake.append(&mut self.listeners);
        }
        if self.waiting() == 0 {
            return false;
        }
        if !self.watched && !self.blocking.is_empty() {
            self.watched = true;
            monitor::watch_blocking(run);
        }
        if self.threads.idle > 0 && self.threads.worthwhile {
            deferred.notify_thread = true;
        }
        true
    }

    /// Stores work that waits. Returns work that was given up meanwhile.
    pub(in crate::engine) fn park(
        &mut self,
        run: &Arc<ActiveRun>,
        task: Arc<Task>,
        work: Work,
        deferred: &mut Deferred,
    ) -> Option<Work> {
        let mut replaying = None;
        match &work {
            Work::Attempt(attempt) => {
                if !self.scheduler.is_running(attempt.job, attempt.attempt) {
                    return Some(work);
                }
                self.tasks.insert(attempt.job, Arc::clone(&task));
                replaying = self.replay.is_some().then_some((attempt.job, attempt.attempt));
            }
            Work::Alarm(_) if !self.is_next_alarm(&task) => return Some(work),
            Work::Alarm(_) | Work::Record { .. } => {}
        }
        let rests = self.put_aside(task, work);
        if let Some((job, attempt)) = replaying.filter(|_| rests) {
            self.fail_diverged(run, job, attempt, deferred);
        }
        None
    }

    /// Handles the end of an attempt. Ignored if the attempt was given up before.
    #[inline]
    pub(in crate::engine) fn ended(
        &mut self,
        run: &Arc<ActiveRun>,
        ended: Ended,
        deferred: &mut Deferred,
    ) {
        let Ended { job, attempt, result, output } = ended;
        if !self.scheduler.is_running(job, attempt) {
            return deferred.host_owned.extend(result.err().map(HostOwned::Error));
        }
        self.close(job, deferred);
        let divergence = match result {
            Ok(()) if self.replay.is_some() => self.divergence(job, attempt),
            _ => None,
        };
        match divergence.map_or(result, Err) {
            Ok(()) => {
                match output {
                    None => self.record_event(Frequent::JobCompleted { job, attempt }),
                    Some(output) => self.note_output(job, attempt, output),
                }
                self.scheduler.ended(job, attempt, End::Completed);
                if self
                    .scheduler
                    .flags(job)
                    .intersects(JobFlags::CHILD.union(JobFlags::COMPENSATION))
                {
                    self.send_result(job, Ok(()), deferred);
                }
            }
            Err(error) => self.ended_with_error(run, job, attempt, error, deferred),
        }
    }

    /// Records that a job of a persisted run completed.
    fn note_output(&mut self, job: u32, attempt: u32, output: Arc<Json>) {
        let annotations = self.lookup().annotations(job);
        let output = Some(output);
        self.record_job_event(job, |job| EventKind::JobCompleted {
            job,
            attempt,
            output,
            annotations,
        });
    }

    /// Removes the state of an attempt that has ended.
    #[inline]
    pub(in crate::engine) fn close(&mut self, job: u32, deferred: &mut Deferred) {
        self.steps += 1;
        if !self.tasks.is_empty()
            && let Some(task) = self.tasks.remove(&job)
        {
            deferred.drop.push(task);
        }
        if self.scheduler.flags(job).intersects(JobFlags::WATCHES) {
            // Other holders of the token are leftovers of the attempt.
            let token = self.tokens.remove(&job);
            deferred.stop.extend(token.filter(|token| Arc::strong_count(token) > 1));
            self.graces.remove(&job);
        }
        self.release_places(job);
    }

    #[cold]
    fn ended_with_error(
        &mut self,
        run: &Arc<ActiveRun>,
        job: u32,
        attempt: u32,
        error: JobError,
        deferred: &mut Deferred,
    ) {
        let (end, error) = match (self.scheduler.stop_cause(job), error.kind()) {
            (Some(cause), _) => {
                let detail = Some(error.chain()).filter(|detail| !detail.is_empty());
                deferred.host_owned.push(HostOwned::Error(error));
                (End::Cancelled, self.stopped(run, job, cause, detail))
            }
            (None, JobErrorKind::Cancelled) => (End::Cancelled, error),
            (None, _) if error.is_retryable() && !self.forbids_retry(job, &error) => {
                (End::FailedRetryable, error)
            }
            (None, _) => (End::FailedTerminally, error),
        };
        self.failed_with(job, error, deferred);
        self.scheduler.ended(job, attempt, end);
    }

    fn forbids_retry(&self, job: u32, error: &JobError) -> bool {
        let policy = self.scheduler.policy(job);
        policy.is_some_and(|policy| policy.retry.forbids(error.error_type()))
    }
}
