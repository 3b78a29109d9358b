//! What is due on a schedule: pure arithmetic, without a clock.

use jiff::{SignedDuration, Timestamp};

use crate::policy::SchedulePolicy;
use crate::times::{TimeWindow, Times};

/// A schedule with its policy. Plans what a scheduler does at a check.
///
/// ```
/// use std::time::Duration;
/// use workflow_cron::{ScheduleCheck, Planner, SchedulePolicy, Times};
///
/// let policy = SchedulePolicy { catch_up: Duration::from_secs(7200), ..Default::default() };
/// let planner = Planner::new(Times::new("0 * * * *", None)?, policy, "report");
/// // The scheduler was down from 08:30 to 12:10.
/// let (handled, now) = ("2026-01-01T08:00:00Z".parse()?, "2026-01-01T12:10:00Z".parse()?);
/// let plan = planner.plan(ScheduleCheck { handled, watched: now, now });
/// assert_eq!(plan.start, ["2026-01-01T11:00:00Z".parse()?, "2026-01-01T12:00:00Z".parse()?]);
/// assert_eq!(plan.missed.map(|missed| missed.last), Some("2026-01-01T10:00:00Z".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Planner {
    times: Times,
    policy: SchedulePolicy,
    seed: u64,
}

/// A check of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduleCheck {
    /// The last time of the schedule that was started or skipped; before the first one, the moment
    /// at which the schedule was seen first.
    pub handled: Timestamp,
    /// The last check by this process: a time after it is due, and was not missed.
    pub watched: Timestamp,
    /// The time of this check.
    pub now: Timestamp,
}

/// What to do at a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchedulePlan {
    /// The times whose runs start, oldest first; at most a hundred.
    pub start: Vec<Timestamp>,
    /// The times that are skipped because no scheduler was running.
    pub missed: Option<Missed>,
    /// The last time that is started or skipped. The next check passes it.
    pub handled: Timestamp,
}

/// Times in a row that are skipped because no scheduler was running. All of them are before those
/// that start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed {
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
}

/// The most runs that one check starts. The others follow at the next checks.
const MOST_STARTS: usize = 100;

const TICK: SignedDuration = SignedDuration::from_nanos(1);

impl Planner {
    /// Creates a planner. `seed` names the schedule: it decides about the delay of each time within
    /// the jitter.
    pub fn new(times: Times, policy: SchedulePolicy, seed: &str) -> Self {
        Self { times, policy, seed: hash(FNV_OFFSET, seed.as_bytes()) }
    }

    /// The times of the schedule, without jitter.
    pub fn times(&self) -> &Times {
        &self.times
    }

    /// The policy.
    pub fn policy(&self) -> SchedulePolicy {
        self.policy
    }

    /// Plans a check. Every time is started or skipped once, in order, as long as each check passes
    /// the `handled` of the plan before it.
    ///
    /// A time after `now - catch_up` starts. So does the last one that began since the last check.
    /// All others were missed. If the clock was set back before `handled`, times are handled again.
    pub fn plan(&self, check: ScheduleCheck) -> SchedulePlan {
        let ScheduleCheck { watched, now, .. } = check;
        let handled = check.handled.min(now);
        let Some(last) = self.last_begun(handled, now) else {
            return SchedulePlan { start: Vec::new(), missed: None, handled };
        };
        let catch_up =
            SignedDuration::try_from(self.policy.catch_up).unwrap_or(SignedDuration::MAX);
        let since = now.checked_sub(catch_up).unwrap_or(Timestamp::MIN);
        let before = since.checked_sub(TICK).unwrap_or(since).max(handled);
        let within = std::iter::successors(self.times.next(before), |at| self.times.next(*at));
        let within = within.take_while(|at| *at <= last);
        let mut start: Vec<Timestamp> = within.take(MOST_STARTS).collect();
        if start.is_empty() && self.begins(last) > watched {
            start.push(last);
        }
        let missed = match start.first() {
            Some(first) => self.missed(handled, first.checked_sub(TICK).unwrap_or(*first)),
            None => self.missed(handled, last),
        };
        SchedulePlan { handled: start.last().copied().unwrap_or(last), start, missed }
    }

    /// When the run of the next time begins, with its jitter.
    pub fn next_begin(&self, handled: Timestamp) -> Option<Timestamp> {
        self.times.next(handled).map(|at| self.begins(at))
    }

