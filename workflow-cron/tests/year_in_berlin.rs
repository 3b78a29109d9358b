//! A year of schedules in Europe/Berlin, with outages of the scheduler and runs that take time. The
//! clocks change on 29 March at 02:00, and on 25 October at 03:00.
#![cfg(feature = "times")]

use std::collections::VecDeque;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use workflow_cron::{
    Admission, EarlierRun, Overlap, Planner, ScheduleCheck, SchedulePolicy, Times,
};

const BEGIN: &str = "2025-12-31T23:59:59";
const END: &str = "2026-12-31T23:59:59";

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A row of the table.
struct Year {
    name: &'static str,
    cron: &'static str,
    policy: SchedulePolicy,
    /// How long each run takes, in seconds.
    run: u64,
    /// When no scheduler runs, in local time.
    outages: &'static [(&'static str, &'static str)],
    wanted: Wanted,
}

/// What a year comes to.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    started: usize,
    /// Times that passed during an outage, and were not made up for.
    missed: usize,
    /// Times that an unfinished run made the scheduler skip.
    overlapped: usize,
    cancelled: usize,
    /// Some of the times that started, each with the time at which its run began, in local time.
    at: Vec<(&'static str, &'static str)>,
}

/// What happened to the times of a year.
#[derive(Default)]
struct Record {
    started: Vec<(Timestamp, Timestamp)>,
    missed: Vec<Timestamp>,
    overlapped: Vec<Timestamp>,
    cancelled: usize,
}

/// Local time to an instant. Of a repeated hour it is the first.
fn local(text: &str) -> Timestamp {
    let time: jiff::civil::DateTime = text.parse().expect("a local time");
    let zone = TimeZone::get("Europe/Berlin").expect("a zone");
    time.to_zoned(zone).expect("in range").timestamp()
}

fn seconds(seconds: u64) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(seconds).expect("short"))
}

/// A scheduler in a world in which only its checks, its outages and its runs happen.
struct World<'a> {
    year: &'a Year,
    planner: Planner,
    outages: Vec<(Timestamp, Timestamp)>,
    record: Record,
    /// When the last run ends.
    busy_until: Timestamp,
    waiting: VecDeque<Timestamp>,
}

impl World<'_> {
    fn new(year: &Year) -> World<'_> {
        let times = Times::new(year.cron, Some("Europe/Berlin")).expect("a schedule");
        let outages = year.outages.iter().map(|(from, until)| (local(from), local(until)));
        World {
            year,
            planner: Planner::new(times, year.policy, year.name),
            outages: outages.collect(),
            record: Record::default(),
            busy_until: Timestamp::MIN,
            waiting: VecDeque::new(),
        }
    }

    /// Goes through the year from one event to the next.
    fn run(mut self) -> Record {
        let (mut now, end) = (local(BEGIN), local(END));
        let (mut handled, mut watched) = (now, now);
        while now < end {
            self.start_waiting(now);
            let plan = self.planner.plan(ScheduleCheck { handled, watched, now });
            if let Some(missed) = plan.missed {
                let times =
                    std::iter::successors(Some(missed.first), |at| self.planner.times().next(*at));
                self.record.missed.extend(times.take_while(|at| *at <= missed.last));
            }
            plan.start.iter().for_each(|at| self.admit(*at, now));
            assert!(plan.handled >= handled, "the cursor moves forward");
            (handled, watched) = (plan.handled, now);
            now = self.next_event(handled, now);
            if let Some((_, until)) =
                self.outages.iter().find(|(from, to)| (*from..*to).contains(&now))
            {
                // A new process sees the persisted cursor, and has checked nothing before.
                (now, watched) = (*until, *until);
            }
        }
        self.record
    }

    /// The next time that is due, the end of the run for which others wait, or the next outage.
    fn next_event(&self, handled: Timestamp, now: Timestamp) -> Timestamp {
        let next = self.planner.next_begin(handled).expect("a next time");
        let free = (!self.waiting.is_empty()).then_some(self.busy_until);
        let outage = self.outages.iter().map(|(from, _)| *from).find(|from| *from > now);
        let soon = [Some(next), free, outage].into_iter().flatten().min().expect("a next time");
        soon.max(now + seconds(1))
    }

    fn admit(&mut self, at: Timestamp, now: Timestamp) {
        let is_free = self.busy_until <= now && self.waiting.is_empty();
        let earlier = if is_free { EarlierRun::Finished } else { EarlierRun::Unfinished };
        match self.year.policy.overlap.admit(earlier) {
            Admission::Start => self.start(at, now),
            Admission::Skip => self.record.overlapped.push(at),
            Admission::Wait => self.waiting.push_back(at),
            Admission::CancelEarlier => {
                self.record.cancelled += 1;
                self.start(at, now);
            }
        }
    }

    fn start_waiting(&mut self, now: Timestamp) {
        if self.busy_until <= now
            && let Some(at) = self.waiting.pop_front()
        {
            self.start(at, now);
        }
    }

    fn start(&mut self, at: Timestamp, now: Timestamp) {
        self.record.started.push((at, now));
        self.busy_until = now + seconds(self.year.run);
    }
}

fn policy(overlap: Overlap, catch_up: u64, jitter: u64) -> SchedulePolicy {
    SchedulePolicy {
        overlap,
        catch_up: Duration::from_secs(catch_up),
        jitter: Duration::from_secs(jitter),
    }
}

/// A night without the hour that spring skips, and one with the hour that autumn repeats; and a
/// long weekend in May.
const NIGHTS: &[(&str, &str)] = &[
    ("2026-03-29T00:30:00", "2026-03-29T06:00:00"),
    ("2026-05-01T12:00:00", "2026-05-04T09:10:00"),
    ("2026-10-25T00:30:00", "2026-10-25T06:00:00"),
];

