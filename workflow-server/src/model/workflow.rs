//! The documents of a workflow.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use utoipa::ToSchema;
use workflow_core::definition::Metadata;
use workflow_core::{Status, registry};
use workflow_files::{WorkflowFile, read_yaml};
use workflow_store::{RecentRun, StoredWorkflow, WorkflowSource};

use super::time::text;
use crate::schedule::{Schedules, times_of};

/// A registered or stored workflow.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Workflow {
    /// ID of the workflow.
    pub(crate) id: i64,
    /// Name of the workflow.
    pub(crate) name: String,
    /// Name for URLs.
    pub(crate) slug: String,
    /// Project (organisational group).
    pub(crate) project: Option<String>,
    /// ID of its project in the original application; 0 for none.
    pub(crate) project_id: i64,
    /// Name of its project in the original application.
    pub(crate) project_name: String,
    /// Name of the original application.
    pub(crate) app_name: Option<String>,
    /// Domain (business area).
    pub(crate) domain: Option<String>,
    /// Metadata.
    #[schema(value_type = Object)]
    pub(crate) metadata: Metadata,
    /// Tags.
    pub(crate) tags: Vec<String>,
    /// IDs of the molecules that it uses.
    #[schema(value_type = Vec<String>)]
    pub(crate) molecules_used: Vec<Json>,
    /// Atoms of each molecule.
    #[schema(value_type = Object)]
    pub(crate) atoms_in_molecules: Map<String, Json>,
    /// Description.
    pub(crate) description: Option<String>,
    /// User who owns it.
    pub(crate) user: Option<String>,
    /// Same as `created_at`.
    #[schema(format = DateTime)]
    pub(crate) timestamp: String,
    /// When it was created.
    #[schema(format = DateTime)]
    pub(crate) created_at: String,
    /// When it was last changed.
    #[schema(format = DateTime)]
    pub(crate) updated_at: String,
    /// Source: `registered` in the program, or `stored` by a user.
    #[schema(value_type = String, examples("registered", "stored"))]
    pub(crate) source: &'static str,
    /// Whether it is active. Inactive workflows cannot be run.
    pub(crate) is_active: bool,
    /// Version, incremented with each change of its graph.
    pub(crate) version: i64,
    /// Number of runs.
    pub(crate) execution_count: u64,
    /// When it was last run.
    #[schema(format = DateTime)]
    pub(crate) last_executed_at: Option<String>,
    /// Schedule of the workflow.
    pub(crate) schedule: Option<Schedule>,
    /// Why a trigger in the metadata does not run here; null if all run.
    pub(crate) triggers_blocked: Option<String>,
    /// Next scheduled run; null if there is none.
    #[schema(format = DateTime)]
    pub(crate) next_run_at: Option<String>,
    /// Latest runs, newest last; at most 20.
    pub(crate) recent: Vec<Recent>,
    /// Share of the latest runs that completed, from 0 to 1, without cancelled and unfinished runs.
    pub(crate) success_rate: Option<f64>,
}

/// The schedule of a workflow.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Schedule {
    /// Cron expression.
    pub(crate) cron: String,
    /// Time zone; null for UTC.
    pub(crate) timezone: Option<String>,
    /// Why the schedule does not run here; null if it runs.
    pub(crate) blocked: Option<String>,
}

/// The summary of a recent run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Recent {
    /// ID of the run.
    pub(crate) id: String,
    /// Status of the run.
    pub(crate) status: &'static str,
    /// When it was requested.
    #[schema(format = DateTime)]
    pub(crate) started_at: String,
    /// Duration in seconds.
    pub(crate) duration_seconds: Option<f64>,
}

impl Recent {
    fn new(run: &RecentRun) -> Self {
        Self {
            id: run.id.to_string(),
            status: run.status.as_str(),
            started_at: text(run.started_at),
            duration_seconds: run.duration.map(|time| time.as_secs_f64()),
        }
    }
}

