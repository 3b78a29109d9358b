//! The scheduler: starts runs at the times in the metadata of workflows, after runs of others, and for
//! files that arrive.
//!
//! Several servers can share a store. The idempotency key of a run has its scheduled time, so each
//! time starts at most one run, also when the clock is set back. The state of schedules is in the
//! store: which times were handled, and which schedules are paused.

mod downstream;
mod event;
mod files;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::sync::watch::Sender;
use workflow_core::event::format_time;
use workflow_core::flow_control::FlowControl;
use workflow_core::id::RunId;
use workflow_core::schedule::{
    StartScheduled, WatchedSchedule, overlap_limit, run_key, skip_reason,
};
use workflow_core::store::Trigger;
use workflow_cron::TimesError;
use workflow_store::StoredWorkflow;

use self::downstream::Downstream;
use self::files::FileWatch;
use crate::app::App;
use crate::launch;
use crate::problem::Problem;

/// How often due schedules are checked: the most that a run can start late.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How often the schedules are reloaded from the store.
const RELOAD_INTERVAL: Duration = Duration::from_secs(15);

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
    schedule: WatchedSchedule,
    place: Place,
}

/// Which programs can run a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Here,
    /// Perhaps another program on the store: its times are left to that one.
    Elsewhere,
}

/// Starts due runs, forever.
pub(crate) async fn run_schedules(app: Arc<App>) {
    app.schedules.is_running.store(true, Ordering::Relaxed);
    let _running = Running(app.clone());
    let (watches, current) = tokio::sync::watch::channel(Arc::from([]));
    // A file system that does not answer holds up nothing else.
    futures::future::join(check_forever(&app, &watches), files::run(&app, current)).await;
}

async fn check_forever(app: &Arc<App>, watches: &Sender<Arc<[FileWatch]>>) {
    let mut known = Vec::new();
    let mut downstream = Downstream::default();
    let mut refreshed: Option<tokio::time::Instant> = None;
    loop {
        let is_outdated = app.schedules.take_outdated();
        if is_outdated || refreshed.is_none_or(|at| at.elapsed() >= RELOAD_INTERVAL) {
            if let Err(problem) = load(app, &mut known).await {
                let problem = problem.detail();
                tracing::warn!(problem, "cannot read schedules; will retry");
            }
            match downstream.load(app).await {
                Ok(mut triggered) => {
                    watches.send_replace(FileWatch::all(app, &mut triggered));
                    app.schedules.set_blocked_triggers(triggered.problems.0);
                }
                Err(problem) => {
                    let problem = problem.detail();
                    tracing::warn!(problem, "cannot read triggers; will retry");
                }
            }
            refreshed = Some(tokio::time::Instant::now());
        }
        if let Err(problem) = downstream.check(app).await {
            let problem = problem.detail();
            tracing::warn!(problem, "cannot read or record what has ended upstream; will retry");
        }
        for scheduled in &mut known {
            check(app, scheduled, SystemTime::now()).await;
        }
        tokio::time::sleep(CHECK_INTERVAL).await;
    }
}

/// Starts the runs of a schedule that are due.
async fn check(app: &App, scheduled: &mut Scheduled, now: SystemTime) {
    let Scheduled { workflow, schedule, place } = scheduled;
    if *place == Place::Elsewhere {
        return;
    }
    let mut runs = RunsOf { app, workflow };
    if let Err(problem) = schedule.check(app.catalog.schedule_store(), now, &mut runs).await {
        let (workflow, problem) = (&workflow.name, problem.detail());
        tracing::warn!(%workflow, problem, "cannot check the schedule; will retry");
    }
}

