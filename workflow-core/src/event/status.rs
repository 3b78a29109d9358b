//! Where a run, or a job of it, stands.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a run, or a job of it, stands.
///
/// Written as `pending`, `running`, `completed`, `failed`, `cancelled`, and for jobs `skipped`;
/// `success`, `failure` and `canceled` are read as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Not begun.
    #[serde(rename = "pending")]
    Pending,
    /// Under way.
    #[serde(rename = "running")]
    Running,
    /// Ended well.
    #[serde(alias = "success")]
    #[serde(rename = "completed")]
    Completed,
    /// Ended badly.
    #[serde(alias = "failure")]
    #[serde(rename = "failed")]
    Failed,
    /// Stopped by request.
    #[serde(alias = "canceled")]
    #[serde(rename = "cancelled")]
    Cancelled,
    /// Of a job: will not run, because of what became of others or of its condition.
    #[serde(rename = "skipped")]
    Skipped,
}

/// Why the status of a run cannot become another, or a text is no status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransitionError {
    /// The run cannot go from the one status to the other.
    #[error("a run that is {from} cannot become {to}{}", possible(*.from))]
    Illegal {
        /// Where it stands.
        from: Status,
        /// Where it was to go.
        to: Status,
    },
    /// The text names no status.
    #[error(
        "`{0}` is no status; a status is pending, running, completed (or success), failed (or \
         failure), cancelled (or canceled) or skipped"
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
    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }

    /// Checks that a run which stands here may go there; staying where it is, it may.
    ///
    /// # Errors
    ///
    /// Fails, and names both, when it may not.
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

    /// The status as it is written.
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

    /// The texts that are read as this status: how it is written, then its aliases.
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
        let text = "a run that is completed cannot become running, because it has ended";
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