fn table() -> Vec<Year> {
    use Overlap::{Allow, Cancel, Queue, Skip};
    let year =
        |name, cron, policy, run, outages, started, missed, overlapped, cancelled, at| Year {
            name,
            cron,
            policy,
            run,
            outages,
            wanted: Wanted { started, missed, overlapped, cancelled, at },
        };
    vec![
        // The skipped half past two runs at three, and the repeated one runs once.
        year(
            "daily",
            "30 2 * * *",
            policy(Allow, 0, 0),
            MINUTE,
            &[],
            365,
            0,
            0,
            0,
            vec![
                ("2026-03-29T03:00:00", "2026-03-29T03:00:00"),
                ("2026-10-25T02:30:00", "2026-10-25T02:30:00"),
            ],
        ),
        // A year has 8760 hours, however the clocks are set.
        year("hourly", "0 * * * *", policy(Allow, 0, 0), MINUTE, &[], 8760, 0, 0, 0, vec![]),
        // 29 March: 01:00, 03:00, 04:00, 05:00. May: 12:00 to 04-09:00, 70 times. October: 01:00,
        // 02:00 twice, 03:00, 04:00, 05:00. At the ends, 06:00 is on time.
        year(
            "hourly, out",
            "0 * * * *",
            policy(Allow, 0, 0),
            MINUTE,
            NIGHTS,
            8680,
            80,
            0,
            0,
            vec![("2026-03-29T06:00:00", "2026-03-29T06:00:00")],
        ),
        // Two hours are made up for after each outage: 04:00, 05:00; 08:00, 09:00; 04:00, 05:00.
        year(
            "hourly, two hours",
            "0 * * * *",
            policy(Allow, 2 * HOUR, 0),
            MINUTE,
            NIGHTS,
            8686,
            74,
            0,
            0,
            vec![
                ("2026-03-29T04:00:00", "2026-03-29T06:00:00"),
                ("2026-05-04T08:00:00", "2026-05-04T09:10:00"),
                ("2026-10-25T05:00:00", "2026-10-25T06:00:00"),
            ],
        ),
        // Three nights in May are made up for, and those of the changes.
        year(
            "daily, a week",
            "30 2 * * *",
            policy(Allow, 7 * DAY, 0),
            MINUTE,
            NIGHTS,
            365,
            0,
            0,
            0,
            vec![
                ("2026-03-29T03:00:00", "2026-03-29T06:00:00"),
                ("2026-05-02T02:30:00", "2026-05-04T09:10:00"),
                ("2026-10-25T02:30:00", "2026-10-25T06:00:00"),
            ],
        ),
        // Every second hour is skipped.
        year("skip", "0 * * * *", policy(Skip, 0, 0), 90 * MINUTE, &[], 4380, 0, 4380, 0, vec![]),
        // Of the 70 times of the weekend one starts, the oldest; of the 5 and 7 of the nights, too.
        year(
            "skip, out",
            "0 * * * *",
            policy(Skip, 7 * DAY, 0),
            MINUTE,
            NIGHTS,
            8681,
            0,
            79,
            0,
            vec![("2026-05-01T12:00:00", "2026-05-04T09:10:00")],
        ),
        // All of them start, one after another.
        year(
            "queue, out",
            "0 * * * *",
            policy(Queue, 7 * DAY, 0),
            MINUTE,
            NIGHTS,
            8760,
            0,
            0,
            0,
            vec![
                ("2026-05-01T12:00:00", "2026-05-04T09:10:00"),
                ("2026-05-01T13:00:00", "2026-05-04T09:11:00"),
                ("2026-05-04T09:00:00", "2026-05-04T10:19:00"),
                ("2026-05-04T10:00:00", "2026-05-04T10:20:00"),
            ],
        ),
        // Each run is cancelled by the next one.
        year(
            "cancel",
            "0 * * * *",
            policy(Cancel, 0, 0),
            90 * MINUTE,
            &[],
            8760,
            0,
            0,
            8759,
            vec![],
        ),
        // A delay of up to half an hour loses no time.
        year("jitter", "0 * * * *", policy(Allow, 0, HOUR / 2), MINUTE, &[], 8760, 0, 0, 0, vec![]),
    ]
}

#[test]
fn a_year_in_berlin_goes_by_the_table() {
    for year in table() {
        let record = World::new(&year).run();
        let started =
            |(at, begun): &(&str, &str)| record.started.contains(&(local(at), local(begun)));
        let found = Wanted {
            started: record.started.len(),
            missed: record.missed.len(),
            overlapped: record.overlapped.len(),
            cancelled: record.cancelled,
            at: year.wanted.at.iter().copied().filter(started).collect(),
        };
        assert_eq!(found, year.wanted, "{}: {}", year.name, year.cron);
        each_time_is_handled_once_and_in_order(&year, record);
    }
}

fn each_time_is_handled_once_and_in_order(year: &Year, record: Record) {
    assert!(record.started.is_sorted(), "{}: runs start in order", year.name);
    let started = record.started.iter().map(|(at, _)| *at);
    let mut handled: Vec<Timestamp> =
        started.chain(record.missed).chain(record.overlapped).collect();
    handled.sort_unstable();
    let times = Times::new(year.cron, Some("Europe/Berlin")).expect("a schedule");
    let all = times.after(local(BEGIN)).map(|time| time.timestamp());
    let end = local(END);
    let all: Vec<Timestamp> = all.take_while(|at| *at < end).collect();
    assert!(handled == all, "{}: {} of {}", year.name, handled.len(), all.len());
}
