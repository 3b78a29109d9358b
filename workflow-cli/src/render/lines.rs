//! Events as lines of text: one for each event, or as many as a job prints.

use std::io::{self, Write};
use std::time::Duration;

use workflow_core::{Event, EventKind, Failure};

use super::display::Display;
use super::progress::Progress;
use crate::output::{BAD, DUBIOUS, FAINT, GOOD, brief, count, styled};

/// Writes a line for each event worth reading.
pub(crate) struct Plain<W: Write> {
    workflow: String,
    progress: Progress,
    out: W,
}

impl<W: Write> Plain<W> {
    pub(crate) fn new(workflow: &str, progress: Progress, out: W) -> Self {
        Self { workflow: workflow.to_owned(), progress, out }
    }
}

impl<W: Write> Display for Plain<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let took = self.progress.note(event);
        match line(&self.workflow, event, took, &self.progress) {
            // At once and in one piece: commands may write to the same place.
            Some((_, line)) => self.out.write_all(format!("{line}\n").as_bytes()),
            None => Ok(()),
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

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
        EventKind::JobOutput { job, text, .. } => job_output(job, text)?,
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

/// Lines with the job's name, without what would move the cursor; `None` when there is nothing.
pub(crate) fn job_output(job: &str, text: &str) -> Option<String> {
    let text = anstream::adapter::strip_str(text).to_string();
    // What a command writes over is shown as it stands in the end.
    let last = |line: &str| line.trim_end_matches('\r').rsplit('\r').next().map(harmless);
    let job = styled(FAINT, format_args!("{job} |"));
    let shown = text.lines().filter_map(last);
    let lines: Vec<_> = shown.map(|line| format!("  {job} {line}").trim_end().to_owned()).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn harmless(line: &str) -> String {
    line.chars().filter(|character| *character == '\t' || !character.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Clean, plain_text};
    use crate::render::progress::tests::{completed, failed, retried, skipped, started, story};

    #[test]
    fn a_story_in_lines() {
        let reason = "job `b` failed: no route".to_owned();
        let kinds = vec![
            EventKind::RunStarted { repeats: None },
            started("a", 1),
            completed("a"),
            started("b", 1),
            retried("b"),
            started("b", 2),
            failed("b"),
            skipped("c"),
            EventKind::RunFailed { reason },
        ];
        let (progress, events) = story(&["a", "b", "c"], kinds);
        let mut text = Vec::new();
        let mut plain =
            Plain::new("etl", progress, Clean::of(anstream::StripStream::new(&mut text)));
        events.iter().for_each(|event| plain.event(event).expect("memory takes it"));
        plain.draw().expect("memory takes it");
        drop(plain);
        insta::assert_snapshot!(String::from_utf8_lossy(&text), @"
        etl: 3 jobs
          a started
          a completed in 1.0s (1 of 3)
          b started
          b failed in attempt 1, again in 5.0s: busy
          b started, attempt 2
          b failed in 3.0s (2 of 3): no route ...
          c skipped (3 of 3): `b` did not complete
        etl failed
        ");
    }

    fn plain(text: &str) -> String {
        plain_text(&job_output("a", text).expect("it is shown"))
    }

    #[test]
    fn what_moves_the_cursor_is_left_out() {
        assert_eq!(plain("\x1b[2J\x1b[31mred\x1b[0m\x07\n"), "  a | red");
        assert_eq!(plain(" 1 %\r 50 %\r100 %\r\nnext\r\n"), "  a | 100 %\n  a | next");
        assert_eq!(plain("größe \u{fffd}\n\n"), "  a | größe \u{fffd}\n  a |");
        assert_eq!(job_output("a", ""), None);
    }
}
