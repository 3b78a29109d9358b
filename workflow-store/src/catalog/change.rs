//! Adds, changes and deletes workflows.

use std::time::SystemTime;

use serde_json::Value as Json;
use workflow_core::definition::Metadata;
use workflow_core::id::{WorkflowName, normalize_name};

use super::prune::{self, DeletedRun};
use super::request::WorkflowChange;
use super::resolve::{self, resolve, resolve_own};
use super::{CatalogError, StoredWorkflow, metadata, schedule, workflow};
use crate::accounts;
use crate::catalog_error::{Answer, CatalogField};
use crate::db::sql::{Sql, SqlError};
use crate::db::statement::Statement;
use crate::db::value::{Value, clean, clean_json, to_micros};
use crate::exec::operation::Cx;
use crate::visibility::Visibility;
use crate::workflows::insert::{RowAuthor, check_free, gone, insert, tags};
use crate::workflows::slug::{self, lock_names};
use crate::workflows::{NewWorkflow, WorkflowSource, name, search_index, version};

/// Adds a workflow.
pub(crate) fn create(cx: &mut Cx<'_>, new: &NewWorkflow) -> Answer<StoredWorkflow> {
    let metadata = &new.metadata;
    schedule::check(metadata, None)?;
    let or_said =
        |given: &Option<String>, said: Option<&str>| given.clone().or(said.map(str::to_owned));
    let new = NewWorkflow {
        description: or_said(&new.description, metadata.description()),
        project: or_said(&new.project, metadata.project()),
        domain: or_said(&new.domain, metadata.domain()),
        ..new.clone()
    };
    check(&new)?;
    let owner = new.user.as_deref().map(|name| accounts::named(cx.sql, name)).transpose()?;
    if let Some(id) = left_by_a_run(cx.sql, &new, owner)? {
        let author = new.user.clone();
        return update(cx, Visibility::All, author.as_deref(), &id.to_string(), &new.into());
    }
    let id = insert(cx.sql, &new, WorkflowSource::Stored, owner, RowAuthor::User)?;
    Ok(workflow::by_id(cx.sql, id)?.ok_or_else(|| gone(&new.name))?)
}

/// The workflow of this name that a run of the owner's file has added and nobody has edited since.
/// Creating a workflow from the file adopts it, unless other fields are set.
fn left_by_a_run(
    sql: &mut dyn Sql,
    new: &NewWorkflow,
    owner: Option<i64>,
) -> Result<Option<i64>, SqlError> {
    let is_file_alone = new.definition.is_some()
        && new.slug.is_none()
        && new.project_id == 0
        && new.project_name.is_none()
        && new.app_name.is_none();
    let found = match is_file_alone {
        true => name::owned(sql, WorkflowSource::Stored, owner, &new.name)?,
        false => None,
    };
    let Some(id) = found else { return Ok(None) };
    Ok(sql.first(UNWRITTEN, &[Value::Int(id)])?.map(|_| id))
}

const UNWRITTEN: &str = "SELECT id FROM workflows_workflow \
    WHERE id = $1 AND definition IS NOT NULL AND NOT edited";

/// Checks the fields of a new workflow.
pub(crate) fn check(new: &NewWorkflow) -> Result<(), CatalogError> {
    check_name(&new.name)?;
    check_lengths([&new.slug, &new.project, &new.project_name, &new.domain, &new.app_name])
}

fn check_name(name: &str) -> Result<(), CatalogError> {
    let fit = WorkflowName::new(name.to_owned());
    fit.map(|_| ()).map_err(|error| CatalogError::Invalid {
        field: CatalogField::WorkflowName,
        found: format!("invalid ({error})"),
        cure: "choose another",
    })
}

/// Checks the lengths of slug, project, project name, domain and app name.
fn check_lengths(texts: [&Option<String>; 5]) -> Result<(), CatalogError> {
    let fields = [
        CatalogField::Slug,
        CatalogField::Project,
        CatalogField::ProjectName,
        CatalogField::Domain,
        CatalogField::AppName,
    ];
    fields.into_iter().zip(texts).try_for_each(|(field, text)| check_length(field, text.as_ref()))
}

