//! Which owners are alive, by the clock of the database and by what this process has seen of them.
//!
//! A lease ends at a time of day, and clocks are set. So each process that looks for abandoned runs
//! remembers which heartbeat of each owner it saw last, and since when by its own monotonic clock:
//!
//! | the lease ends | the owner |
//! |---|---|
//! | in the past | is dead, unless a heartbeat was seen that is not a lease old |
//! | within the length of the lease | is alive |
//! | later than that | is alive as long as it renews: dead after a whole lease without |
//!
//! This room knows no runs and no statements.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use workflow_core::OwnerId;

/// What is written of an owner each time that it renews its lease. Two that differ prove that it
/// was alive in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heartbeat {
    /// How often it has renewed.
    pub(crate) count: i64,
    /// Until when the lease goes, in microseconds by the database's clock. Owners of a version
    /// that counts nothing change this alone.
    pub(crate) until: i64,
}

/// An owner whose lease is not over by the database's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnerRow {
    pub(crate) id: OwnerId,
    pub(crate) heartbeat: Heartbeat,
    /// The length of its lease.
    pub(crate) lifetime: Duration,
    /// How much of the lease is left by the database's clock.
    pub(crate) left: Duration,
}

/// When a process has looked at the owners: the answer was made in between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) asked: Instant,
    pub(crate) answered: Instant,
}

/// What this process has seen of the owners of a database.
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
    /// The heartbeat was made after this moment, as far as one is known.
    made_after: Option<Instant>,
}

/// What a look at the owners has come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// Owners that are alive, and when they will count as dead without another heartbeat.
    pub(crate) alive: HashMap<OwnerId, Duration>,
    /// Those of them whose lease the database has as over, because its clock jumped.
    pub(crate) protected: Vec<OwnerId>,
    /// Owners that have not renewed for a whole lease, though the database has them as alive.
    pub(crate) stopped: Vec<(OwnerId, Heartbeat)>,
}

impl Liveness {
    /// Judges all owners, given those whose lease is not over.
    pub(crate) fn judge(&mut self, rows: &[OwnerRow], look: Look) -> Judgement {
        let mut judgement = Judgement::default();
        for row in rows {
            let seen = self.see(row, look);
            match row.expires_in(seen, look) {
                Some(rest) => drop(judgement.alive.insert(row.id, rest)),
                None => judgement.stopped.push((row.id, row.heartbeat)),
            }
        }
        let is_current = |id: &OwnerId| rows.iter().any(|row| row.id == *id);
        self.seen.retain(|id, seen| {
            if is_current(id) {
                return true;
            }
            let rest = seen.protected_for(look);
            if let Some(rest) = rest {
                judgement.protected.push(*id);
                judgement.alive.insert(*id, rest);
            }
            rest.is_some()
        });
        self.last_look = self.last_look.max(Some(look.asked));
        judgement
    }

    fn see(&mut self, row: &OwnerRow, look: Look) -> &Seen {
        // Several threads look; an answer that was overtaken tells nothing new.
        let is_stale = self.last_look.is_some_and(|last| look.asked < last);
        let seen = match self.seen.remove(&row.id) {
            Some(known) if known.heartbeat == row.heartbeat || is_stale => known,
            known => {
                // One that follows another was made after that was read.
                let followed = known.and(self.last_look);
                let made_after = followed.max(row.made_after(look));
                let Look { answered: since, .. } = look;
                let (heartbeat, lifetime) = (row.heartbeat, row.lifetime);
                Seen { heartbeat, lifetime, since, made_after }
            }
        };
        self.seen.entry(row.id).or_insert(seen)
    }
}

impl OwnerRow {
    /// Whether the lease ends later than one that was just renewed.
    fn is_far_ahead(&self) -> bool {
        // A little more than its length: clocks are set by little amounts all the time.
        self.left > self.lifetime + self.lifetime / 8
    }

    /// When the lease was renewed, by what is left of it.
    fn made_after(&self, look: Look) -> Option<Instant> {
        let age = self.lifetime.checked_sub(self.left).unwrap_or_default();
        if self.is_far_ahead() { None } else { look.asked.checked_sub(age) }
    }

    /// When the owner counts as dead without another heartbeat; `None` when it does.
    fn expires_in(&self, seen: &Seen, look: Look) -> Option<Duration> {
        if !self.is_far_ahead() {
            return Some(self.left);
        }
        let waited = look.asked.saturating_duration_since(seen.since);
        self.lifetime.checked_sub(waited).filter(|rest| !rest.is_zero())
    }
}

impl Seen {
    /// How long the owner counts as alive though its lease is over by the database's clock.
    ///
    /// Where no clock has jumped this delays nothing: the heartbeat is at least as old as that.
    fn protected_for(&self, look: Look) -> Option<Duration> {
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

        fn look(&mut self) -> Judgement {
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
            self.liveness.judge(&rows, Look { asked: at, answered: at })
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
    fn a_lease_that_is_over_is_dead_at_once() {
        let mut world = World::new();
        world.beat();
        world.pass(LEASE);
        assert_eq!(world.look(), Judgement::default());
    }

    #[test]
    fn without_jumps_the_dead_are_dead_when_their_lease_is_over() {
        let mut world = World::new();
        world.live(Duration::from_secs(60));
        world.beat();
        assert_eq!(world.time_to_death(), LEASE);
    }

    #[test]
    fn who_looks_rarely_holds_nothing_back() {
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
    fn jumps_do_not_end_the_living() {
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
    fn jumps_do_not_keep_the_dead() {
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
    fn one_that_has_stopped_is_named_with_its_last_heartbeat() {
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
    fn an_answer_that_was_overtaken_tells_nothing() {
        let mut world = World::new();
        world.beat();
        let late = Look { asked: world.start, answered: world.start + LEASE };
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
