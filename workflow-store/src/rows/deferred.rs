//! Deferred writes at the end of a batched transaction, in one round trip: the rows of runs, each
//! of which must change as expected, and the events of all of them.

use std::collections::HashMap;
use std::sync::Arc;

use super::beginning::{Admission, Beginning, DefinitionIds, Opening};
use super::bulk_update::BulkUpdate;
use super::event::{Columns, INSERT_MANY};
use super::step::{Appended, Outcome, Step};
use crate::db::sql::{Sql, SqlError, SqlKind};
use crate::db::value::Value;

/// A deferred write.
#[derive(Debug)]
pub(crate) enum DeferredWrite {
    Begin {
        new: Arc<Beginning>,
        ids: DefinitionIds,
        row: i64,
        outcome: Outcome,
        admission: Admission,
    },
    Append(Arc<Appended>, Step),
}

/// Writes deferred rows and then other statements, in the same round trip.
pub(crate) fn write(
    sql: &mut dyn Sql,
    deferred: &[DeferredWrite],
    more: &[(&str, &[Value<'_>])],
) -> Result<(), SqlError> {
    if deferred.is_empty() {
        return if more.is_empty() { Ok(()) } else { sql.pipeline(more).map(|_| ()) };
    }
    let Rows { alone, together } = Rows::of(deferred);
    let rows = alone.iter().map(|write| match write {
        DeferredWrite::Begin { new, ids, row, outcome, admission } => new.statement(&Opening {
            ids: *ids,
            outcome,
            row: Some(*row),
            scope: None,
            admission: *admission,
        }),
        DeferredWrite::Append(_, step) => step.statement(),
    });
    // New runs come first: later rows may belong to them.
    let rows: Vec<_> = rows.chain(together.iter().map(BulkUpdate::statement)).collect();
    let wanted = alone.iter().map(|_| 1).chain(together.iter().map(BulkUpdate::count));
    let events = deferred.iter().flat_map(|write| {
        let (row, events) = match write {
            DeferredWrite::Begin { new, row, .. } => (*row, &new.events),
            DeferredWrite::Append(new, step) => (step.row, &new.events),
        };
        events.iter().map(move |event| (row, event))
    });
    let columns = Columns::new(events);
    let events = columns.values();
    let rows = rows.iter().map(|(text, values)| (*text, values.as_slice()));
    let events = [(INSERT_MANY, events.as_slice())];
    let statements: Vec<_> = rows.chain(events).chain(more.iter().copied()).collect();
    let changed = sql.pipeline(&statements)?;
    if wanted.zip(changed).all(|(wanted, changed)| wanted == changed) {
        return Ok(());
    }
    // Each operation is then retried alone, and the failing ones get their errors.
    Err(SqlError::new(SqlKind::Conflict, "another process changed a run"))
}

/// How rows of runs are written: one statement for each, in order, or one for many.
struct Rows<'a> {
    alone: Vec<&'a DeferredWrite>,
    together: Vec<BulkUpdate<'a>>,
}

impl<'a> Rows<'a> {
    fn of(deferred: &'a [DeferredWrite]) -> Self {
        // A statement changes a row only once.
        let mut times: HashMap<i64, usize> = HashMap::new();
        for write in deferred {
            if let DeferredWrite::Append(_, step) = write {
                *times.entry(step.row).or_default() += 1;
            }
        }
        let owner = deferred.iter().find_map(|write| match write {
            DeferredWrite::Append(_, step) => Some(step.owner),
            DeferredWrite::Begin { .. } => None,
        });
        let (mut alone, mut growing, mut changing) = (Vec::new(), Vec::new(), Vec::new());
        for write in deferred {
            match write {
                DeferredWrite::Append(_, step)
                    if times[&step.row] == 1 && Some(step.owner) == owner =>
                {
                    if step.changes { &mut changing } else { &mut growing }.push(step);
                }
                _ => alone.push(write),
            }
        }
        let mut together = Vec::new();
        for (changes, steps) in [(false, growing), (true, changing)] {
            if let (Some(owner), [_, ..]) = (owner, steps.as_slice()) {
                together.push(BulkUpdate::new(owner, changes, &steps));
            }
        }
        Self { alone, together }
    }
}
