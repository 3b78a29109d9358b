//! Shows a saved run until its end, whichever engine runs it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use futures_timer::Delay;
use workflow_core::event::Event;
use workflow_core::id::RunId;
use workflow_core::store::StoredRun;
use workflow_core::{Engine, RunError};
use workflow_store::{Catalog, CatalogError, Cause, RunDetails, StallReason, why};

use crate::args::{Format, ShowArguments};
use crate::failure::{Failure, Outcome};
use crate::output::{self, ignore_broken_pipe};
use crate::render::{Display, JsonLines, Progress, run_table};

/// Shows a run from its first event to its last, and then the result. If an engine is given, it
/// resumes the run when no other engine is running it.
///
/// # Errors
///
/// Fails when the store cannot be read, or the engine cannot resume the run.
pub(crate) fn follow(
    store: &Arc<dyn Catalog>,
    run: &StoredRun,
    show: &ShowArguments,
    engine: Option<&Engine>,
) -> Result<Outcome, Failure> {
    follow_from(store, run, show, engine, 0)
}

/// Shows a run that others drive until its end, or until the time is up.
///
/// # Errors
///
/// Fails when the store cannot be read.
pub(crate) fn follow_for(
    store: &Arc<dyn Catalog>,
    run: &StoredRun,
    show: &ShowArguments,
    timeout: Duration,
) -> Result<Outcome, Failure> {
    Follow { store, run, show, engine: None, from: 0, timeout: Some(timeout) }.to_end()
}

/// Like [`follow`], starting at the event with this sequence number.
///
/// # Errors
///
/// The errors of [`follow`].
pub(crate) fn follow_from(
    store: &Arc<dyn Catalog>,
    run: &StoredRun,
    show: &ShowArguments,
    engine: Option<&Engine>,
    from: u64,
) -> Result<Outcome, Failure> {
    Follow { store, run, show, engine, from, timeout: None }.to_end()
}

/// A run to show.
struct Follow<'a> {
    store: &'a Arc<dyn Catalog>,
    run: &'a StoredRun,
    show: &'a ShowArguments,
    /// Resumes the run when no other engine is running it.
    engine: Option<&'a Engine>,
    /// The sequence number of the first event.
    from: u64,
    /// How long to wait at most.
    timeout: Option<Duration>,
}

impl Follow<'_> {
    /// Shows the run until its end, and then the result.
    fn to_end(&self) -> Result<Outcome, Failure> {
        let Self { store, run, show, from, .. } = *self;
        if show.format == Format::Jsonl {
            let mut lines = JsonLines::new(output::stdout(), show.quiet);
            if !self.until_end(&mut lines)? {
                return Ok(self.late());
            }
            let details = ended(&**store, run.id)?;
            ignore_broken_pipe(lines.run(&details).map_err(Failure::Output))?;
            return Ok(details.run.status.into());
        }
        let progress = progress(&**store, run, from)?;
        let mut display = show.screen().display(&run.workflow.name, progress);
        if !self.until_end(&mut *display)? {
            ignore_broken_pipe(display.close().map_err(Failure::Output))?;
            return Ok(self.late());
        }
        let details = ended(&**store, run.id)?;
        let written = match show.format {
            Format::Json => output::print_json(&details),
            _ => run_table::write(&details),
        };
        ignore_broken_pipe(written)?;
        Ok(details.run.status.into())
    }

    /// Prints that the time is up.
    fn late(&self) -> Outcome {
        output::message(format_args!(
            "run {id} has not ended in time and continues; use `runs watch {id}` to watch it",
            id = self.run.id
        ));
        Outcome::Failed
    }

    /// Shows events until the last. Returns whether it came in time.
    fn until_end(&self, display: &mut dyn Display) -> Result<bool, Failure> {
        let Self { store, run, engine, from, timeout, .. } = *self;
        let tail = Tail { store: &**store, run: run.id, next: from, display, visible: true };
        let time_is_up = async {
            match timeout {
                Some(timeout) => Delay::new(timeout).await,
                None => std::future::pending().await,
            }
        };
        pollster::block_on(async {
            match select(pin!(tail.until_end_with(engine)), pin!(time_is_up)).await {
                Either::Left((ended, _)) => ended.map(|()| true),
                Either::Right(((), _)) => Ok(false),
            }
        })
    }
}

/// Loads a run after it has ended.
fn ended(store: &dyn Catalog, run: RunId) -> Result<RunDetails, Failure> {
    match pollster::block_on(store.run_details(run)) {
        Err(CatalogError::NoRun(_)) => {
            let text = format!("run {run} was deleted while it was watched");
            Err(Failure::Usage(text))
        }
        other => Ok(other?),
    }
}

