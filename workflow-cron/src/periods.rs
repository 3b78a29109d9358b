//! Periods of a calendar in a row: hours, days, weeks or months.

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Unit};

/// The length of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// An hour of UTC, written as `2026-01-31T23`.
    Hour,
    /// A day, written as `2026-01-31`.
    Day,
    /// Seven days, written as their first day.
    Week,
    /// A month, written as `2026-01`.
    Month,
}

/// Periods of one length from a first one on, without end.
///
/// ```
/// use workflow_cron::{Period, Periods};
///
/// let days = Periods::new(Period::Day, "2026-01-30", None)?;
/// let now = "2026-02-01T12:00:00Z".parse()?;
/// let ended: Vec<String> = days.ended(now).map(|day| day.key).collect();
/// assert_eq!(ended, ["2026-01-30", "2026-01-31"]);
/// assert!(days.read("2026-01-29").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Periods {
    period: Period,
    first: DateTime,
    zone: TimeZone,
}

/// A period with its place in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated {
    /// Its text: periods of one length are sorted by it.
    pub key: String,
    /// Its start.
    pub start: Timestamp,
    /// Its end, which is the start of the next one.
    pub end: Timestamp,
}

impl Period {
    /// The word for such periods.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hourly",
            Self::Day => "daily",
            Self::Week => "weekly",
            Self::Month => "monthly",
        }
    }

    /// How one is written.
    pub fn example(self) -> &'static str {
        match self {
            Self::Hour => "2026-01-31T23",
            Self::Day | Self::Week => "2026-01-31",
            Self::Month => "2026-01",
        }
    }

    /// Reads the start of a period from its text; `None` if the text has another form.
    pub fn parse(self, text: &str) -> Option<DateTime> {
        let at = match self {
            Self::Hour => {
                let (date, hour) = text.split_once('T')?;
                let hour = hour.parse().ok().filter(|hour| *hour < 24)?;
                date.parse::<Date>().ok()?.at(hour, 0, 0, 0)
            }
            Self::Day | Self::Week => text.parse::<Date>().ok()?.at(0, 0, 0, 0),
            Self::Month => format!("{text}-01").parse::<Date>().ok()?.at(0, 0, 0, 0),
        };
        (self.write(at) == text).then_some(at)
    }

    fn write(self, at: DateTime) -> String {
        match self {
            Self::Hour => at.strftime("%Y-%m-%dT%H").to_string(),
            Self::Day | Self::Week => at.strftime("%Y-%m-%d").to_string(),
            Self::Month => at.strftime("%Y-%m").to_string(),
        }
    }

    /// The start of the next period; `None` at the end of the calendar.
    fn after(self, at: DateTime) -> Option<DateTime> {
        let span = match self {
            Self::Hour => Span::new().hours(1),
            Self::Day => Span::new().days(1),
            Self::Week => Span::new().days(7),
            Self::Month => Span::new().months(1),
        };
        at.checked_add(span).ok()
    }
}

impl Periods {
    /// Creates periods from the first one on, in a time zone; `None` for UTC. Hours are those of
    /// UTC, because an hour of a time zone may come twice.
    ///
    /// # Errors
    ///
    /// Fails when the first period has another form, and when the time zone is unknown.
    pub fn new(period: Period, first: &str, zone: Option<&str>) -> Result<Self, PeriodError> {
        let Some(at) = period.parse(first) else {
            return Err(PeriodError::Form { period, text: first.to_owned() });
        };
        let zone = match zone {
            None => TimeZone::UTC,
            Some(_) if period == Period::Hour => return Err(PeriodError::HourOfZone),
            Some(name) => {
                TimeZone::get(name).map_err(|_| PeriodError::Zone { name: name.to_owned() })?
            }
        };
        Ok(Self { period, first: at, zone })
    }

    /// The length of a period.
    pub fn period(&self) -> Period {
        self.period
    }

    /// The text of the first one.
    pub fn first(&self) -> String {
        self.period.write(self.first)
    }

