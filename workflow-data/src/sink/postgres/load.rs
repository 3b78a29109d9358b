//! The thread that loads a table: one connection, one transaction.

use std::fmt;
use std::sync::mpsc::{Receiver, Sender};

use arrow_array::RecordBatch;
use bytes::Bytes;
use futures::SinkExt;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use super::super::cursor::{self, CursorName, Saved};
use super::super::table::{Table, quoted};
use super::Command;
use crate::postgres::{Server, reason};
use crate::text::io_reason;

/// The statements of a load.
pub(super) struct Plan {
    /// The name of the table, as it is and in quotes.
    pub(super) name: String,
    pub(super) table: String,
    pub(super) columns: Vec<String>,
    pub(super) create: String,
    /// Puts the table that was created in place of the old one.
    pub(super) replace: Option<String>,
    pub(super) copy: String,
    /// The name of the table that `copy` loads, without quotes.
    pub(super) target: String,
    pub(super) merge: Option<Merge>,
}

/// The statements that merge by a key.
pub(super) struct Merge {
    pub(super) key: Vec<String>,
    /// The name of the index that finds records by the key, and the statement that creates it.
    pub(super) index_name: String,
    pub(super) index: String,
    pub(super) stage: String,
    pub(super) insert: String,
}

/// Why a load fails.
#[derive(Debug)]
pub(super) enum Failure {
    /// The table lacks this column of the records.
    MissingColumn(String),
    /// Records that are there have the same key.
    NotUnique,
    /// A record has a key of the table, with its index in its batch if the server names it.
    Repeated { reason: String, line: Option<usize> },
    /// Anything else, with the index of the record in its batch if the server names it.
    Other { reason: String, line: Option<usize> },
}

impl Failure {
    pub(super) fn other(reason: impl Into<String>) -> Self {
        Self::Other { reason: reason.into(), line: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingColumn(name) => write!(f, "the table has no column `{name}`"),
            Self::NotUnique => f.write_str("the key is not unique"),
            Self::Repeated { reason, .. } | Self::Other { reason, .. } => f.write_str(reason),
        }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::other(reason(&error))
    }
}

/// The index of the record in `COPY table, line 2, column id: "x"`.
fn line_of(context: &str, table: &str) -> Option<usize> {
    let line = context.strip_prefix("COPY ")?.strip_prefix(table)?.strip_prefix(", line ")?;
    let digits = line.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse::<usize>().ok()?.checked_sub(1)
}

/// Opens the table, and does what it is told until the commit. Answers each step.
pub(super) fn run(
    server: &Server,
    plan: &Plan,
    commands: &Receiver<Command>,
    answers: &Sender<Result<(), Failure>>,
) {
    let result = block_on(load(server, plan, commands, answers));
    // If nobody listens, the run has ended for another reason.
    let _ = answers.send(result);
}

fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::other(io_reason(&error)))?.block_on(work)
}

/// Another transaction that never ends would block this one forever.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '60s'";

async fn load(
    server: &Server,
    plan: &Plan,
    commands: &Receiver<Command>,
    answers: &Sender<Result<(), Failure>>,
) -> Result<(), Failure> {
    let client = connect(server).await?;
    open(&client, plan).await?;
    loop {
        let is_wanted = answers.send(Ok(())).is_ok();
        // The sink was dropped: the server rolls back.
        let Ok(command) = commands.recv() else { return Ok(()) };
        match command {
            _ if !is_wanted => return Ok(()),
            Command::Rows(rows) => copy(&client, plan, rows).await?,
            Command::Commit(cursor) => return commit(&client, plan, cursor).await,
        }
    }
}

async fn connect(server: &Server) -> Result<Client, Failure> {
    let (client, _) = server.connect().await.map_err(Failure::other)?;
    Ok(client)
}

/// The cursor of a table that is there.
pub(super) fn saved_cursor(
    server: &Server,
    table: &str,
    name: &CursorName,
) -> Result<Option<String>, Failure> {
    block_on(async {
        let client = connect(server).await?;
        // Somebody who removes the table wants all records again.
        let exist = "SELECT to_regclass($1) IS NOT NULL \
            AND to_regclass('workflow_cursors') IS NOT NULL";
        let exist = client.query_one(exist, &[&quoted(table)]).await?;
        if !exist.try_get::<_, bool>(0)? {
            return Ok(None);
        }
        let key: [&(dyn ToSql + Sync); 3] = [&name.pipeline, &name.source, &table];
        let row = client.query_opt(cursor::SELECT, &key).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    })
}

/// The columns of a table with the names of their types; none if it is not there.
pub(super) fn column_types(server: &Server, table: &str) -> Result<Vec<(String, String)>, Failure> {
    block_on(async {
        let client = connect(server).await?;
        let types = "SELECT attname::text, atttypid::regtype::text FROM pg_attribute \
            WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped";
        let types = client.query(types, &[&table]).await?;
        types.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    })
}

