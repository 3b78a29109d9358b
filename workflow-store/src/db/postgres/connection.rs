//! A connection to PostgreSQL with the runtime that drives it while its thread waits for results.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use futures::future::{MaybeDone, maybe_done};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Statement};
use workflow_core::error_text::io_reason;
use workflow_postgres::{Address, Connector};

use super::cancel::Canceller;
use super::error::{explain, invalid_address, unreachable};
use super::migrate::migrate;
use super::schema::settle;
use crate::db::connect::Purpose;
use crate::db::deadline::{Deadline, READ_TIME};
use crate::db::sql::{Dialect, Sql, SqlError, SqlKind};
use crate::db::value::{Row, Value};

/// The most prepared statements of a connection.
const STATEMENTS: usize = 400;

struct PostgresConnection {
    runtime: Runtime,
    client: Client,
    statements: HashMap<String, Statement>,
    name: String,
    /// Whether a transaction begins together with the next statement, which saves a round trip.
    is_beginning: bool,
    canceller: Canceller,
}

/// A process that stops in the middle of a transaction must not block others that recover its runs,
/// nor let them wait forever.
const SETTINGS: &str = "SET TIME ZONE 'UTC'; \
    SET idle_in_transaction_session_timeout = '2s'; SET lock_timeout = '10s'";

/// Writes use indexes, however small a table was when the statement was planned. Without an index,
/// the cost must not trigger compilation of the plan.
const WRITER: &str = "SET lock_timeout = '10s'; SET jit = off; \
    SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off";

/// Limits long queries, which occupy a connection even after this process has ended.
fn reader() -> String {
    format!("SET statement_timeout = '{}s'", READ_TIME.as_secs())
}

/// Opens a connection. That of the writer migrates the schema.
pub(crate) fn open(
    address: &Address,
    name: &str,
    purpose: Purpose,
) -> Result<Box<dyn Sql>, SqlError> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
        let reason = io_reason(&error);
        let text = format!("cannot start the runtime of the connection to `{name}`: {reason}");
        SqlError::new(SqlKind::Unavailable, text)
    })?;
    let explained = |error: Error| explain(&error, name);
    let connector = Connector::new(address).map_err(invalid_address)?;
    let client = runtime.block_on(async {
        let connected = address.config.connect(connector.clone()).await;
        let (mut client, connection) =
            connected.map_err(|error| unreachable(&error, &address.config, name))?;
        // The next request reports its error.
        tokio::spawn(connection);
        client.batch_execute(SETTINGS).await.map_err(explained)?;
        settle(&client, name).await?;
        if purpose == Purpose::Write {
            // A migration in another process may take long.
            client.batch_execute("SET lock_timeout = 0").await.map_err(explained)?;
            migrate(&mut client, name).await?;
            client.batch_execute(WRITER).await.map_err(explained)?;
        } else {
            client.batch_execute(&reader()).await.map_err(explained)?;
        }
        Ok::<_, SqlError>(client)
    })?;
    let (name, statements) = (name.to_owned(), HashMap::new());
    Ok(Box::new(PostgresConnection {
        runtime,
        client,
        statements,
        name,
        is_beginning: false,
        canceller: Canceller::new(connector),
    }))
}

impl PostgresConnection {
    fn prepare(&mut self, sql: &str) -> Result<Statement, SqlError> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let (client, name) = (&self.client, &self.name);
        // It waits for locks, as the statement does.
        let prepared = self.canceller.complete(client, name, client.prepare(sql));
        let prepared = self.runtime.block_on(prepared);
        let statement = prepared.map_err(|error| explain(&error, &self.name))?;
        if self.statements.len() >= STATEMENTS {
            self.statements.clear();
        }
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    /// Runs the work, after the beginning of a transaction if that is pending.
    fn after_begin<'a, T>(
        &'a mut self,
        work: impl FnOnce(&'a Client) -> Vec<Work<'a, T>>,
    ) -> Result<Vec<T>, SqlError> {
        let begin = std::mem::take(&mut self.is_beginning);
        let (client, name) = (&self.client, &self.name);
        let answers = async {
            let mut begin = Box::pin(maybe_done(begun(client, begin)));
            let mut work: Vec<_> =
                work(client).into_iter().map(|work| Box::pin(maybe_done(work))).collect();
            in_order(&mut begin, &mut work).await;
            begin.as_mut().take_output().unwrap_or(Ok(()))?;
            let outputs = work.iter_mut().filter_map(|work| work.as_mut().take_output());
            outputs.collect::<Result<Vec<T>, Error>>()
        };
        let answers = self.runtime.block_on(self.canceller.complete(client, name, answers));
        answers.map_err(|error: Error| explain(&error, name))
    }
}

async fn begun(client: &Client, due: bool) -> Result<(), Error> {
    if due { client.batch_execute("BEGIN").await } else { Ok(()) }
}

type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + 'a>>;

/// Polls all futures in order, so that their requests are sent in order without waiting for
/// responses.
async fn in_order<A: Future, B: Future>(
    first: &mut Pin<Box<MaybeDone<A>>>,
    rest: &mut [Pin<Box<MaybeDone<B>>>],
) {
    poll_fn(|cx| {
        let mut done = first.as_mut().poll(cx).is_ready();
        for work in rest.iter_mut() {
            done &= work.as_mut().poll(cx).is_ready();
        }
        if done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

impl Sql for PostgresConnection {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, SqlError> {
        Ok(self.pipeline(&[(sql, values)])?.first().copied().unwrap_or(0))
    }

    fn query(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, SqlError> {
        let statement = self.prepare(sql)?;
        let rows = self.after_begin(|client| {
            vec![Box::pin(async move { client.query(&statement, &bound(values)).await })]
        })?;
        let row = |row: tokio_postgres::Row| {
            let cells = (0..row.len()).map(|column| row.try_get(column));
            cells.collect::<Result<_, _>>().map(Row)
        };
        let rows: Result<Vec<Row>, Error> = rows.into_iter().flatten().map(row).collect();
        rows.map_err(|error| explain(&error, &self.name))
    }

    fn pipeline(&mut self, statements: &[(&str, &[Value<'_>])]) -> Result<Vec<u64>, SqlError> {
        let mut prepared = Vec::with_capacity(statements.len());
        for (sql, values) in statements {
            prepared.push((self.prepare(sql)?, *values));
        }
        self.after_begin(|client| {
            let work = prepared.into_iter().map(|(statement, values)| {
                let work = async move { client.execute(&statement, &bound(values)).await };
                Box::pin(work) as Work<'_, u64>
            });
            work.collect()
        })
    }

    fn batch(&mut self, sql: &str) -> Result<(), SqlError> {
        match sql {
            "BEGIN" => {
                self.is_beginning = true;
                return Ok(());
            }
            "COMMIT" | "ROLLBACK" if std::mem::take(&mut self.is_beginning) => return Ok(()),
            _ => {}
        }
        self.after_begin(|client| vec![Box::pin(client.batch_execute(sql))]).map(|_| ())
    }

    fn set_deadline(&mut self, deadline: Option<&Deadline>) {
        self.canceller.deadline = deadline.cloned();
    }

    fn is_closed(&self) -> bool {
        self.canceller.has_cancelled || self.client.is_closed()
    }
}

fn bound<'a>(values: &'a [Value<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}
