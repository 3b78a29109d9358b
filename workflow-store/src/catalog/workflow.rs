//! A workflow in a catalog.

use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Map, Value as Json};
use workflow_core::definition::Metadata;
use workflow_core::store::{ScheduleId, ScheduledWorkflow};

use super::RecentRun;
use crate::db::sql::{Sql, SqlError, SqlKind};
use crate::db::value::{Row, Value};
use crate::rfc3339;
use crate::workflows::WorkflowSource;

/// A workflow in a catalog.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredWorkflow {
    /// The number in the store.
    pub id: i64,
    /// The name.
    pub name: String,
    /// The slug: its name in URLs.
    pub slug: String,
    /// The description.
    pub description: Option<String>,
    /// The project.
    pub project: Option<String>,
    /// The number of the project in the application that it comes from; 0 for none.
    pub project_id: i64,
    /// The name of the project in that application.
    pub project_name: String,
    /// The application that it comes from.
    pub app_name: Option<String>,
    /// The business area.
    pub domain: Option<String>,
    /// The metadata.
    pub metadata: Metadata,
    /// The tags, in order.
    pub tags: Vec<String>,
    /// The molecules on its canvas.
    pub molecules_used: Vec<Json>,
    /// The atoms of each molecule.
    pub atoms_in_molecules: Map<String, Json>,
    /// The drawing: nodes, edges, positions and so on.
    pub dag_spec: Json,
    /// The definition, if the workflow is stored as data.
    pub definition: Option<Json>,
    /// The source: code or data.
    pub source: WorkflowSource,
    /// The owner.
    pub user: Option<String>,
    /// Whether the account of the owner is active; true without an owner. Schedules and events start
    /// nothing for an inactive one.
    #[serde(skip)]
    pub owner_is_active: bool,
    /// Whether it is active.
    pub is_active: bool,
    /// The version, from 1. A different file, or a different graph of code, increases it.
    pub version: i64,
    /// The number of started runs.
    pub execution_count: u64,
    /// When the last run started.
    #[serde(serialize_with = "rfc3339::option::serialize")]
    pub last_executed_at: Option<SystemTime>,
    /// When it was added.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub created_at: SystemTime,
    /// When it was last changed.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub updated_at: SystemTime,
    /// Its recent runs, newest first, as many as the query requested.
    #[serde(skip)]
    pub recent: Vec<RecentRun>,
}

impl StoredWorkflow {
    /// The workflow, as the store knows its schedule.
    pub fn as_scheduled(&self) -> ScheduledWorkflow {
        match self.source {
            WorkflowSource::Registered => ScheduledWorkflow::Registered(self.name.clone()),
            WorkflowSource::Stored => ScheduledWorkflow::Number(self.id),
        }
    }

    /// The schedule, as the store knows it; `None` if the workflow has none.
    pub fn schedule_id(&self) -> Option<ScheduleId> {
        Some(ScheduleId {
            workflow: self.as_scheduled(),
            cron: self.metadata.schedule()?.to_owned(),
            timezone: self.metadata.timezone().map(str::to_owned),
        })
    }
}

macro_rules! columns {
    ($drawing:literal) => {
        concat!(
            "w.id, w.name, w.slug, w.description, w.project, w.project_id, w.project_name, \
             w.app_name, w.domain, w.metadata, w.tags, w.molecules_used, w.atoms_in_molecules, ",
            $drawing,
            ", w.source, (SELECT username FROM accounts_user u WHERE u.id = w.user_id), \
             coalesce(w.is_active, TRUE), w.version, w.execution_count, w.last_executed_at, w.created_at, \
             w.updated_at, \
             coalesce((SELECT u.is_active FROM accounts_user u WHERE u.id = w.user_id), TRUE)"
        )
    };
}

/// The columns of a workflow `w`, in the order of [`read`].
pub(crate) const COLUMNS: &str = columns!("w.dag_spec, w.definition");

/// The columns without those that a list does not need.
pub(crate) const BRIEF: &str = columns!("NULL, NULL");

/// Reads a workflow from its row.
pub(crate) fn read(row: &Row) -> Result<StoredWorkflow, SqlError> {
    let id = row.int(0)?;
    let metadata = Metadata::new(row.json(9)?).map_err(|error| {
        SqlError::new(SqlKind::Unusable, format!("workflow {id}: {error}; correct its row"))
    })?;
    let tags = row.json(10)?;
    let tags = tags.as_array().into_iter().flatten();
    let source = match row.text(15)?.as_str() {
        "registered" => WorkflowSource::Registered,
        _ => WorkflowSource::Stored,
    };
    Ok(StoredWorkflow {
        id,
        name: row.text(1)?,
        slug: row.text(2)?,
        description: row.maybe_text(3)?,
        project: row.maybe_text(4)?,
        project_id: row.int(5)?,
        project_name: row.text(6)?,
        app_name: row.maybe_text(7)?,
        domain: row.maybe_text(8)?,
        metadata,
        tags: tags.filter_map(|tag| tag.as_str().map(str::to_owned)).collect(),
        molecules_used: match row.maybe_json(11)? {
            Some(Json::Array(molecules)) => molecules,
            _ => Vec::new(),
        },
        atoms_in_molecules: match row.maybe_json(12)? {
            Some(Json::Object(atoms)) => atoms,
            _ => Map::new(),
        },
        dag_spec: row.maybe_json(13)?.unwrap_or_default(),
        definition: row.maybe_json(14)?,
        source,
        user: row.maybe_text(16)?,
        owner_is_active: row.bool(23)?,
        is_active: row.bool(17)?,
        version: row.maybe_int(18)?.unwrap_or(1),
        execution_count: row.maybe_int(19)?.unwrap_or(0).unsigned_abs(),
        last_executed_at: row.maybe_time(20)?,
        created_at: row.time(21)?,
        updated_at: row.time(22)?,
        recent: Vec::new(),
    })
}

/// The workflow with this number.
pub(crate) fn by_id(sql: &mut dyn Sql, id: i64) -> Result<Option<StoredWorkflow>, SqlError> {
    let query = format!("SELECT {COLUMNS} FROM workflows_workflow w WHERE w.id = $1");
    sql.first(&query, &[Value::Int(id)])?.as_ref().map(read).transpose()
}
