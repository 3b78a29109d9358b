//! What a transaction of many operations writes at its end, in one round trip: the rows of runs,
//! each of which must change as foreseen, and the events of all of them at once.

use std::sync::Arc;

use super::append::{Appended, Outcome, Step};
use super::begin::{Beginning, Opening};
use super::encode::{Columns, INSERT_MANY};
use crate::memory::DefinitionIds;
use crate::sql::{Sql, SqlError, SqlKind};

/// Something that is written at the end.
#[derive(Debug)]
pub(crate) enum Late {
    Begin { new: Arc<Beginning>, ids: DefinitionIds, row: i64, outcome: Outcome },
    Append(Arc<Appended>, Step),
}

/// Writes it.
pub(crate) fn write(sql: &mut dyn Sql, late: &[Late]) -> Result<(), SqlError> {
    if late.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = late
        .iter()
        .map(|late| match late {
            Late::Begin { new, ids, row, outcome } => {
                new.statement(&Opening { ids: *ids, outcome, row: Some(*row) })
            }
            Late::Append(_, step) => step.statement(),
        })
        .collect();
    let events = late.iter().flat_map(|late| {
        let (row, events) = match late {
            Late::Begin { new, row, .. } => (*row, &new.events),
            Late::Append(new, step) => (step.row, &new.events),
        };
        events.iter().map(move |event| (row, event))
    });
    let columns = Columns::new(events);
    let events = columns.values();
    let rows = rows.iter().map(|(text, values)| (*text, values.as_slice()));
    let statements: Vec<_> = rows.chain([(INSERT_MANY, events.as_slice())]).collect();
    let changed = sql.pipeline(&statements)?;
    if changed.iter().take(late.len()).all(|count| *count == 1) {
        return Ok(());
    }
    // Each is tried alone then, and the ones at fault get their answers.
    Err(SqlError::new(SqlKind::Conflict, "a run was changed by something else"))
}
