//! The places of limits that jobs of the run hold or wait for.
//!
//! A ticket stands for what a job holds. Whatever ends the job first removes the ticket from
//! [`RunState::places`], so that places are released exactly once. Which jobs get places is decided
//! by [`permits`].

use std::sync::Arc;

use smallvec::SmallVec;

use super::{ActiveRun, Deferred, End, JobError, JobFlags, LimitId, Role, RunState, Step};
use crate::engine::permits::{self, Admitted, AttemptPlace, Inherited, Ticket};

/// The places that a job holds or waits for.
pub(super) struct Place {
    ticket: Ticket,
    granted: bool,
}

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
            let granted = place.granted;
            if !granted {
                self.scheduler.held(job);
            }
            return granted;
        }
        let lenders = self.lenders_of(job, flags);
        let policy = self.scheduler.policy(job);
        let place = match self.scheduler.is_elsewhere(job) {
            true => AttemptPlace::Elsewhere,
            false => AttemptPlace::Here,
        };
        match run.limits.acquire(run, (job, place), flags, policy, lenders) {
            Ok((ticket, admitted, grants)) => {
                let granted = admitted == Admitted::Now;
                self.places.insert(job, Place { ticket, granted });
                deferred.grants.extend(grants);
                if !granted {
                    self.scheduler.held(job);
                }
                granted
            }
            Err(error) => {
                self.failed_with(job, JobError::terminal(error), deferred);
                self.scheduler.ended(job, attempt, End::FailedTerminally);
                false
            }
        }
    }

    /// Handles a grant to a job that waited. A job that no longer waits has released its places, or
    /// will when its end is noted.
    fn granted(&mut self, job: u32, ticket: Ticket) {
        if let Some(place) = self.places.get_mut(&job)
            && place.ticket == ticket
        {
            place.granted = true;
            self.scheduler.released(job);
        }
    }

    /// Releases the places that the job holds or waits for, if any.
    #[inline]
    pub(super) fn release_places(&mut self, job: u32) {
        if !self.places.is_empty()
            && let Some(place) = self.places.remove(&job)
        {
            self.add_freed(permits::release(place.ticket));
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
        for place in places.values() {
            self.add_freed(permits::release(place.ticket));
        }
        if !self.freed.is_empty() {
            self.grant_freed(deferred);
        }
    }

    /// Whether a job waits for places.
    pub(super) fn waits_for_places(&self) -> bool {
        self.places.values().any(|place| !place.granted)
    }

    /// The tickets of the job and of the jobs that it is inside of, the nearest first.
    pub(in crate::engine) fn lenders(&self, job: u32) -> Vec<Ticket> {
        let own = self.places.get(&job).map(|place| place.ticket);
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
            lenders.extend(self.places.get(&job).map(|place| place.ticket));
        }
        lenders
    }

    /// Lets jobs that wait for places request them again.
    fn request_places_again(&mut self) {
        let waiting = self.places.iter().filter(|(_, place)| !place.granted);
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
