//! Jobs with a condition: it is asked outside of the lock, and then they begin or not.

use std::sync::Arc;

use super::{ActiveRun, Deferred, End, EntryKind, Held, RunState};

impl RunState {
    /// Whether the condition of an attempt held, which then waited for the store.
    pub(in crate::engine) fn was_judged(&mut self, job: u32, attempt: u32) -> bool {
        let judged = self.recorder.as_mut().map(|recorder| &mut recorder.judged);
        judged.is_some_and(|judged| judged.remove(&job) == Some(attempt))
    }

    /// The condition of a job held. True when it begins; where another engine may have taken the
    /// run over, it begins once the store has its beginning.
    pub(in crate::engine) fn holds_for(
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
            recorder.judged.insert(job, attempt);
        }
        false
    }

    /// The condition was asked, and the attempt counts as begun; not if it was given up meanwhile.
    pub(in crate::engine) fn began(&mut self, job: u32, attempt: u32) -> bool {
        let runs = self.scheduler.is_running(job, attempt);
        if runs {
            self.note(EntryKind::JobStarted, job, attempt);
        }
        runs
    }

    /// The condition of a job did not hold.
    pub(in crate::engine) fn declined(&mut self, job: u32, attempt: u32, deferred: &mut Deferred) {
        if self.scheduler.is_running(job, attempt) {
            self.close(job, deferred);
            self.scheduler.ended(job, attempt, End::Declined);
        }
    }
}
