//! A run on record is visible until its end, whoever drives it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use futures_timer::Delay;
use workflow_core::{Engine, Event, RunError, RunId, StoredRun};
use workflow_store::{Catalog, CatalogError, RunDetails};

use super::engine::is_abandoned;
use crate::args::{Format, ShowArguments};
use crate::failure::{Failure, Outcome};
use crate::output::{self, ignore_broken_pipe};
use crate::render::{Display, JsonLines, Progress, run_table};

/// Shows a run from its first event to its last, and then what came of it. With an engine, the
/// run is taken up when nobody drives it.
///
/// # Errors
///
/// Fails when the store cannot be read, or the engine cannot take the run up.
pub(crate) fn follow(
    store: &Arc<dyn Catalog>,
    run: &StoredRun,
    show: &ShowArguments,
    engine: Option<&Engine>,
) -> Result<Outcome, Failure> {
    follow_from(store, run, show, engine, 0)
}

/// The same, from the event with this number on.
///
/// # Errors
///
/// As [`follow`].
pub(crate) fn follow_from(
    store: &Arc<dyn Catalog>,
    run: &StoredRun,
    show: &ShowArguments,
    engine: Option<&Engine>,
    from: u64,
) -> Result<Outcome, Failure> {
    if show.format == Format::Jsonl {
        let mut lines = JsonLines::new(output::stdout(), show.quiet);
        until_end(store, run.id, &mut lines, engine, from)?;
        let details = ended(&**store, run.id)?;
        ignore_broken_pipe(lines.run(&details).map_err(Failure::Output))?;
        return Ok(details.run.status.into());
    }
    let progress = progress(&**store, run, from)?;
    let mut display = show.screen().display(&run.workflow.name, progress);
    until_end(store, run.id, &mut *display, engine, from)?;
    let details = ended(&**store, run.id)?;
    let written = match show.format {
        Format::Json => output::print_json(&details),
        _ => run_table::write(&details),
    };
    ignore_broken_pipe(written)?;
    Ok(details.run.status.into())
}

/// A run that was watched to its end.
fn ended(store: &dyn Catalog, run: RunId) -> Result<RunDetails, Failure> {
    match pollster::block_on(store.run_details(run)) {
        Err(CatalogError::NoRun(_)) => {
            let text = format!("run {run} was deleted while it was watched");
            Err(Failure::Usage(text))
        }
        other => Ok(other?),
    }
}

/// How far the run was before the event with this number.
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

fn until_end(
    store: &Arc<dyn Catalog>,
    run: RunId,
    display: &mut dyn Display,
    engine: Option<&Engine>,
    from: u64,
) -> Result<(), Failure> {
    let tail = Tail { store: &**store, run, next: from, display, visible: true };
    let Some(engine) = engine else {
        return pollster::block_on(tail.until_end(AbandonedHint::Print));
    };
    pollster::block_on(async {
        let tailing = pin!(tail.until_end(AbandonedHint::Skip));
        let driving = pin!(engine.follow(run));
        match select(tailing, driving).await {
            Either::Left((seen, _)) => seen,
            Either::Right((Ok(_) | Err(RunError::Failed(_) | RunError::Cancelled(_)), tailing)) => {
                tailing.await
            }
            Either::Right((Err(error), _)) => Err(error.into()),
        }
    })
}

/// What is to be said besides what happens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AbandonedHint {
    /// That nobody drives the run.
    Print,
    /// Nothing: somebody will.
    Skip,
}

/// Events of a run as they come.
struct Tail<'a> {
    store: &'a dyn Catalog,
    run: RunId,
    /// The number of the next event.
    next: u64,
    display: &'a mut dyn Display,
    /// Whether somebody sees it.
    visible: bool,
}

impl Tail<'_> {
    async fn until_end(mut self, hint: AbandonedHint) -> Result<(), Failure> {
        let mut idle = 0_u32;
        loop {
            let events = self.store.events(self.run, self.next, PAGE).await?;
            let full = events.len() == PAGE;
            if self.show(&events) {
                return Ok(());
            }
            idle = if events.is_empty() { idle + 1 } else { 0 };
            // Runs that others report on end without an event, and deleted ones have none.
            if idle % POLLS_PER_STATUS_CHECK == 1 && self.is_over().await? {
                self.close();
                return Ok(());
            }
            if idle == POLLS_BEFORE_OWNER_CHECK
                && hint == AbandonedHint::Print
                && is_abandoned(self.store, self.run).await?
            {
                output::message("nobody drives this run; `recover` takes it up");
            }
            if !full {
                Delay::new(POLL_INTERVAL).await;
            }
        }
    }

    /// Shows events; whether the last was among them.
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

    /// Whether all has been seen.
    async fn is_over(&self) -> Result<bool, Failure> {
        let run = self.store.run(self.run).await?;
        Ok(run.is_none_or(|run| run.status.is_final() && run.events <= self.next))
    }
}

/// How many events are read at once.
const PAGE: usize = 1000;

/// How often the store is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// In so many looks without an event, it is asked once whether the run is over.
const POLLS_PER_STATUS_CHECK: u32 = 10;

/// After so many looks without an event, it is asked whether somebody drives the run.
const POLLS_BEFORE_OWNER_CHECK: u32 = 30;
