//! Inserts rows of workflows.

use std::time::SystemTime;

use serde_json::Value as Json;
use workflow_core::definition::Metadata;
use workflow_core::id::normalize_name;

use super::slug::{self, lock_names};
use super::{NewWorkflow, WorkflowSource, name, search_index, version};
use crate::catalog_error::{Answer, CatalogError};
use crate::db::sql::{Sql, SqlError, SqlKind};
use crate::db::value::{Value, clean, clean_json, to_micros};

/// The author of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowAuthor {
    /// A user; runs do not change the row.
    User,
    /// A run, or a program that registers the workflow; the next one updates the row.
    Program,
}

/// Adds the row of a workflow with a name that is new to its owner.
pub(crate) fn insert(
    sql: &mut dyn Sql,
    new: &NewWorkflow,
    source: WorkflowSource,
    owner: Option<i64>,
    author: RowAuthor,
) -> Answer<i64> {
    lock_names(sql)?;
    let text = clean(&new.name);
    let text = normalize_name(&text);
    check_free(sql, source, owner, &text)?;
    let slug = slug::make(sql, new.slug.as_deref().unwrap_or(&text))?;
    let cleaned = |text: &Option<String>| text.as_deref().map(|text| clean(text).into_owned());
    let [description, project, domain, app_name] =
        [&new.description, &new.project, &new.domain, &new.app_name].map(cleaned);
    let project_name = cleaned(&new.project_name).or_else(|| project.clone()).unwrap_or_default();
    let texts = [
        clean_json(&new.molecules_used.clone().into()),
        clean_json(&Json::Object(new.atoms_in_molecules.clone())),
        clean_json(&new.dag_spec),
        clean_json(&Json::Object(new.metadata.as_object().clone())),
        clean_json(&tags(&new.metadata)),
    ];
    let definition = new.definition.as_ref().map(clean_json);
    let values = [
        Value::Int(new.project_id.into()),
        Value::Text(&project_name),
        Value::Text(&text),
        Value::Text(&slug),
        description.as_deref().into(),
        app_name.as_deref().into(),
        Value::Text(&texts[0]),
        Value::Text(&texts[1]),
        Value::Text(&texts[2]),
        owner.into(),
        Value::Time(to_micros(SystemTime::now())),
        project.as_deref().into(),
        domain.as_deref().into(),
        Value::Text(&texts[3]),
        Value::Text(&texts[4]),
        definition.as_deref().into(),
        Value::Text(source.as_str()),
        Value::Bool(author == RowAuthor::User),
    ];
    let row = sql.first(INSERT, &values)?;
    let id = row.ok_or_else(|| gone(&new.name))?.int(0)?;
    search_index::write(sql, id)?;
    version::record(sql, id, owner)?;
    Ok(id)
}

/// Checks that the owner has no workflow of this name.
pub(crate) fn check_free(
    sql: &mut dyn Sql,
    source: WorkflowSource,
    owner: Option<i64>,
    wanted: &str,
) -> Answer<()> {
    match name::owned(sql, source, owner, wanted)? {
        Some(id) => Err(CatalogError::NameTaken { name: wanted.to_owned(), id }.into()),
        None => Ok(()),
    }
}

const INSERT: &str = "INSERT INTO workflows_workflow (project_id, project_name, name, slug, \
    description, app_name, molecules_used, atoms_in_molecules, dag_spec, user_id, created_at, \
    updated_at, project, domain, metadata, tags, definition, source, edited) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12, $13, $14, $15, $16, $17, $18) \
    RETURNING id";

pub(crate) fn gone(name: &str) -> SqlError {
    SqlError::new(SqlKind::Conflict, format!("workflow `{name}` was deleted meanwhile"))
}

pub(crate) fn tags(metadata: &Metadata) -> Json {
    metadata.tags().collect::<Vec<_>>().into()
}
