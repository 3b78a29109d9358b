//! Why there is no output.

use super::Status;
use crate::value::{ValueError, short, short_unlike};

/// Why a report has no output of the type that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The workflow makes no output.
    #[error(
        "workflow `{workflow}` has no output; return a `Handle` from the function that draws it"
    )]
    None {
        /// The workflow's name.
        workflow: String,
    },
    /// The job that makes the output did not complete.
    #[error(
        "workflow `{workflow}` left no output, because job `{job}`, which makes it, did not \
         complete ({status})"
    )]
    Missing {
        /// The workflow's name.
        workflow: String,
        /// The job that makes the output.
        job: String,
        /// Where that job stands.
        status: Status,
    },
    /// No job of the graph has the name.
    #[error("workflow `{workflow}` has no job named `{job}`{}", hint(.nearest))]
    UnknownJob {
        /// The workflow's name.
        workflow: String,
        /// The name.
        job: String,
        /// The most similar name that a job has.
        nearest: Option<String>,
    },
    /// The value that was to be read in place is of another type.
    #[error(
        "the output of {} is of type `{}`, not `{}`; read it as the type that it is{}",
        whose(workflow, job),
        short_unlike(found, wanted),
        short_unlike(wanted, found),
        if job.is_some() { "" } else { ", or convert it with `output`" }
    )]
    InPlace {
        /// The workflow's name.
        workflow: String,
        /// The job whose output it is, unless it is the workflow's.
        job: Option<String>,
        /// The value's type.
        found: &'static str,
        /// The type that was asked for.
        wanted: &'static str,
    },
    /// The output is of another type.
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
        /// The type that was asked for.
        wanted: &'static str,
        /// Why the one could not be turned into the other through JSON.
        error: ValueError,
    },
    /// The output is of the type that was asked for, but there is no way to copy it.
    #[error(
        "the output of workflow `{workflow}` is a `{}`, which neither clones nor has a JSON \
         form; read it in place with `output_ref`",
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
        /// What is wrong.
        error: ValueError,
    },
}

fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

fn whose(workflow: &str, job: &Option<String>) -> String {
    match job {
        Some(job) => format!("job `{job}` of workflow `{workflow}`"),
        None => format!("workflow `{workflow}`"),
    }
}
