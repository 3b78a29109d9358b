//! A line for each event, where lines are all there is.

use std::io::{self, Write};

use workflow_core::Event;

use super::Display;
use super::line::line;
use crate::progress::Progress;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Clean;
    use crate::progress::tests::{completed, failed, retried, skipped, started, story};
    use workflow_core::EventKind;

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
}