    /// The name of the time zone.
    pub fn zone(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// The periods that have ended, oldest first.
    pub fn ended(&self, now: Timestamp) -> impl Iterator<Item = Dated> + '_ {
        self.from(self.first).take_while(move |dated| dated.end <= now)
    }

    /// The periods that lie in the time from `start` to `end`, oldest first.
    pub fn within(&self, start: Timestamp, end: Timestamp) -> impl Iterator<Item = Dated> + '_ {
        // From a period that cannot be too late.
        let near = self.zone.to_datetime(start);
        let near = if near <= self.first { self.first } else { self.aligned_before(near) };
        self.from(near)
            .skip_while(move |dated| dated.start < start)
            .take_while(move |dated| dated.end <= end)
    }

    /// Reads one of the periods.
    ///
    /// # Errors
    ///
    /// Fails when the text has another form, and when it is none of these periods.
    pub fn read(&self, text: &str) -> Result<Dated, PeriodError> {
        let Some(at) = self.period.parse(text) else {
            return Err(PeriodError::Form { period: self.period, text: text.to_owned() });
        };
        if at < self.first {
            return Err(PeriodError::TooEarly { text: text.to_owned(), first: self.first() });
        }
        if self.period == Period::Week && at.weekday() != self.first.weekday() {
            return Err(PeriodError::Weekday {
                text: text.to_owned(),
                weekday: name(self.first.weekday()),
            });
        }
        self.dated(at).ok_or_else(|| PeriodError::TooLate { text: text.to_owned() })
    }

    /// Whether each period of `self` is one of `other`.
    pub fn are_among(&self, other: &Self) -> bool {
        self.period == other.period
            && self.zone == other.zone
            && self.first >= other.first
            && (self.period != Period::Week || self.first.weekday() == other.first.weekday())
    }

    /// The start of one of the periods, at or before a time that is not before the first one.
    fn aligned_before(&self, at: DateTime) -> DateTime {
        match self.period {
            Period::Hour => at.date().at(at.hour(), 0, 0, 0),
            Period::Day => at.date().at(0, 0, 0, 0),
            Period::Week => {
                let days = self.first.date().until((Unit::Day, at.date()));
                let over = days.map(|span| span.get_days() % 7).unwrap_or(0);
                let start = at.date().checked_sub(Span::new().days(over));
                start.unwrap_or(self.first.date()).at(0, 0, 0, 0)
            }
            Period::Month => at.date().first_of_month().at(0, 0, 0, 0),
        }
    }

    fn from(&self, first: DateTime) -> impl Iterator<Item = Dated> + '_ {
        std::iter::successors(Some(first), |at| self.period.after(*at))
            .map_while(|at| self.dated(at))
    }

    fn dated(&self, at: DateTime) -> Option<Dated> {
        let moment = |at: DateTime| self.zone.to_timestamp(at).ok();
        let (start, end) = (moment(at)?, moment(self.period.after(at)?)?);
        Some(Dated { key: self.period.write(at), start, end })
    }
}

fn name(weekday: Weekday) -> &'static str {
    match weekday {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

/// Why a text is none of the periods, or why there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeriodError {
    /// The text has another form.
    Form {
        /// The length of the periods.
        period: Period,
        /// The text.
        text: String,
    },
    /// It is before the first one.
    TooEarly {
        /// The text.
        text: String,
        /// The first one.
        first: String,
    },
    /// It is beyond the calendar.
    TooLate {
        /// The text.
        text: String,
    },
    /// A week begins on another day.
    Weekday {
        /// The text.
        text: String,
        /// The day on which weeks begin.
        weekday: &'static str,
    },
    /// The time zone is unknown.
    Zone {
        /// Its name.
        name: String,
    },
    /// Hours have no time zone.
    HourOfZone,
}

