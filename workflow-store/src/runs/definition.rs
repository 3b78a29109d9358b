//! The workflow of a run: its row, and its definition at that time, each written once.

use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use workflow_core::store::{NewRun, StoreError, Trigger, WorkflowSnapshot};

use crate::db::sql::{Sql, SqlError, SqlKind};
use crate::db::statement::Statement;
use crate::db::value::{Value, clean_json};
use crate::exec::operation::{Answer, Cx};
use crate::rows::beginning::DefinitionIds;
use crate::visibility::Visibility;
use crate::workflows::insert::{RowAuthor, insert, tags};
use crate::workflows::name::owned;
use crate::workflows::slug::lock_names;
use crate::workflows::{NewWorkflow, WorkflowSource, search_index, version};

/// Finds or adds the workflow and the definition of a run.
pub(crate) fn definition(
    cx: &mut Cx<'_>,
    visibility: Visibility,
    run: &NewRun,
    user: Option<i64>,
) -> Answer<DefinitionIds> {
    let of = &run.workflow;
    let workflow = match run.workflow_id {
        Some(id) => with_number(cx, visibility, id)?,
        None => joined(cx, visibility, of, user)?,
    };
    let texts = Texts::new(of)?;
    let is_file = of.source.is_some();
    // Runs by the number of a row, and retries, do not change the file.
    let is_from_file = is_file && run.workflow_id.is_none() && run.trigger != Trigger::Retry;
    if is_from_file {
        follow_file(cx, workflow, of, user)?;
    }
    let definition = match known(cx, workflow, &texts)? {
        Some(id) => id,
        None => {
            let id = add(cx, workflow, of, &texts)?;
            if !is_file {
                refresh(cx, workflow, of)?;
            }
            id
        }
    };
    Ok(DefinitionIds { workflow, definition })
}

/// Makes the file of a run the newest version of its workflow, unless it is already, or the
/// workflow was edited.
fn follow_file(
    cx: &mut Cx<'_>,
    workflow: i64,
    of: &WorkflowSnapshot,
    user: Option<i64>,
) -> Result<(), SqlError> {
    let shown = "SELECT definition FROM workflows_workflow WHERE id = $1";
    let shown = cx.sql.first(shown, &[Value::Int(workflow)])?;
    let shown = shown.map(|row| row.maybe_json(0)).transpose()?.flatten();
    if shown.as_ref() == of.source.as_deref() {
        return Ok(());
    }
    draw(cx, workflow, of, Grows::Yes)?;
    describe(cx, workflow, of)?;
    version::record(cx.sql, workflow, user)
}

/// The existing workflow that a run joins, if any: the one with the same name, source and owner.
pub(crate) fn find(
    sql: &mut dyn Sql,
    of: &WorkflowSnapshot,
    user: Option<i64>,
) -> Result<Option<i64>, SqlError> {
    let (source, owner) = provenance(of, user);
    owned(sql, source, owner, &of.name)
}

/// The source and owner of a workflow that this user runs: code has no owner.
fn provenance(of: &WorkflowSnapshot, user: Option<i64>) -> (WorkflowSource, Option<i64>) {
    match of.source {
        Some(_) => (WorkflowSource::Stored, user),
        None => (WorkflowSource::Registered, None),
    }
}

/// The workflow that a run joins, added if it does not exist.
fn joined(
    cx: &mut Cx<'_>,
    visibility: Visibility,
    of: &WorkflowSnapshot,
    user: Option<i64>,
) -> Answer<i64> {
    if let Some(id) = find(cx.sql, of, user)? {
        return with_number(cx, visibility, id);
    }
    if !visibility.sees_all() {
        return Err(StoreError::NoWorkflow { workflow: format!("`{}`", of.name) }.into());
    }
    lock_names(cx.sql)?;
    // Another process may have added it.
    if let Some(id) = find(cx.sql, of, user)? {
        return Ok(id);
    }
    let (source, owner) = provenance(of, user);
    Ok(insert(cx.sql, &NewWorkflow::of(of), source, owner, RowAuthor::Program)?)
}

/// The texts of a definition in its row.
struct Texts {
    metadata: String,
    source: Option<String>,
    graph: String,
    digest: [u8; 32],
}

impl Texts {
    fn new(of: &WorkflowSnapshot) -> Result<Self, StoreError> {
        let metadata = of.metadata.to_string();
        let source = of.source.as_ref().map(|source| source.to_string());
        let graph = of.graph.to_string();
        let mut digest = Sha256::new();
        for part in [&of.name, &*of.fingerprint, &metadata, &graph] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part.as_bytes());
        }
        digest.update(source.as_deref().unwrap_or_default().as_bytes());
        Ok(Self { metadata, source, graph, digest: digest.finalize().into() })
    }
}

fn known(cx: &mut Cx<'_>, workflow: i64, texts: &Texts) -> Result<Option<i64>, SqlError> {
    let values = [Value::Int(workflow), Value::Bytes(&texts.digest)];
    let row = cx.sql.first(
        "SELECT id FROM workflows_definition WHERE workflow_id = $1 AND digest = $2",
        &values,
    )?;
    row.map(|row| row.int(0)).transpose()
}

