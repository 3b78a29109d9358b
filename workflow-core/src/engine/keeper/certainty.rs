//! Until when it is certain that no other engine drives the runs of this one.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Until when it is certain that no other engine drives the runs of this one. A process that was
/// stopped, or was slow, finds out here before it asks its store.
#[derive(Default)]
pub(super) struct Certainty(Mutex<Until>);

#[derive(Default)]
struct Until {
    /// Until when the store has the engine as alive.
    alive: Option<Instant>,
    certain: Option<Instant>,
}

impl Certainty {
    /// The store has said, to a request of this moment, that the engine is alive.
    ///
    /// That is certain when it was alive until then: what others began to take over in a gap may
    /// come to light after the answer.
    pub(super) fn renewed(&self, asked: Instant, lifetime: Duration) {
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let without_gap = until.alive.is_some_and(|alive| now < alive);
        until.alive = asked.checked_add(lifetime);
        if without_gap {
            until.certain = until.alive;
        }
    }

    pub(super) fn holds(&self) -> bool {
        let until = self.0.lock().unwrap_or_else(PoisonError::into_inner).certain;
        until.is_some_and(|until| Instant::now() < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn it_takes_two_answers_without_a_gap() {
        let certainty = Certainty::default();
        assert!(!certainty.holds());
        certainty.renewed(Instant::now(), LONG);
        assert!(!certainty.holds());
        certainty.renewed(Instant::now(), LONG);
        assert!(certainty.holds());
    }

    #[test]
    fn a_gap_ends_it() {
        let certainty = Certainty::default();
        certainty.renewed(Instant::now(), LONG);
        certainty.renewed(Instant::now(), Duration::ZERO);
        assert!(!certainty.holds());
        certainty.renewed(Instant::now(), LONG);
        assert!(!certainty.holds());
        certainty.renewed(Instant::now(), LONG);
        assert!(certainty.holds());
    }
}
