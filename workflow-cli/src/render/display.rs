//! What is visible of a run while it goes on: bars on a terminal, lines elsewhere, or JSON.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use futures::StreamExt as _;
use futures::future::{Either, select};
use indicatif::{MultiProgress, ProgressDrawTarget};
use workflow_core::{Event, Run as _, RunHandle};

use super::lines::Plain;
use super::live::Live;
use super::progress::Progress;
use crate::output;

/// Where the events of a run are visible.
pub(crate) trait Display {
    /// Shows an event, or takes it in until it is [drawn](Self::draw).
    ///
    /// # Errors
    ///
    /// Fails when nobody can see it.
    fn event(&mut self, event: &Event) -> io::Result<()>;

    /// Shows everything so far. Called whenever no event is at hand, and at the end.
    ///
    /// # Errors
    ///
    /// Fails when nobody can see it.
    fn draw(&mut self) -> io::Result<()>;

    /// Takes off the screen what does not stay there, once the run has ended.
    ///
    /// # Errors
    ///
    /// Fails when nobody can see it.
    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// How often it is to be drawn while nothing happens.
    fn refresh_interval(&self) -> Option<Duration> {
        None
    }
}

/// Standard error, as it is and as it is wanted.
#[derive(Clone)]
pub(crate) enum Screen {
    /// A terminal that can be drawn on.
    Live(MultiProgress),
    /// A place for lines.
    Plain,
    /// QuietDisplay is to be visible.
    Quiet,
}

impl Screen {
    /// What suits standard error: bars on a terminal with colours, and elsewhere lines.
    pub(crate) fn of_standard_error() -> Self {
        let colorless = AutoStream::choice(&io::stderr()) == ColorChoice::Never;
        if colorless || !io::stderr().is_terminal() {
            return Self::Plain;
        }
        console::set_colors_enabled_stderr(true);
        Self::Live(MultiProgress::with_draw_target(ProgressDrawTarget::stderr()))
    }

    /// Where a run of this workflow is visible, which has come so far.
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

/// Shows a run from its first event to its last. A display that fails is left alone from then on,
/// while the run goes on; returns what it failed with.
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

/// So many events may go by between two drawings.
const BATCH: usize = 1024;
