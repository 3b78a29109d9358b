//! Workflows that run by themselves, by the schedules in their metadata.
//!
//! Each time is begun once, whichever of several servers on one store is first: its idempotency
//! key names it. Times that passed while no server ran are not made up for.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use croner::Cron;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use workflow_core::{Metadata, Trigger};
use workflow_store::{CatalogError, StoredWorkflow};

use crate::app::App;
use crate::begin;

/// How often schedules are looked at: a workflow begins so late at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often the store is asked which schedules there are.
const REFRESH_EVERY: Duration = Duration::from_secs(15);

/// How many workflows are read at once.
const PAGE: usize = 200;

/// When a workflow runs.
pub(crate) struct Times {
    cron: Cron,
    zone: TimeZone,
}

impl Times {
    /// The schedule that metadata name; `None` when they name none, or one that is not sound.
    pub(crate) fn of(metadata: &Metadata) -> Option<Self> {
        let cron = Cron::from_str(metadata.schedule()?).ok()?;
        let zone = metadata.as_object().get("timezone").and_then(|zone| zone.as_str());
        let zone = zone.map_or(Some(TimeZone::UTC), |zone| TimeZone::get(zone).ok())?;
        Some(Self { cron, zone })
    }

    /// The first time after this one.
    pub(crate) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let after: Zoned = after.to_zoned(self.zone.clone());
        Some(self.cron.find_next_occurrence(&after, false).ok()?.timestamp())
    }

    /// The last time after `from`, up to `to`, if there is one.
    fn last(&self, from: Timestamp, to: Timestamp) -> Option<Timestamp> {
        let times = std::iter::successors(self.next(from), |time| self.next(*time));
        times.take_while(|time| *time <= to).last()
    }
}

/// Begins what is due, for ever.
pub(crate) async fn keep(app: Arc<App>) {
    let (mut known, mut from) = (Vec::new(), Timestamp::now());
    let mut refreshed: Option<tokio::time::Instant> = None;
    loop {
        if refreshed.is_none_or(|at| at.elapsed() >= REFRESH_EVERY) {
            match all(&app).await {
                Ok(all) => known = all,
                Err(error) => tracing::warn!(%error, "schedules cannot be read; trying again"),
            }
            refreshed = Some(tokio::time::Instant::now());
        }
        let to = Timestamp::now();
        for (workflow, times) in &known {
            if let Some(at) = times.last(from, to) {
                start(&app, workflow, at).await;
            }
        }
        from = to.max(from);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The workflows with a schedule.
async fn all(app: &App) -> Result<Vec<(StoredWorkflow, Times)>, CatalogError> {
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let page = app.catalog.scheduled(after, PAGE).await?;
        let full = page.len() == PAGE;
        after = page.last().map_or(after, |last| last.id);
        found.extend(page.into_iter().filter_map(|workflow| {
            let times = Times::of(&workflow.metadata)?;
            Some((workflow, times))
        }));
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
            tracing::info!(run = %begun.run, workflow = %name, %at, "begun by schedule")
        }
        Ok(None) => {}
        Err(problem) => {
            tracing::warn!(workflow = %name, %at, problem = problem.detail(), "not begun by schedule");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn times(cron: &str, zone: &str) -> Times {
        let metadata = Metadata::new(json!({ "schedule": cron, "timezone": zone }));
        Times::of(&metadata.expect("metadata")).expect("a schedule")
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
        let (from, to) = (at("2026-01-01T00:10:00Z"), at("2026-01-01T03:00:00Z"));
        assert_eq!(hourly.last(from, to), Some(to));
        assert_eq!(hourly.last(from, at("2026-01-01T00:59:59Z")), None);
    }
}