    /// The cursor of a scheduler that starts now and remembers nothing: the times after it have not
    /// begun.
    pub fn cursor_at(&self, now: Timestamp) -> Timestamp {
        let jitter = SignedDuration::try_from(self.policy.jitter).unwrap_or(SignedDuration::MAX);
        let after = now.checked_sub(jitter).unwrap_or(Timestamp::MIN);
        self.last_begun(after, now).unwrap_or(after)
    }

    /// When the run of a time begins: after a delay within the jitter, and before the next time, so
    /// that runs begin in order.
    fn begins(&self, at: Timestamp) -> Timestamp {
        let jitter = u64::try_from(self.policy.jitter.as_millis()).unwrap_or(u64::MAX);
        if jitter == 0 {
            return at;
        }
        // Drawn from the whole gap, not cut to it: otherwise most runs would begin at its end.
        let gap = self.times.next(at).map(|next| next.duration_since(at).as_millis() - 1);
        let longest = gap.map_or(jitter, |gap| jitter.min(u64::try_from(gap).unwrap_or(0)));
        let drawn = hash(self.seed, &at.as_nanosecond().to_le_bytes()) % longest.saturating_add(1);
        let delay = SignedDuration::from_millis(i64::try_from(drawn).unwrap_or(i64::MAX));
        at.checked_add(delay).unwrap_or(at)
    }

    /// The last time after `handled` whose run has begun.
    fn last_begun(&self, handled: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let last = self.times.due(TimeWindow { after: handled, until: now })?;
        if self.begins(last) <= now {
            return Some(last);
        }
        self.times.due(TimeWindow { after: handled, until: last.checked_sub(TICK).ok()? })
    }

    fn missed(&self, after: Timestamp, until: Timestamp) -> Option<Missed> {
        let first = self.times.next(after).filter(|first| *first <= until)?;
        let last = self.times.due(TimeWindow { after, until }).unwrap_or(first);
        Some(Missed { first, last })
    }
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a with a final mix: the same on every machine and in every version.
fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let mut mixed = bytes.iter().fold(seed, step);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn planner(cron: &str, policy: SchedulePolicy) -> Planner {
        Planner::new(Times::new(cron, None).expect("times"), policy, "w")
    }

    #[test]
    fn without_catch_up_only_the_last_time_since_the_last_check_starts() {
        let hourly = planner("0 * * * *", SchedulePolicy::default());
        let (handled, now) = (at("2026-01-01T00:00:00Z"), at("2026-01-01T03:00:01Z"));
        // It was watching since one o'clock, as after a suspend.
        let plan = hourly.plan(ScheduleCheck { handled, watched: at("2026-01-01T01:00:00Z"), now });
        let missed = Missed { first: at("2026-01-01T01:00:00Z"), last: at("2026-01-01T02:00:00Z") };
        let three = at("2026-01-01T03:00:00Z");
        assert_eq!(plan, SchedulePlan { start: vec![three], missed: Some(missed), handled: three });
        // It has only just started.
        let plan = hourly.plan(ScheduleCheck { handled, watched: now, now });
        let missed = Missed { last: three, ..missed };
        assert_eq!(plan, SchedulePlan { start: vec![], missed: Some(missed), handled: three });
        // Nothing is left.
        let plan = hourly.plan(ScheduleCheck { handled: plan.handled, watched: now, now });
        assert_eq!(plan, SchedulePlan { start: vec![], missed: None, handled: three });
    }

    #[test]
    fn a_long_window_starts_a_hundred_runs_at_a_time() {
        let policy = SchedulePolicy { catch_up: Duration::from_secs(86_400), ..Default::default() };
        let minutely = planner("* * * * *", policy);
        let now = at("2026-01-01T05:00:30Z");
        let mut check = ScheduleCheck { handled: at("2026-01-01T00:00:00Z"), watched: now, now };
        for wanted in [100, 100, 100, 0] {
            let plan = minutely.plan(check);
            assert_eq!((plan.start.len(), plan.missed), (wanted, None));
            check.handled = plan.handled;
        }
        assert_eq!(check.handled, at("2026-01-01T05:00:00Z"));
    }

    #[test]
    fn an_outage_of_twenty_years_is_planned_at_once() {
        let policy = SchedulePolicy { catch_up: Duration::from_secs(60), ..Default::default() };
        let minutely = planner("* * * * *", policy);
        let now = at("2046-01-01T00:00:30Z");
        let plan =
            minutely.plan(ScheduleCheck { handled: at("2026-01-01T00:00:00Z"), watched: now, now });
        assert_eq!(plan.start, [at("2046-01-01T00:00:00Z")]);
        let missed = Missed { first: at("2026-01-01T00:01:00Z"), last: at("2045-12-31T23:59:00Z") };
        assert_eq!(plan.missed, Some(missed));
    }