impl std::fmt::Display for PeriodError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Form { period, text } => {
                let (form, example) = (period.as_str(), period.example());
                write!(f, "`{text}` is not the start of a period; {form} ones look like {example}")
            }
            Self::TooEarly { text, first } => {
                write!(f, "`{text}` is before the first period, which is {first}")
            }
            Self::TooLate { text } => write!(f, "`{text}` is beyond the calendar"),
            Self::Weekday { text, weekday } => {
                write!(f, "`{text}` is not a {weekday}, on which the weeks begin")
            }
            Self::Zone { name } => write!(
                f,
                "the time zone `{name}` is unknown; write a name such as Europe/Berlin, or UTC"
            ),
            Self::HourOfZone => {
                write!(f, "hourly periods are hours of UTC; remove the time zone")
            }
        }
    }
}

impl std::error::Error for PeriodError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(dated: impl Iterator<Item = Dated>) -> Vec<String> {
        dated.map(|dated| dated.key).collect()
    }

    #[test]
    fn a_period_exists_once_it_has_ended() -> Result<(), Box<dyn std::error::Error>> {
        let berlin = Periods::new(Period::Day, "2026-03-28", Some("Europe/Berlin"))?;
        // The 29th has 23 hours, and ends at 22:00 UTC.
        assert_eq!(keys(berlin.ended("2026-03-29T21:59:59Z".parse()?)), ["2026-03-28"]);
        let both = ["2026-03-28", "2026-03-29"];
        assert_eq!(keys(berlin.ended("2026-03-29T22:00:00Z".parse()?)), both);
        let hours = Periods::new(Period::Hour, "2026-01-01T22", None)?;
        let ended = keys(hours.ended("2026-01-02T00:10:00Z".parse()?));
        assert_eq!(ended, ["2026-01-01T22", "2026-01-01T23"]);
        let months = Periods::new(Period::Month, "2025-12", None)?;
        assert_eq!(keys(months.ended("2026-02-01T00:00:00Z".parse()?)), ["2025-12", "2026-01"]);
        Ok(())
    }

    #[test]
    fn a_month_has_the_days_and_weeks_within() -> Result<(), Box<dyn std::error::Error>> {
        let february = Periods::new(Period::Month, "2026-01", None)?.read("2026-02")?;
        let days = Periods::new(Period::Day, "2026-01-15", None)?;
        let days = keys(days.within(february.start, february.end));
        assert_eq!((days.len(), &*days[0], &*days[27]), (28, "2026-02-01", "2026-02-28"));
        let weeks = Periods::new(Period::Week, "2026-01-05", None)?;
        let weeks = keys(weeks.within(february.start, february.end));
        assert_eq!(weeks, ["2026-02-02", "2026-02-09", "2026-02-16"]);
        let late = Periods::new(Period::Day, "2026-02-27", None)?;
        assert_eq!(keys(late.within(february.start, february.end)), ["2026-02-27", "2026-02-28"]);
        Ok(())
    }

    #[test]
    fn other_texts_are_refused_with_the_cure() -> Result<(), PeriodError> {
        let days = Periods::new(Period::Day, "2026-01-05", None)?;
        let weeks = Periods::new(Period::Week, "2026-01-05", None)?;
        let refused = |periods: &Periods, text| {
            periods.read(text).map_or_else(|error| error.to_string(), |dated| dated.key)
        };
        for text in ["2026-1-5", "2026-02-30", "2026-01", "today", "", "2026-01-05T00"] {
            assert!(refused(&days, text).contains("look like 2026-01-31"), "{text}");
        }
        assert!(refused(&days, "2026-01-04").contains("before the first period"));
        assert!(refused(&weeks, "2026-01-06").contains("not a Monday"));
        assert_eq!(refused(&weeks, "2026-01-12"), "2026-01-12");
        let unknown = Periods::new(Period::Day, "2026-01-05", Some("Mars"));
        assert!(unknown.is_err_and(|error| error.to_string().contains("Mars")));
        assert!(Periods::new(Period::Hour, "2026-01-05T00", Some("UTC")).is_err());
        Ok(())
    }
}
