//! The number of callers that are inside something at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_timer::Delay;

/// Counts concurrent callers, and remembers the maximum.
#[derive(Clone, Default)]
pub(crate) struct Gauge(Arc<Counts>);

#[derive(Default)]
struct Counts {
    inside: AtomicUsize,
    most: AtomicUsize,
    /// How many callers wait for each other.
    company: usize,
}

impl Gauge {
    /// A gauge whose callers stay until `company` of them have been inside at once.
    ///
    /// So a slow machine does not let them pass one after another.
    pub(crate) fn of(company: usize) -> Self {
        Self(Arc::new(Counts { company, ..Counts::default() }))
    }

    /// Is inside for a moment in which others may come, at most ten seconds.
    pub(crate) async fn stay(&self) {
        let inside = self.0.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(inside, Ordering::SeqCst);
        let _leaves = Leaves(self);
        for _ in 0..10_000 {
            Delay::new(Duration::from_millis(1)).await;
            if self.most() >= self.0.company {
                return;
            }
        }
    }

    pub(crate) fn most(&self) -> usize {
        self.0.most.load(Ordering::SeqCst)
    }
}

struct Leaves<'a>(&'a Gauge);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.0.inside.fetch_sub(1, Ordering::SeqCst);
    }
}
