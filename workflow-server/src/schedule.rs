//! Workflows that run by themselves, by the schedules in their metadata.
//!
//! Each time is begun once, whichever of several servers on one store is first: its idempotency
//! key names it. Times that passed while no server ran are not made up for, and of those that a
//! clock jumped over only the last counts. When the clock is set back, times that were begun come
//! again, and their keys are known.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use workflow_core::{Metadata, Trigger};
use workflow_store::StoredWorkflow;

use crate::app::App;
use crate::begin;
use crate::problem::Problem;

/// How often schedules are looked at: a workflow begins so late at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often the store is asked which schedules there are.
const REFRESH_EVERY: Duration = Duration::from_secs(15);

/// How many workflows are read at once.
const PAGE: usize = 200;

/// When a workflow runs.
pub(crate) struct Times(workflow_cron::Times);

impl Times {
    /// The schedule that metadata name; `None` when they name none.
    ///
    /// # Errors
    ///
    /// Fails with the reason when they name one that is not sound, as another program may have
    /// written it.
    pub(crate) fn of(metadata: &Metadata) -> Option<Result<Self, String>> {
        let cron = metadata.schedule()?;
        let zone = metadata.as_object().get("timezone").and_then(|zone| zone.as_str());
        let times = workflow_cron::Times::new(cron, zone);
        Some(times.map(Self).map_err(|error| error.to_string()))
    }

    /// The first time after this one.
    pub(crate) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        self.0.next(after)
    }

    /// The last time up to this one.
    fn last(&self, until: Timestamp) -> Option<Timestamp> {
        self.0.last(until)
    }

    /// The last time in this span, if there is one. Takes no longer for a long span.
    fn due(&self, span: Span) -> Option<Timestamp> {
        let first = self.next(span.after).filter(|first| *first <= span.until)?;
        // Where the clocks of a zone go forward or back, the two directions may disagree.
        Some(self.last(span.until).map_or(first, |last| last.max(first)))
    }
}

/// Times after one, up to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    after: Timestamp,
    until: Timestamp,
}

/// Up to when schedules were looked at.
struct Watched(Timestamp);

impl Watched {
    /// What has passed since the last look; nothing, when the clock was set back meanwhile.
    fn advance(&mut self, now: Timestamp) -> Option<Span> {
        let after = std::mem::replace(&mut self.0, now);
        (after < now).then_some(Span { after, until: now })
    }
}

/// What is known of schedules: whether this program begins runs by them, and which it cannot.
#[derive(Default)]
pub(crate) struct Schedules {
    is_running: AtomicBool,
    /// Of workflows by number, why their schedules come to nothing.
    blocked: Mutex<HashMap<i64, String>>,
}

impl Schedules {
    /// Why the schedule of a workflow comes to nothing here; `None` when it runs, or there is none.
    pub(crate) fn blocked(&self, workflow: &StoredWorkflow) -> Option<String> {
        if let Err(reason) = Times::of(&workflow.metadata)? {
            return Some(reason);
        }
        if !workflow.is_active {
            return Some("the workflow is not in use; set `is_active` to run it".to_owned());
        }
        if !self.is_running.load(Ordering::Relaxed) {
            return Some(NOT_HERE.to_owned());
        }
        self.reasons().get(&workflow.id).cloned()
    }

    /// Notes why a schedule comes to nothing, or that it runs; logs what is new.
    fn note(&self, workflow: &StoredWorkflow, reason: Option<String>) {
        let mut reasons = self.reasons();
        let Some(reason) = reason else {
            reasons.remove(&workflow.id);
            return;
        };
        if reasons.get(&workflow.id) != Some(&reason) {
            tracing::warn!(workflow = %workflow.name, id = workflow.id, %reason, "its schedule does not run");
            reasons.insert(workflow.id, reason);
        }
    }

