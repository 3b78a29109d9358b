//! Queries for runs. A page may be merged from several parts, each with an index in the order of
//! time: the runs that a user requested and those of the user's workflows; for a status, those of
//! each spelling that other applications use.

use std::time::SystemTime;

use workflow_core::Status;

use super::resolve::{self, Found, resolve};
use crate::accounts;
use crate::catalog_error::Answer;
use crate::db::sql::Sql;
use crate::db::statement::Statement;
use crate::db::value::to_micros;
use crate::page::Cursor;
use crate::visibility::Visibility;

/// A query for runs: all of its conditions apply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunQuery {
    /// The id, name or slug of the workflow.
    pub workflow: Option<String>,
    /// The number of the workflow.
    pub workflow_id: Option<i64>,
    /// A text that the name of the workflow contains, ignoring ASCII case.
    pub name_contains: Option<String>,
    /// The user who requested the run.
    pub user: Option<String>,
    /// The status.
    pub status: Option<Status>,
    /// The earliest time of the request.
    pub since: Option<SystemTime>,
    /// The time before which the run was requested.
    pub until: Option<SystemTime>,
    /// The idempotency key.
    pub idempotency_key: Option<String>,
    /// Where the page before this one ended.
    pub after: Option<String>,
    /// The size of the page, 1 to 1,000. Default: 50.
    pub limit: Option<usize>,
}

/// The items of a query, looked up.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Within {
    pub(crate) workflow: Option<Found>,
    pub(crate) user: Option<i64>,
}

impl Within {
    /// `None` if no run can match.
    pub(crate) fn of(
        sql: &mut dyn Sql,
        visibility: Visibility,
        query: &RunQuery,
    ) -> Answer<Option<Self>> {
        let mut workflow = match &query.workflow {
            Some(which) => Some(resolve(sql, visibility, which)?),
            None => None,
        };
        if let Some(id) = query.workflow_id {
            if workflow.is_some_and(|found| found.id != id) {
                return Ok(None);
            }
            workflow = Some(resolve::by_id(sql, visibility, id)?);
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

/// Builds the statement that reads columns of at most `size` runs `r`, newest first.
pub(crate) fn select(
    read: &str,
    query: &RunQuery,
    visibility: Visibility,
    within: Within,
    after: Option<&Cursor>,
    size: usize,
) -> Answer<Statement> {
    let mut statement = Statement::default();
    statement.add("SELECT ").add(read).add(" WHERE ");
    let filter = Filter { query, within, after, size };
    match parts(query, visibility, within).as_slice() {
        [part] => filter.add(&mut statement, *part)?,
        parts => {
            statement.add("r.id IN (");
            for (at, part) in parts.iter().enumerate() {
                statement.add(if at > 0 { " UNION " } else { "" });
                filter.page(&mut statement, *part)?;
            }
            statement.add(")");
        }
    }
    statement.add(ORDERED).number(size as i64);
    Ok(statement)
}

/// Runs in the order of one index.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// The column with this user's number.
    user: Option<(&'static str, i64)>,
    status: Option<Spelling>,
}

/// A spelling of a status in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    Text(&'static str),
    /// NULL, which means pending.
    Null,
}

impl Spelling {
    /// All spellings of this status.
    pub(crate) fn all(status: Status) -> impl Iterator<Item = Self> {
        let null = (status == Status::Pending).then_some(Self::Null);
        status.spellings().iter().map(|text| Self::Text(text)).chain(null)
    }

    /// Adds the condition that the run `r` has it.
    pub(crate) fn add(self, statement: &mut Statement) {
        match self {
            Self::Text(text) => statement.add("r.status = ").text(text),
            Self::Null => statement.add("r.status IS NULL"),
        };
    }
}

/// Adds the condition that the run `r` has a status, in any spelling.
pub(crate) fn add_status(statement: &mut Statement, status: Status) {
    statement.add("(");
    for (at, spelling) in Spelling::all(status).enumerate() {
        statement.add(if at > 0 { " OR " } else { "" });
        spelling.add(statement);
    }
    statement.add(")");
}

fn parts(query: &RunQuery, visibility: Visibility, within: Within) -> Vec<Part> {
    let users = match (visibility, within.workflow) {
        (Visibility::User(user), None) => {
            vec![Some(("r.user_id", user)), Some(("r.workflow_user_id", user))]
        }
        (Visibility::User(user), Some(Found { is_own: false, .. })) => {
            vec![Some(("r.user_id", user))]
        }
        _ => vec![None],
    };
    let statuses = match query.status {
        Some(status) => Spelling::all(status).map(Some).collect(),
        None => vec![None],
    };
    let of = |user| statuses.iter().map(move |status| Part { user, status: *status });
    users.into_iter().flat_map(of).collect()
}

const ORDERED: &str = " ORDER BY r.started_at DESC, r.id DESC LIMIT ";

/// A pattern that matches texts which contain this one.
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

/// The conditions on a run `r`.
struct Filter<'a> {
    query: &'a RunQuery,
    within: Within,
    after: Option<&'a Cursor>,
    size: usize,
}

impl Filter<'_> {
    fn add(&self, statement: &mut Statement, part: Part) -> Answer<()> {
        let query = self.query;
        if let Some((column, user)) = part.user {
            statement.add(column).add(" = ").number(user).add(" AND ");
        }
        if let Some(status) = part.status {
            status.add(statement);
            statement.add(" AND ");
        }
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

    /// The statement for a page of this part.
    fn page(&self, statement: &mut Statement, part: Part) -> Answer<()> {
        statement.add("SELECT id FROM (SELECT r.id FROM workflows_workflowrun r WHERE ");
        self.add(statement, part)?;
        statement.add(ORDERED).number(self.size as i64).add(") AS part");
        Ok(())
    }
}