fn check_length(field: CatalogField, text: Option<&String>) -> Result<(), CatalogError> {
    match text.map(|text| text.chars().count()) {
        Some(count) if count > 255 => Err(CatalogError::Invalid {
            field,
            found: format!("{count} characters long"),
            cure: "use at most 255",
        }),
        _ => Ok(()),
    }
}

/// Changes a workflow on behalf of this author.
pub(crate) fn update(
    cx: &mut Cx<'_>,
    visibility: Visibility,
    author: Option<&str>,
    which: &str,
    change: &WorkflowChange,
) -> Answer<StoredWorkflow> {
    let id = resolve_own(cx.sql, visibility, which, "change")?;
    // In this order: runs that add workflows lock the count of runs last.
    if change.name.is_some() || change.user.is_some() || change.slug.is_some() {
        lock_names(cx.sql)?;
    }
    lock(cx.sql, id)?;
    let old = workflow::by_id(cx.sql, id)?.ok_or_else(|| gone(which))?;
    let Identity { name, owner } = identity(cx.sql, visibility, &old, change)?;
    check_change(change)?;
    let slug = match &change.slug {
        Some(slug) => slug::make_for(cx.sql, id, slug)?,
        None => old.slug.clone(),
    };
    let metadata = metadata::after(&old, change)?;
    schedule::check(&metadata, Some(&old.metadata))?;
    let is_new = is_new_file(&old, change)?;
    let version = version_after(&old, change, is_new)?;
    if is_new {
        version::record_unseen(cx.sql, id)?;
    }
    let is_renamed = name.is_some();
    let name = name.unwrap_or_else(|| old.name.clone());
    write(cx.sql, &old, change, &Settled { name, slug, metadata, version })?;
    if let Some(owner) = owner {
        let give = "UPDATE workflows_workflow SET user_id = $1 WHERE id = $2";
        cx.sql.execute(give, &[owner.map(Value::Int).into(), Value::Int(id)])?;
    }
    if is_new {
        let author = author.map(|name| accounts::named(cx.sql, name)).transpose()?;
        version::record(cx.sql, id, author)?;
    }
    search_index::write(cx.sql, id)?;
    let new = workflow::by_id(cx.sql, id)?.ok_or_else(|| gone(which))?;
    if is_renamed || owner.is_some() {
        // Runs find their workflow by name and owner.
        cx.write_cache.clear();
    }
    Ok(new)
}

/// Whether a change replaces the file.
fn is_new_file(old: &StoredWorkflow, change: &WorkflowChange) -> Result<bool, CatalogError> {
    let is_new = change.definition.is_some() && change.definition != old.definition;
    if is_new && old.source == WorkflowSource::Registered {
        return Err(CatalogError::Invalid {
            field: CatalogField::Definition,
            found: "set on a registered workflow".to_owned(),
            cure: "change its code instead, or create another workflow from the file",
        });
    }
    Ok(is_new)
}

/// The final name and contents of a workflow.
struct Settled {
    name: String,
    slug: String,
    metadata: Metadata,
    version: i64,
}

