//! The places that jobs hold of limits, from when they ask for them until they end.
//!
//! What a job holds is known by its ticket, and nothing is worked out anew when it is given back: a
//! ticket is taken out of [`State::places`] once, by whatever ends the job first.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{ActiveRun, Deferred, Effect, End, JobError, JobFlags, LimitId, Role, RunState, Step};
use crate::engine::permits::{self, Admitted, Inherited, Ticket};

/// What a job holds, or waits for.
pub(super) struct Place {
    ticket: Ticket,
    granted: bool,
}

impl RunState {
    /// Whether the job has the places of all its limits. Else it waits for them, or has failed
    /// because it can never have them.
    pub(super) fn has_places(
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
        match run.limits.acquire(run, job, flags, policy, lenders) {
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

    /// A job that waited has its places. One that does not wait for them any more has given them
    /// back, or will when its end is noted.
    fn granted(&mut self, job: u32, ticket: Ticket) {
        if let Some(place) = self.places.get_mut(&job)
            && place.ticket == ticket
        {
            place.granted = true;
            self.scheduler.released(job);
        }
    }

    /// Gives back what the job holds, if anything, or takes it out of the line.
    #[inline]
    pub(super) fn give_back(&mut self, job: u32) {
        if !self.places.is_empty()
            && let Some(place) = self.places.remove(&job)
        {
            self.free(permits::release(place.ticket));
        }
    }

    fn free(&mut self, mut limits: Vec<LimitId>) {
        if !limits.is_empty() {
            self.freed.filling().append(&mut limits);
        }
    }

    /// Lets what has become ready stand in line, and then gives places that were given back to those
    /// whose turn it is. A thread that does not ask the scheduler leaves it to the driver.
    #[cold]
    pub(super) fn line_up(
        &mut self,
        run: &Arc<ActiveRun>,
        role: Role,
        deferred: &mut Deferred,
    ) -> Option<Step> {
        if role == Role::BlockingThread {
            deferred.wake.extend(self.driver.take());
            return None;
        }
        let mut step = None;
        while step.is_none()
            && let Some(effect) = self.scheduler.next()
        {
            match effect {
                Effect::Launch { job, attempt } => {
                    step = self.launch(run, role, job, attempt, deferred);
                }
                other => self.apply(run, other, deferred),
            }
        }
        self.give_places(deferred);
        step
    }

    /// Gives places that were given back to those whose turn it is.
    #[cold]
    pub(super) fn give_places(&mut self, deferred: &mut Deferred) {
        deferred.grants.extend(permits::serve(self.freed.take()));
    }

    /// Gives back what all jobs hold, and takes them out of the line.
    pub(super) fn give_all_back(&mut self, deferred: &mut Deferred) {
        let places = std::mem::take(&mut self.places);
        for place in places.values() {
            self.free(permits::release(place.ticket));
        }
        if !self.freed.is_empty() {
            self.give_places(deferred);
        }
    }

    /// What the job and those that it is inside of hold, the nearest first.
    pub(in crate::engine) fn lenders(&self, job: u32) -> Vec<Ticket> {
        let own = self.places.get(&job).map(|place| place.ticket);
        own.into_iter().chain(self.lenders_of(job, self.scheduler.flags(job))).collect()
    }

    /// What those hold that a job of this run is inside of.
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

    /// Lets those who wait for places ask for them anew.
    fn ask_anew(&mut self) {
        let waiting = self.places.iter().filter(|(_, place)| !place.granted);
        let waiting: Vec<u32> = waiting.map(|(job, _)| *job).collect();
        for job in waiting.into_iter().rev() {
            self.give_back(job);
            self.scheduler.released(job);
        }
    }
}

impl ActiveRun {
    /// A job that waited has its places now.
    pub(in crate::engine) fn granted(self: &Arc<Self>, job: u32, ticket: Ticket) {
        self.change(|state, _| state.granted(job, ticket));
    }

    /// The run turns out to be inside of a job, whose places its jobs may borrow.
    pub(in crate::engine) fn inherit(self: &Arc<Self>, inherited: Arc<Inherited>) {
        if self.limits.inherit(inherited) {
            self.change(|state, _| state.ask_anew());
        }
    }
}

impl Drop for ActiveRun {
    /// A run that nobody drives to its end gives back what its jobs hold.
    fn drop(&mut self) {
        let state = self.state_mut();
        if state.places.is_empty() && state.freed.is_empty() {
            return;
        }
        let mut deferred = Deferred::default();
        state.give_all_back(&mut deferred);
        permits::deliver(deferred.grants);
    }
}
