//! Past times of a schedule in a range that a person writes, for backfills.

use std::fmt;

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp};

use crate::times::Times;

/// A range of past times, as a person writes it.
#[derive(Debug, Clone, Copy)]
pub struct PastRange<'a> {
    /// The first time: `2026-01-02`, `2026-01-02T03:00`, or with an offset. Without one, it is in
    /// the time zone of the schedule.
    pub from: &'a str,
    /// The last time; a date stands for its end. Default: now.
    pub to: Option<&'a str>,
    /// The most times.
    pub limit: usize,
}

/// Why a range of past times is invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RangeError {
    /// The first time is not a time.
    From(String),
    /// The last time is not a time.
    To(String),
    /// The range ends before it begins.
    Order {
        /// The first time.
        from: Timestamp,
        /// The last time.
        to: Timestamp,
    },
    /// The range has more times than the limit.
    TooMany {
        /// The limit.
        limit: usize,
        /// The first time of the range.
        from: Timestamp,
        /// The last time of the range.
        to: Timestamp,
    },
}

impl fmt::Display for RangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::From(text) | Self::To(text) => write!(
                f,
                "`{text}` is not a time; write 2026-01-02, 2026-01-02T03:00, or \
                 2026-01-02T03:00:00+01:00"
            ),
            Self::Order { from, to } => {
                write!(f, "the range begins at {from}, after its end at {to}; swap them")
            }
            Self::TooMany { limit, from, to } => write!(
                f,
                "the schedule has more than {limit} times from {from} to {to}; choose a shorter \
                 range, or raise the limit"
            ),
        }
    }
}

impl std::error::Error for RangeError {}

impl Times {
    /// Returns the times in a range up to now, oldest first.
    ///
    /// ```
    /// use workflow_cron::{PastRange, Times};
    ///
    /// let times = Times::new("0 3 * * *", Some("Europe/Berlin"))?;
    /// let range = PastRange { from: "2026-01-01", to: Some("2026-01-02"), limit: 10 };
    /// let past = times.past(range, "2026-06-01T00:00:00Z".parse()?)?;
    /// assert_eq!(past[1].to_string(), "2026-01-02T02:00:00Z");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails when a time is invalid, when the range ends before it begins, and when it has more
    /// times than its limit.
    pub fn past(&self, range: PastRange<'_>, now: Timestamp) -> Result<Vec<Timestamp>, RangeError> {
        let PastRange { from, to, limit } = range;
        let from = self.read(from, Edge::Start).ok_or_else(|| RangeError::From(from.to_owned()))?;
        let to = match to {
            Some(text) => {
                self.read(text, Edge::End).ok_or_else(|| RangeError::To(text.to_owned()))?
            }
            None => now,
        };
        if from > to {
            return Err(RangeError::Order { from, to });
        }
        // The end of today is fine; its times to come are those of the schedule.
        let to = to.min(now);
        let before = from.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(from);
        let all = self.after(before).map(|time| time.timestamp()).take_while(|at| *at <= to);
        let all: Vec<Timestamp> = all.take(limit.saturating_add(1)).collect();
        match all.len() > limit {
            true => Err(RangeError::TooMany { limit, from, to }),
            false => Ok(all),
        }
    }

    /// Reads a time; one without an offset is in the time zone of the schedule.
    fn read(&self, text: &str, edge: Edge) -> Option<Timestamp> {
        if let Ok(time) = text.parse::<Timestamp>() {
            return Some(time);
        }
        let date = text.parse::<Date>().ok().filter(|_| text.len() <= 10);
        let time = match (date, edge) {
            (Some(date), Edge::Start) => date.at(0, 0, 0, 0),
            (Some(date), Edge::End) => date.at(23, 59, 59, 999_999_999),
            (None, _) => text.parse::<DateTime>().ok()?,
        };
        self.zone().to_timestamp(time).ok()
    }
}

/// Which moment of a day a date means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Start,
    End,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(from: &str, to: Option<&str>, limit: usize) -> Result<Vec<String>, RangeError> {
        let times = Times::new("0 3 * * *", Some("Europe/Berlin")).expect("valid");
        let now = "2026-01-04T12:00:00Z".parse().expect("a time");
        let past = times.past(PastRange { from, to, limit }, now)?;
        Ok(past.iter().map(Timestamp::to_string).collect())
    }

    #[test]
    fn dates_are_whole_days_in_the_zone_of_the_schedule() {
        let wanted = ["2026-01-01T02:00:00Z", "2026-01-02T02:00:00Z"];
        assert_eq!(past("2026-01-01", Some("2026-01-02"), 9).expect("valid"), wanted);
        let exact = past("2026-01-01T03:00", Some("2026-01-02T02:00:00Z"), 2);
        assert_eq!(exact.expect("valid"), wanted);
        assert_eq!(past("2026-01-03", Some("2027-01-01"), 9).expect("valid").len(), 2);
        assert_eq!(past("2026-01-05", Some("2027-01-01"), 9).expect("valid").len(), 0);
    }

    #[test]
    fn invalid_ranges_say_what_to_write() {
        let text = |from, to, limit| past(from, to, limit).expect_err("invalid").to_string();
        assert!(text("yesterday", None, 9).contains("`yesterday` is not a time; write 2026-01-02"));
        assert_eq!(past("2026-01-01", Some("x"), 9), Err(RangeError::To("x".to_owned())));
        assert!(text("2026-01-02", Some("2026-01-01"), 9).contains("swap them"));
        assert!(text("2026-01-01", None, 3).contains("more than 3 times"));
    }
}
