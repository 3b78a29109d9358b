//! The threads of a store: one writer and some readers, each with its own connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::db::connect::Connect;
use crate::db::deadline::{Deadline, READ_TIME};
use crate::db::sql::{Sql, SqlError, SqlKind};
use crate::exec::operation::{Cx, Operation, OperationFailure, TxMode, operation, shut};
use crate::exec::queue::Queue;
use crate::exec::reader::Reader;
use crate::exec::watcher::Watcher;
use crate::exec::writer::Writer;
use workflow_core::error_text::io_reason;

/// The threads and their queues. On drop, they finish the queued operations and end.
pub(crate) struct ConnectionPool {
    writes: Arc<Queue<Box<dyn Operation>>>,
    /// The same as `writes` if there are no readers.
    reads: Arc<Queue<Box<dyn Operation>>>,
    /// Reads that must not wait behind slow queries: those of the engine, and health checks. The
    /// same as `writes` if there are no readers.
    vital: Arc<Queue<Box<dyn Operation>>>,
    threads: Vec<JoinHandle<()>>,
    watcher: Watcher,
    /// Set by the writer: whether the store was unavailable for the last transaction.
    is_failing: Arc<AtomicBool>,
}

impl ConnectionPool {
    /// Starts a writer, the readers, and one more reader for vital reads; or only a writer that
    /// does everything.
    pub(crate) fn start<C: Connect>(connect: &C, readers: usize) -> Result<Self, SqlError> {
        let writes = Arc::new(Queue::new());
        let queue = || if readers == 0 { writes.clone() } else { Arc::new(Queue::new()) };
        let (reads, vital) = (queue(), queue());
        let mut pool = Self {
            writes: writes.clone(),
            reads: reads.clone(),
            vital: vital.clone(),
            threads: Vec::new(),
            watcher: Watcher::new(connect),
            is_failing: Arc::default(),
        };
        let is_failing = Arc::clone(&pool.is_failing);
        let writer = connect.clone();
        pool.spawn("workflow-store-writer", move || {
            Writer::new(writer, is_failing).serve(&writes)
        })?;
        let vital = std::iter::repeat_n(vital, readers.min(1));
        for queue in std::iter::repeat_n(reads, readers).chain(vital) {
            let reader = connect.clone();
            pool.spawn("workflow-store-reader", move || Reader::new(reader).serve(&queue))?;
        }
        Ok(pool)
    }

    /// Whether the last write failed because the store was unavailable.
    pub(crate) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// What notices additions to task queues.
    pub(crate) fn watcher(&self) -> &Watcher {
        &self.watcher
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), SqlError> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
        let thread = thread.map_err(|error| {
            let text = format!("cannot start a thread for the store: {}", io_reason(&error));
            SqlError::new(SqlKind::Unavailable, text)
        });
        self.threads.push(thread?);
        Ok(())
    }

    /// Runs an operation in a transaction, together with other queued ones.
    pub(crate) async fn write<T, E, F>(&self, tx_mode: TxMode, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: OperationFailure,
        F: FnMut(&mut Cx<'_>) -> Result<T, E> + Send + 'static,
    {
        ask(&self.writes, tx_mode, work).await
    }

    /// Runs a read, for at most [`READ_TIME`]. It is stopped when the future is dropped.
    pub(crate) async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: OperationFailure,
        F: FnMut(&mut dyn Sql) -> Result<T, E> + Send + 'static,
    {
        read(&self.reads, READ_TIME, work).await
    }

    /// Runs a quick read that must not wait behind slow queries.
    pub(crate) async fn read_vital<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: OperationFailure,
        F: FnMut(&mut dyn Sql) -> Result<T, E> + Send + 'static,
    {
        read(&self.vital, READ_TIME, work).await
    }
}

async fn read<T, E, F>(
    queue: &Queue<Box<dyn Operation>>,
    time: Duration,
    mut work: F,
) -> Result<T, E>
where
    T: Send + 'static,
    E: OperationFailure,
    F: FnMut(&mut dyn Sql) -> Result<T, E> + Send + 'static,
{
    let (deadline, _waits) = Deadline::after(time);
    let limited = move |cx: &mut Cx<'_>| {
        deadline.check()?;
        cx.sql.set_deadline(Some(&deadline));
        let answer = work(cx.sql);
        cx.sql.set_deadline(None);
        answer
    };
    ask(queue, TxMode::Batched, limited).await
}

