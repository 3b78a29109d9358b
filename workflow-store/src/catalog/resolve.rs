//! Resolves references to workflows.

use workflow_core::id::normalize_name;

use super::CatalogError;
use crate::catalog_error::Answer;
use crate::db::sql::Sql;
use crate::db::statement::Statement;
use crate::db::value::{Row, clean};
use crate::visibility::Visibility;
use crate::workflows::name::own_by_name;

/// How a text matched a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchedBy {
    /// By its id.
    Id,
    /// By the exact name of a workflow of the viewer.
    OwnName,
    /// By the exact name of a registered workflow.
    Registered,
    /// By its slug, of any owner.
    Slug,
    /// By its exact name, for a viewer with all permissions: the workflow has no owner, or the
    /// viewer is anonymous.
    Name,
}

/// A resolved workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) id: i64,
    /// Whether the viewer may change it and sees all of its runs.
    pub(crate) is_own: bool,
    pub(crate) by: MatchedBy,
}

/// Resolves a text to a visible workflow: by id, else by exact name among the viewer's own, else by
/// the name of a registered workflow, else by slug. A viewer with all permissions also finds
/// workflows without an owner by name; an anonymous one, on a server without accounts, those of any
/// owner.
pub(crate) fn resolve(sql: &mut dyn Sql, visibility: Visibility, which: &str) -> Answer<Found> {
    if let Some(id) = id(which)
        && let Some(found) = numbered(sql, visibility, id)?
    {
        return Ok(found);
    }
    let which = clean(which);
    let which = normalize_name(&which);
    let ways = [MatchedBy::OwnName, MatchedBy::Registered, MatchedBy::Slug, MatchedBy::Name];
    for by in ways.into_iter().filter(|by| *by != MatchedBy::Name || visibility.sees_all()) {
        let rows = by_text(visibility, by, &which).query(sql)?;
        match rows.as_slice() {
            [] => {}
            [row] => return found(row, visibility, by),
            // Other applications may have added several, and owners may be deleted.
            rows => {
                let candidates = candidates(rows)?;
                return Err(CatalogError::Ambiguous { wanted: which.into(), candidates }.into());
            }
        }
    }
    Err(unknown(sql, visibility, &which)?.into())
}

/// Parses a text as a number.
pub(super) fn id(text: &str) -> Option<i64> {
    text.parse().ok().filter(|id: &i64| id.to_string() == text)
}

/// The workflow with this number, if it is visible.
pub(crate) fn by_id(sql: &mut dyn Sql, visibility: Visibility, id: i64) -> Answer<Found> {
    let found = numbered(sql, visibility, id)?;
    Ok(found.ok_or_else(|| CatalogError::NoWorkflow(id.to_string()))?)
}

fn numbered(sql: &mut dyn Sql, visibility: Visibility, id: i64) -> Answer<Option<Found>> {
    let mut statement = Statement::default();
    statement.add(SELECT).add("w.id = ").number(id);
    visibility.workflow(&mut statement);
    statement.first(sql)?.map(|row| found(&row, visibility, MatchedBy::Id)).transpose()
}

/// Resolves a workflow that the viewer may change.
pub(crate) fn resolve_own(
    sql: &mut dyn Sql,
    visibility: Visibility,
    which: &str,
    what: &str,
) -> Answer<i64> {
    let found = resolve(sql, visibility, which)?;
    if found.is_own {
        return Ok(found.id);
    }
    let user = user_name(sql, visibility)?;
    let what = format!("{what} workflow `{which}`, which is registered by a program");
    Err(CatalogError::for_admins(user, what).into())
}

/// The name of the viewer; empty if anonymous.
pub(crate) fn user_name(sql: &mut dyn Sql, visibility: Visibility) -> Answer<String> {
    let mut statement = Statement::default();
    statement.add("SELECT username FROM accounts_user WHERE id = ");
    statement.number(visibility.user().unwrap_or_default());
    Ok(statement.first(sql)?.map(|row| row.text(0)).transpose()?.unwrap_or_default())
}

fn by_text(visibility: Visibility, by: MatchedBy, which: &str) -> Statement {
    let mut statement = Statement::default();
    statement.add(SELECT);
    match by {
        MatchedBy::Slug => statement.add("w.slug = ").text(which),
        MatchedBy::Registered => {
            statement.add("w.name = ").text(which).add(" AND w.source = 'registered'")
        }
        MatchedBy::Name => {
            statement.add("w.name = ").text(which);
            match visibility.caller() {
                Some(_) => own_by_name(&mut statement, None),
                None => &mut statement,
            }
        }
        MatchedBy::OwnName | MatchedBy::Id => {
            own_by_name(statement.add("w.name = ").text(which), visibility.caller())
        }
    };
    visibility.workflow(&mut statement);
    statement.add(" ORDER BY w.id LIMIT 10");
    statement
}

fn found(row: &Row, visibility: Visibility, by: MatchedBy) -> Answer<Found> {
    let is_own = visibility.sees_all() || row.maybe_int(3)? == visibility.user();
    Ok(Found { id: row.int(0)?, is_own, by })
}

/// The error for an unknown workflow; for a viewer with all permissions, it lists workflows of
/// other owners.
fn unknown(sql: &mut dyn Sql, visibility: Visibility, which: &str) -> Answer<CatalogError> {
    if visibility.sees_all() {
        let candidates = candidates(&by_name(which).query(sql)?)?;
        if !candidates.is_empty() {
            return Ok(CatalogError::NotYours { wanted: which.to_owned(), candidates });
        }
    }
    Ok(CatalogError::NoWorkflow(which.to_owned()))
}

fn by_name(which: &str) -> Statement {
    let mut statement = Statement::default();
    statement.add(SELECT).add("w.name = ").text(which).add(" ORDER BY w.id LIMIT 10");
    statement
}

fn candidates(rows: &[Row]) -> Answer<Vec<String>> {
    let mut candidates = Vec::with_capacity(rows.len());
    for row in rows {
        let part = |word: &str, text: Option<String>| match text {
            Some(text) => format!(" {word} {text}"),
            None => String::new(),
        };
        let (of, within) = (part("of", row.maybe_text(4)?), part("in", row.maybe_text(2)?));
        candidates.push(format!("{} ({}{of}{within})", row.int(0)?, row.text(1)?));
    }
    Ok(candidates)
}

const SELECT: &str = "SELECT w.id, w.name, w.project, w.user_id, \
    (SELECT username FROM accounts_user u WHERE u.id = w.user_id) FROM workflows_workflow w WHERE ";

/// The statements of this file, for the test that looks at their plans.
#[cfg(test)]
pub(crate) fn statements() -> Vec<(String, Statement)> {
    let visibilities = [Visibility::All, Visibility::Staff(1), Visibility::User(1)];
    let ways = [MatchedBy::OwnName, MatchedBy::Registered, MatchedBy::Slug, MatchedBy::Name];
    let of = |visibility| {
        ways.map(|by| (format!("{by:?} {visibility:?}"), by_text(visibility, by, "a")))
    };
    let mut statements: Vec<_> = visibilities.into_iter().flat_map(of).collect();
    statements.push(("by name".to_owned(), by_name("a")));
    statements
}