fn add(
    cx: &mut Cx<'_>,
    workflow: i64,
    of: &WorkflowSnapshot,
    texts: &Texts,
) -> Result<i64, SqlError> {
    let version = match &of.source {
        Some(source) => version::of_file(cx.sql, workflow, &clean_json(source))?,
        None => None,
    };
    let values = [
        Value::Int(workflow),
        Value::Text(&of.name),
        Value::Text(&of.fingerprint),
        Value::Bytes(&texts.digest),
        Value::Text(&texts.metadata),
        texts.source.as_deref().into(),
        Value::Text(&texts.graph),
        version.into(),
    ];
    let row = cx.sql.first(
        "INSERT INTO workflows_definition \
         (workflow_id, name, fingerprint, digest, metadata, source, graph, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING id",
        &values,
    )?;
    let Some(row) = row else {
        // Another process has added it.
        return known(cx, workflow, texts)?.ok_or_else(|| gone(&of.name));
    };
    row.int(0)
}

/// Updates the row of a registered workflow to its newest definition.
fn refresh(cx: &mut Cx<'_>, workflow: i64, of: &WorkflowSnapshot) -> Result<(), SqlError> {
    let values = [Value::Int(workflow)];
    let count = "SELECT count(*) FROM workflows_definition WHERE workflow_id = $1";
    let count = cx.sql.first(count, &values)?.map_or(Ok(1), |row| row.int(0))?;
    if count <= 1 {
        // A registered workflow may not have a graph yet.
        return draw(cx, workflow, of, Grows::No);
    }
    draw(cx, workflow, of, Grows::Yes)?;
    describe(cx, workflow, of)
}

/// Whether the version increases.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Grows {
    Yes,
    No,
}

/// The rows that runs update: those of code, and of files that were not edited.
const FOLLOWS: &str = "source = 'registered' OR (definition IS NOT NULL AND NOT edited)";

fn draw(
    cx: &mut Cx<'_>,
    workflow: i64,
    of: &WorkflowSnapshot,
    version: Grows,
) -> Result<(), SqlError> {
    let graph = clean_json(&of.graph);
    let source = of.source.as_deref().map(clean_json);
    let more = i64::from(version == Grows::Yes);
    let values =
        [Value::Text(&graph), Value::Int(more), source.as_deref().into(), Value::Int(workflow)];
    let update = format!(
        "UPDATE workflows_workflow SET dag_spec = $1, version = version + $2, definition = $3 \
         WHERE id = $4 AND ({FOLLOWS})"
    );
    cx.sql.execute(&update, &values)?;
    Ok(())
}

fn describe(cx: &mut Cx<'_>, workflow: i64, of: &WorkflowSnapshot) -> Result<(), SqlError> {
    let new = NewWorkflow::of(of);
    let metadata = clean_json(&Json::Object(new.metadata.as_object().clone()));
    let tags = clean_json(&tags(&new.metadata));
    let values = [
        Value::Text(&metadata),
        Value::Text(&tags),
        new.description.as_deref().into(),
        new.project.as_deref().into(),
        new.domain.as_deref().into(),
        Value::Int(workflow),
    ];
    let update = format!(
        "UPDATE workflows_workflow SET metadata = $1, tags = $2, description = $3, project = $4, \
         domain = $5 WHERE id = $6 AND NOT edited AND ({FOLLOWS})"
    );
    let changed = cx.sql.execute(&update, &values)?;
    if changed > 0 { search_index::write_some(cx.sql, workflow) } else { Ok(()) }
}

/// The workflow with this number.
fn with_number(cx: &mut Cx<'_>, visibility: Visibility, id: i64) -> Answer<i64> {
    let mut statement = Statement::default();
    statement.add("SELECT w.id FROM workflows_workflow w WHERE w.id = ").number(id);
    visibility.workflow(&mut statement);
    let row = statement.first(cx.sql)?;
    let row = row.ok_or_else(|| StoreError::NoWorkflow { workflow: id.to_string() })?;
    Ok(row.int(0)?)
}

/// Adds a row for a registered workflow, or updates it, unless it was edited.
pub(crate) fn sync_registered(cx: &mut Cx<'_>, of: &WorkflowSnapshot) -> Answer<()> {
    let id = joined(cx, Visibility::All, &WorkflowSnapshot { source: None, ..of.clone() }, None)?;
    let row = cx.sql.first(
        "SELECT metadata, dag_spec, description, project, domain, edited FROM workflows_workflow \
         WHERE id = $1",
        &[Value::Int(id)],
    )?;
    let row = row.ok_or_else(|| gone(&of.name))?;
    let is_drawn = !of.fingerprint.is_empty();
    if is_drawn && row.maybe_json(1)?.as_ref() != Some(&*of.graph) {
        draw(cx, id, of, Grows::No)?;
    }
    let new = NewWorkflow::of(of);
    let says = (row.json(0)?, row.maybe_text(2)?, row.maybe_text(3)?, row.maybe_text(4)?);
    let metadata = Json::Object(new.metadata.as_object().clone());
    if !row.bool(5)? && says != (metadata, new.description, new.project, new.domain) {
        describe(cx, id, of)?;
    }
    Ok(())
}

fn gone(name: &str) -> SqlError {
    let text = format!("workflow `{name}` was deleted while a run of it began; try again");
    SqlError::new(SqlKind::Conflict, text)
}
