//! Events as lines of text: one line per event, or all lines that a job prints.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};
use std::time::Duration;

use workflow_core::event::{Event, EventKind, Failure};

use super::display::Display;
use super::progress::Progress;
use crate::output::{DIM, ERROR, SUCCESS, WARNING, count, is_plain, short_duration, styled};

/// Writes a line for each event that users want to see.
pub(crate) struct Plain<W: Write> {
    workflow: String,
    progress: Progress,
    out: BufWriter<W>,
}

impl<W: Write> Plain<W> {
    pub(crate) fn new(workflow: &str, progress: Progress, out: W) -> Self {
        let out = BufWriter::with_capacity(BUFFER, out);
        Self { workflow: workflow.to_owned(), progress, out }
    }
}

impl<W: Write> Display for Plain<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let took = self.progress.apply(event);
        match event_line(&self.workflow, event, took, &self.progress) {
            // In one write, so that the buffer splits no line: commands may write to the same stream.
            Some((_, line)) => self.out.write_all(format!("{line}\n").as_bytes()),
            None => Ok(()),
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The bytes that are written at once.
const BUFFER: usize = 64 << 10;

/// Decides whether a line stays on a terminal with progress bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Importance {
    /// Only part of the progress.
    Normal,
    /// Stays on the screen above the bars.
    High,
}

/// Formats an event that `progress` has already applied.
pub(super) fn event_line(
    workflow: &str,
    event: &Event,
    took: Option<Duration>,
    progress: &Progress,
) -> Option<(Importance, String)> {
    let so_far = || styled(DIM, format_args!("({} of {})", progress.done(), progress.total()));
    let took = || took.map(|took| format!(" in {}", short_duration(took))).unwrap_or_default();
    let line = match &event.kind {
        EventKind::RunStarted { .. } => format!("{workflow}: {}", count(progress.total(), "job")),
        EventKind::JobCompleted { job, .. } if progress.is_reused(event) => {
            format!("  {job} {} {}", styled(SUCCESS, "reused"), so_far())
        }
        EventKind::JobStarted { .. } | EventKind::AttemptFailed { .. }
            if progress.is_reused(event) =>
        {
            return None;
        }
        EventKind::JobStarted { job, attempt: 1, .. } => format!("  {job} started"),
        EventKind::JobStarted { job, attempt, .. } => format!("  {job} started, attempt {attempt}"),
        EventKind::JobCompleted { job, .. } => {
            format!("  {job} {}{} {}", styled(SUCCESS, "completed"), took(), so_far())
        }
        EventKind::AttemptFailed { job, attempt, error, retry_in } => {
            let failed = styled(WARNING, format_args!("failed in attempt {attempt}"));
            format!(
                "  {job} {failed}, retry in {}: {}",
                short_duration(*retry_in),
                error_line(error)
            )
        }
        EventKind::JobFailed { job, error, .. } => {
            let failed = styled(ERROR, "failed");
            format!("  {job} {failed}{} {}: {}", took(), so_far(), error_line(error))
        }
        EventKind::JobSkipped { job, reason } => {
            format!("  {job} {} {}: {reason}", styled(WARNING, "skipped"), so_far())
        }
        EventKind::JobCancelled { job, .. } => {
            format!("  {job} {}{} {}", styled(WARNING, "cancelled"), took(), so_far())
        }
        EventKind::JobOutput { job, text, .. } => job_output(job, text)?,
        EventKind::OutputSkipped { bytes } => {
            let skipped = format!("skipped {bytes} bytes of output that arrived too fast");
            format!("  {}", styled(WARNING, skipped))
        }
        EventKind::CancelRequested { reason: None } if progress.counts().running == 0 => {
            "cancelling".to_owned()
        }
        EventKind::CancelRequested { reason } => cancelling(reason.as_deref()),
        EventKind::RunCompleted { .. } => format!("{workflow} {}", styled(SUCCESS, "completed")),
        // The line of the failed job and the report show the reason.
        EventKind::RunFailed { .. } if progress.counts().failed > 0 => {
            format!("{workflow} {}", styled(ERROR, "failed"))
        }
        EventKind::RunFailed { reason } => {
            format!("{workflow} {}: {reason}", styled(ERROR, "failed"))
        }
        EventKind::RunCancelled => format!("{workflow} {}", styled(WARNING, "cancelled")),
        _ => return None,
    };
    Some((importance(&event.kind), line))
}