/// Loads the workflows with schedules. On an error, those that are known stay.
async fn load(app: &Arc<App>, known: &mut Vec<Scheduled>) -> Result<(), Problem> {
    // No request may have done this yet.
    app.sync_registered().await?;
    let workflows = app.catalog.all_scheduled().await?;
    let mut before = std::mem::take(known);
    for workflow in workflows {
        if let Err(problem) = launch::check_owner(&workflow) {
            app.schedules.set_blocked(&workflow, Some(problem.detail().to_owned()));
            continue;
        }
        let same = before.iter().position(|one| {
            let is_here = one.place == Place::Here;
            is_here && one.workflow.id == workflow.id && one.schedule.is_of(&workflow.metadata)
        });
        let schedule = match same.map(|place| before.swap_remove(place)) {
            Some(same) if same.workflow == workflow => {
                known.push(same);
                continue;
            }
            Some(same) => same.schedule,
            // Also one that did not run here until now: its times have been those of others.
            None => match watch(&workflow) {
                None => continue,
                Some(Ok(schedule)) => schedule,
                Some(Err(error)) => {
                    app.schedules.set_blocked(&workflow, Some(error.to_string()));
                    continue;
                }
            },
        };
        // Later problems are recorded when the schedule is due.
        let refused = launch::check(app, &workflow).await.err();
        let place = if refused.is_none() { Place::Here } else { Place::Elsewhere };
        app.schedules.set_blocked(&workflow, refused.map(|problem| problem.detail().to_owned()));
        known.push(Scheduled { workflow, schedule, place });
    }
    Ok(())
}

fn watch(workflow: &StoredWorkflow) -> Option<Result<WatchedSchedule, TimesError>> {
    WatchedSchedule::new(workflow.as_scheduled(), &workflow.metadata, SystemTime::now())
}

/// The scheduled runs of a workflow.
struct RunsOf<'a> {
    app: &'a App,
    workflow: &'a StoredWorkflow,
}

#[async_trait]
impl StartScheduled for RunsOf<'_> {
    type Error = Problem;

    async fn start(&mut self, at: SystemTime) -> Result<Option<String>, Problem> {
        let Self { app, workflow } = *self;
        let (name, time) = (&workflow.name, format_time(at));
        match try_start(app, workflow, at).await {
            Ok(Started::Run(run)) => {
                app.schedules.set_blocked(workflow, None);
                tracing::info!(%run, workflow = %name, at = %time, "started a scheduled run");
                Ok(None)
            }
            Ok(Started::Skipped(reason)) => {
                app.schedules.set_blocked(workflow, None);
                tracing::info!(workflow = %name, at = %time, reason, "skipped a scheduled time");
                Ok(Some(reason))
            }
            Ok(Started::Inactive) => Ok(Some("the workflow is inactive".to_owned())),
            Err(problem) if problem.is_temporary() => Err(problem),
            Err(problem) => {
                let problem = problem.detail();
                tracing::warn!(workflow = %name, at = %time, problem, "cannot start a scheduled run");
                app.schedules.set_blocked(workflow, Some(problem.to_owned()));
                Ok(Some(format!("the run cannot start: {problem}")))
            }
        }
    }
}

enum Started {
    Run(RunId),
    Skipped(String),
    Inactive,
}

async fn try_start(
    app: &App,
    workflow: &StoredWorkflow,
    at: SystemTime,
) -> Result<Started, Problem> {
    // It may have been changed or deactivated since the schedules were loaded.
    let workflow = app.catalog.workflow(&workflow.id.to_string()).await?;
    if !workflow.is_active {
        return Ok(Started::Inactive);
    }
    launch::check_owner(&workflow)?;
    let mut flow_control = FlowControl::default();
    flow_control.concurrency = overlap_limit(workflow.metadata.schedule_policy().overlap);
    let request = launch::LaunchRequest {
        user: workflow.user.clone(),
        trigger: Trigger::Schedule,
        idempotency_key: Some(run_key(&workflow.as_scheduled(), at)),
        scheduled_for: Some(at),
        flow_control,
        ..launch::LaunchRequest::default()
    };
    let launched = launch::launch(app, &workflow, request).await?;
    if launched.existing
        && app.remote().is_none()
        && let Some(reason) = skip_reason(&*app.catalog, launched.run, at).await?
    {
        return Ok(Started::Skipped(reason));
    }
    Ok(Started::Run(launched.run))
}
