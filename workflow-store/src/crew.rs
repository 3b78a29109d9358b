//! The threads of a store: one that writes, some that read, each with a connection of its own.

use std::sync::Arc;
use std::thread::JoinHandle;

use crate::operation::{Answer, Company, Cx, Operation, operation, shut};
use crate::queue::Queue;
use crate::reader::Reader;
use crate::sql::{Fault, Sql, SqlError, SqlKind};
use crate::writer::Writer;

/// Makes connections to one database.
pub(crate) trait Connect: Clone + Send + 'static {
    /// Makes a connection. Called on the thread that will use it.
    fn connect(&self, purpose: Purpose) -> Result<Box<dyn Sql>, SqlError>;

    /// How a transaction that writes begins.
    fn begin(&self) -> &'static str;
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Write,
    Read,
}

/// The threads, and the lines before them. They end when this is dropped, once what waits is done.
pub(crate) struct Crew {
    writes: Arc<Queue<Box<dyn Operation>>>,
    /// The same as `writes`, where there is no reader.
    reads: Arc<Queue<Box<dyn Operation>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Crew {
    /// Starts a writer and so many readers.
    pub(crate) fn start<C: Connect>(connect: &C, readers: usize) -> Result<Self, SqlError> {
        let writes = Arc::new(Queue::new());
        let reads = if readers == 0 { writes.clone() } else { Arc::new(Queue::new()) };
        let mut crew = Self { writes: writes.clone(), reads: reads.clone(), threads: Vec::new() };
        let writer = connect.clone();
        crew.spawn("workflow-store-writer", move || Writer::new(writer).serve(&writes))?;
        for _ in 0..readers {
            let (reader, reads) = (connect.clone(), reads.clone());
            crew.spawn("workflow-store-reader", move || Reader::new(reader).serve(&reads))?;
        }
        Ok(crew)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), SqlError> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
        let text = |error| format!("a thread for the store cannot be started: {error}");
        self.threads
            .push(thread.map_err(|error| SqlError::new(SqlKind::Unavailable, text(error)))?);
        Ok(())
    }

    /// Does work in a transaction, together with what else waits.
    pub(crate) async fn write<T, F>(&self, company: Company, work: F) -> Answer<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Cx<'_>) -> Answer<T> + Send + 'static,
    {
        ask(&self.writes, company, work).await
    }

    /// Does work that changes nothing.
    pub(crate) async fn read<T, F>(&self, mut work: F) -> Answer<T>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Sql) -> Answer<T> + Send + 'static,
    {
        ask(&self.reads, Company::Shared, move |cx| work(cx.sql)).await
    }
}

async fn ask<T, F>(queue: &Queue<Box<dyn Operation>>, company: Company, work: F) -> Answer<T>
where
    T: Send + 'static,
    F: FnMut(&mut Cx<'_>) -> Answer<T> + Send + 'static,
{
    let (operation, receiver) = operation(company, work);
    queue.put(operation).map_err(|_| Fault::Sql(shut()))?;
    receiver.await.unwrap_or_else(|_| Err(Fault::Sql(shut())))
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.writes.close();
        self.reads.close();
        for thread in self.threads.drain(..) {
            // A store may be dropped by the last operation itself, on one of these threads.
            if thread.thread().id() != std::thread::current().id() {
                thread.join().ok();
            }
        }
    }
}
