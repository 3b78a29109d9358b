//! Messages to runs.

use std::time::SystemTime;

use workflow_core::id::RunId;
use workflow_core::store::{MOST_UNREAD_SIGNALS, Message, MessageKind, OwnerId, StoreError};

use super::eviction;
use crate::db::sql::{Sql, SqlError, SqlKind};
use crate::db::statement::Statement;
use crate::db::value::{Row, Value, to_micros};
use crate::exec::operation::{Answer, Cx};
use crate::visibility::Visibility;

/// Sends a message to a run; signals are only for runs on engines.
pub(crate) fn send(
    cx: &mut Cx<'_>,
    visibility: Visibility,
    run: RunId,
    body: &str,
    is_signal: bool,
) -> Answer<Sent> {
    let mut of = Statement::default();
    of.add(
        "SELECT r.id, r.status, d.fingerprint FROM workflows_workflowrun r \
         LEFT JOIN workflows_definition d ON d.id = r.definition_id WHERE r.run_id = ",
    );
    of.uuid(run.to_u128());
    visibility.run(&mut of);
    let row = of.first(cx.sql)?.ok_or(StoreError::NoRun { run })?;
    let status = super::read::status(&row, 1)?;
    if status.is_final() {
        return Err(StoreError::Ended { run, status }.into());
    }
    if is_signal && super::read::is_external(&row, 2)? {
        return Err(StoreError::External { run }.into());
    }
    if is_signal {
        check_unread(cx.sql, run, row.int(0)?)?;
    }
    // The row of the counter stays locked until the commit, so numbers become visible in order, and
    // no run is evicted meanwhile.
    let number = cx.sql.first(
        "UPDATE workflows_counter SET value = value + 1 WHERE name = 'message' RETURNING value",
        &[],
    )?;
    let number = number.ok_or_else(|| {
        SqlError::new(
            SqlKind::Unusable,
            "table `workflows_counter` has no row `message`; restore the database from a backup",
        )
    })?;
    let number = number.int(0)?;
    let values = [
        Value::Int(number),
        Value::Int(row.int(0)?),
        Value::Text(body),
        Value::Int(to_micros(SystemTime::now())),
    ];
    cx.sql.execute(
        "INSERT INTO workflows_message (number, run, body, at) VALUES ($1, $2, $3, $4)",
        &values,
    )?;
    let wakes = eviction::wake(cx.sql, row.int(0)?)?;
    Ok(Sent { number: number.unsigned_abs(), wakes })
}

/// Checks that not too many signals of a run wait. Its events are only counted if it may matter.
fn check_unread(sql: &mut dyn Sql, run: RunId, id: i64) -> Answer<()> {
    let mut count = |query: &str| match sql.first(query, &[Value::Int(id)])? {
        Some(row) => row.count(0),
        None => Ok(0),
    };
    let sent = count("SELECT count(*) FROM workflows_message WHERE run = $1")?;
    if sent < MOST_UNREAD_SIGNALS {
        return Ok(());
    }
    let received =
        count("SELECT count(*) FROM workflows_event WHERE run = $1 AND kind = 'signal_received'")?;
    match sent.saturating_sub(received) < MOST_UNREAD_SIGNALS {
        true => Ok(()),
        false => Err(StoreError::TooManySignals { run }.into()),
    }
}

/// A message that was sent.
pub(crate) struct Sent {
    pub(crate) number: u64,
    /// Whether an evicted run waits in its task queue now.
    pub(crate) wakes: bool,
}

/// Lets no message be sent until the transaction ends. SQLite has one transaction at a time.
pub(super) fn lock(sql: &mut dyn Sql) -> Result<(), SqlError> {
    if sql.dialect().is_postgres() {
        sql.query("SELECT value FROM workflows_counter WHERE name = 'message' FOR UPDATE", &[])?;
    }
    Ok(())
}

/// The messages after a number for the runs of an owner.
pub(crate) fn inbox(sql: &mut dyn Sql, owner: OwnerId, after: u64) -> Answer<Vec<Message>> {
    let rows = sql.query(INBOX, &[after.into(), Value::Uuid(owner.to_u128())])?;
    rows.iter().map(message).collect()
}

/// The messages for a run.
pub(crate) fn messages(
    sql: &mut dyn Sql,
    visibility: Visibility,
    run: RunId,
) -> Answer<Vec<Message>> {
    messages_of(visibility, run).query(sql)?.iter().map(message).collect()
}

pub(crate) const INBOX: &str = "SELECT m.number, r.run_id, m.body FROM workflows_message m \
    JOIN workflows_workflowrun r ON r.id = m.run \
    WHERE m.number > $1 AND r.owner_id = $2 ORDER BY m.number";

pub(crate) fn messages_of(visibility: Visibility, run: RunId) -> Statement {
    let mut statement = Statement::default();
    statement.add(
        "SELECT m.number, r.run_id, m.body FROM workflows_message m \
         JOIN workflows_workflowrun r ON r.id = m.run WHERE r.run_id = ",
    );
    statement.uuid(run.to_u128());
    visibility.run(&mut statement);
    statement.add(" ORDER BY m.number");
    statement
}

fn message(row: &Row) -> Answer<Message> {
    let kind: MessageKind = workflow_core::json::from_value(row.json(2)?).map_err(|error| {
        let text = format!("cannot read a message ({error}); a newer version may have written it");
        SqlError::new(SqlKind::Unusable, text)
    })?;
    Ok(Message { number: row.count(0)?, run: RunId::from_u128(row.uuid(1)?), kind })
}