/// The progress of the run before the event with this sequence number.
fn progress(store: &dyn Catalog, run: &StoredRun, from: u64) -> Result<Progress, Failure> {
    let nodes = run.workflow.graph["nodes"].as_array();
    let names = nodes.into_iter().flatten().filter_map(|node| node["id"].as_str());
    let mut progress = Progress::new(names);
    let mut next = 0;
    while next < from {
        let events = pollster::block_on(store.events(run.id, next, PAGE))?;
        let before = events.iter().take_while(|event| event.sequence < from);
        before.for_each(|event| _ = progress.apply(event));
        match events.last() {
            Some(last) => next = last.sequence + 1,
            None => break,
        }
    }
    Ok(progress)
}

/// Whether to print a hint if no engine is running the run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AbandonedHint {
    /// Prints the hint.
    Print,
    /// Prints none: an engine of this process resumes the run.
    Skip,
}

/// The events of a run as they arrive.
struct Tail<'a> {
    store: &'a dyn Catalog,
    run: RunId,
    /// The sequence number of the next event.
    next: u64,
    display: &'a mut dyn Display,
    /// Whether the display still works.
    visible: bool,
}

impl Tail<'_> {
    /// Shows events until the last, while the engine, if there is one, drives the run when no other
    /// does.
    async fn until_end_with(self, engine: Option<&Engine>) -> Result<(), Failure> {
        let Some(engine) = engine else { return self.until_end(AbandonedHint::Print).await };
        let run = self.run;
        let tailing = pin!(self.until_end(AbandonedHint::Skip));
        let driving = pin!(engine.follow(run));
        match select(tailing, driving).await {
            Either::Left((seen, _)) => seen,
            Either::Right((Ok(_) | Err(RunError::Failed(_) | RunError::Cancelled(_)), tailing)) => {
                tailing.await
            }
            Either::Right((Err(error), _)) => Err(error.into()),
        }
    }

    async fn until_end(mut self, hint: AbandonedHint) -> Result<(), Failure> {
        let mut idle = 0_u32;
        loop {
            let events = self.store.events(self.run, self.next, PAGE).await?;
            let full = events.len() == PAGE;
            if self.show(&events) {
                return Ok(());
            }
            idle = if events.is_empty() { idle + 1 } else { 0 };
            // Externally reported runs end without an event, and so do deleted runs.
            if idle % POLLS_PER_STATUS_CHECK == 1 && self.is_over().await? {
                self.close();
                return Ok(());
            }
            if idle == POLLS_BEFORE_OWNER_CHECK
                && hint == AbandonedHint::Print
                && self.is_unserved().await?
            {
                output::message(
                    "no process is running this run; `worker`, `serve` or `recover` runs it",
                );
            }
            if !full {
                Delay::new(POLL_INTERVAL).await;
            }
        }
    }

    /// Shows events. Returns whether they include the last one.
    fn show(&mut self, events: &[Event]) -> bool {
        let mut last = false;
        for event in events {
            self.visible = self.visible && self.display.event(event).is_ok();
            self.next = event.sequence + 1;
            last |= event.kind.is_last();
        }
        self.visible = self.visible && self.display.draw().is_ok();
        if last {
            self.close();
        }
        last
    }

    fn close(&mut self) {
        self.visible = self.visible && self.display.close().is_ok();
    }

    /// Whether no process runs the run, and no live worker would.
    async fn is_unserved(&self) -> Result<bool, Failure> {
        let reasons = why(self.store, self.store, self.run).await?;
        let is_whole = |reason: &&StallReason| reason.job.is_none();
        let whole = reasons.iter().find(is_whole).map(|reason| &reason.cause);
        Ok(matches!(whole, Some(Cause::NoWorker { .. })))
    }

    /// Whether the run has ended and all its events were shown.
    async fn is_over(&self) -> Result<bool, Failure> {
        let run = self.store.run(self.run).await?;
        Ok(run.is_none_or(|run| run.status.is_final() && run.events <= self.next))
    }
}

/// The number of events read at once.
const PAGE: usize = 1000;

/// The time between two reads of the store.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The number of reads without an event after which the status of the run is checked.
const POLLS_PER_STATUS_CHECK: u32 = 10;

/// The number of reads without an event after which the owner of the run is checked.
const POLLS_BEFORE_OWNER_CHECK: u32 = 30;