/// An error in one line. The stderr of a command is already shown as its output.
fn error_line(error: &Failure) -> String {
    match error.message.split_once("; the end of its stderr:") {
        Some((how, _)) => how.to_owned(),
        None => format!("{error:#}"),
    }
}

/// The message while a run is being cancelled.
pub(super) fn cancelling(reason: Option<&str>) -> String {
    let reason = reason.unwrap_or("waiting for jobs to stop; interrupt again to end them at once");
    format!("cancelling: {reason}")
}

fn importance(kind: &EventKind) -> Importance {
    match kind {
        EventKind::AttemptFailed { .. }
        | EventKind::JobFailed { .. }
        | EventKind::JobOutput { .. }
        | EventKind::OutputSkipped { .. }
        | EventKind::CancelRequested { .. }
        | EventKind::RunCompleted { .. }
        | EventKind::RunFailed { .. }
        | EventKind::RunCancelled => Importance::High,
        _ => Importance::Normal,
    }
}

/// Prefixes each line with the name of the job, and removes control codes. Returns `None` for empty
/// text.
pub(crate) fn job_output(job: &str, text: &str) -> Option<String> {
    let text = match is_plain(text) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(harmless(text)),
    };
    let job = format!("  {} ", styled(DIM, format_args!("{job} |")));
    let mut shown = String::with_capacity(2 * text.len() + job.len());
    for line in text.lines() {
        if !shown.is_empty() {
            shown.push('\n');
        }
        shown.push_str(&job);
        shown.push_str(line);
        shown.truncate(shown.trim_end().len());
    }
    (!shown.is_empty()).then_some(shown)
}

/// The text without control codes. Of a line that a command overwrites, the last version counts.
fn harmless(text: &str) -> String {
    let text = anstream::adapter::strip_str(text).to_string();
    let is_shown = |letter: &char| *letter == '\t' || !letter.is_control();
    let mut shown = String::with_capacity(text.len());
    for line in text.lines() {
        let last = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
        shown.extend(last.chars().filter(is_shown));
        shown.push('\n');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Clean, Colors, plain_text};
    use crate::render::progress::tests::{completed, failed, retried, scenario, skipped, started};

    #[test]
    fn a_run_in_lines() {
        let reason = "job `b` failed: no route".to_owned();
        let kinds = vec![
            EventKind::RunStarted { retry_of: None },
            started("a", 1),
            completed("a"),
            started("b", 1),
            retried("b"),
            started("b", 2),
            failed("b"),
            skipped("c"),
            EventKind::RunFailed { reason },
        ];
        let (progress, events) = scenario(&["a", "b", "c"], kinds);
        let mut text = Vec::new();
        let mut plain = Plain::new("etl", progress, Clean::new(&mut text, Colors::Off));
        events.iter().for_each(|event| plain.event(event).expect("written to memory"));
        plain.draw().expect("written to memory");
        drop(plain);
        insta::assert_snapshot!(String::from_utf8_lossy(&text), @"
        etl: 3 jobs
          a started
          a completed in 1.0s (1 of 3)
          b started
          b failed in attempt 1, retry in 5.0s: busy
          b started, attempt 2
          b failed in 3.0s (2 of 3): no route ...
          c skipped (3 of 3): `b` did not complete
        etl failed
        ");
    }

    fn plain(text: &str) -> String {
        plain_text(&job_output("a", text).expect("a line"))
    }

    #[test]
    fn control_codes_are_removed() {
        assert_eq!(plain("\x1b[2J\x1b[31mred\x1b[0m\x07\n"), "  a | red");
        assert_eq!(plain(" 1 %\r 50 %\r100 %\r\nnext\r\n"), "  a | 100 %\n  a | next");
        assert_eq!(plain("größe \u{fffd}\n\n"), "  a | größe \u{fffd}\n  a |");
        assert_eq!(job_output("a", ""), None);
    }
}
