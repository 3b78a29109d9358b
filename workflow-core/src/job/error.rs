//! Why a job failed, and whether it is worth trying again.

use std::any::type_name;
use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::options::TimeoutKind;

type Source = Box<dyn Error + Send + Sync>;

/// What a job fails with: any error, taken in by `?`, and whether another attempt may help.
///
/// Every error type converts, and counts as worth a retry; so do `anyhow::Error`, `String` and
/// `&str`. [`JobError::terminal`] says that trying again is useless.
///
/// ```
/// use workflow_core::JobError;
///
/// fn port(text: &str) -> Result<u16, JobError> {
///     if text.is_empty() {
///         return Err(JobError::terminal("no port was given"));
///     }
///     Ok(text.parse()?)
/// }
/// assert!(port("x").unwrap_err().is_retryable());
/// assert!(!port("").unwrap_err().is_retryable());
/// ```
// Like `anyhow::Error` it is itself no `std::error::Error`, or the conversion could not exist.
pub struct JobError(Box<Inner>);

struct Inner {
    kind: JobErrorKind,
    error_type: String,
    source: Source,
}

/// The ways in which an attempt ends badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JobErrorKind {
    /// The job returned an error that another attempt may not meet.
    Retryable,
    /// The job returned an error that every attempt would meet.
    Terminal,
    /// The job panicked. Counts as retryable.
    Panicked,
    /// An attempt, or all of them together, took too long.
    TimedOut(TimeoutKind),
    /// The job, or its run, was cancelled.
    Cancelled,
}

impl JobError {
    /// An error that another attempt may not meet. The same as `JobError::from`.
    pub fn retryable<E: Into<Source>>(error: E) -> Self {
        Self::new::<E>(JobErrorKind::Retryable, error)
    }

    /// An error that every attempt would meet: the job is not tried again.
    pub fn terminal<E: Into<Source>>(error: E) -> Self {
        Self::new::<E>(JobErrorKind::Terminal, error)
    }

    /// An error of any kind, as an engine or a job that speaks for others reports it.
    pub fn of_kind<E: Into<Source>>(kind: JobErrorKind, error: E) -> Self {
        Self::new::<E>(kind, error)
    }

    fn new<E: Into<Source>>(kind: JobErrorKind, error: E) -> Self {
        let error_type = type_name::<E>().to_owned();
        Self(Box::new(Inner { kind, error_type, source: error.into() }))
    }

    /// Gives the error another type name, for `non_retryable_errors` to match.
    #[must_use]
    pub fn with_type(mut self, error_type: impl Into<String>) -> Self {
        self.0.error_type = error_type.into();
        self
    }

    /// In which way the attempt ended.
    pub fn kind(&self) -> JobErrorKind {
        self.0.kind
    }

    /// Whether another attempt may help.
    pub fn is_retryable(&self) -> bool {
        match self.0.kind {
            JobErrorKind::Retryable | JobErrorKind::Panicked => true,
            JobErrorKind::TimedOut(kind) => kind != TimeoutKind::ScheduleToClose,
            JobErrorKind::Terminal | JobErrorKind::Cancelled => false,
        }
    }

    /// The path of the error's Rust type, or the name given with [`JobError::with_type`].
    pub fn error_type(&self) -> &str {
        &self.0.error_type
    }

    /// The error that the job returned, if it was an `E`.
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.0.source.downcast_ref()
    }

    /// The error as a `std::error::Error`.
    pub fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0.source
    }

    /// Gives up the wrapping and returns the error as a `std::error::Error`.
    pub fn into_error(self) -> Box<dyn Error + Send + Sync> {
        self.0.source
    }

    /// The error with its causes, parted by `: `; a cause that its error already spells out is
    /// left away.
    pub fn chain(&self) -> String {
        let mut text = self.0.source.to_string();
        let mut cause = self.0.source.source();
        while let Some(error) = cause {
            let message = error.to_string();
            if !text.ends_with(&message) {
                text.push_str(": ");
                text.push_str(&message);
            }
            cause = error.source();
        }
        text
    }
}

impl<E: Into<Source>> From<E> for JobError {
    fn from(error: E) -> Self {
        Self::retryable(error)
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.chain())
    }
}

impl fmt::Debug for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobError")
            .field("kind", &self.0.kind)
            .field("error_type", &self.0.error_type)
            .field("source", &self.0.source)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the table")]
    struct Outer(#[source] std::num::ParseIntError);

    #[test]
    fn any_error_converts_and_keeps_its_type_and_causes() {
        let cause = "x".parse::<u8>().expect_err("x is no number");
        let error = JobError::from(Outer(cause));
        assert!(error.error_type().ends_with("::Outer"));
        assert!(error.downcast_ref::<Outer>().is_some());
        assert_eq!(error.to_string(), "cannot read the table: invalid digit found in string");
    }

    #[test]
    fn text_converts_too() {
        assert_eq!(JobError::from("no").to_string(), "no");
        assert_eq!(JobError::from(String::from("no")).kind(), JobErrorKind::Retryable);
    }
}
