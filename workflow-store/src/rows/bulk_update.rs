//! Updates of many runs in one statement, for PostgreSQL.

use super::step::Step;
use crate::db::value::{Value, signed};

/// Represents NULL in lists of times.
const NEVER: i64 = i64::MIN + 1;

/// Updates of different runs of one owner, as a list for each column.
#[derive(Default)]
pub(crate) struct BulkUpdate<'a> {
    owner: u128,
    changes: bool,
    rows: Vec<i64>,
    tokens: Vec<i64>,
    before: Vec<i64>,
    after: Vec<i64>,
    statuses: Vec<Option<&'a str>>,
    begun: Vec<i64>,
    completed: Vec<i64>,
    errors: Vec<Option<&'a str>>,
    results: Vec<Option<&'a str>>,
}

impl<'a> BulkUpdate<'a> {
    /// Creates an update of rows that all change more than the number of events, or of rows that do
    /// not.
    pub(crate) fn new(owner: u128, changes: bool, steps: &[&'a Step]) -> Self {
        let mut columns = Self { owner, changes, ..Self::default() };
        for step in steps {
            columns.rows.push(step.row);
            columns.tokens.push(signed(step.token));
            columns.before.push(signed(step.before));
            columns.after.push(signed(step.after));
            if changes {
                let outcome = &step.outcome;
                columns.statuses.push(Some(outcome.status.as_str()));
                columns.begun.push(step.begun_at.unwrap_or(NEVER));
                columns.completed.push(outcome.completed_at.unwrap_or(NEVER));
                columns.errors.push(outcome.error.as_deref());
                columns.results.push(Some(outcome.result.as_deref().unwrap_or("{}")));
            }
        }
        columns
    }

    /// The number of rows.
    pub(crate) fn count(&self) -> u64 {
        self.rows.len() as u64
    }

    /// The statement with its parameters.
    pub(crate) fn statement(&self) -> (&'static str, Vec<Value<'_>>) {
        let lists = [&self.rows, &self.tokens, &self.before, &self.after];
        let mut values = vec![Value::Uuid(self.owner)];
        values.extend(lists.map(|list| Value::Ints(list)));
        if self.changes {
            values.extend([
                Value::Texts(&self.statuses),
                Value::Ints(&self.begun),
                Value::Ints(&self.completed),
                Value::Texts(&self.errors),
                Value::Texts(&self.results),
            ]);
        }
        (if self.changes { CHANGE_MANY } else { GROW_MANY }, values)
    }
}

const GROW_MANY: &str = "UPDATE workflows_workflowrun AS r SET events = v.after \
    FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) \
    AS v (id, token, before, after) \
    WHERE r.id = v.id AND r.owner_id = $1 AND r.token = v.token AND r.events = v.before";

// -9223372036854775807 is `NEVER`.
const CHANGE_MANY: &str = "UPDATE workflows_workflowrun AS r SET events = v.after, \
    status = v.status, \
    begun_at = TIMESTAMP 'epoch' \
    + nullif(v.begun, -9223372036854775807) * INTERVAL '1 microsecond', \
    completed_at = TIMESTAMP 'epoch' \
    + nullif(v.completed, -9223372036854775807) * INTERVAL '1 microsecond', \
    error_message = v.error, result_data = v.result::jsonb \
    FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], \
    $7::bigint[], $8::bigint[], $9::text[], $10::text[]) \
    AS v (id, token, before, after, status, begun, completed, error, result) \
    WHERE r.id = v.id AND r.owner_id = $1 AND r.token = v.token AND r.events = v.before";