async fn ask<T, E, F>(queue: &Queue<Box<dyn Operation>>, tx_mode: TxMode, work: F) -> Result<T, E>
where
    T: Send + 'static,
    E: OperationFailure,
    F: FnMut(&mut Cx<'_>) -> Result<T, E> + Send + 'static,
{
    let (operation, receiver) = operation(tx_mode, work);
    queue.put(operation).map_err(|_| shut())?;
    receiver.await.unwrap_or_else(|_| Err(shut().into()))
}

impl Drop for ConnectionPool {
    fn drop(&mut self) {
        // Before the writer, which is to be the last to close a SQLite file.
        self.watcher.close();
        self.writes.close();
        self.reads.close();
        self.vital.close();
        for thread in self.threads.drain(..) {
            // The last operation may drop the store, on one of these threads.
            if thread.thread().id() != std::thread::current().id() {
                thread.join().ok();
            }
        }
    }
}

#[cfg(all(test, feature = "sqlite", feature = "postgres"))]
mod tests {
    use std::pin::pin;
    use std::sync::mpsc;

    use futures::future::{Either, select};

    use super::*;
    use crate::db::value::Value;

    /// Takes SQLite and PostgreSQL about a minute.
    const LONG: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
        WHERE i < 300000000) SELECT count(*) FROM n";

    fn sqlite(folder: &tempfile::TempDir, readers: usize) -> ConnectionPool {
        let path = folder.path().join("test.db");
        let options = crate::db::sqlite::SqliteOptions::new();
        ConnectionPool::start(&crate::db::sqlite::Opener::new(&path, options), readers)
            .expect("started")
    }

    fn postgres() -> (test_postgres::Database, ConnectionPool) {
        let database = test_postgres::database();
        let opener = crate::db::postgres::Opener::new(database.url()).expect("a URL");
        (database, ConnectionPool::start(&opener, 1).expect("started"))
    }

    fn long(sql: &mut dyn Sql) -> Result<(), SqlError> {
        sql.query(LONG, &[] as &[Value<'_>]).map(|_| ())
    }

    async fn answers(pool: &ConnectionPool) {
        pool.read(|sql| sql.query("SELECT 1", &[])).await.expect("an answer");
    }

    async fn is_cut_short(pool: &ConnectionPool) {
        pool.write(TxMode::Exclusive, |_| Ok::<_, SqlError>(())).await.expect("the schema");
        let time = Duration::from_millis(100);
        let error = read(&pool.reads, time, long).await.expect_err("it takes too long");
        assert_eq!(error.kind, SqlKind::Unavailable);
        assert!(error.text.contains("request fewer items"), "{}", error.text);
        answers(pool).await;
    }

    /// What nobody waits for ends, long before its time is up.
    async fn ends_with_its_caller(pool: &ConnectionPool) {
        pool.write(TxMode::Exclusive, |_| Ok::<_, SqlError>(())).await.expect("the schema");
        let (begins, begun) = futures::channel::oneshot::channel();
        let (ended, ends) = mpsc::channel();
        let mut begins = Some(begins);
        let query = pool.read(move |sql| {
            begins.take().map(|begins| begins.send(()));
            let outcome = long(sql);
            ended.send(outcome.is_err()).expect("somebody looks");
            outcome
        });
        match select(pin!(query), pin!(begun)).await {
            Either::Left((answer, _)) => panic!("{answer:?}"),
            // Here the query is dropped.
            Either::Right(_) => {}
        }
        assert!(ends.recv_timeout(READ_TIME / 2).expect("the query ended"));
        answers(pool).await;
    }

    #[test]
    fn sqlite_stops_a_long_query() {
        let folder = tempfile::tempdir().expect("a folder");
        pollster::block_on(async {
            is_cut_short(&sqlite(&folder, 1)).await;
            ends_with_its_caller(&sqlite(&folder, 1)).await;
            // Where one thread does everything, too.
            is_cut_short(&sqlite(&folder, 0)).await;
            ends_with_its_caller(&sqlite(&folder, 0)).await;
        });
    }

    #[test]
    fn postgresql_stops_a_long_query() {
        let (_database, pool) = postgres();
        pollster::block_on(async {
            is_cut_short(&pool).await;
            ends_with_its_caller(&pool).await;
        });
    }

    #[test]
    fn vital_reads_do_not_wait_behind_long_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let (_database, postgres) = postgres();
        for pool in [sqlite(&folder, 1), postgres] {
            pollster::block_on(async {
                pool.write(TxMode::Exclusive, |_| Ok::<_, SqlError>(())).await.expect("the schema");
                let mut slow = pin!(pool.read(long));
                let quick = pin!(pool.read_vital(|sql| sql.query("SELECT 1", &[])));
                match select(&mut slow, quick).await {
                    Either::Left((answer, _)) => panic!("{answer:?}"),
                    Either::Right((answer, _)) => assert_eq!(answer.expect("an answer").len(), 1),
                }
            });
        }
    }
}
