//! The workflow of a run: its row, and the definition that it had, each written once.

use sha2::{Digest, Sha256};
use workflow_core::{NewRun, StoreError, WorkflowSnapshot};

use crate::label;
use crate::memory::DefinitionIds;
use crate::operation::{Answer, Cx};
use crate::sight::Sight;
use crate::sql::{Fault, SqlError, SqlKind};
use crate::statement::Statement;
use crate::value::{Value, clean, clean_json};

/// Finds the workflow and the definition of a run, or makes them.
pub(crate) fn definition(cx: &mut Cx<'_>, sight: Sight, run: &NewRun) -> Answer<DefinitionIds> {
    let of = &run.workflow;
    let workflow = match (run.workflow_id, sight) {
        (Some(id), _) => with_number(cx, sight, id)?,
        (None, Sight::All) => workflow(cx, of)?,
        (None, Sight::User(_)) => {
            let named = || StoreError::NoWorkflow { workflow: format!("`{}`", of.name) };
            find(cx, sight, &of.name)?.ok_or_else(named)?
        }
    };
    let texts = Texts::new(of)?;
    let definition = match known(cx, workflow, &texts)? {
        Some(id) => id,
        None => add(cx, workflow, of, &texts)?,
    };
    Ok(DefinitionIds { workflow, definition })
}

/// A definition as its row has it.
struct Texts {
    metadata: String,
    source: Option<String>,
    graph: String,
    digest: [u8; 32],
}

impl Texts {
    fn new(of: &WorkflowSnapshot) -> Result<Self, Fault> {
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
    let values = [
        Value::Int(workflow),
        Value::Text(&of.name),
        Value::Text(&of.fingerprint),
        Value::Bytes(&texts.digest),
        Value::Text(&texts.metadata),
        texts.source.as_deref().into(),
        Value::Text(&texts.graph),
    ];
    let row = cx.sql.first(
        "INSERT INTO workflows_definition \
         (workflow_id, name, fingerprint, digest, metadata, source, graph) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id",
        &values,
    )?;
    let Some(row) = row else {
        // Another process was faster.
        return known(cx, workflow, texts)?.ok_or_else(|| gone(&of.name));
    };
    refresh(cx, workflow, of)?;
    row.int(0)
}

/// Shows the newest definition of a workflow that is code, unless somebody has edited the row.
fn refresh(cx: &mut Cx<'_>, workflow: i64, of: &WorkflowSnapshot) -> Result<(), SqlError> {
    let values = [Value::Int(workflow)];
    let count = "SELECT count(*) FROM workflows_definition WHERE workflow_id = $1";
    let count = cx.sql.first(count, &values)?.map_or(Ok(1), |row| row.int(0))?;
    if count <= 1 {
        // What was announced may not have been drawn.
        return draw(cx, workflow, of, Grows::No);
    }
    draw(cx, workflow, of, Grows::Yes)?;
    describe(cx, workflow, of)
}

/// Whether the version counts up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Grows {
    Yes,
    No,
}

fn draw(
    cx: &mut Cx<'_>,
    workflow: i64,
    of: &WorkflowSnapshot,
    version: Grows,
) -> Result<(), SqlError> {
    let graph = clean_json(&of.graph);
    let more = i64::from(version == Grows::Yes);
    let values = [Value::Text(&graph), Value::Int(more), Value::Int(workflow)];
    cx.sql.execute(
        "UPDATE workflows_workflow SET dag_spec = $1, version = version + $2 \
         WHERE id = $3 AND source = 'registered'",
        &values,
    )?;
    Ok(())
}

fn describe(cx: &mut Cx<'_>, workflow: i64, of: &WorkflowSnapshot) -> Result<(), SqlError> {
    let new = New::of(of);
    let values = [
        Value::Text(&new.metadata),
        Value::Text(&new.tags),
        of.metadata.description().into(),
        of.metadata.project().into(),
        of.metadata.domain().into(),
        Value::Int(workflow),
    ];
    let changed = cx.sql.execute(
        "UPDATE workflows_workflow SET metadata = $1, tags = $2, description = $3, project = $4, \
         domain = $5 WHERE id = $6 AND source = 'registered' AND NOT edited",
        &values,
    )?;
    if changed > 0 { label::write_some(cx.sql, workflow) } else { Ok(()) }
}

/// The workflow with this number.
fn with_number(cx: &mut Cx<'_>, sight: Sight, id: i64) -> Answer<i64> {
    let mut statement = Statement::default();
    statement.add("SELECT w.id FROM workflows_workflow w WHERE w.id = ").number(id);
    sight.workflow(&mut statement);
    let row = statement.first(cx.sql)?;
    let row = row.ok_or_else(|| StoreError::NoWorkflow { workflow: id.to_string() })?;
    Ok(row.int(0)?)
}

