//! When a schedule comes.

use std::str::FromStr as _;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::read::{Cron, CronError};

/// The times of a schedule in a time zone.
pub struct Times {
    cron: croner::Cron,
    zone: TimeZone,
}

/// Why a schedule has no times.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimesError {
    /// It is no schedule.
    Cron(CronError),
    /// This system has no such time zone.
    Zone(String),
}

impl std::fmt::Display for TimesError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cron(error) => error.fmt(f),
            Self::Zone(zone) => write!(f, "`{zone}` is no time zone; write one such as `UTC`"),
        }
    }
}

impl std::error::Error for TimesError {}

impl Times {
    /// The times of a cron expression in a time zone, by its name in the IANA database. Default: UTC.
    ///
    /// # Errors
    ///
    /// Fails when it is no schedule, or this system has no such time zone.
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

    /// The last time up to this one.
    pub fn last(&self, until: Timestamp) -> Option<Timestamp> {
        let until: Zoned = until.to_zoned(self.zone.clone());
        Some(self.cron.find_previous_occurrence(&until, true).ok()?.timestamp())
    }
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
    fn every_schedule_that_is_read_comes() {
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
    fn weekdays_are_those_that_are_meant() {
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
    fn what_has_no_times_says_why() {
        let error = |cron, zone| Times::new(cron, zone).err().map(|error| error.to_string());
        assert!(error("61 * * * *", None).is_some_and(|said| said.contains("is no minute")));
        assert!(error("* * * * *", Some("Mars/Base")).is_some_and(|said| said.contains("Mars")));
    }
}
