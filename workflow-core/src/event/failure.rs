//! What is left of an error once it is written down.

use serde::{Deserialize, Serialize};

use crate::job::{JobError, JobErrorKind};

/// Why an attempt failed: what is left of a [`JobError`] once it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// In which way.
    pub kind: JobErrorKind,
    /// The error and its causes, in words.
    pub message: String,
    /// The error's type.
    pub error_type: String,
}

impl From<&JobError> for Failure {
    fn from(error: &JobError) -> Self {
        Self {
            kind: error.kind(),
            message: error.chain(),
            error_type: error.error_type().to_owned(),
        }
    }
}

impl Failure {
    /// The [decisive line](super::decisive_line) of the error.
    pub fn decisive_line(&self) -> String {
        super::decisive_line(&self.to_string())
    }
}

/// The whole message; its decisive line with `{:#}`, where a table has one line for it.
impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.kind == JobErrorKind::Panicked {
            f.write_str("panicked: ")?;
        }
        if f.alternate() && self.message.contains('\n') {
            return write!(f, "{} ...", super::decisive_line(&self.message));
        }
        f.write_str(&self.message)
    }
}

/// The error again, as far as it was written down.
impl From<Failure> for JobError {
    fn from(failure: Failure) -> Self {
        Self::of_kind(failure.kind, failure.message).with_type(failure.error_type)
    }
}