    #[test]
    fn a_clock_that_was_wrong_does_not_stop_the_schedule() {
        let hourly = planner("0 * * * *", SchedulePolicy::default());
        let (handled, now) = (at("2040-01-01T00:00:00Z"), at("2026-01-01T00:30:00Z"));
        let plan = hourly.plan(ScheduleCheck { handled, watched: now, now });
        assert_eq!((plan.start.len(), plan.handled), (0, now));
        let later = at("2026-01-01T01:00:00Z");
        let plan = hourly.plan(ScheduleCheck { handled: plan.handled, watched: now, now: later });
        assert_eq!(plan.start, [later]);
    }

    #[test]
    fn jitter_delays_each_time_alike_everywhere_and_keeps_the_order() {
        let policy = SchedulePolicy { jitter: Duration::from_secs(90), ..Default::default() };
        let (here, there) = (planner("* * * * *", policy), planner("* * * * *", policy));
        let times =
            std::iter::successors(Some(at("2026-01-01T00:00:00Z")), |t| here.times.next(*t));
        let times: Vec<Timestamp> = times.take(500).collect();
        let begins: Vec<Timestamp> = times.iter().map(|at| here.begins(*at)).collect();
        assert_eq!(begins, times.iter().map(|at| there.begins(*at)).collect::<Vec<_>>());
        assert!(begins.is_sorted());
        let delays: Vec<i64> = times
            .iter()
            .zip(&begins)
            .map(|(at, begin)| begin.duration_since(*at).as_secs())
            .collect();
        assert!(delays.iter().all(|delay| (0..60).contains(delay)), "{delays:?}");
        assert!(delays.iter().any(|delay| *delay < 10) && delays.iter().any(|delay| *delay > 50));
        let other = Planner::new(Times::new("* * * * *", None).expect("times"), policy, "x");
        assert!(times.iter().any(|at| other.begins(*at) != here.begins(*at)));
    }

    #[test]
    fn a_jitter_longer_than_the_interval_spreads_runs_over_the_interval() {
        let policy = SchedulePolicy { jitter: Duration::from_secs(3600), ..Default::default() };
        let often = planner("*/5 * * * *", policy);
        let times =
            std::iter::successors(Some(at("2026-01-01T00:00:00Z")), |t| often.times.next(*t));
        let delay = |at: Timestamp| often.begins(at).duration_since(at).as_secs();
        let delays: Vec<i64> = times.take(600).map(delay).collect();
        assert!(delays.iter().all(|delay| (0..300).contains(delay)), "{delays:?}");
        for minute in 0..5 {
            let count = delays.iter().filter(|delay| **delay / 60 == minute).count();
            assert!((80..160).contains(&count), "minute {minute}: {count} of 600");
        }
    }

    #[test]
    fn a_scheduler_without_memory_waits_for_the_times_that_have_not_begun() {
        let policy = SchedulePolicy { jitter: Duration::from_secs(1800), ..Default::default() };
        let hourly = planner("0 * * * *", policy);
        let one = at("2026-01-01T01:00:00Z");
        let begins = hourly.begins(one);
        assert_eq!(hourly.next_begin(hourly.cursor_at(begins - TICK)), Some(begins));
        assert_eq!(hourly.cursor_at(begins), one);
        let punctual = planner("0 * * * *", SchedulePolicy::default());
        assert_eq!(punctual.cursor_at(one), one);
    }

    #[test]
    fn a_time_is_due_when_its_delay_is_over() {
        let policy = SchedulePolicy { jitter: Duration::from_secs(600), ..Default::default() };
        let hourly = planner("0 * * * *", policy);
        let one = at("2026-01-01T01:00:00Z");
        let begins = hourly.begins(one);
        assert!(begins > one);
        let (handled, watched) = (at("2026-01-01T00:00:00Z"), at("2026-01-01T00:59:59Z"));
        assert_eq!(hourly.next_begin(handled), Some(begins));
        let early = begins - TICK;
        let plan = hourly.plan(ScheduleCheck { handled, watched, now: early });
        assert_eq!(plan, SchedulePlan { start: vec![], missed: None, handled });
        let plan = hourly.plan(ScheduleCheck { handled, watched: early, now: begins });
        assert_eq!(plan, SchedulePlan { start: vec![one], missed: None, handled: one });
    }
}
