//! What a program outside says of a run that no engine drives.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use serde_json::Value as Json;
use workflow_core::{Event, EventKind, Lease, OwnerId, RunId, Status, StoreError};

use super::append::{Appended, append};
use super::lease::{judge, lock};
use crate::catalog::CatalogError;
use crate::liveness::Liveness;
use crate::operation::{Answer, Cx};
use crate::sight::Sight;
use crate::sql::{SqlError, SqlKind};
use crate::statement::Statement;
use crate::value::Value;

/// What is said.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) status: Status,
    pub(crate) result: Option<Json>,
    pub(crate) error: Option<String>,
}

impl Said {
    /// Sees to it that there is a result of what completed only, and an error of what failed.
    pub(crate) fn check(&self) -> Result<(), CatalogError> {
        let unfit = |field, cure| {
            let found = format!("given for a run that is {}", self.status);
            Err(CatalogError::Invalid { field, found, cure })
        };
        match self {
            Self { status: Status::Skipped, .. } => {
                unfit("the status", "give running, completed, failed or cancelled")
            }
            Self { result: Some(_), status, .. } if *status != Status::Completed => {
                unfit("the result", "leave it away, or say that the run is completed")
            }
            Self { error: Some(_), status, .. } if *status != Status::Failed => {
                unfit("the error", "leave it away, or say that the run is failed")
            }
            _ => Ok(()),
        }
    }

    fn event(&self) -> EventKind {
        match self.status {
            Status::Completed => {
                EventKind::RunCompleted { output: self.result.clone().map(Arc::new) }
            }
            Status::Failed => {
                let reason = self.error.clone().unwrap_or_else(|| "no reason was given".to_owned());
                EventKind::RunFailed { reason }
            }
            Status::Cancelled => EventKind::RunCancelled,
            _ => EventKind::RunStarted { repeats: None },
        }
    }
}

/// Records it: makes a lease, appends an event under it, and gives the run back.
pub(crate) fn report(
    cx: &mut Cx<'_>,
    sight: Sight,
    liveness: &Mutex<Liveness>,
    run: RunId,
    said: &Said,
) -> Answer<()> {
    lock(cx.sql)?;
    let alive = judge(cx.sql, liveness)?.alive;
    let mut of = Statement::default();
    of.add(
        "SELECT r.id, r.status, r.events, r.token, r.owner_id \
         FROM workflows_workflowrun r WHERE r.run_id = ",
    );
    of.uuid(run.to_u128());
    sight.run(&mut of);
    let row = of.first(cx.sql)?.ok_or(CatalogError::NoRun(run))?;
    let (id, status, events, token) =
        (row.int(0)?, super::status(&row, 1)?, row.count(2)?, row.count(3)?);
    let changed = status.check_change(said.status);
    changed.map_err(|error| StoreError::Transition { run, error })?;
    if status == said.status {
        return unchanged(said);
    }
    let owner = row.maybe_uuid(4)?.map(OwnerId::from_u128);
    if owner.is_some_and(|owner| alive.contains_key(&owner)) {
        return Err(CatalogError::Driven(run).into());
    }
    let lease = Lease { run, owner: OwnerId::random(), token: token + 1 };
    take(cx, id, &lease)?;
    let event = Event::new(events, SystemTime::now(), said.event());
    append(cx, &Arc::new(Appended::new(&lease, &[event])?))?;
    give_back(cx, id, run)
}

/// What is said again of a run that has ended changes nothing.
fn unchanged(said: &Said) -> Answer<()> {
    if said.result.is_none() && said.error.is_none() {
        return Ok(());
    }
    Err(CatalogError::Invalid {
        field: "the outcome",
        found: format!("of a run that is {} already", said.status),
        cure: "leave it as it is: what is on record of a run never changes",
    }
    .into())
}

fn take(cx: &mut Cx<'_>, id: i64, lease: &Lease) -> Answer<()> {
    let values = [Value::Uuid(lease.owner.to_u128()), lease.token.into(), Value::Int(id)];
    let taken = "UPDATE workflows_workflowrun SET owner_id = $1, token = $2 WHERE id = $3";
    if cx.sql.execute(taken, &values)? == 1 {
        return Ok(());
    }
    let text = format!("run {} was deleted meanwhile", lease.run);
    Err(SqlError::new(SqlKind::Conflict, text).into())
}

fn give_back(cx: &mut Cx<'_>, id: i64, run: RunId) -> Answer<()> {
    let values = [Value::Int(id)];
    cx.sql.execute("UPDATE workflows_workflowrun SET owner_id = NULL WHERE id = $1", &values)?;
    cx.memory.forget_run(run);
    Ok(())
}