/// Writes the row of a workflow: the final values, those of the change, or else the old ones.
fn write(
    sql: &mut dyn Sql,
    old: &StoredWorkflow,
    change: &WorkflowChange,
    settled: &Settled,
) -> Result<(), SqlError> {
    let Settled { name, slug, metadata, version } = settled;
    let said = change.metadata.is_some();
    let text = |given: &Option<String>, said_now: Option<&str>, old: &Option<String>| {
        let new = match (given, said_now) {
            (Some(given), _) => Some(clean(given).into_owned()),
            (None, Some(text)) if said => Some(clean(text).into_owned()),
            _ => old.clone(),
        };
        new.filter(|text| !text.is_empty())
    };
    let description = text(&change.description, metadata.description(), &old.description);
    let project = text(&change.project, metadata.project(), &old.project);
    let domain = text(&change.domain, metadata.domain(), &old.domain);
    let app_name = text(&change.app_name, None, &old.app_name);
    let project_name = change.project_name.as_deref().unwrap_or(&old.project_name);
    let tags = if said { tags(metadata) } else { old.tags.clone().into() };
    let definition = change.definition.as_ref().or(old.definition.as_ref()).map(clean_json);
    let molecules: Json = match &change.molecules_used {
        Some(molecules) => molecules.clone().into(),
        None => old.molecules_used.clone().into(),
    };
    let atoms = change.atoms_in_molecules.as_ref().unwrap_or(&old.atoms_in_molecules);
    let drawing = change.dag_spec.as_ref().unwrap_or(&old.dag_spec);
    let texts = [
        clean_json(&Json::Object(metadata.as_object().clone())),
        clean_json(&tags),
        clean_json(&molecules),
        clean_json(&Json::Object(atoms.clone())),
        clean_json(drawing),
    ];
    let values = [
        Value::Text(name),
        description.as_deref().into(),
        project.as_deref().into(),
        domain.as_deref().into(),
        Value::Text(&texts[0]),
        Value::Text(&texts[1]),
        Value::Text(&texts[2]),
        Value::Text(&texts[3]),
        Value::Text(&texts[4]),
        definition.as_deref().into(),
        Value::Bool(change.active.unwrap_or(old.is_active)),
        Value::Int(*version),
        Value::Time(to_micros(SystemTime::now())),
        Value::Text(slug),
        Value::Int(change.project_id.map_or(old.project_id, i64::from)),
        Value::Text(&clean(project_name)),
        app_name.as_deref().into(),
        Value::Int(old.id),
    ];
    sql.execute(UPDATE, &values).map(|_| ())
}

/// The largest version that a change may set. The files after it still get versions, which databases
/// store in 32 bits.
const MAX_VERSION: i32 = 1_000_000_000;

/// Checks the changes to a workflow.
fn check_change(change: &WorkflowChange) -> Result<(), CatalogError> {
    let WorkflowChange { slug, project, project_name, domain, app_name, .. } = change;
    check_lengths([slug, project, project_name, domain, app_name])?;
    match change.version {
        Some(version) if !(1..=MAX_VERSION).contains(&version) => Err(CatalogError::Invalid {
            field: CatalogField::Version,
            found: version.to_string(),
            cure: "use 1 to 1000000000",
        }),
        _ => Ok(()),
    }
}

/// The new version of a workflow. Files are stored by version, so it cannot decrease; without a
/// file, the client chooses it.
fn version_after(
    old: &StoredWorkflow,
    change: &WorkflowChange,
    is_new: bool,
) -> Result<i64, CatalogError> {
    let least = old.version + i64::from(is_new);
    match change.version.map(i64::from) {
        None => Ok(least),
        Some(version) if old.definition.is_some() && version < least => {
            Err(CatalogError::Invalid {
                field: CatalogField::Version,
                found: version.to_string(),
                cure: "omit it or increase it: the files of a workflow are stored by version",
            })
        }
        Some(version) => Ok(version),
    }
}

/// Locks a workflow until the transaction ends, because unchanged fields are written back as they
/// were read.
fn lock(sql: &mut dyn Sql, id: i64) -> Result<(), SqlError> {
    // Transactions of SQLite are exclusive.
    if sql.dialect().is_postgres() {
        let lock = "SELECT id FROM workflows_workflow WHERE id = $1 FOR UPDATE";
        sql.query(lock, &[Value::Int(id)])?;
    }
    Ok(())
}

/// The new name and owner of a workflow; `None` if unchanged. The slug never changes.
struct Identity {
    name: Option<String>,
    owner: Option<Option<i64>>,
}

