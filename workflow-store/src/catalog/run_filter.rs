//! Which runs are asked for. Of what a user sees, an index in the order of time leads to each
//! half: the runs that they asked for, and those of their workflows.

use std::time::SystemTime;

use workflow_core::Status;

use super::page::Cursor;
use super::resolve::{self, Found, resolve};
use crate::accounts;
use crate::operation::Answer;
use crate::sight::Sight;
use crate::sql::Sql;
use crate::statement::Statement;
use crate::value::to_micros;

/// Which runs are asked for: those to which all of this applies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunQuery {
    /// They are of this workflow: its id, name or slug.
    pub workflow: Option<String>,
    /// They are of the workflow with this number.
    pub workflow_id: Option<i64>,
    /// The names of their workflows contain this text, whatever the case of ASCII letters.
    pub name_contains: Option<String>,
    /// This user asked for them.
    pub user: Option<String>,
    /// They stand there.
    pub status: Option<Status>,
    /// They were asked for at this time or later.
    pub since: Option<SystemTime>,
    /// They were asked for before this time.
    pub until: Option<SystemTime>,
    /// They began under this key.
    pub idempotency_key: Option<String>,
    /// Where the page before this one ended.
    pub after: Option<String>,
    /// How many, 1 to 1,000. Default: 50.
    pub limit: Option<usize>,
}

/// What a query names, looked up.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Within {
    pub(crate) workflow: Option<Found>,
    pub(crate) user: Option<i64>,
}

impl Within {
    /// Nothing, when no run can be meant.
    pub(crate) fn of(sql: &mut dyn Sql, sight: Sight, query: &RunQuery) -> Answer<Option<Self>> {
        let mut workflow = match &query.workflow {
            Some(which) => Some(resolve(sql, sight, which)?),
            None => None,
        };
        if let Some(id) = query.workflow_id {
            if workflow.is_some_and(|found| found.id != id) {
                return Ok(None);
            }
            workflow = Some(resolve::by_id(sql, sight, id)?);
        }
        let user = match &query.user {
            None => None,
            Some(name) => match accounts::number(sql, name)? {
                Some(user) => Some(user),
                None => return Ok(None),
            },
        };
        Ok(Some(Self { workflow, user }))
    }
}

/// Puts the statement together: what is read of which tables, of `size` runs `r` at most, newest
/// first.
pub(crate) fn select(
    read: &str,
    query: &RunQuery,
    sight: Sight,
    within: Within,
    after: Option<&Cursor>,
    size: usize,
) -> Answer<Statement> {
    let mut statement = Statement::default();
    statement.add("SELECT ").add(read).add(" WHERE ");
    let filter = Filter { query, within, after, size };
    match (sight, within.workflow) {
        (Sight::User(user), None) => {
            // Each half by an index in the order of the list, as far as a page goes.
            statement.add("r.id IN (");
            filter.half(&mut statement, "r.user_id", user)?;
            statement.add(" UNION ");
            filter.half(&mut statement, "r.workflow_user_id", user)?;
            statement.add(")");
        }
        (Sight::User(user), Some(Found { is_own: false, .. })) => {
            statement.add("r.user_id = ").number(user).add(" AND ");
            filter.add(&mut statement)?;
        }
        _ => filter.add(&mut statement)?,
    }
    statement.add(ORDERED).number(size as i64);
    Ok(statement)
}

const ORDERED: &str = " ORDER BY r.started_at DESC, r.id DESC LIMIT ";

/// A pattern for what contains this text.
fn contains(text: &str) -> String {
    let mut pattern = String::from("%");
    for character in text.to_lowercase().chars() {
        if matches!(character, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(character);
    }
    pattern + "%"
}

/// What applies to a run `r`.
struct Filter<'a> {
    query: &'a RunQuery,
    within: Within,
    after: Option<&'a Cursor>,
    size: usize,
}

impl Filter<'_> {
    fn add(&self, statement: &mut Statement) -> Answer<()> {
        let query = self.query;
        if let Some(workflow) = self.within.workflow {
            statement.add("r.workflow_id = ").number(workflow.id).add(" AND ");
        }
        if let Some(text) = &query.name_contains {
            statement
                .add("r.workflow_id IN (SELECT id FROM workflows_workflow WHERE lower(name) LIKE ");
            statement.text(&contains(text)).add(" ESCAPE '!') AND ");
        }
        if let Some(user) = self.within.user {
            statement.add("r.user_id = ").number(user).add(" AND ");
        }
        if let Some(key) = &query.idempotency_key {
            statement.add("r.idempotency_key = ").text(key).add(" AND ");
        }
        if let Some(status) = query.status {
            statement.add("r.status = ").text(status.as_str()).add(" AND ");
        }
        if let Some(since) = query.since {
            statement.add("r.started_at >= ").time(to_micros(since)).add(" AND ");
        }
        if let Some(until) = query.until {
            statement.add("r.started_at < ").time(to_micros(until)).add(" AND ");
        }
        if let Some(after) = self.after {
            statement.add("(r.started_at, r.id) < (").time(after.number()?);
            statement.add(", ").number(after.id).add(") AND ");
        }
        statement.add("1 = 1");
        Ok(())
    }

    /// The ids of a page of those that are a user's by this column.
    fn half(&self, statement: &mut Statement, column: &str, user: i64) -> Answer<()> {
        statement.add("SELECT id FROM (SELECT r.id FROM workflows_workflowrun r WHERE ");
        statement.add(column).add(" = ").number(user).add(" AND ");
        self.add(statement)?;
        statement.add(ORDERED).number(self.size as i64).add(") AS half");
        Ok(())
    }
}
