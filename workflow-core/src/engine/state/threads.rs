//! The threads that work for a run beside its driver.

use super::Deferred;

#[derive(Default)]
pub(in crate::engine) struct Threads {
    /// All of them.
    pub(in crate::engine) count: usize,
    /// Those that have nothing to do.
    pub(in crate::engine) idle: usize,
    /// Those inside a function that may block.
    pub(in crate::engine) blocked: usize,
    /// Jobs take so long that another thread is worth waking.
    pub(in crate::engine) worthwhile: bool,
    /// They did when the monitor looked last.
    pub(in crate::engine) was_slow: bool,
}

/// How many threads one run may have; what tokio allows a whole runtime by default.
pub(in crate::engine) const MOST_THREADS: usize = 512;

impl Threads {
    /// Work has come up that needs a thread.
    pub(super) fn call_for_one(&mut self, deferred: &mut Deferred) {
        if self.idle > 0 {
            deferred.ring = true;
        } else if self.count == 0 {
            self.start(1, deferred);
        }
        // Else one is busy, and the monitor will see whether it stays so.
    }

    /// Starts this many threads, as far as there may be so many.
    pub(in crate::engine) fn start(&mut self, wanted: usize, deferred: &mut Deferred) {
        let wanted = wanted.min(MOST_THREADS.saturating_sub(self.count));
        self.count += wanted;
        deferred.threads += wanted;
    }
}
