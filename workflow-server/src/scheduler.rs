//! The scheduler: starts runs at the times in the metadata of workflows.
//!
//! Several servers can share a store. The idempotency key of a run has its scheduled time, so each
//! time starts one run, also when the clock is set back. Times that passed while no server ran are
//! skipped. If the clock jumps over several times, only the last one starts a run.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use workflow_core::schedule::schedule_key;
use workflow_core::store::Trigger;
use workflow_cron::{Times, Watch};
use workflow_store::{Source, StoredWorkflow};

use crate::app::App;
use crate::launch;
use crate::problem::Problem;
use crate::schedule::times_of;

/// How often due schedules are checked: the most that a run can start late.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How often the schedules are reloaded from the store.
const RELOAD_INTERVAL: Duration = Duration::from_secs(15);

/// The number of workflows per page.
const PAGE: usize = 200;

/// Starts runs by the schedules of their workflows. Each scheduled time starts one run, even if
/// several programs share the store.
///
/// For hosts that mount the router: see
/// [`Server::router_and_scheduler`](crate::Server::router_and_scheduler).
#[must_use = "a scheduler does nothing until it runs"]
pub struct Scheduler(pub(crate) Arc<App>);

impl Scheduler {
    /// Runs the scheduler until the future is dropped. Needs a tokio runtime.
    pub async fn run(self) {
        run_schedules(self.0).await;
    }
}

/// Marks the scheduler as stopped when it is dropped.
struct Running(Arc<App>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.schedules.is_running.store(false, Ordering::Relaxed);
    }
}

/// A workflow with a schedule.
struct Scheduled {
    workflow: StoredWorkflow,
    times: Times,
}

/// Starts due runs, forever.
pub(crate) async fn run_schedules(app: Arc<App>) {
    app.schedules.is_running.store(true, Ordering::Relaxed);
    let _running = Running(app.clone());
    let (mut known, mut watched) = (Vec::new(), Watch::new(Timestamp::now()));
    let mut refreshed: Option<tokio::time::Instant> = None;
    loop {
        if refreshed.is_none_or(|at| at.elapsed() >= RELOAD_INTERVAL) {
            match load(&app, known).await {
                Ok(all) => known = all,
                Err((unchanged, problem)) => {
                    known = unchanged;
                    let problem = problem.detail();
                    tracing::warn!(problem, "cannot read schedules; will retry");
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
        tokio::time::sleep(CHECK_INTERVAL).await;
    }
}

/// Loads the workflows with schedules. On an error, returns the previous ones with it.
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
    // No request may have done this yet.
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
                // Later problems are recorded when the schedule is due.
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

/// Starts the run for this time, unless it exists.
async fn start(app: &App, workflow: &StoredWorkflow, at: Timestamp) {
    let name = &workflow.name;
    let launched = async {
        // It may have been changed or deactivated since the schedules were loaded.
        let workflow = app.catalog.workflow(&workflow.id.to_string()).await?;
        if !workflow.is_active {
            return Ok(None);
        }
        let request = launch::LaunchRequest {
            user: workflow.user.clone(),
            trigger: Trigger::Schedule,
            idempotency_key: Some(idempotency_key(&workflow, at)),
            ..launch::LaunchRequest::default()
        };
        launch::launch(app, &workflow, request).await.map(Some)
    };
    match launched.await {
        Ok(Some(launched)) => {
            app.schedules.set_blocked(workflow, None);
            tracing::info!(run = %launched.run, workflow = %name, %at, "started a scheduled run")
        }
        Ok(None) => {}
        Err(problem) => {
            let problem = problem.detail();
            tracing::warn!(workflow = %name, %at, problem, "cannot start a scheduled run");
            app.schedules.set_blocked(workflow, Some(problem.to_owned()));
        }
    }
}

/// Returns the idempotency key of the run for this time. For registered workflows it is the key of
/// [`Engine::run_schedules`](workflow_core::Engine::run_schedules), which other hosts may use on
/// the same store.
fn idempotency_key(workflow: &StoredWorkflow, at: Timestamp) -> String {
    match workflow.source {
        Source::Registered => schedule_key(&workflow.name, at.into()),
        _ => format!("schedule:{}:{at}", workflow.id),
    }
}
