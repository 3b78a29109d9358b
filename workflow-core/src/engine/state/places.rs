//! The places of limits that jobs of the run hold or wait for.
//!
//! A ticket stands for what a job holds. Whatever ends the job first removes the ticket from
//! [`RunState::places`], so that places are released exactly once. Which jobs get places is decided
//! by [`permits`].

use std::sync::Arc;

use smallvec::SmallVec;

use super::{ActiveRun, Deferred, End, JobError, JobFlags, LimitId, Role, RunState, Step, Task};
use crate::engine::permits::{self, Admitted, AttemptPlace, Inherited, LimitError, Ticket};

/// What a job has of the limits that it counts against.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// The job waits for its places.
    Waits(Ticket),
    Holds(Ticket),
    /// Its attempt waits for a signal, and needs no place until it is woken.
    GaveBack,
    /// Its attempt was woken, and waits for its places.
    WaitsAgain(Ticket),
}

impl Place {
    fn ticket(self) -> Option<Ticket> {
        match self {
            Self::Waits(ticket) | Self::Holds(ticket) | Self::WaitsAgain(ticket) => Some(ticket),
            Self::GaveBack => None,
        }
    }

    fn is_awaited(self) -> bool {
        matches!(self, Self::Waits(_) | Self::WaitsAgain(_))
    }
}

/// The priority of an attempt that was woken: it goes on before others begin.
const WOKEN: i32 = i32::MAX;

impl RunState {
    /// Acquires the places of all limits of a job. Returns false if the job waits for them, or has
    /// failed because it can never get them.
    pub(super) fn acquire_places(
        &mut self,
        run: &Arc<ActiveRun>,
        job: u32,
        attempt: u32,
        flags: JobFlags,
        deferred: &mut Deferred,
    ) -> bool {
        if let Some(place) = self.places.get(&job) {
            let is_awaited = place.is_awaited();
            if is_awaited {
                self.scheduler.held(job);
            }
            return !is_awaited;
        }
        let priority = self.scheduler.policy(job).map_or(0, |policy| policy.priority);
        match self.request_places(run, job, flags, (priority, Place::Waits), deferred) {
            Ok(Admitted::Now) => true,
            Ok(Admitted::Later) => {
                self.scheduler.held(job);
                false
            }
            Err(error) => {
                self.failed_with(job, JobError::terminal(error), deferred);
                self.scheduler.ended(job, attempt, End::FailedTerminally);
                false
            }
        }
    }

    /// Acquires the places of all limits of a job, or starts to wait for them.
    fn request_places(
        &mut self,
        run: &Arc<ActiveRun>,
        job: u32,
        flags: JobFlags,
        (priority, wait): (i32, fn(Ticket) -> Place),
        deferred: &mut Deferred,
    ) -> Result<Admitted, LimitError> {
        let lenders = self.lenders_of(job, flags);
        let policy = self.scheduler.policy(job);
        let place = match self.scheduler.is_elsewhere(job) {
            true => AttemptPlace::Elsewhere,
            false => AttemptPlace::Here,
        };
        let acquired = run.limits.acquire(run, (job, place), flags, policy, priority, lenders);
        let (ticket, admitted, grants) = acquired?;
        deferred.grants.extend(grants);
        let place = if admitted == Admitted::Now { Place::Holds } else { wait };
        self.places.insert(job, place(ticket));
        Ok(admitted)
    }

    /// Handles a grant to a job that waited. A job that no longer waits has released its places, or
    /// will when its end is noted.
    fn granted(&mut self, job: u32, ticket: Ticket) {
        match self.places.get(&job).copied() {
            Some(Place::Waits(of_job)) if of_job == ticket => {
                self.scheduler.released(job);
            }
            Some(Place::WaitsAgain(of_job)) if of_job == ticket => self.poll_again(job),
            _ => return,
        }
        self.places.insert(job, Place::Holds(ticket));
    }

    /// Queues the task of an attempt that was woken before.
    fn poll_again(&mut self, job: u32) {
        self.woken.extend(self.tasks.get(&job).cloned());
    }

    /// Lets others have the places of attempts that wait for a signal or a durable sleep, and for
    /// nothing else.
    pub(super) fn give_back_places(&mut self, deferred: &mut Deferred) {
        if self.places.is_empty() || self.signals.is_none() {
            return;
        }
        let held = self.places.iter().filter(|(_, place)| matches!(place, Place::Holds(_)));
        let jobs: Vec<u32> =
            held.map(|(job, _)| *job).filter(|job| self.can_give_back(*job)).collect();
        for job in jobs {
            self.release_places(job);
            self.places.insert(job, Place::GaveBack);
        }
        if !self.freed.is_empty() {
            self.grant_freed(deferred);
        }
    }

    /// Jobs with named limits keep all places: they guard what they use until they end.
    fn can_give_back(&self, job: u32) -> bool {
        self.waits_for_signal_or_sleep(job)
            && self.tasks.get(&job).is_some_and(|task| self.waits_for_nothing_else(job, task))
            && !self.awaited_runs.contains_key(&job)
            && self.scheduler.active_children(job) == 0
    }

