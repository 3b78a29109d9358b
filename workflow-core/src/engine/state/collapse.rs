//! The end of a run whose driver panicked: nothing is asked of the scheduler any more.

use std::sync::Arc;

use super::{ActiveRun, Detail, Errands, JobError, JobErrorKind, State, What};
use crate::store::StoreError;

impl State {
    /// Fails the run, gives back what its jobs hold, and tells whoever waits for them.
    pub(in crate::engine) fn collapse(
        &mut self,
        run: &Arc<ActiveRun>,
        panic: &str,
        errands: &mut Errands,
    ) {
        let reason = format!("the engine panicked while it drove the run: {panic}");
        if let Some(recorder) = &mut self.recorder
            && recorder.failed.is_none()
        {
            recorder.failed = Some(Arc::new(StoreError::Unavailable(reason.clone().into())));
        }
        self.release(errands);
        for (job, attempt) in self.scheduler.abort() {
            run.slots.fence(job, attempt);
            self.close(job, errands);
        }
        self.give_all_back(errands);
        while let Some((_, child)) = self.children.pop_first() {
            let error = JobError::of_kind(JobErrorKind::Cancelled, reason.clone());
            errands.answer(child, Err(error));
        }
        self.note_with(What::RunFailed, u32::MAX, 0, Detail::Reason(reason));
        errands.drop.extend(self.clear_alarms());
        errands.finished = true;
    }
}
