//! The times of schedules.

use std::str::FromStr as _;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::read::{Cron, CronError};

/// The times of a schedule in a time zone.
pub struct Times {
    cron: croner::Cron,
    zone: TimeZone,
}

/// Why the times of a schedule cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimesError {
    /// The schedule is invalid.
    Cron(CronError),
    /// The time zone is unknown on this system.
    Zone(String),
}

impl std::fmt::Display for TimesError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cron(error) => error.fmt(f),
            Self::Zone(zone) => write!(f, "`{zone}` is not a time zone; write one such as `UTC`"),
        }
    }
}

impl std::error::Error for TimesError {}

impl Times {
    /// Computes the times of a cron expression in a time zone of the IANA database. Default: UTC.
    ///
    /// # Errors
    ///
    /// Fails when the schedule is invalid, or the time zone is unknown on this system.
    pub fn new(cron: &str, zone: Option<&str>) -> Result<Self, TimesError> {
        let cron = Cron::parse(cron).map_err(TimesError::Cron)?.to_string();
        let cron = croner::Cron::from_str(&cron)
            .expect("croner reads every expression in plain numbers, as the tests show");
        let zone = zone.map_or(Ok(TimeZone::UTC), |zone| {
            TimeZone::get(zone).map_err(|_| TimesError::Zone(zone.to_owned()))
        })?;
        Ok(Self { cron, zone })
    }

    /// The first time after this one.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let after: Zoned = after.to_zoned(self.zone.clone());
        Some(self.cron.find_next_occurrence(&after, false).ok()?.timestamp())
    }

    /// The times after this one, in the time zone of the schedule.
    pub fn after(&self, after: Timestamp) -> impl Iterator<Item = Zoned> + '_ {
        let times = std::iter::successors(self.next(after), |time| self.next(*time));
        times.map(|time| time.to_zoned(self.zone.clone()))
    }

    /// The time zone of the schedule.
    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// What the schedule means, as an English phrase such as `At 09:00, on Monday`.
    pub fn meaning(&self) -> String {
        self.cron.describe().trim_end_matches('.').to_owned()
    }

    /// The last time up to this one.
    pub fn last(&self, until: Timestamp) -> Option<Timestamp> {
        let until: Zoned = until.to_zoned(self.zone.clone());
        Some(self.cron.find_previous_occurrence(&until, true).ok()?.timestamp())
    }

    /// The last time in this window, if there is one. The cost does not depend on the length of the
    /// window.
    pub fn due(&self, window: TimeWindow) -> Option<Timestamp> {
        let first = self.next(window.after).filter(|first| *first <= window.until)?;
        // When the clocks of a zone change, the two directions may disagree.
        Some(self.last(window.until).map_or(first, |last| last.max(first)))
    }
}

/// A range of times: after one moment, up to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeWindow {
    /// The moment before the window.
    pub after: Timestamp,
    /// The last moment of the window.
    pub until: Timestamp,
}

#[cfg(test)]
mod tests {

    use super::*;

    /// Draws numbers, the same for each seed.
    struct Draw(u64);

    impl Draw {
        fn below(&mut self, end: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % end as u64) as usize
        }

        fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
            of[self.below(of.len())]
        }

        /// A field: one to three items, most of which fit.
        fn field(&mut self, items: &[&str]) -> String {
            let count = [1, 1, 1, 2, 3][self.below(5)];
            (0..count).map(|_| self.one(items)).collect::<Vec<_>>().join(",")
        }
    }

    const COMMON: [&str; 8] = ["*", "*", "?", "0", "5", "*/2", "1-5", "2-10/3"];

    #[test]
    fn every_valid_schedule_has_a_next_time() {
        let seconds = [&COMMON[..], &["59", "*/30", "60", "*/90"]].concat();
        let hours = [&COMMON[..], &["23", "22-2", "*/23", "24"]].concat();
        let days = [&COMMON[..], &["L", "LW", "1W", "15W", "31", "30W", "29", "*/31"]].concat();
        let months = [&COMMON[..], &["FEB", "2", "JAN-MAR", "DEC", "NOV-FEB", "12"]].concat();
        let weekdays =
            [&COMMON[..], &["SUN", "7", "FRI-SUN", "5#5", "1#1", "0L", "FRI#L", "MON-FRI", "6-0"]]
                .concat();
        let (mut draw, mut read) = (Draw(0x5eed), 0);
        let now: Timestamp = "2026-11-25T12:00:00Z".parse().expect("a time");
        for _ in 0..20_000 {
            let mut text = String::new();
            if draw.below(3) == 0 {
                text += &format!("{} ", draw.field(&seconds));
            }
            text += &draw.field(&seconds);
            for items in [&hours, &days, &months, &weekdays] {
                text += &format!(" {}", draw.field(items));
            }
            if Cron::parse(&text).is_err() {
                continue;
            }
            read += 1;
            let times = Times::new(&text, None).expect("times");
            let next = times.next(now);
            assert!(next.is_some_and(|next| next > now), "{text}: {next:?}");
            let last = times.last(now);
            assert!(last.is_some_and(|last| last <= now), "{text}: {last:?}");
        }
        assert!(read > 3_000, "{read} of 20000");
    }

    #[test]
    fn weekday_ranges_may_end_on_sunday() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let times = Times::new("0 0 * * FRI-SUN", None).expect("times");
        let walk =
            std::iter::successors(times.next(at("2026-11-25T00:00:00Z")), |t| times.next(*t));
        let days: Vec<String> = walk.take(4).map(|time| time.to_string()).collect();
        let dates = ["2026-11-27", "2026-11-28", "2026-11-29", "2026-12-04"];
        assert_eq!(days, dates.map(|date| format!("{date}T00:00:00Z")));
        let either = Times::new("0 0 13 * FRI", None).expect("times");
        assert_eq!(either.next(at("2026-11-27T00:00:00Z")), Some(at("2026-12-04T00:00:00Z")));
        assert_eq!(either.next(at("2026-12-11T00:00:00Z")), Some(at("2026-12-13T00:00:00Z")));
    }

    #[test]
    fn invalid_schedules_and_time_zones_are_explained() {
        let error = |cron, zone| Times::new(cron, zone).err().map(|error| error.to_string());
        assert!(error("61 * * * *", None).is_some_and(|said| said.contains("minute must be 0-59")));
        assert!(error("* * * * *", Some("Mars/Base")).is_some_and(|said| said.contains("Mars")));
    }

    fn times(cron: &str, zone: &str) -> Times {
        Times::new(cron, Some(zone)).expect("a sound schedule")
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn times_are_those_of_the_zone() {
        let daily = times("30 6 * * *", "Europe/Berlin");
        assert_eq!(daily.next(at("2026-07-01T00:00:00Z")), Some(at("2026-07-01T04:30:00Z")));
        assert_eq!(daily.next(at("2026-12-01T05:30:00Z")), Some(at("2026-12-02T05:30:00Z")));
    }

    #[test]
    fn the_next_times_are_in_the_zone_and_skip_its_missing_hour() {
        let half_past_two = times("30 2 * * *", "Europe/Berlin");
        let next = half_past_two.after(at("2026-03-27T12:00:00Z")).take(3);
        let next: Vec<String> =
            next.map(|time| time.strftime("%d %H:%M %:z").to_string()).collect();
        // There is no half past two on the 29th.
        assert_eq!(next, ["28 02:30 +01:00", "29 03:00 +02:00", "30 02:30 +02:00"]);
    }

    #[test]
    fn schedules_have_a_meaning_in_words() {
        let meaning = |cron| times(cron, "UTC").meaning();
        assert_eq!(meaning("0 3 * * *"), "At 03:00");
        assert_eq!(meaning("*/30 * * * *"), "At minute 0 and 30 past every hour");
        assert_eq!(meaning("30 6 L * *"), "At 06:30, on the last day of the month");
        assert_eq!(meaning("0 12 * * FRI#2"), "At 12:00, on the 2nd Friday of the month");
        assert_eq!(meaning("0 8 13 * FRI"), "At 08:00, on day 13 or Friday");
        assert_eq!(
            meaning("0 9 * JAN FRI-SUN"),
            "At 09:00, on Sunday, Friday, and Saturday, in January"
        );
    }

    #[test]
    fn only_the_latest_missed_time_is_due() {
        let hourly = times("0 * * * *", "UTC");
        let (after, until) = (at("2026-01-01T00:10:00Z"), at("2026-01-01T03:00:00Z"));
        assert_eq!(hourly.due(TimeWindow { after, until }), Some(until));
        let until = at("2026-01-01T00:59:59Z");
        assert_eq!(hourly.due(TimeWindow { after, until }), None);
    }

    /// The last time of a window, found by going through all of them.
    fn walked(times: &Times, window: TimeWindow) -> Option<Timestamp> {
        let found = std::iter::successors(times.next(window.after), |time| times.next(*time));
        found.take_while(|time| *time <= window.until).last()
    }

    #[test]
    fn the_latest_time_equals_the_end_of_a_walk() {
        let crons = [
            "*/30 * * * *",
            "*/7 * * * *",
            "0 * * * *",
            "30 2 * * *",
            "15 1,2,3 * * *",
            "0 2 * * 7",
            "*/20 2 * * *",
            "0 0 31 * *",
            "0 0 29 2 *",
            "59 23 L * *",
        ];
        for zone in ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"] {
            for cron in crons {
                let times = times(cron, zone);
                // The clocks of each zone change in both of these.
                for began in ["2026-03-01T00:17:23Z", "2026-09-25T00:17:23Z"] {
                    let mut after = at(began);
                    for step in 0..14 {
                        let until = after + jiff::SignedDuration::from_mins(4391 - step);
                        let window = TimeWindow { after, until };
                        assert_eq!(
                            times.due(window),
                            walked(&times, window),
                            "{cron} {zone} {window:?}"
                        );
                        after = until;
                    }
                }
            }
        }
    }

    #[test]
    fn a_time_window_of_twenty_years_has_its_latest_time() {
        let (after, until) = (at("2026-01-01T00:00:30Z"), at("2046-01-01T00:00:30Z"));
        for cron in ["* * * * * *", "* * * * *", "0 6 * * *", "0 0 29 2 *"] {
            let due = times(cron, "Europe/Berlin").due(TimeWindow { after, until });
            assert!(due.is_some_and(|due| due <= until && due > after), "{cron}: {due:?}");
        }
        let last = times("* * * * *", "UTC").due(TimeWindow { after, until });
        assert_eq!(last, Some(at("2046-01-01T00:00:00Z")));
    }
}