/// The new name and owner of a workflow. The name must be free, because it is unique for an owner.
/// Names are locked.
fn identity(
    sql: &mut dyn Sql,
    visibility: Visibility,
    old: &StoredWorkflow,
    change: &WorkflowChange,
) -> Answer<Identity> {
    let name = match &change.name {
        Some(name) => renamed(old, name)?,
        None => None,
    };
    let owner = match &change.user {
        Some(user) => given_away(sql, visibility, old, user)?,
        None => None,
    };
    if name.is_some() || owner.is_some() {
        let owner_now = match owner {
            Some(owner) => owner,
            None => old.user.as_deref().map(|user| accounts::known(sql, user)).transpose()?,
        };
        check_free(sql, old.source, owner_now, name.as_deref().unwrap_or(&old.name))?;
    }
    Ok(Identity { name, owner })
}

/// The new owner of a workflow, unless unchanged; none for an empty name.
fn given_away(
    sql: &mut dyn Sql,
    visibility: Visibility,
    old: &StoredWorkflow,
    user: &str,
) -> Answer<Option<Option<i64>>> {
    if user == old.user.as_deref().unwrap_or_default() {
        return Ok(None);
    }
    if !visibility.sees_all() {
        let what = format!("give workflow `{}` to another user", old.name);
        let user = resolve::user_name(sql, visibility)?;
        return Err(CatalogError::for_admins(user, what).into());
    }
    if old.source == WorkflowSource::Registered {
        return Err(CatalogError::Invalid {
            field: CatalogField::User,
            found: "set on a registered workflow, which has no owner".to_owned(),
            cure: "omit it",
        }
        .into());
    }
    match user {
        "" => Ok(Some(None)),
        user => Ok(Some(Some(accounts::named(sql, user)?))),
    }
}

/// The new name of a workflow, unless unchanged.
fn renamed(old: &StoredWorkflow, name: &str) -> Answer<Option<String>> {
    check_name(name)?;
    let name = normalize_name(name);
    if name == old.name {
        return Ok(None);
    }
    if old.source == WorkflowSource::Registered {
        return Err(CatalogError::Invalid {
            field: CatalogField::WorkflowName,
            found: "set by the code of a registered workflow".to_owned(),
            cure: "change it there",
        }
        .into());
    }
    Ok(Some(name.into_owned()))
}

const UPDATE: &str = "UPDATE workflows_workflow SET name = $1, description = $2, project = $3, \
    domain = $4, metadata = $5, tags = $6, molecules_used = $7, atoms_in_molecules = $8, \
    dag_spec = $9, definition = $10, is_active = $11, version = $12, updated_at = $13, \
    slug = $14, project_id = $15, project_name = $16, app_name = $17, edited = TRUE \
    WHERE id = $18";

/// The number of visible runs of a workflow.
pub(crate) fn count_runs(sql: &mut dyn Sql, visibility: Visibility, which: &str) -> Answer<u64> {
    let found = resolve(sql, visibility, which)?;
    let mut count = Statement::default();
    count.add("SELECT count(*) FROM workflows_workflowrun r WHERE r.workflow_id = ");
    count.number(found.id);
    if !found.is_own {
        visibility.run(&mut count);
    }
    Ok(count.first(sql)?.map_or(Ok(0), |row| row.count(0))?)
}

/// Deletes a workflow and its runs; returns the number of visible runs, and all runs.
pub(crate) fn delete(
    cx: &mut Cx<'_>,
    visibility: Visibility,
    which: &str,
) -> Answer<(u64, Vec<DeletedRun>)> {
    let id = resolve_own(cx.sql, visibility, which, "delete")?;
    let count = count_runs(cx.sql, visibility, &id.to_string())?;
    let runs = prune::all_of(cx.sql, id)?;
    // Tables of other applications may lack cascading deletes.
    cx.sql
        .execute("DELETE FROM workflows_workflowrun WHERE workflow_id = $1", &[Value::Int(id)])?;
    cx.sql.execute("DELETE FROM workflows_workflow WHERE id = $1", &[Value::Int(id)])?;
    prune::sweep(cx.sql)?;
    cx.write_cache.clear();
    Ok((count, runs))
}