impl Workflow {
    pub(crate) fn new(of: StoredWorkflow, schedules: &Schedules) -> Self {
        let schedule = schedule(&of, schedules);
        let runs = schedule.as_ref().is_some_and(|schedule| schedule.blocked.is_none());
        // The catalog returns the newest first.
        let recent: Vec<Recent> = of.recent.iter().rev().map(Recent::new).collect();
        let ended = |how: Status| recent.iter().filter(|run| run.status == how.as_str()).count();
        let completed = ended(Status::Completed);
        let finished = completed + ended(Status::Failed);
        let created = text(of.created_at);
        Self {
            schedule,
            triggers_blocked: schedules.blocked_trigger(of.id),
            next_run_at: next(&of).filter(|_| runs),
            success_rate: (finished > 0).then(|| completed as f64 / finished as f64),
            recent,
            id: of.id,
            name: of.name,
            slug: of.slug,
            project: of.project,
            project_id: of.project_id,
            project_name: of.project_name,
            app_name: of.app_name,
            domain: of.domain,
            metadata: of.metadata,
            tags: of.tags,
            molecules_used: of.molecules_used,
            atoms_in_molecules: of.atoms_in_molecules,
            description: of.description,
            user: of.user,
            timestamp: created.clone(),
            created_at: created,
            updated_at: text(of.updated_at),
            source: match of.source {
                WorkflowSource::Registered => "registered",
                _ => "stored",
            },
            is_active: of.is_active,
            version: of.version,
            execution_count: of.execution_count,
            last_executed_at: of.last_executed_at.map(text),
        }
    }
}

/// Returns the next scheduled time.
fn next(of: &StoredWorkflow) -> Option<String> {
    let times = times_of(&of.metadata)?.ok()?;
    Some(times.next(Timestamp::now())?.to_string())
}

/// Returns the schedule in the metadata.
fn schedule(of: &StoredWorkflow, schedules: &Schedules) -> Option<Schedule> {
    let cron = of.metadata.schedule()?.to_owned();
    let timezone = of.metadata.timezone().map(str::to_owned);
    Some(Schedule { cron, timezone, blocked: schedules.blocked(of) })
}

/// A workflow with graph, definition and schemas.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WorkflowDocument {
    #[serde(flatten)]
    pub(crate) workflow: Workflow,
    /// Graph: jobs as `nodes`, dependencies as `edges`, and other given properties.
    #[schema(value_type = Object)]
    dag_spec: Json,
    /// Workflow file as JSON; null without a file.
    #[schema(value_type = Option<Object>)]
    definition: Option<Json>,
    /// Source location of a registered workflow.
    location: Option<Location>,
    /// JSON Schema of the input, if known.
    #[schema(value_type = Option<Object>)]
    input_schema: Option<Json>,
    /// Type of the input.
    input_type: Option<String>,
    /// JSON Schema of the output, if known.
    #[schema(value_type = Option<Object>)]
    output_schema: Option<Json>,
    /// Whether this server can run it.
    runnable: bool,
    /// Whether the caller can change it.
    editable: bool,
}

/// Returns a file as JSON, without its path on the server.
fn file(definition: &Json) -> Option<Json> {
    read_yaml("the file", WorkflowFile::text_of(definition)?).ok()
}

/// A location in the source of the program.
#[derive(Debug, Serialize, ToSchema)]
struct Location {
    /// Path of the file, as the compiler has it.
    file: String,
    /// Line, from 1.
    line: u32,
}

impl WorkflowDocument {
    pub(crate) fn new(of: StoredWorkflow, editable: bool, schedules: &Schedules) -> Self {
        let is_code = of.source == WorkflowSource::Registered;
        let entry = registry::get(&of.name).ok().filter(|_| is_code);
        let (dag_spec, definition) = (of.dag_spec.clone(), of.definition.clone());
        let location = entry.as_ref().map(|entry| entry.location());
        Self {
            dag_spec: if dag_spec.is_null() { json!({}) } else { dag_spec },
            runnable: entry.is_some() || definition.is_some(),
            input_schema: entry.as_ref().and_then(registry::Entry::input_schema),
            input_type: entry.as_ref().and_then(|entry| entry.input_type()).map(str::to_owned),
            output_schema: entry.as_ref().and_then(registry::Entry::output_schema),
            location: location.map(|at| Location { file: at.file.to_owned(), line: at.line }),
            definition: definition.as_ref().and_then(file),
            editable,
            workflow: Workflow::new(of, schedules),
        }
    }
}
