//! Which owners are alive, by the database's clock and by the heartbeats that this process has
//! seen.
//!
//! A lease expires at a time of day, but clocks are adjusted. So each process that looks for
//! abandoned runs remembers the last heartbeat of each owner, and since when it knows it by its
//! monotonic clock:
//!
//! | the lease expires | the owner |
//! |---|---|
//! | in the past | is dead, unless its last heartbeat is younger than a lease |
//! | within the length of the lease | is alive |
//! | later than that | is alive while it renews, and dead after a whole lease without a renewal |
//!
//! This module knows no runs and no statements.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use workflow_core::store::OwnerId;

/// What an owner writes with each renewal of its lease. Two different ones prove that it was alive
/// in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heartbeat {
    /// The number of renewals.
    pub(crate) count: i64,
    /// When the lease expires, in microseconds by the database's clock. Owners of older versions
    /// without a count change only this.
    pub(crate) until: i64,
}

/// An owner whose lease has not expired by the database's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnerRow {
    pub(crate) id: OwnerId,
    pub(crate) heartbeat: Heartbeat,
    /// The length of its lease.
    pub(crate) lifetime: Duration,
    /// The time until the lease expires, by the database's clock.
    pub(crate) left: Duration,
}

/// When a process read the owners; the database answered in between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Observation {
    pub(crate) asked: Instant,
    pub(crate) answered: Instant,
}

/// The heartbeats that this process has seen.
#[derive(Debug, Default)]
pub(crate) struct Liveness {
    seen: HashMap<OwnerId, Seen>,
    last_look: Option<Instant>,
}

#[derive(Debug)]
struct Seen {
    heartbeat: Heartbeat,
    lifetime: Duration,
    /// When the heartbeat was first seen.
    since: Instant,
    /// A moment before the heartbeat, if one is known.
    made_after: Option<Instant>,
}

/// The result of reading the owners.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnerStates {
    /// Owners that are alive, with the time after which they count as dead without another
    /// heartbeat.
    pub(crate) alive: HashMap<OwnerId, Duration>,
    /// Those of them whose lease has expired by the database's clock, because the clock jumped.
    pub(crate) protected: Vec<OwnerId>,
    /// Owners without a renewal for a whole lease, although the database shows them as alive.
    pub(crate) stopped: Vec<(OwnerId, Heartbeat)>,
}

impl Liveness {
    /// Judges all owners, given those whose lease has not expired.
    pub(crate) fn judge(&mut self, rows: &[OwnerRow], look: Observation) -> OwnerStates {
        let mut states = OwnerStates::default();
        for row in rows {
            let seen = self.see(row, look);
            match row.expires_in(seen, look) {
                Some(rest) => drop(states.alive.insert(row.id, rest)),
                None => states.stopped.push((row.id, row.heartbeat)),
            }
        }
        let is_current = |id: &OwnerId| rows.iter().any(|row| row.id == *id);
        self.seen.retain(|id, seen| {
            if is_current(id) {
                return true;
            }
            let rest = seen.protected_for(look);
            if let Some(rest) = rest {
                states.protected.push(*id);
                states.alive.insert(*id, rest);
            }
            rest.is_some()
        });
        self.last_look = self.last_look.max(Some(look.asked));
        states
    }

    fn see(&mut self, row: &OwnerRow, look: Observation) -> &Seen {
        // Several threads read owners; an answer that was overtaken is ignored.
        let is_stale = self.last_look.is_some_and(|last| look.asked < last);
        let seen = match self.seen.remove(&row.id) {
            Some(known) if known.heartbeat == row.heartbeat || is_stale => known,
            known => {
                // A later heartbeat was made after the earlier one was read.
                let followed = known.and(self.last_look);
                let made_after = followed.max(row.made_after(look));
                let Observation { answered: since, .. } = look;
                let (heartbeat, lifetime) = (row.heartbeat, row.lifetime);
                Seen { heartbeat, lifetime, since, made_after }
            }
        };
        self.seen.entry(row.id).or_insert(seen)
    }
}

impl OwnerRow {
    /// Whether the lease expires later than one that was just renewed.
    fn is_far_ahead(&self) -> bool {
        // A little more than its length, because clocks are constantly adjusted by small amounts.
        self.left > self.lifetime + self.lifetime / 8
    }

    /// When the lease was renewed, computed from its remaining time.
    fn made_after(&self, look: Observation) -> Option<Instant> {
        let age = self.lifetime.checked_sub(self.left).unwrap_or_default();
        if self.is_far_ahead() { None } else { look.asked.checked_sub(age) }
    }

    /// When the owner counts as dead without another heartbeat; `None` when it does.
    fn expires_in(&self, seen: &Seen, look: Observation) -> Option<Duration> {
        if !self.is_far_ahead() {
            return Some(self.left);
        }
        let waited = look.asked.saturating_duration_since(seen.since);
        self.lifetime.checked_sub(waited).filter(|rest| !rest.is_zero())
    }
}

