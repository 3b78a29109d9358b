//! Errors of reading outputs.

use super::Status;
use crate::id::hint;
use crate::value::{ValueError, short, short_unlike};

/// The reason why a report has no output of the requested type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The workflow has no output.
    #[error(
        "workflow `{workflow}` has no output; return a `Handle` from the function that draws it"
    )]
    None {
        /// The workflow's name.
        workflow: String,
    },
    /// The job that produces the output did not complete.
    #[error(
        "workflow `{workflow}` has no output, because job `{job}`, which produces it, did not \
         complete ({status})"
    )]
    Missing {
        /// The workflow's name.
        workflow: String,
        /// The job that produces the output.
        job: String,
        /// The status of that job.
        status: Status,
    },
    /// No job of the graph has the name.
    #[error("workflow `{workflow}` has no job named `{job}`{}", hint(.nearest))]
    UnknownJob {
        /// The workflow's name.
        workflow: String,
        /// The name.
        job: String,
        /// The most similar name of a job.
        nearest: Option<String>,
    },
    /// The value to be read by reference has another type.
    #[error(
        "the output of {} is of type `{}`, not `{}`; read it as its own type{}",
        whose(workflow, job),
        short_unlike(found, wanted),
        short_unlike(wanted, found),
        if job.is_some() { "" } else { ", or convert it with `output`" }
    )]
    InPlace {
        /// The workflow's name.
        workflow: String,
        /// The job of the output; `None` for the output of the workflow.
        job: Option<String>,
        /// The value's type.
        found: &'static str,
        /// The requested type.
        wanted: &'static str,
    },
    /// The output has another type.
    #[error(
        "the output of workflow `{workflow}` is of type `{}`, not `{}`: {error}",
        short_unlike(found, wanted),
        short_unlike(wanted, found)
    )]
    Type {
        /// The workflow's name.
        workflow: String,
        /// The output's type.
        found: &'static str,
        /// The requested type.
        wanted: &'static str,
        /// The error of the conversion through JSON.
        error: ValueError,
    },
    /// The output has the requested type, but cannot be copied.
    #[error(
        "the output of workflow `{workflow}` is a `{}`, which neither implements `Clone` nor has \
         a JSON form; read it by reference with `output_ref`",
        short(found)
    )]
    NoCopy {
        /// The workflow's name.
        workflow: String,
        /// The output's type.
        found: &'static str,
    },
    /// The output has no JSON form.
    #[error("the output of workflow `{workflow}`: {error}")]
    Json {
        /// The workflow's name.
        workflow: String,
        /// The error.
        error: ValueError,
    },
}

fn whose(workflow: &str, job: &Option<String>) -> String {
    match job {
        Some(job) => format!("job `{job}` of workflow `{workflow}`"),
        None => format!("workflow `{workflow}`"),
    }
}
