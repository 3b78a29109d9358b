//! An event in a line, or in as many as it prints.

use std::time::Duration;

use workflow_core::{Event, EventKind, Failure};

use super::printed::lines;
use crate::output::{BAD, DUBIOUS, FAINT, GOOD, brief, count, styled};
use crate::progress::Progress;

/// What a line is about, which decides where it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// All goes well.
    Usual,
    /// Worth to be kept on a screen where the rest passes by.
    Kept,
}

/// What happened, in a line, after `progress` has taken it in.
pub(super) fn line(
    workflow: &str,
    event: &Event,
    took: Option<Duration>,
    progress: &Progress,
) -> Option<(Weight, String)> {
    let so_far = || styled(FAINT, format_args!("({} of {})", progress.done(), progress.total()));
    let took = || took.map(|took| format!(" in {}", brief(took))).unwrap_or_default();
    let line = match &event.kind {
        EventKind::RunStarted { .. } => format!("{workflow}: {}", count(progress.total(), "job")),
        EventKind::JobStarted { job, attempt: 1, .. } => format!("  {job} started"),
        EventKind::JobStarted { job, attempt, .. } => format!("  {job} started, attempt {attempt}"),
        EventKind::JobCompleted { job, .. } => {
            format!("  {job} {}{} {}", styled(GOOD, "completed"), took(), so_far())
        }
        EventKind::AttemptFailed { job, attempt, error, retry_in } => {
            let failed = styled(DUBIOUS, format_args!("failed in attempt {attempt}"));
            format!("  {job} {failed}, again in {}: {}", brief(*retry_in), told(error))
        }
        EventKind::JobFailed { job, error, .. } => {
            let failed = styled(BAD, "failed");
            format!("  {job} {failed}{} {}: {}", took(), so_far(), told(error))
        }
        EventKind::JobSkipped { job, reason } => {
            format!("  {job} {} {}: {reason}", styled(DUBIOUS, "skipped"), so_far())
        }
        EventKind::JobCancelled { job, .. } => {
            format!("  {job} {}{} {}", styled(DUBIOUS, "cancelled"), took(), so_far())
        }
        EventKind::JobOutput { job, text, .. } => lines(job, text)?,
        EventKind::OutputSkipped { bytes } => {
            let skipped =
                format!("{bytes} bytes of output are not shown: there was too much at once");
            format!("  {}", styled(DUBIOUS, skipped))
        }
        EventKind::CancelRequested => CANCELLING.to_owned(),
        EventKind::RunCompleted { .. } => format!("{workflow} {}", styled(GOOD, "completed")),
        // The line of the job that failed, and the report, say why.
        EventKind::RunFailed { .. } if progress.counts().failed > 0 => {
            format!("{workflow} {}", styled(BAD, "failed"))
        }
        EventKind::RunFailed { reason } => {
            format!("{workflow} {}: {reason}", styled(BAD, "failed"))
        }
        EventKind::RunCancelled => format!("{workflow} {}", styled(DUBIOUS, "cancelled")),
        _ => return None,
    };
    Some((weight(&event.kind), line))
}

/// An error in a line. What a command wrote to its stderr stands above, as its output.
fn told(error: &Failure) -> String {
    match error.message.split_once("; the end of its stderr:") {
        Some((how, _)) => how.to_owned(),
        None => format!("{error:#}"),
    }
}

/// What is said while a run stops.
pub(super) const CANCELLING: &str =
    "cancelling: jobs are asked to stop; interrupt again to end them at once";

fn weight(kind: &EventKind) -> Weight {
    match kind {
        EventKind::AttemptFailed { .. }
        | EventKind::JobFailed { .. }
        | EventKind::JobOutput { .. }
        | EventKind::OutputSkipped { .. }
        | EventKind::CancelRequested
        | EventKind::RunCompleted { .. }
        | EventKind::RunFailed { .. }
        | EventKind::RunCancelled => Weight::Kept,
        _ => Weight::Usual,
    }
}
