//! `schedules pause`, `resume` and `run-now`.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use clap::Args;
use workflow_core::definition::Metadata;
use workflow_core::engine::RunRequest;
use workflow_core::registry;
use workflow_core::store::{ScheduleChange, ScheduleState, Store, WorkflowSnapshot};
use workflow_core::{Engine, Workflow};
use workflow_store::{Catalog, CatalogError, StoredWorkflow, Viewer, WorkflowSource};

use crate::args::{RUNS_DIR, StoreArguments, Target};
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::session;

/// Pause a schedule: its times are skipped
///
/// The runs that have started continue. The schedule stays paused for all programs on the database,
/// until `schedules resume`.
#[derive(Debug, Args)]
#[command(after_help = PAUSE_EXAMPLE)]
pub(super) struct PauseArguments {
    /// ID, name or slug of the workflow
    #[arg(value_name = "WORKFLOW")]
    workflow: String,
    #[command(flatten)]
    pub(super) store: StoreArguments,
}

const PAUSE_EXAMPLE: &str = "\
Examples:
  workflow schedules pause nightly";

/// Resume a paused schedule
///
/// The times that passed meanwhile are skipped; `schedules backfill` starts them.
#[derive(Debug, Args)]
#[command(after_help = RESUME_EXAMPLE)]
pub(super) struct ResumeArguments {
    /// ID, name or slug of the workflow
    #[arg(value_name = "WORKFLOW")]
    workflow: String,
    #[command(flatten)]
    pub(super) store: StoreArguments,
}

const RESUME_EXAMPLE: &str = "\
Examples:
  workflow schedules resume nightly";

/// Queue a run of a scheduled workflow for now
///
/// The run has the present time as its time of the schedule. A process that serves its task queue
/// runs it: `worker` or `serve`. A paused schedule stays paused.
#[derive(Debug, Args)]
#[command(after_help = RUN_NOW_EXAMPLE)]
pub(super) struct RunNowArguments {
    /// ID, name or slug of the workflow
    #[arg(value_name = "WORKFLOW")]
    workflow: String,
    #[command(flatten)]
    pub(super) store: StoreArguments,
}

const RUN_NOW_EXAMPLE: &str = "\
Examples:
  workflow schedules run-now nightly";

pub(super) fn pause(args: &PauseArguments) -> Result<Outcome, Failure> {
    let store = args.store.open_existing()?;
    change(&*store, &args.workflow, ScheduleChange::Pause)?;
    output::message(format_args!(
        "paused the schedule of `{name}`; use `schedules resume {name}` to continue",
        name = args.workflow
    ));
    Ok(Outcome::Success)
}

pub(super) fn resume(args: &ResumeArguments) -> Result<Outcome, Failure> {
    let store = args.store.open_existing()?;
    change(&*store, &args.workflow, ScheduleChange::Resume(SystemTime::now()))?;
    output::message(format_args!("resumed the schedule of `{}`", args.workflow));
    Ok(Outcome::Success)
}

pub(super) fn run_now(args: &RunNowArguments) -> Result<Outcome, Failure> {
    let store = args.store.open_or_create()?;
    let workflow = scheduled(&*store, &args.workflow)?;
    let runnable = Runnable::find(&*store, &workflow)?;
    let request = runnable.request().scheduled_for(SystemTime::now());
    let run = pollster::block_on(request.enqueue())?;
    output::print(|out| writeln!(out, "{run}"))?;
    output::message(format_args!("queued; use `runs watch {run}` to watch it"));
    Ok(Outcome::Success)
}

fn change(store: &dyn Catalog, name: &str, change: ScheduleChange) -> Result<(), Failure> {
    let workflow = scheduled(store, name)?;
    let all = store.seen_by(Viewer::All);
    let (Some(schedules), Some(id)) = (all.schedule_store(), workflow.schedule_id()) else {
        return Err(Failure::Usage("this store cannot pause schedules".to_owned()));
    };
    match pollster::block_on(schedules.change_schedule(&id, change)).map_err(CatalogError::from)? {
        true => Ok(()),
        false => Err(Failure::Usage(format!("workflow `{name}` was deleted meanwhile"))),
    }
}

/// Finds a workflow with a schedule. A registered workflow of this program is added to the store.
pub(super) fn scheduled(store: &dyn Catalog, name: &str) -> Result<StoredWorkflow, Failure> {
    let found = match (pollster::block_on(store.find_workflow(name)), registry::get(name)) {
        (Err(CatalogError::NoWorkflow(_)), Ok(entry)) => {
            let snapshot = WorkflowSnapshot::of(&*entry.workflow());
            let all = store.seen_by(Viewer::All);
            pollster::block_on(all.sync_registered(&[snapshot]))?;
            pollster::block_on(store.workflow(name))?
        }
        (found, _) => found?.0,
    };
    let found = StoredWorkflow { metadata: current_metadata(&found), ..found };
    if found.metadata.schedule().is_none() {
        return Err(Failure::Usage(format!(
            "workflow `{name}` has no schedule; set `schedule` in its metadata"
        )));
    }
    Ok(found)
}

/// The metadata of a stored workflow. That of a registered workflow of this program is the program's:
/// the store has what a server began with.
pub(super) fn current_metadata(of: &StoredWorkflow) -> Metadata {
    match registry::get(&of.name) {
        Ok(entry) if of.source == WorkflowSource::Registered => entry.metadata().clone(),
        _ => of.metadata.clone(),
    }
}

/// The state of the schedule of a workflow, from a store that sees everything.
pub(super) fn state(store: &dyn Catalog, of: &StoredWorkflow) -> Result<ScheduleState, Failure> {
    let (Some(schedules), Some(id)) = (store.schedule_store(), of.schedule_id()) else {
        return Ok(ScheduleState::default());
    };
    Ok(pollster::block_on(schedules.schedule_state(&id)).map_err(CatalogError::from)?)
}

/// A scheduled workflow that this program can run.
pub(super) struct Runnable {
    engine: Engine,
    workflow: Arc<dyn Workflow>,
    id: i64,
    user: Option<String>,
}

impl Runnable {
    pub(super) fn find(store: &dyn Catalog, of: &StoredWorkflow) -> Result<Self, Failure> {
        let workflow: Arc<dyn Workflow> = match Target::find_in_store(&of.id.to_string(), store)? {
            Target::Registered(entry) => entry.workflow(),
            Target::File(file) | Target::Stored(file, _) => Arc::new(*file),
        };
        let store = store.seen_by(Viewer::All) as Arc<dyn Store>;
        let engine = session::engine_builder(Path::new(RUNS_DIR)).store(store).build();
        Ok(Self { engine, workflow, id: of.id, user: of.user.clone() })
    }

    /// A request for a run, in the name of the owner of the workflow, as schedulers make it.
    pub(super) fn request(&self) -> RunRequest {
        let request = self.engine.run(Arc::clone(&self.workflow)).workflow_id(self.id);
        match &self.user {
            Some(user) => request.user(user.as_str()),
            None => request,
        }
    }
}
