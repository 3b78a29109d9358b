//! The generic cell rate algorithm (ITU-T I.371): when a run may begin, from one number for each
//! key. Times are nanoseconds on the clock of the store.

use super::RateLimit;

/// Whether a run may begin now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateVerdict {
    /// It may. From now on, this is the number of the key.
    Begin(i64),
    /// Not before this time.
    Wait(i64),
}

impl RateLimit {
    /// Decides whether a run begins now. `next` is the number of the key: when the next run is
    /// expected if runs are evenly spaced; `None` for a new key.
    ///
    /// Runs may be early by a 30th of the period, at most by 50 ms, so that the pauses between two
    /// claims cost no throughput. The space between runs is longer by the same share, so that no
    /// period has more runs than the limit.
    pub fn verdict(&self, next: Option<i64>, now: i64) -> RateVerdict {
        let (interval, early) = (self.interval(), self.early());
        let expected = next.unwrap_or(now).max(now);
        if expected - early > now {
            return RateVerdict::Wait(self.wakes_at(expected));
        }
        RateVerdict::Begin(expected + interval)
    }

    /// When to look for runs that wait, if the next one is expected at this time: early enough that
    /// a late look costs no throughput, and late enough that several may begin.
    pub fn wakes_at(&self, next: i64) -> i64 {
        next - self.early() * 3 / 4
    }

    /// The number of runs that may begin now.
    pub fn room(&self, next: i64, now: i64) -> u64 {
        let room = now + self.early() - next.max(now);
        if room < 0 { 0 } else { (room / self.interval()).unsigned_abs() + 1 }
    }

    /// The space between two runs.
    pub fn interval(&self) -> i64 {
        let limit = i64::from(self.limit.max(1));
        // Rounded up.
        ((self.period() + self.early() + limit - 1) / limit).max(1)
    }

    fn early(&self) -> i64 {
        // A single run needs no room for others.
        if self.limit <= 1 { 0 } else { (self.period() / 30).min(50_000_000) }
    }

    fn period(&self) -> i64 {
        i64::try_from(self.per.as_nanos()).unwrap_or(i64::MAX / 4)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    /// The times at which runs begin when claims happen at these times, with runs always waiting.
    fn begins(rate: &RateLimit, claims: impl IntoIterator<Item = i64>) -> Vec<i64> {
        let (mut next, mut begun) = (None, Vec::new());
        for now in claims {
            while let RateVerdict::Begin(at) = rate.verdict(next, now) {
                next = Some(at);
                begun.push(now);
            }
        }
        begun
    }

    proptest! {
        #[test]
        fn no_period_has_more_runs_than_the_limit(
            limit in 1_u32..300,
            millis in 1_u64..5000,
            pauses in prop::collection::vec(0_i64..300_000_000, 1..300),
        ) {
            let rate = RateLimit::new(limit, Duration::from_millis(millis));
            let claims = pauses.iter().scan(0, |now, pause| {
                *now += pause;
                Some(*now)
            });
            let begun = begins(&rate, claims);
            let period = i64::try_from(rate.per.as_nanos()).expect("short");
            for pair in begun.windows(limit as usize + 1) {
                prop_assert!(pair[limit as usize] - pair[0] >= period);
            }
        }

        #[test]
        fn the_room_is_the_number_of_runs_that_begin(
            limit in 1_u32..300,
            next in 0_i64..3_000_000_000,
            now in 0_i64..3_000_000_000,
        ) {
            let rate = RateLimit::new(limit, Duration::from_secs(1));
            let (mut at, mut count) = (next, 0);
            while let RateVerdict::Begin(after) = rate.verdict(Some(at), now) {
                (at, count) = (after, count + 1);
            }
            prop_assert_eq!(rate.room(next, now), count);
        }
    }

    #[test]
    fn frequent_claims_reach_the_rate() {
        for (limit, per) in [(200, 1000), (10, 1000), (1, 100), (5000, 60_000)] {
            let rate = RateLimit::new(limit, Duration::from_millis(per));
            let claims = (0..20_000).map(|at| at * 5_000_000);
            let begun = begins(&rate, claims).len() as f64;
            let wanted = f64::from(limit) * 100_000.0 / per as f64;
            assert!(
                (0.95..=1.01).contains(&(begun / wanted)),
                "{limit}/{per} ms: {begun} {wanted}"
            );
        }
    }
}
