//! Progress bars on a terminal: one line per running job, and one for the whole run.

use std::io;
use std::time::{Duration, SystemTime};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use workflow_core::event::{Event, EventKind, JobView};

use super::display::Display;
use super::lines::{Importance, event_line};
use super::progress::Progress;
use crate::output::{DIM, ERROR, WARNING, clean, short_duration, styled};

/// Shows a run at the bottom of a terminal. Important lines are printed above the bars.
pub(crate) struct Live {
    workflow: String,
    progress: Progress,
    screen: MultiProgress,
    total: ProgressBar,
    jobs: Vec<ProgressBar>,
    began: Option<SystemTime>,
    drawn: Option<SystemTime>,
    /// The number of rows of the terminal.
    rows: fn() -> usize,
}

impl Live {
    pub(crate) fn new(
        workflow: &str,
        progress: Progress,
        screen: MultiProgress,
        rows: fn() -> usize,
    ) -> Self {
        let total = screen.add(ProgressBar::new(0).with_style(style(TOTAL)));
        Self {
            workflow: workflow.to_owned(),
            progress,
            screen,
            total,
            jobs: Vec::new(),
            began: None,
            drawn: None,
            rows,
        }
    }

    fn draw_at(&mut self, now: SystemTime) {
        let lines = self.lines(now);
        while self.jobs.len() > lines.len()
            && let Some(bar) = self.jobs.pop()
        {
            self.screen.remove(&bar);
        }
        while self.jobs.len() < lines.len() {
            let bar = ProgressBar::new_spinner().with_style(style(JOB));
            self.jobs.push(self.screen.insert_before(&self.total, bar));
        }
        for (bar, line) in self.jobs.iter().zip(lines) {
            bar.set_message(clean(&line));
            bar.tick();
        }
        self.total.set_length(self.progress.total() as u64);
        self.total.set_position(self.progress.done() as u64);
        self.total.set_message(clean(&self.summary(now)));
        self.total.tick();
    }

    /// One line per running job, as many as fit on the terminal.
    fn lines(&self, now: SystemTime) -> Vec<String> {
        let room = (self.rows)().saturating_sub(RESERVED).max(1);
        let (active, count) = (self.progress.active(), self.progress.active_count());
        if count <= room {
            return active.map(|job| describe(job, now)).collect();
        }
        let mut lines: Vec<_> = active.take(room - 1).map(|job| describe(job, now)).collect();
        lines.push(styled(DIM, format_args!("and {} more", count - lines.len())));
        lines
    }

    fn summary(&self, now: SystemTime) -> String {
        let counts = self.progress.counts();
        let counts = [
            ("failed", ERROR, counts.failed),
            ("skipped", WARNING, counts.skipped),
            ("cancelled", WARNING, counts.cancelled),
        ];
        let counts = counts.into_iter().filter(|(_, _, count)| *count > 0);
        let mut parts: Vec<_> = counts
            .map(|(what, style, count)| styled(style, format_args!("{count} {what}")))
            .collect();
        parts.push(short_duration(self.began.map_or(Duration::ZERO, |began| since(began, now))));
        parts.join(", ")
    }
}

impl Display for Live {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        if matches!(event.kind, EventKind::RunStarted { .. }) {
            self.began = Some(event.at);
        }
        let took = self.progress.apply(event);
        match event_line(&self.workflow, event, took, &self.progress) {
            Some((Importance::High, line)) => self.screen.println(clean(&line)),
            _ => Ok(()),
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        let now = SystemTime::now();
        // Limits the drawing rate. The next drawing follows after the refresh interval.
        if self.drawn.is_none_or(|drawn| since(drawn, now) >= REFRESH_INTERVAL / 2) {
            self.draw_at(now);
            self.drawn = Some(now);
        }
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        // An unfinished bar would be drawn again when it is dropped.
        self.jobs.iter().chain([&self.total]).for_each(ProgressBar::finish_and_clear);
        self.screen.clear()
    }

    fn refresh_interval(&self) -> Option<Duration> {
        Some(REFRESH_INTERVAL)
    }
}

const REFRESH_INTERVAL: Duration = Duration::from_millis(100);

/// Rows reserved for the total, the lines above the bars, and the prompt.
const RESERVED: usize = 4;

const JOB: &str = "  {spinner} {wide_msg}";
const TOTAL: &str = "{bar:30} {pos} of {len} jobs, {wide_msg}";

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("the templates above are well-formed")
        .progress_chars("━╸ ")
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}

fn describe(active: &JobView, now: SystemTime) -> String {
    let (job, attempt) = (&active.name, active.attempt_count());
    let began = active.started_at().unwrap_or(now);
    let state = match (active.retry_at, attempt) {
        (Some(again), _) => {
            let wait =
                again.duration_since(now).map(|wait| format!(" in {}", short_duration(wait)));
            styled(WARNING, format_args!("attempt {}{}", attempt + 1, wait.unwrap_or_default()))
        }
        (None, 1) => styled(DIM, short_duration(since(began, now))),
        (None, _) => {
            styled(DIM, format_args!("{}, attempt {attempt}", short_duration(since(began, now))))
        }
    };
    format!("{job} {state}")
}

/// The elapsed time, or zero if the clock was set back.
fn since(then: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::progress::tests::{completed, failed, retried, scenario, started};
    use indicatif::{InMemoryTerm, ProgressDrawTarget};

    fn drawn(jobs: &[&str], kinds: Vec<EventKind>) -> (Live, InMemoryTerm) {
        let (progress, events) = scenario(jobs, kinds);
        let terminal = InMemoryTerm::new(10, 60);
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let screen = MultiProgress::with_draw_target(target);
        let mut live = Live::new("etl", progress, screen, || 10);
        events.iter().for_each(|event| live.event(event).expect("written to memory"));
        live.draw_at(SystemTime::UNIX_EPOCH + Duration::from_secs(8));
        (live, terminal)
    }

    #[test]
    fn one_line_per_running_job() {
        let kinds = vec![
            EventKind::RunStarted { retry_of: None },
            started("extract", 1),
            started("clean", 1),
            started("load", 1),
            completed("extract"),
            retried("load"),
            started("publish", 1),
            failed("publish"),
        ];
        let (mut live, terminal) = drawn(&["extract", "clean", "load", "publish"], kinds);
        insta::assert_snapshot!(terminal.contents(), @"
          load failed in attempt 1, retry in 5.0s: busy
          publish failed in 1.0s (2 of 4): no route ...
          ⠙ clean 6.0s
          ⠙ load attempt 2 in 2.0s
        ━━━━━━━━━━━━━━━╸               2 of 4 jobs, 1 failed, 8.0s
        ");
        live.close().expect("written to memory");
        insta::assert_snapshot!(terminal.contents(), @"
        load failed in attempt 1, retry in 5.0s: busy
        publish failed in 1.0s (2 of 4): no route ...
        ");
    }

    #[test]
    fn no_more_lines_than_fit_the_terminal() {
        let names: Vec<_> = (0..100).map(|number| format!("job_{number}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let kinds = names.iter().map(|name| started(name, 1)).collect();
        let (_live, terminal) = drawn(&names, kinds);
        insta::assert_snapshot!(terminal.contents(), @"
        ⠙ job_0 8.0s
        ⠙ job_1 7.0s
        ⠙ job_2 6.0s
        ⠙ job_3 5.0s
        ⠙ job_4 4.0s
        ⠙ and 95 more
                                     0 of 100 jobs, <1ms
        ");
    }
}
