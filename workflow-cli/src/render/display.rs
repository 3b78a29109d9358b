//! The progress of a run: bars on a terminal, lines elsewhere, or JSON lines.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use futures::StreamExt as _;
use futures::future::{Either, select};
use indicatif::{MultiProgress, ProgressDrawTarget};
use workflow_core::Run as _;
use workflow_core::engine::RunHandle;
use workflow_core::event::Event;

use super::lines::Plain;
use super::live::Live;
use super::progress::Progress;
use crate::output;

/// Shows the events of a run.
pub(crate) trait Display {
    /// Shows an event, at once or with the next [`draw`](Self::draw).
    ///
    /// # Errors
    ///
    /// Fails when writing fails.
    fn event(&mut self, event: &Event) -> io::Result<()>;

    /// Shows all events so far. Called whenever no further event is available, and at the end.
    ///
    /// # Errors
    ///
    /// Fails when writing fails.
    fn draw(&mut self) -> io::Result<()>;

    /// Clears the progress bars after the run has ended.
    ///
    /// # Errors
    ///
    /// Fails when writing fails.
    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// How often to draw while there are no events.
    fn refresh_interval(&self) -> Option<Duration> {
        None
    }
}

/// How to show progress on standard error.
#[derive(Clone)]
pub(crate) enum Screen {
    /// As progress bars on a terminal.
    Live(MultiProgress),
    /// As lines.
    Plain,
    /// Not at all.
    Quiet,
}

impl Screen {
    /// Progress bars on a terminal with colours, and lines elsewhere.
    pub(crate) fn of_standard_error() -> Self {
        let colorless = AutoStream::choice(&io::stderr()) == ColorChoice::Never;
        if colorless || !io::stderr().is_terminal() {
            return Self::Plain;
        }
        console::set_colors_enabled_stderr(true);
        Self::Live(MultiProgress::with_draw_target(ProgressDrawTarget::stderr()))
    }

    /// Creates the display of a run with this progress.
    pub(crate) fn display(&self, name: &str, progress: Progress) -> Box<dyn Display> {
        match self {
            Self::Quiet => Box::new(QuietDisplay),
            Self::Plain => Box::new(Plain::new(name, progress, output::stderr())),
            Self::Live(bars) => {
                let rows = || usize::from(console::Term::stderr().size().0);
                Box::new(Live::new(name, progress, bars.clone(), rows))
            }
        }
    }
}

struct QuietDisplay;

impl Display for QuietDisplay {
    fn event(&mut self, _: &Event) -> io::Result<()> {
        Ok(())
    }

    fn draw(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Shows a run from its first event to its last. If the display fails, the run continues without it,
/// and the error is returned.
pub(crate) async fn watch(run: &RunHandle, display: &mut dyn Display) -> Option<io::Error> {
    let mut batches = run.events().ready_chunks(BATCH);
    let mut visible = Ok(());
    loop {
        let batch = match display.refresh_interval().filter(|_| visible.is_ok()) {
            None => batches.next().await,
            Some(interval) => {
                match select(batches.next(), futures_timer::Delay::new(interval)).await {
                    Either::Left((batch, _)) => batch,
                    Either::Right(_) => Some(Vec::new()),
                }
            }
        };
        let Some(batch) = batch else { return visible.and_then(|()| display.close()).err() };
        for event in batch {
            visible = visible.and_then(|()| display.event(&event));
        }
        visible = visible.and_then(|()| display.draw());
    }
}

/// The maximum number of events between two drawings.
const BATCH: usize = 1024;