impl Seen {
    /// How long the owner counts as alive although its lease has expired by the database's clock.
    ///
    /// If no clock has jumped, this delays nothing: the heartbeat is at least that old.
    fn protected_for(&self, look: Observation) -> Option<Duration> {
        let age = look.answered.saturating_duration_since(self.made_after?);
        self.lifetime.checked_sub(age).filter(|rest| !rest.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(9);
    const HOUR: Duration = Duration::from_secs(3600);

    /// An owner, a database whose clock can be set, and who looks at it.
    struct World {
        id: OwnerId,
        start: Instant,
        /// By the monotonic clock.
        now: Duration,
        /// By the clock of the database.
        clock: i64,
        heartbeat: Option<Heartbeat>,
        liveness: Liveness,
    }

    impl World {
        fn new() -> Self {
            let (id, start, clock) = (OwnerId::random(), Instant::now() + HOUR, 1_000_000_000_000);
            let liveness = Liveness::default();
            Self { id, start, now: Duration::ZERO, clock, heartbeat: None, liveness }
        }

        fn pass(&mut self, time: Duration) {
            self.now += time;
            self.clock += micros(time);
        }

        fn beat(&mut self) {
            let count = self.heartbeat.map_or(0, |heartbeat| heartbeat.count) + 1;
            self.heartbeat = Some(Heartbeat { count, until: self.clock + micros(LEASE) });
        }

        fn look(&mut self) -> OwnerStates {
            let at = self.start + self.now;
            let left = self.heartbeat.map(|heartbeat| (heartbeat, heartbeat.until - self.clock));
            let rows: Vec<_> = left
                .filter(|(_, left)| *left > 0)
                .map(|(heartbeat, left)| OwnerRow {
                    id: self.id,
                    heartbeat,
                    lifetime: LEASE,
                    left: Duration::from_micros(left.unsigned_abs()),
                })
                .into_iter()
                .collect();
            self.liveness.judge(&rows, Observation { asked: at, answered: at })
        }

        fn is_alive(&mut self) -> bool {
            self.look().alive.contains_key(&self.id)
        }

        /// How long it takes, by looks four times a second, until the owner counts as dead.
        fn time_to_death(&mut self) -> Duration {
            let began = self.now;
            while self.is_alive() {
                self.pass(Duration::from_millis(250));
                assert!(self.now - began < HOUR / 2, "it is never found to be dead");
            }
            self.now - began
        }

        /// The owner renews for a while, as owners do.
        fn live(&mut self, time: Duration) {
            for second in 0..time.as_secs() {
                if second % 3 == 0 {
                    self.beat();
                }
                assert!(self.is_alive(), "after {second} s");
                self.pass(Duration::from_secs(1));
            }
        }
    }

    fn micros(time: Duration) -> i64 {
        i64::try_from(time.as_micros()).expect("a short time")
    }

    #[test]
    fn an_owner_is_dead_once_its_lease_expires() {
        let mut world = World::new();
        world.beat();
        world.pass(LEASE);
        assert_eq!(world.look(), OwnerStates::default());
    }

    #[test]
    fn without_clock_jumps_an_owner_dies_with_its_lease() {
        let mut world = World::new();
        world.live(Duration::from_secs(60));
        world.beat();
        assert_eq!(world.time_to_death(), LEASE);
    }

    #[test]
    fn a_rare_observer_delays_no_takeover() {
        let mut world = World::new();
        world.beat();
        assert!(world.is_alive());
        world.pass(HOUR);
        world.beat();
        world.pass(LEASE - Duration::from_secs(1));
        assert!(world.is_alive());
        world.pass(Duration::from_secs(1));
        assert!(!world.is_alive());
    }

    #[test]
    fn clock_jumps_do_not_end_live_owners() {
        for jump in [HOUR, Duration::from_secs(30), HOUR * 24 * 365 * 20].map(micros) {
            for jump in [jump, -jump] {
                let mut world = World::new();
                // At any time after a heartbeat.
                for quarter in 0..12 {
                    world.live(Duration::from_secs(9));
                    world.beat();
                    for _ in 0..quarter {
                        assert!(world.is_alive());
                        world.pass(Duration::from_millis(250));
                    }
                    world.clock += jump;
                    for _ in quarter..14 {
                        assert!(world.is_alive(), "{jump} after {quarter}/4 s");
                        world.pass(Duration::from_millis(250));
                    }
                }
            }
        }
    }

    #[test]
    fn clock_jumps_do_not_keep_dead_owners_alive() {
        for jump in [HOUR, Duration::from_secs(30), HOUR * 24 * 365 * 20].map(micros) {
            for jump in [jump, -jump] {
                let mut world = World::new();
                world.live(Duration::from_secs(9));
                world.beat();
                world.clock += jump;
                let took = world.time_to_death();
                assert!(took <= LEASE + Duration::from_millis(250), "{jump}: {took:?}");
                // Nor for somebody who has not seen it before.
                world.beat();
                world.clock += jump;
                world.liveness = Liveness::default();
                let took = world.time_to_death();
                assert!(took <= LEASE + Duration::from_millis(250), "{jump}: {took:?}");
            }
        }
    }

    #[test]
    fn a_stopped_owner_is_reported_with_its_last_heartbeat() {
        let mut world = World::new();
        world.beat();
        world.clock -= micros(HOUR);
        assert_eq!(world.look().alive[&world.id], LEASE);
        world.pass(LEASE / 3);
        assert_eq!(world.look().alive[&world.id], LEASE * 2 / 3);
        world.pass(LEASE * 2 / 3);
        let heartbeat = world.heartbeat.expect("it was alive");
        assert_eq!(world.look().stopped, [(world.id, heartbeat)]);
        world.beat();
        assert!(world.is_alive());
    }

    #[test]
    fn an_outdated_answer_is_ignored() {
        let mut world = World::new();
        world.beat();
        let late = Observation { asked: world.start, answered: world.start + LEASE };
        let old = OwnerRow {
            id: world.id,
            heartbeat: world.heartbeat.expect("it is alive"),
            lifetime: LEASE,
            left: LEASE,
        };
        world.pass(LEASE / 3);
        world.beat();
        assert!(world.is_alive());
        let since = world.liveness.seen[&world.id].since;
        world.liveness.judge(&[old], late);
        let seen = &world.liveness.seen[&world.id];
        assert_eq!((Some(seen.heartbeat), seen.since), (world.heartbeat, since));
    }
}
