//! A workflow.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use utoipa::ToSchema;
use workflow_core::{Metadata, Status, registry};
use workflow_files::{WorkflowFile, read_yaml};
use workflow_store::{RecentRun, Source, StoredWorkflow};

use super::time::text;
use crate::schedule::{Schedules, times_of};

/// A workflow: one that is registered in the program, or one that was stored.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Workflow {
    /// Its number.
    pub(crate) id: i64,
    /// Its name.
    pub(crate) name: String,
    /// Its name as it stands in addresses.
    pub(crate) slug: String,
    /// The organisational group that it belongs to.
    pub(crate) project: Option<String>,
    /// The number of its project in the application that it comes from; 0 for none.
    pub(crate) project_id: i64,
    /// The name of its project in the application that it comes from.
    pub(crate) project_name: String,
    /// The application that it comes from.
    pub(crate) app_name: Option<String>,
    /// The business area that it belongs to.
    pub(crate) domain: Option<String>,
    /// What is said about it.
    #[schema(value_type = Object)]
    pub(crate) metadata: Metadata,
    /// Its tags.
    pub(crate) tags: Vec<String>,
    /// The ids of the molecules that it uses.
    #[schema(value_type = Vec<String>)]
    pub(crate) molecules_used: Vec<Json>,
    /// The atoms of each molecule.
    #[schema(value_type = Object)]
    pub(crate) atoms_in_molecules: Map<String, Json>,
    /// What it is for.
    pub(crate) description: Option<String>,
    /// Who made it.
    pub(crate) user: Option<String>,
    /// When it was made.
    #[schema(format = DateTime)]
    pub(crate) timestamp: String,
    /// When it was made.
    #[schema(format = DateTime)]
    pub(crate) created_at: String,
    /// When it was changed last.
    #[schema(format = DateTime)]
    pub(crate) updated_at: String,
    /// `registered` for one that is code of the program, `stored` for one that was created.
    #[schema(value_type = String, examples("registered", "stored"))]
    pub(crate) source: &'static str,
    /// Whether it is in use.
    pub(crate) is_active: bool,
    /// Grows with each change of its graph.
    pub(crate) version: i64,
    /// How often it ran.
    pub(crate) execution_count: u64,
    /// When it ran last.
    #[schema(format = DateTime)]
    pub(crate) last_executed_at: Option<String>,
    /// When it runs by itself.
    pub(crate) schedule: Option<Schedule>,
    /// When it runs next by its schedule; null when it does not.
    #[schema(format = DateTime)]
    pub(crate) next_run_at: Option<String>,
    /// Its last runs, newest last; at most 20.
    pub(crate) recent: Vec<Recent>,
    /// Which part of its last runs that completed or failed has completed, from 0 to 1.
    pub(crate) success_rate: Option<f64>,
}

/// When a workflow runs by itself.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Schedule {
    /// As cron has it.
    pub(crate) cron: String,
    /// The time zone; UTC without one.
    pub(crate) timezone: Option<String>,
    /// Why nothing runs by it here; null when it runs.
    pub(crate) blocked: Option<String>,
}

/// How a run went, in short.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Recent {
    /// The run's id.
    pub(crate) id: String,
    /// Where it stands.
    pub(crate) status: &'static str,
    /// When it was asked for.
    #[schema(format = DateTime)]
    pub(crate) started_at: String,
    /// How long it took.
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
        // The catalog has the newest first.
        let recent: Vec<Recent> = of.recent.iter().rev().map(Recent::new).collect();
        let ended = |how: Status| recent.iter().filter(|run| run.status == how.as_str()).count();
        let good = ended(Status::Completed);
        let judged = good + ended(Status::Failed);
        let made = text(of.created_at);
        Self {
            schedule,
            next_run_at: next(&of).filter(|_| runs),
            success_rate: (judged > 0).then(|| good as f64 / judged as f64),
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
            timestamp: made.clone(),
            created_at: made,
            updated_at: text(of.updated_at),
            source: match of.source {
                Source::Registered => "registered",
                _ => "stored",
            },
            is_active: of.is_active,
            version: of.version,
            execution_count: of.execution_count,
            last_executed_at: of.last_executed_at.map(text),
        }
    }
}

/// When it runs next.
fn next(of: &StoredWorkflow) -> Option<String> {
    let times = times_of(&of.metadata)?.ok()?;
    Some(times.next(Timestamp::now())?.to_string())
}

/// The schedule that the metadata names.
fn schedule(of: &StoredWorkflow, schedules: &Schedules) -> Option<Schedule> {
    let cron = of.metadata.schedule()?.to_owned();
    let timezone = of.metadata.timezone().map(str::to_owned);
    Some(Schedule { cron, timezone, blocked: schedules.blocked(of) })
}

/// A workflow with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WorkflowDocument {
    #[serde(flatten)]
    pub(crate) workflow: Workflow,
    /// Its jobs as `nodes`, the order between them as `edges`, and what else was said of them.
    #[schema(value_type = Object)]
    dag_spec: Json,
    /// The file that it is, as JSON, if it is one.
    #[schema(value_type = Option<Object>)]
    definition: Option<Json>,
    /// Where the program registers it.
    location: Option<Location>,
    /// The JSON Schema of its input, where that is known.
    #[schema(value_type = Option<Object>)]
    input_schema: Option<Json>,
    /// The type of its input.
    input_type: Option<String>,
    /// The JSON Schema of its output, where that is known.
    #[schema(value_type = Option<Object>)]
    output_schema: Option<Json>,
    /// Whether this server can run it.
    runnable: bool,
    /// Whether the caller may change it.
    editable: bool,
}

/// A file as JSON; nothing of where it is on the server.
fn file(definition: &Json) -> Option<Json> {
    read_yaml("the file", WorkflowFile::text_of(definition)?).ok()
}

/// A place in the source of the program.
#[derive(Debug, Serialize, ToSchema)]
struct Location {
    /// The file, as the compiler names it.
    file: String,
    /// The line, from 1.
    line: u32,
}

impl WorkflowDocument {
    pub(crate) fn new(of: StoredWorkflow, editable: bool, schedules: &Schedules) -> Self {
        let is_code = of.source == Source::Registered;
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