    /// The next task that was woken and has its places.
    pub(super) fn next_woken(
        &mut self,
        run: &Arc<ActiveRun>,
        deferred: &mut Deferred,
    ) -> Option<Arc<Task>> {
        while let Some(task) = self.woken.pop_front() {
            if self.places.is_empty() || self.may_poll(run, &task, deferred) {
                return Some(task);
            }
        }
        None
    }

    /// Whether the task has its places. If not, it waits for them. An attempt that is being stopped
    /// needs none.
    #[cold]
    fn may_poll(&mut self, run: &Arc<ActiveRun>, task: &Task, deferred: &mut Deferred) -> bool {
        let Some(job) = task.job() else { return true };
        let gave_back = matches!(self.places.get(&job), Some(Place::GaveBack));
        if !gave_back || self.scheduler.stop_cause(job).is_some() {
            return true;
        }
        let flags = self.scheduler.flags(job);
        let requested = self.request_places(run, job, flags, (WOKEN, Place::WaitsAgain), deferred);
        // It never fails: the attempt needs no more than it had.
        !matches!(requested, Ok(Admitted::Later))
    }

    /// Lets an attempt that was woken go on without its places.
    pub(super) fn stop_waiting_for_places(&mut self, job: u32) {
        if matches!(self.places.get(&job), Some(Place::WaitsAgain(_))) {
            self.release_places(job);
            self.places.insert(job, Place::GaveBack);
            self.poll_again(job);
        }
    }

    /// Releases the places that the job holds or waits for, if any.
    #[inline]
    pub(super) fn release_places(&mut self, job: u32) {
        if !self.places.is_empty()
            && let Some(ticket) = self.places.remove(&job).and_then(Place::ticket)
        {
            self.add_freed(permits::release(ticket));
        }
    }

    fn add_freed(&mut self, mut limits: Vec<LimitId>) {
        if !limits.is_empty() {
            self.freed.filling().append(&mut limits);
        }
    }

    /// Lets jobs that have become ready request places, and then grants freed places in order. A
    /// thread that does not use the scheduler leaves this to the driver.
    #[cold]
    pub(super) fn launch_then_grant(
        &mut self,
        run: &Arc<ActiveRun>,
        role: Role,
        deferred: &mut Deferred,
    ) -> Option<Step> {
        if role == Role::BlockingThread {
            deferred.wake.extend(self.driver.take());
            return None;
        }
        let step = self.next_launched(run, role, deferred);
        self.grant_freed(deferred);
        step
    }

    /// Grants freed places in order.
    #[cold]
    pub(super) fn grant_freed(&mut self, deferred: &mut Deferred) {
        deferred.grants.extend(permits::serve(self.freed.take()));
    }

    /// Releases the places that all jobs hold or wait for.
    pub(super) fn release_all_places(&mut self, deferred: &mut Deferred) {
        let places = std::mem::take(&mut self.places);
        for ticket in places.values().filter_map(|place| place.ticket()) {
            self.add_freed(permits::release(ticket));
        }
        if !self.freed.is_empty() {
            self.grant_freed(deferred);
        }
    }

    /// Whether a job waits for places.
    pub(super) fn waits_for_places(&self) -> bool {
        self.places.values().any(|place| place.is_awaited())
    }

    /// The tickets of the job and of the jobs that it is inside of, the nearest first.
    pub(in crate::engine) fn lenders(&self, job: u32) -> Vec<Ticket> {
        let own = self.places.get(&job).and_then(|place| place.ticket());
        own.into_iter().chain(self.lenders_of(job, self.scheduler.flags(job))).collect()
    }

    /// The tickets of the jobs that a job is inside of.
    fn lenders_of(&self, job: u32, flags: JobFlags) -> SmallVec<[Ticket; 2]> {
        let mut lenders = SmallVec::new();
        if !flags.intersects(JobFlags::CHILD) || self.places.is_empty() {
            return lenders;
        }
        let mut job = job;
        while let Some(child) = self.children.get(&job) {
            job = child.frame.parent.job;
            lenders.extend(self.places.get(&job).and_then(|place| place.ticket()));
        }
        lenders
    }

    /// Lets jobs that wait for places request them again.
    fn request_places_again(&mut self) {
        let waiting = self.places.iter().filter(|(_, place)| matches!(place, Place::Waits(_)));
        let waiting: Vec<u32> = waiting.map(|(job, _)| *job).collect();
        for job in waiting.into_iter().rev() {
            self.release_places(job);
            self.scheduler.released(job);
        }
    }
}

impl ActiveRun {
    /// Handles a grant to a job that waited.
    pub(in crate::engine) fn granted(self: &Arc<Self>, job: u32, ticket: Ticket) {
        self.change(|state, _| state.granted(job, ticket));
    }

    /// Sets the outer job of the run, whose places its jobs may borrow.
    pub(in crate::engine) fn inherit(self: &Arc<Self>, inherited: Arc<Inherited>) {
        if self.limits.inherit(inherited) {
            self.change(|state, _| state.request_places_again());
        }
    }
}

impl Drop for ActiveRun {
    /// Releases the places of a run that nobody drives to its end.
    fn drop(&mut self) {
        let state = self.state_mut();
        if state.places.is_empty() && state.freed.is_empty() {
            return;
        }
        let mut deferred = Deferred::default();
        state.release_all_places(&mut deferred);
        permits::deliver(deferred.grants);
    }
}