/// The row of the workflow with this name.
fn workflow(cx: &mut Cx<'_>, of: &WorkflowSnapshot) -> Result<i64, SqlError> {
    if let Some(id) = find(cx, Sight::All, &of.name)? {
        return Ok(id);
    }
    match add_row(cx, of)? {
        Some(id) => Ok(id),
        None => find(cx, Sight::All, &of.name)?.ok_or_else(|| gone(&of.name)),
    }
}

/// Adds a row for a workflow that is code, unless there is one.
fn add_row(cx: &mut Cx<'_>, of: &WorkflowSnapshot) -> Result<Option<i64>, SqlError> {
    let new = New::of(of);
    let project = of.metadata.project().unwrap_or_default();
    let values = [
        Value::Int(0),
        Value::Text(project),
        Value::Text(&of.name),
        Value::Text(&new.slug),
        new.description.as_deref().into(),
        Value::Text(&new.graph),
        of.metadata.project().into(),
        of.metadata.domain().into(),
        Value::Text(&new.metadata),
        Value::Text(&new.tags),
    ];
    let row = cx.sql.first(
        "INSERT INTO workflows_workflow (project_id, project_name, name, slug, description, \
         dag_spec, project, domain, metadata, tags, source) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'registered') \
         ON CONFLICT DO NOTHING RETURNING id",
        &values,
    )?;
    let Some(row) = row else { return Ok(None) };
    let id = row.int(0)?;
    label::write_some(cx.sql, id)?;
    Ok(Some(id))
}

/// Adds a row for a workflow that is code, or brings up to date what it says, unless somebody has
/// edited it.
pub(crate) fn announce(cx: &mut Cx<'_>, of: &WorkflowSnapshot) -> Result<(), SqlError> {
    let row = cx.sql.first(
        "SELECT id, metadata, dag_spec, edited FROM workflows_workflow \
         WHERE name = $1 AND source = 'registered'",
        &[Value::Text(&of.name)],
    )?;
    let Some(row) = row else {
        if add_row(cx, of)?.is_none() {
            return Err(gone(&of.name));
        }
        // Runs find their workflow by its name: from now on this one.
        cx.memory.clear();
        return Ok(());
    };
    let id = row.int(0)?;
    let is_drawn = !of.fingerprint.is_empty();
    if is_drawn && row.maybe_json(2)?.as_ref() != Some(&*of.graph) {
        draw(cx, id, of, Grows::No)?;
    }
    let said = serde_json::Value::Object(of.metadata.as_object().clone());
    if !row.bool(3)? && row.json(1)? != said {
        describe(cx, id, of)?;
    }
    Ok(())
}

/// What is registered under the name comes before what was stored under it.
fn find(cx: &mut Cx<'_>, sight: Sight, name: &str) -> Result<Option<i64>, SqlError> {
    let mut statement = Statement::default();
    statement.add("SELECT w.id FROM workflows_workflow w WHERE w.name = ").text(name);
    sight.workflow(&mut statement);
    statement.add(" ORDER BY CASE WHEN w.source = 'registered' THEN 0 ELSE 1 END, w.id LIMIT 1");
    let row = statement.first(cx.sql)?;
    row.map(|row| row.int(0)).transpose()
}

fn gone(name: &str) -> SqlError {
    let text = format!("workflow `{name}` was deleted while a run of it began; try again");
    SqlError::new(SqlKind::Conflict, text)
}

/// What a new row says of a workflow.
struct New {
    slug: String,
    description: Option<String>,
    graph: String,
    metadata: String,
    tags: String,
}

impl New {
    fn of(of: &WorkflowSnapshot) -> Self {
        let tags: Vec<&str> = of.metadata.tags().collect();
        Self {
            slug: slug(&of.name),
            description: of.metadata.description().map(|text| clean(text).into_owned()),
            graph: clean_json(&of.graph),
            metadata: clean_json(&serde_json::Value::Object(of.metadata.as_object().clone())),
            tags: clean_json(&tags.into()),
        }
    }
}

/// A name as it stands in addresses: lower case, dashes between words.
pub(crate) fn slug(name: &str) -> String {
    let mut slug = String::with_capacity(name.len());
    for character in name.chars().flat_map(char::to_lowercase) {
        if character.is_alphanumeric() || character == '_' {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn a_slug_is_fit_for_addresses() {
        assert_eq!(slug("Q4 Sales  Analysis!"), "q4-sales-analysis");
        assert_eq!(
            slug("Data Analysis - Q4 Report - 10/13/2025, 3:45:00 PM"),
            "data-analysis-q4-report-10-13-2025-3-45-00-pm"
        );
    }
}
