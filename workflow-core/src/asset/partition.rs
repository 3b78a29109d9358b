//! Partitions of assets: which there are, and which belong to each other.

use std::fmt;
use std::time::SystemTime;

use jiff::Timestamp;
use workflow_cron::{Dated, Period, PeriodError, Periods};

use crate::id::{hint, nearest};

/// The partitions of an asset, as `#[asset]` declares them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeclaredPartitions {
    /// None: the asset is one value.
    None,
    /// A partition for each period.
    Periods {
        /// The length.
        period: Period,
        /// The first one.
        first: &'static str,
        /// The time zone; `None` for UTC.
        timezone: Option<&'static str>,
    },
    /// Partitions with these keys.
    Keys(&'static [&'static str]),
}

/// The partitions of an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Partitions {
    /// None: the asset is one value.
    None,
    /// A partition for each period that has ended.
    Periods(Periods),
    /// Partitions with these keys.
    Keys(Vec<String>),
}

/// A partition of an asset: a part that is made by itself, such as a day.
///
/// A function with `#[asset]` takes it as a parameter of this type.
///
/// ```
/// use workflow_core::asset::Partition;
///
/// let partition = Partition::of_key("eu");
/// assert_eq!(partition.key(), "eu");
/// assert_eq!(partition.start(), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    key: String,
    time: Option<(Timestamp, Timestamp)>,
}

impl Partition {
    /// Creates a partition without a time, for tests of functions.
    pub fn of_key(key: impl Into<String>) -> Self {
        Self { key: key.into(), time: None }
    }

    /// The partition of an asset without partitions.
    pub fn whole() -> Self {
        Self::of_key("")
    }

    /// The key, such as `2026-01-31`; empty for an asset without partitions.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether it lies within a partition of another asset: always, unless both are periods.
    pub(super) fn lies_in(&self, outer: &Self) -> bool {
        match (self.time, outer.time) {
            (Some((start, end)), Some((from, to))) => from <= start && end <= to,
            _ => true,
        }
    }

    /// The start of the period; `None` for another kind of partition.
    pub fn start(&self) -> Option<SystemTime> {
        self.time.map(|(start, _)| start.into())
    }

    /// The end of the period, at which the next one starts; `None` for another kind of partition.
    pub fn end(&self) -> Option<SystemTime> {
        self.time.map(|(_, end)| end.into())
    }
}

impl From<Dated> for Partition {
    fn from(dated: Dated) -> Self {
        Self { key: dated.key, time: Some((dated.start, dated.end)) }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)
    }
}

impl Partitions {
    /// Reads what an attribute declares.
    ///
    /// # Errors
    ///
    /// Fails when the first period or the time zone is invalid.
    pub fn declared(declared: &DeclaredPartitions) -> Result<Self, PeriodError> {
        Ok(match declared {
            DeclaredPartitions::None => Self::None,
            DeclaredPartitions::Periods { period, first, timezone } => {
                Self::Periods(Periods::new(*period, first, *timezone)?)
            }
            DeclaredPartitions::Keys(keys) => {
                Self::Keys(keys.iter().map(|key| (*key).to_owned()).collect())
            }
        })
    }

    /// Whether there are any.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The partitions that exist at a time, in order. Periods exist once they have ended.
    pub fn at(&self, now: SystemTime) -> Vec<Partition> {
        match self {
            Self::None => vec![Partition::whole()],
            Self::Periods(periods) => periods.ended(timestamp(now)).map(Partition::from).collect(),
            Self::Keys(keys) => keys.iter().map(Partition::of_key).collect(),
        }
    }

    /// Finds a partition, whether it has ended or not.
    ///
    /// # Errors
    ///
    /// Fails when the asset has no such partition.
    pub fn find(&self, key: &str) -> Result<Partition, PartitionError> {
        match self {
            Self::None if key.is_empty() => Ok(Partition::whole()),
            Self::None => Err(PartitionError::Unpartitioned { key: key.to_owned() }),
            Self::Periods(periods) => Ok(periods.read(key)?.into()),
            Self::Keys(keys) if keys.iter().any(|known| known == key) => Ok(Partition::of_key(key)),
            Self::Keys(keys) => {
                let nearest = nearest(key, keys.iter().map(String::as_str));
                Err(PartitionError::Unknown {
                    key: key.to_owned(),
                    nearest: nearest.map(str::to_owned),
                    known: keys.join(", "),
                })
            }
        }
    }

    /// The partitions at a time that lie within a partition of another asset: all of them, if that
    /// one is no period.
    pub(super) fn within(&self, outer: &Partition, now: SystemTime) -> Vec<Partition> {
        match (self, outer.time) {
            (Self::Periods(periods), Some((start, end))) => {
                periods.within(start, end.min(timestamp(now))).map(Partition::from).collect()
            }
            _ => self.at(now),
        }
    }

    /// Why these cannot be read partition by partition by an asset with the partitions `reader`.
    pub(super) fn misfit(&self, reader: &Self) -> Option<&'static str> {
        match (self, reader) {
            (Self::None, _) => None,
            (_, Self::None) => Some("the reader has no partitions; take `All<T>`"),
            (Self::Periods(own), Self::Periods(reader)) if reader.are_among(own) => None,
            (Self::Periods(_), Self::Periods(_)) => Some(
                "the reader has periods that the input lacks; give both the same period and time \
                 zone, and do not start the reader earlier, or take `All<T>`",
            ),
            (Self::Keys(own), Self::Keys(reader)) if reader.iter().all(|key| own.contains(key)) => {
                None
            }
            (Self::Keys(_), Self::Keys(_)) => {
                Some("the input lacks some of the keys of the reader; add them there")
            }
            (Self::Periods(_), Self::Keys(_)) | (Self::Keys(_), Self::Periods(_)) => {
                Some("one asset has periods and the other has keys; take `All<T>`")
            }
        }
    }

    /// What they are, for people: `daily from 2026-01-01`.
    pub fn describe(&self) -> String {
        match self {
            Self::None => "none".to_owned(),
            Self::Periods(periods) => {
                let (length, first) = (periods.period().as_str(), periods.first());
                match periods.zone() {
                    "UTC" => format!("{length} from {first}"),
                    zone => format!("{length} from {first}, {zone}"),
                }
            }
            Self::Keys(keys) => keys.join(", "),
        }
    }
}

/// A time within the calendar.
fn timestamp(time: SystemTime) -> Timestamp {
    let edge = if time < SystemTime::UNIX_EPOCH { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::try_from(time).unwrap_or(edge)
}

/// Why an asset has no such partition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PartitionError {
    /// The asset has no partitions.
    #[error("it has no partitions, so there is no `{key}`")]
    Unpartitioned {
        /// The key.
        key: String,
    },
    /// It is none of the keys.
    #[error(
        "it has no partition `{key}`{}; its partitions are {known}",
        hint(.nearest)
    )]
    Unknown {
        /// The key.
        key: String,
        /// The most similar key.
        nearest: Option<String>,
        /// All keys.
        known: String,
    },
    /// It is none of the periods.
    #[error(transparent)]
    Period(#[from] PeriodError),
}
