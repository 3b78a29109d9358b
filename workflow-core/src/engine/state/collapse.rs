//! The end of a run whose driver panicked: nothing is asked of the scheduler any more.

use std::sync::Arc;

use super::{ActiveRun, Deferred, EntryDetail, EntryKind, JobError, JobErrorKind, RunState};
use crate::store::StoreError;

impl RunState {
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
