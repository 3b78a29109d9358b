//! Statements for the first rows that wait in the task queues of a tier.

use workflow_core::store::QueueTier;

use crate::db::statement::Statement;

/// The most queues of a statement: each adds to the time of planning it.
const MOST_PARTS: usize = 16;

/// Returns the statements for the first rows of a tier, with a query for each named queue, because
/// an index has its order within a queue. `add` adds a query.
pub(super) fn first(
    tier: &QueueTier<'_>,
    add: impl Fn(&mut Statement, &QueueTier<'_>),
) -> Vec<Statement> {
    let parts: Vec<_> = match tier {
        QueueTier::Named(names) => names.iter().map(|name| QueueTier::Named(vec![name])).collect(),
        others @ QueueTier::AllBut(_) => vec![others.clone()],
    };
    let statement = |parts: &[QueueTier<'_>]| {
        let mut statement = Statement::default();
        for (at, part) in parts.iter().enumerate() {
            statement.add(if at == 0 { "" } else { " UNION ALL " }).add("SELECT * FROM (");
            add(&mut statement, part);
            statement.add(&format!(") AS part{at}"));
        }
        statement
    };
    parts.chunks(MOST_PARTS).map(statement).collect()
}

/// Adds the condition that a column has the name of one of the queues.
pub(super) fn add_queues(statement: &mut Statement, column: &str, queues: &QueueTier<'_>) {
    match queues {
        QueueTier::Named(names) => list(statement.add(column).add(" IN ("), names),
        QueueTier::AllBut(names) if names.is_empty() => statement.add("TRUE"),
        QueueTier::AllBut(names) => list(statement.add(column).add(" NOT IN ("), names),
    };
}

/// Adds texts and a closing bracket.
pub(super) fn list<'s>(
    statement: &'s mut Statement,
    texts: &[impl AsRef<str>],
) -> &'s mut Statement {
    for (at, text) in texts.iter().enumerate() {
        if at > 0 {
            statement.add(", ");
        }
        statement.text(text.as_ref());
    }
    statement.add(")")
}

/// A limit of at least this many rows, as text. PostgreSQL plans a statement again at each call if
/// its limit is a parameter, and few limits are few statements.
pub(super) fn limit(rows: usize) -> String {
    rows.next_power_of_two().to_string()
}
