//! Which workflow a text means.

use super::CatalogError;
use crate::operation::Answer;
use crate::sight::Sight;
use crate::sql::Sql;
use crate::statement::Statement;
use crate::value::{Row, clean};

/// A workflow that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) id: i64,
    /// Whether who asked may change it, and sees all of its runs.
    pub(crate) is_own: bool,
}

/// The workflow that has this id, else this slug, else this name, among those that are seen.
pub(crate) fn resolve(sql: &mut dyn Sql, sight: Sight, which: &str) -> Answer<Found> {
    if let Ok(id) = which.parse::<i64>()
        && let Some(found) = numbered(sql, sight, id)?
    {
        return Ok(found);
    }
    let which = clean(which);
    for column in ["w.slug = ", "w.name = "] {
        let rows = by_text(sight, column, &which).query(sql)?;
        match rows.as_slice() {
            [] => {}
            [row] => return found(row, sight),
            rows => return Err(ambiguous(&which, rows)?.into()),
        }
    }
    Err(CatalogError::NoWorkflow(which.into_owned()).into())
}

/// The workflow with this number, if it is seen.
pub(crate) fn by_id(sql: &mut dyn Sql, sight: Sight, id: i64) -> Answer<Found> {
    let found = numbered(sql, sight, id)?;
    Ok(found.ok_or_else(|| CatalogError::NoWorkflow(id.to_string()))?)
}

fn numbered(sql: &mut dyn Sql, sight: Sight, id: i64) -> Answer<Option<Found>> {
    let mut statement = Statement::default();
    statement.add(SELECT).add("w.id = ").number(id);
    sight.workflow(&mut statement);
    statement.first(sql)?.map(|row| found(&row, sight)).transpose()
}

/// The same, of those that who asks may change.
pub(crate) fn resolve_own(sql: &mut dyn Sql, sight: Sight, which: &str, what: &str) -> Answer<i64> {
    let found = resolve(sql, sight, which)?;
    if found.is_own {
        return Ok(found.id);
    }
    let user = user_name(sql, sight)?;
    let what = format!("{what} workflow `{which}`, which is registered by a program");
    Err(CatalogError::Forbidden { user, what, cure: "ask a member of the staff" }.into())
}

fn user_name(sql: &mut dyn Sql, sight: Sight) -> Answer<String> {
    let mut statement = Statement::default();
    statement.add("SELECT username FROM accounts_user WHERE id = ");
    statement.number(sight.user().unwrap_or_default());
    Ok(statement.first(sql)?.map(|row| row.text(0)).transpose()?.unwrap_or_default())
}

fn by_text(sight: Sight, column: &str, which: &str) -> Statement {
    let mut statement = Statement::default();
    statement.add(SELECT).add(column).text(which);
    sight.workflow(&mut statement);
    statement.add(" ORDER BY w.id LIMIT 10");
    statement
}

fn found(row: &Row, sight: Sight) -> Answer<Found> {
    let is_own = sight == Sight::All || row.maybe_int(3)? == sight.user();
    Ok(Found { id: row.int(0)?, is_own })
}

fn ambiguous(wanted: &str, rows: &[Row]) -> Answer<CatalogError> {
    let mut candidates = Vec::with_capacity(rows.len());
    for row in rows {
        let project = match row.maybe_text(2)? {
            Some(project) => format!(" in {project}"),
            None => String::new(),
        };
        candidates.push(format!("{} ({}{project})", row.int(0)?, row.text(1)?));
    }
    Ok(CatalogError::Ambiguous { wanted: wanted.to_owned(), candidates })
}

const SELECT: &str = "SELECT w.id, w.name, w.project, w.user_id FROM workflows_workflow w WHERE ";

/// The statements of this file, for the test that looks at their plans.
#[cfg(test)]
pub(crate) fn statements() -> Vec<(String, Statement)> {
    let sights = [Sight::All, Sight::User(1)];
    let columns = ["w.slug = ", "w.name = "];
    let of =
        |sight| columns.map(|column| (format!("{column}{sight:?}"), by_text(sight, column, "a")));
    sights.into_iter().flat_map(of).collect()
}
