//! Workflows that run by themselves, by the schedules in their metadata.
//!
//! Each time is launched once, whichever of several servers on one store is first: its idempotency
//! key names it. Times that passed while no server ran are not made up for, and of those that a
//! clock jumped over only the last counts. When the clock is set back, times that were launched come
//! again, and their keys are known.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use workflow_core::{Trigger, schedule_key};
use workflow_cron::{Times, Watch};
use workflow_store::{Source, StoredWorkflow};

use crate::app::App;
use crate::launch;
use crate::problem::Problem;
use crate::schedule::times_of;

/// How often schedules are looked at: a workflow begins so late at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often the store is asked which schedules there are.
const REFRESH_EVERY: Duration = Duration::from_secs(15);

/// How many workflows are read at once.
const PAGE: usize = 200;

/// Begins runs by the schedules of their workflows, each time once, whichever program on the store
/// is first. For hosts that mount the router, from
/// [`Server::router_and_scheduler`](crate::Server::router_and_scheduler).
#[must_use = "a scheduler does nothing until it runs"]
pub struct Scheduler(pub(crate) Arc<App>);

impl Scheduler {
    /// Runs until the future is dropped, in a runtime of tokio.
    pub async fn run(self) {
        run_schedules(self.0).await;
    }
}

/// Says that no schedules are run any more, when it is dropped.
struct Running(Arc<App>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.schedules.is_running.store(false, Ordering::Relaxed);
    }
}

/// A workflow that is launched by its schedule.
struct Scheduled {
    workflow: StoredWorkflow,
    times: Times,
}

/// Begins what is due, for ever.
pub(crate) async fn run_schedules(app: Arc<App>) {
    app.schedules.is_running.store(true, Ordering::Relaxed);
    let _running = Running(app.clone());
    let (mut known, mut watched) = (Vec::new(), Watch::new(Timestamp::now()));
    let mut refreshed: Option<tokio::time::Instant> = None;
    loop {
        if refreshed.is_none_or(|at| at.elapsed() >= REFRESH_EVERY) {
            match load(&app, known).await {
                Ok(all) => known = all,
                Err((unchanged, problem)) => {
                    known = unchanged;
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
async fn load(
    app: &Arc<App>,
    before: Vec<Scheduled>,
) -> Result<Vec<Scheduled>, (Vec<Scheduled>, Problem)> {
    match load_all(app, &before).await {
        Ok(all) => Ok(all),
        Err(problem) => Err((before, problem)),
    }
}

async fn load_all(app: &Arc<App>, before: &[Scheduled]) -> Result<Vec<Scheduled>, Problem> {
    // Nobody may have asked for workflows yet.
    app.sync_registered().await?;
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let page = app.catalog.scheduled(after, PAGE).await?;
        let full = page.len() == PAGE;
        after = page.last().map_or(after, |last| last.id);
        for workflow in page {
            let times = match times_of(&workflow.metadata) {
                None => continue,
                Some(Ok(times)) => times,
                Some(Err(error)) => {
                    app.schedules.set_blocked(&workflow, Some(error.to_string()));
                    continue;
                }
            };
            let is_known = before.iter().any(|known| known.workflow == workflow);
            if !is_known {
                // What is found out when it is due is noted then.
                let refused = launch::check(app, &workflow).await.err();
                app.schedules
                    .set_blocked(&workflow, refused.map(|problem| problem.detail().to_owned()));
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
    let launched = async {
        // It may have been changed, or put out of use, since it was read.
        let workflow = app.catalog.workflow(&workflow.id.to_string()).await?;
        if !workflow.is_active {
            return Ok(None);
        }
        let request = launch::LaunchRequest {
            user: workflow.user.clone(),
            trigger: Trigger::Schedule,
            idempotency_key: Some(idempotency_key(&workflow, at)),
            input: None,
        };
        launch::launch(app, &workflow, request).await.map(Some)
    };
    match launched.await {
        Ok(Some(launched)) => {
            app.schedules.set_blocked(workflow, None);
            tracing::info!(run = %launched.run, workflow = %name, %at, "launched by schedule")
        }
        Ok(None) => {}
        Err(problem) => {
            tracing::warn!(workflow = %name, %at, problem = problem.detail(), "not launched by schedule");
            app.schedules.set_blocked(workflow, Some(problem.detail().to_owned()));
        }
    }
}

/// The idempotency key of a run that begins at this time. Registered workflows have that of
/// [`Engine::run_schedules`](workflow_core::Engine::run_schedules), which other hosts of the store may use.
fn idempotency_key(workflow: &StoredWorkflow, at: Timestamp) -> String {
    match workflow.source {
        Source::Registered => schedule_key(&workflow.name, at.into()),
        _ => format!("schedule:{}:{at}", workflow.id),
    }
}