/// Removes all records of a table. False if it is not there, or has other columns.
pub(super) fn clear(
    server: &Server,
    table: &Table,
    empty: Option<&RecordBatch>,
) -> Result<bool, Failure> {
    block_on(async {
        let client = connect(server).await?;
        client.batch_execute(LOCK_TIMEOUT).await?;
        let known = known_columns(&client, &table.quoted()).await?;
        let stays = table.stays(&known, empty);
        if stays {
            client.batch_execute(&table.clear_sql()).await?;
        }
        Ok(stays)
    })
}

async fn open(client: &Client, plan: &Plan) -> Result<(), Failure> {
    client.batch_execute("BEGIN").await?;
    client.batch_execute(LOCK_TIMEOUT).await?;
    if plan.replace.is_some() {
        // Beside the old table, which others can read until the commit.
        return Ok(client.batch_execute(&plan.create).await?);
    }
    // Even `IF NOT EXISTS` needs the right to create tables, and looks in one schema only.
    if known_columns(client, &plan.table).await?.is_empty() {
        client.batch_execute(&plan.create).await?;
    }
    let known = known_columns(client, &plan.table).await?;
    if let Some(missing) = plan.columns.iter().find(|column| !known.contains(column)) {
        return Err(Failure::MissingColumn(missing.clone()));
    }
    let Some(merge) = &plan.merge else { return Ok(()) };
    // An index that earlier loads made for another key would refuse records.
    let others = "SELECT c.oid::regclass::text FROM pg_index i \
        JOIN pg_class c ON c.oid = i.indexrelid \
        WHERE i.indrelid = to_regclass($1) AND c.relname ~ '^workflow_key_[0-9a-f]{32}$' \
        AND c.relname <> $2";
    for other in client.query(others, &[&plan.table, &merge.index_name]).await? {
        let drop = format!("DROP INDEX {}", other.try_get::<_, &str>(0)?);
        client.batch_execute(&drop).await?;
    }
    // A primary key serves as well, and the table may belong to somebody else.
    let fits = "SELECT 1 FROM pg_index i WHERE indrelid = to_regclass($1) \
        AND indisunique AND indisvalid AND indpred IS NULL AND indexprs IS NULL \
        AND indnkeyatts = indnatts \
        AND (SELECT array_agg(attname::text ORDER BY attname::text COLLATE \"C\") \
             FROM pg_attribute a \
             WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])) = $2::text[]";
    let mut key = merge.key.clone();
    key.sort_unstable();
    if client.query(fits, &[&plan.table, &key]).await?.is_empty() {
        client.batch_execute(&merge.index).await.map_err(|error| match error.code() {
            Some(&SqlState::UNIQUE_VIOLATION) => Failure::NotUnique,
            _ => error.into(),
        })?;
    }
    Ok(client.batch_execute(&merge.stage).await?)
}

/// The columns of the table; none if it is not there.
async fn known_columns(client: &Client, table: &str) -> Result<Vec<String>, Failure> {
    let known = "SELECT attname::text FROM pg_attribute \
        WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped";
    let known = client.query(known, &[&table]).await?;
    Ok(known.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

async fn copy(client: &Client, plan: &Plan, rows: Vec<u8>) -> Result<(), Failure> {
    let sink = client.copy_in(plan.copy.as_str()).await?;
    let mut sink = std::pin::pin!(sink);
    let sent = match sink.send(Bytes::from(rows)).await {
        Ok(()) => sink.as_mut().finish().await,
        Err(error) => Err(error),
    };
    sent.map(|_| ()).map_err(|error| {
        let context = error.as_db_error().and_then(|error| error.where_());
        let line = context.and_then(|context| line_of(context, &plan.target));
        let reason = reason(&error);
        match error.code() {
            Some(&SqlState::UNIQUE_VIOLATION) => Failure::Repeated { reason, line },
            _ => Failure::Other { reason, line },
        }
    })
}

async fn commit(client: &Client, plan: &Plan, saved: Option<Saved>) -> Result<(), Failure> {
    if let Some(replace) = &plan.replace {
        client.batch_execute(replace).await?;
    }
    if let Some(merge) = &plan.merge {
        client.batch_execute(&merge.insert).await?;
    }
    if let Some(Saved { name, value }) = saved {
        let is_missing = "SELECT to_regclass('workflow_cursors') IS NULL";
        if client.query_one(is_missing, &[]).await?.try_get(0)? {
            client.batch_execute(cursor::CREATE).await?;
        }
        let row: [&(dyn ToSql + Sync); 4] = [&name.pipeline, &name.source, &plan.name, &value];
        client.execute(cursor::SAVE, &row).await?;
    }
    Ok(client.batch_execute("COMMIT").await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_names_the_line() {
        let line = |context| line_of(context, "orders");
        assert_eq!(line("COPY orders, line 2, column price: \"a, line 7\""), Some(1));
        assert_eq!(line("COPY orders, line 1"), Some(0));
        assert_eq!(line("COPY orders"), None);
        assert_eq!(line("SQL function"), None);
    }
}
