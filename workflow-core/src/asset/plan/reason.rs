//! Why a partition must be made.

use std::fmt;
use std::time::Duration;

use super::named;

/// Why a partition must be made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StaleReason {
    /// It was never materialized.
    NeverMade,
    /// A file of the value is missing.
    ValueMissing,
    /// A file of the value has another size.
    ValueChanged,
    /// The function has changed.
    CodeChanged {
        /// The version that made the value.
        from: String,
        /// The version of this program.
        to: String,
    },
    /// Values that it was made from have changed.
    InputChanged(ChangedInputs),
    /// It was not made from these values, which it would be made from now.
    InputAdded(ChangedInputs),
    /// It was made from these values, which it would not be made from now.
    InputRemoved(ChangedInputs),
    /// These inputs are made first, by the same plan. It is skipped if their values stay the same.
    InputPlanned(ChangedInputs),
    /// It is older than the freshness of the asset.
    Overdue {
        /// Its age.
        age: Duration,
    },
    /// Somebody wants it made again.
    Forced,
}

/// Partitions of one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedInputs {
    /// The asset.
    pub asset: String,
    /// The key of the first one.
    pub first: String,
    /// The number of the others.
    pub others: usize,
}

impl StaleReason {
    /// The kind, as one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NeverMade => "never_made",
            Self::ValueMissing => "value_missing",
            Self::ValueChanged => "value_changed",
            Self::CodeChanged { .. } => "code_changed",
            Self::InputChanged(_) => "input_changed",
            Self::InputAdded(_) => "input_added",
            Self::InputRemoved(_) => "input_removed",
            Self::InputPlanned(_) => "input_planned",
            Self::Overdue { .. } => "overdue",
            Self::Forced => "forced",
        }
    }
}

impl fmt::Display for StaleReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverMade => f.write_str("never materialized"),
            Self::ValueMissing => f.write_str("its file is missing"),
            Self::ValueChanged => f.write_str("its file was changed"),
            Self::CodeChanged { from, to } => {
                write!(f, "code changed ({} -> {})", short(from), short(to))
            }
            Self::InputChanged(inputs) => write!(f, "input changed: {inputs}"),
            Self::InputAdded(inputs) => write!(f, "new input: {inputs}"),
            Self::InputRemoved(inputs) => write!(f, "input removed: {inputs}"),
            Self::InputPlanned(inputs) => write!(f, "input is materialized again: {inputs}"),
            Self::Overdue { age } => {
                let (length, unit) = match age.as_secs() {
                    seconds @ ..60 => (seconds, "s"),
                    seconds @ 60..3600 => (seconds / 60, "min"),
                    seconds => (seconds / 3600, "h"),
                };
                write!(f, "made too long ago ({length} {unit})")
            }
            Self::Forced => f.write_str("forced"),
        }
    }
}

impl fmt::Display for ChangedInputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&named(&self.asset, &self.first))?;
        match self.others {
            0 => Ok(()),
            others => write!(f, " and {others} more"),
        }
    }
}

/// The beginning of a version that is a hash.
fn short(version: &str) -> &str {
    match version.len() {
        36 if version.is_ascii() => &version[..8],
        _ => version,
    }
}