    fn reasons(&self) -> MutexGuard<'_, HashMap<i64, String>> {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const NOT_HERE: &str = "this program does not run schedules: it mounts the router alone; spawn the \
    `Scheduler` of `Server::router_and_scheduler`, or run `workflow serve` on the same store";

/// Begins runs by the schedules of their workflows, each time once, whichever program on the store
/// is first. For hosts that mount the router, from
/// [`Server::router_and_scheduler`](crate::Server::router_and_scheduler).
#[must_use = "a scheduler does nothing until it runs"]
pub struct Scheduler(pub(crate) Arc<App>);

impl Scheduler {
    /// Runs until the future is dropped, in a runtime of tokio.
    pub async fn run(self) {
        keep(self.0).await;
    }
}

/// Says that no schedules are run any more, when it is dropped.
struct Running(Arc<App>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.schedules.is_running.store(false, Ordering::Relaxed);
    }
}

/// A workflow that is begun by its schedule.
struct Scheduled {
    workflow: StoredWorkflow,
    times: Times,
}

/// Begins what is due, for ever.
pub(crate) async fn keep(app: Arc<App>) {
    app.schedules.is_running.store(true, Ordering::Relaxed);
    let _running = Running(app.clone());
    let (mut known, mut watched) = (Vec::new(), Watched(Timestamp::now()));
    let mut refreshed: Option<tokio::time::Instant> = None;
    loop {
        if refreshed.is_none_or(|at| at.elapsed() >= REFRESH_EVERY) {
            match all(&app, known).await {
                Ok(all) => known = all,
                Err((known_before, problem)) => {
                    known = known_before;
                    let problem = problem.detail();
                    tracing::warn!(problem, "schedules cannot be read; trying again");
                }
            }
            refreshed = Some(tokio::time::Instant::now());
        }
        if let Some(span) = watched.advance(Timestamp::now()) {
            for Scheduled { workflow, times } in &known {
                if let Some(at) = times.due(span) {
                    start(&app, workflow, at).await;
                }
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The workflows whose schedules run, those that the program registers among them; on an error,
/// those that were known before.
async fn all(
    app: &Arc<App>,
    before: Vec<Scheduled>,
) -> Result<Vec<Scheduled>, (Vec<Scheduled>, Problem)> {
    match read_all(app, &before).await {
        Ok(all) => Ok(all),
        Err(problem) => Err((before, problem)),
    }
}

async fn read_all(app: &Arc<App>, before: &[Scheduled]) -> Result<Vec<Scheduled>, Problem> {
    // Nobody may have asked for workflows yet.
    app.announce().await?;
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let page = app.catalog.scheduled(after, PAGE).await?;
        let full = page.len() == PAGE;
        after = page.last().map_or(after, |last| last.id);
        for workflow in page {
            let times = match Times::of(&workflow.metadata) {
                None => continue,
                Some(Ok(times)) => times,
                Some(Err(reason)) => {
                    app.schedules.note(&workflow, Some(reason));
                    continue;
                }
            };
            let is_known = before.iter().any(|known| known.workflow == workflow);
            if !is_known {
                // What is found out when it is due is noted then.
                let refused = begin::check(app, &workflow).await.err();
                app.schedules.note(&workflow, refused.map(|problem| problem.detail().to_owned()));
            }
            found.push(Scheduled { workflow, times });
        }
        if !full {
            return Ok(found);
        }
    }
}

/// Begins a run for this time, unless somebody has.
async fn start(app: &App, workflow: &StoredWorkflow, at: Timestamp) {
    let name = &workflow.name;
    let begun = async {
        // It may have been changed, or put out of use, since it was read.
        let workflow = app.catalog.workflow(&workflow.id.to_string()).await?;
        if !workflow.is_active {
            return Ok(None);
        }
        let asked = begin::Asked {
            user: workflow.user.clone(),
            trigger: Trigger::Schedule,
            idempotency_key: Some(format!("schedule:{}:{at}", workflow.id)),
            input: None,
        };
        begin::begin(app, &workflow, asked).await.map(Some)
    };
    match begun.await {
        Ok(Some(begun)) => {
            app.schedules.note(workflow, None);
            tracing::info!(run = %begun.run, workflow = %name, %at, "begun by schedule")
        }
        Ok(None) => {}
        Err(problem) => {
            tracing::warn!(workflow = %name, %at, problem = problem.detail(), "not begun by schedule");
            app.schedules.note(workflow, Some(problem.detail().to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn times(cron: &str, zone: &str) -> Times {
        let metadata = Metadata::new(json!({ "schedule": cron, "timezone": zone }));
        Times::of(&metadata.expect("metadata")).expect("a schedule").expect("a sound one")
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn times_are_those_of_the_zone() {
        let daily = times("30 6 * * *", "Europe/Berlin");
        assert_eq!(daily.next(at("2026-07-01T00:00:00Z")), Some(at("2026-07-01T04:30:00Z")));
        assert_eq!(daily.next(at("2026-12-01T05:30:00Z")), Some(at("2026-12-02T05:30:00Z")));
    }

    #[test]
    fn of_several_times_that_passed_the_last_counts() {
        let hourly = times("0 * * * *", "UTC");
        let (after, until) = (at("2026-01-01T00:10:00Z"), at("2026-01-01T03:00:00Z"));
        assert_eq!(hourly.due(Span { after, until }), Some(until));
        let until = at("2026-01-01T00:59:59Z");
        assert_eq!(hourly.due(Span { after, until }), None);
    }

    /// The last time of a span, found by going through all of them.
    fn walked(times: &Times, span: Span) -> Option<Timestamp> {
        let found = std::iter::successors(times.next(span.after), |time| times.next(*time));
        found.take_while(|time| *time <= span.until).last()
    }

    #[test]
    fn the_last_time_is_the_one_that_a_walk_ends_with() {
        let crons = [
            "*/30 * * * *",
            "*/7 * * * *",
            "0 * * * *",
            "30 2 * * *",
            "15 1,2,3 * * *",
            "0 2 * * 7",
            "*/20 2 * * *",
            "0 0 31 * *",
            "0 0 29 2 *",
            "59 23 L * *",
        ];
        for zone in ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"] {
            for cron in crons {
                let times = times(cron, zone);
                // The clocks of each zone change in both of these.
                for began in ["2026-03-01T00:17:23Z", "2026-09-25T00:17:23Z"] {
                    let mut after = at(began);
                    for step in 0..14 {
                        let until = after + jiff::SignedDuration::from_mins(4391 - step);
                        let span = Span { after, until };
                        assert_eq!(times.due(span), walked(&times, span), "{cron} {zone} {span:?}");
                        after = until;
                    }
                }
            }
        }
    }

    #[test]
    fn a_jump_over_twenty_years_takes_no_time() {
        let (after, until) = (at("2026-01-01T00:00:30Z"), at("2046-01-01T00:00:30Z"));
        let began = std::time::Instant::now();
        for cron in ["* * * * * *", "* * * * *", "0 6 * * *", "0 0 29 2 *"] {
            let due = times(cron, "Europe/Berlin").due(Span { after, until });
            assert!(due.is_some_and(|due| due <= until && due > after), "{cron}: {due:?}");
        }
        let last = times("* * * * *", "UTC").due(Span { after, until });
        assert_eq!(last, Some(at("2046-01-01T00:00:00Z")));
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }

    #[test]
    fn a_clock_that_was_set_back_is_followed_at_once() {
        let (noon, one) = (at("2026-01-01T12:00:00Z"), at("2026-01-01T13:00:00Z"));
        let second = jiff::SignedDuration::from_secs(1);
        let mut watched = Watched(noon);
        assert_eq!(watched.advance(one), Some(Span { after: noon, until: one }));
        assert_eq!(watched.advance(noon), None);
        assert_eq!(watched.advance(noon), None);
        let span = Span { after: noon, until: noon + second };
        assert_eq!(watched.advance(noon + second), Some(span));
        assert_eq!(times("* * * * * *", "UTC").due(span), Some(noon + second));
    }
}
