//! The status of a run or job.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::definition::RunEnd;

/// The status of a run or job.
///
/// Written as `pending`, `running`, `completed`, `failed`, `cancelled`, and for jobs `skipped`;
/// `success`, `failure` and `canceled` are accepted as input.
///
/// The set is closed, so that code can handle every status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Not started.
    #[serde(rename = "pending")]
    Pending,
    /// Running.
    #[serde(rename = "running")]
    Running,
    /// Completed successfully.
    #[serde(alias = "success")]
    #[serde(rename = "completed")]
    Completed,
    /// Failed for good.
    #[serde(alias = "failure")]
    #[serde(rename = "failed")]
    Failed,
    /// Cancelled by request.
    #[serde(alias = "canceled")]
    #[serde(rename = "cancelled")]
    Cancelled,
    /// Skipped, because of its condition or the outcome of other jobs. Jobs only.
    #[serde(rename = "skipped")]
    Skipped,
}

/// The error of an invalid change of status, or an unknown status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransitionError {
    /// The run cannot change from the one status to the other.
    #[error("a {from} run cannot become {to}{}", possible(*.from))]
    Illegal {
        /// The current status.
        from: Status,
        /// The requested status.
        to: Status,
    },
    /// The string is not a status.
    #[error(
        "unknown status `{0}`; use pending, running, completed (or success), failed (or failure), \
         cancelled (or canceled) or skipped"
    )]
    Unknown(String),
}

fn possible(from: Status) -> &'static str {
    match from {
        Status::Pending => "; it can become running or cancelled",
        Status::Running => "; it can become completed, failed or cancelled",
        _ => ", because it has ended",
    }
}

impl Status {
    /// Whether the run or job has ended.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }

    /// Whether a run with this status has ended in this way.
    pub fn has_ended(self, how: RunEnd) -> bool {
        match how {
            RunEnd::Succeeded => self == Self::Completed,
            RunEnd::Failed => self == Self::Failed,
            RunEnd::Finished => self.is_final(),
        }
    }

    /// Checks that a run may change from this status to another, or keep it.
    ///
    /// # Errors
    ///
    /// Fails when it may not; the error names both.
    pub fn check_change(self, to: Self) -> Result<(), TransitionError> {
        let legal = match (self, to) {
            (from, to) if from == to => true,
            (Self::Pending, Self::Running | Self::Cancelled) => true,
            (Self::Running, Self::Completed | Self::Failed | Self::Cancelled) => true,
            _ => false,
        };
        if legal { Ok(()) } else { Err(TransitionError::Illegal { from: self, to }) }
    }

    const ALL: [Self; 6] = [
        Self::Pending,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Skipped,
    ];

    /// The status as a string.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    /// The strings that parse as this status: its own, then its aliases.
    pub fn spellings(self) -> &'static [&'static str] {
        match self {
            Self::Pending => &["pending"],
            Self::Running => &["running"],
            Self::Completed => &["completed", "success"],
            Self::Failed => &["failed", "failure"],
            Self::Cancelled => &["cancelled", "canceled"],
            Self::Skipped => &["skipped"],
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Status {
    type Err = TransitionError;

    fn from_str(text: &str) -> Result<Self, TransitionError> {
        let found = Self::ALL.into_iter().find(|status| status.spellings().contains(&text));
        found.ok_or_else(|| TransitionError::Unknown(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_legal_changes_are_accepted() {
        assert_eq!(Status::Pending.check_change(Status::Running), Ok(()));
        assert_eq!(Status::Failed.check_change(Status::Failed), Ok(()));
        let error = Status::Completed.check_change(Status::Running).map_err(|e| e.to_string());
        let text = "a completed run cannot become running, because it has ended";
        assert_eq!(error, Err(text.to_owned()));
    }

    #[test]
    fn aliases_are_read_and_never_written() {
        for (alias, written) in
            [("success", "completed"), ("failure", "failed"), ("canceled", "cancelled")]
        {
            assert_eq!(alias.parse().map(Status::as_str), Ok(written));
        }
        for status in Status::ALL {
            assert_eq!(status.spellings()[0], status.as_str());
            for text in status.spellings() {
                let read: Result<Status, _> = serde_json::from_value((*text).into());
                assert_eq!(read.ok(), Some(status), "{text}");
            }
        }
        assert!("done".parse::<Status>().is_err_and(|error| error.to_string().contains("`done`")));
    }
}
