//! Bare SQLite: synced commits, one by one and in groups.

use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use rusqlite::Connection;

use crate::Failure;

/// A connection with commits of the size of those of a run.
pub(crate) struct Bare {
    connection: Connection,
    /// The number of pages that each of five commits writes.
    pages: [i64; 5],
}

/// The size of a row that fills a page.
const ROW: usize = 3500;

impl Bare {
    /// Sets the number of pages of five commits.
    pub(crate) fn open(file: &Path, pages: i64) -> Result<Self, Failure> {
        let connection = open(file)?;
        connection.execute_batch("CREATE TABLE bare (id INTEGER PRIMARY KEY, body BLOB)")?;
        for id in 0..pages {
            connection.execute("INSERT INTO bare VALUES (?1, ?2)", (id, [0; ROW]))?;
        }
        let shares = [0, 1, 2, 3, 4_i64].map(|at| (pages + at) / 5);
        Ok(Self { connection, pages: shares })
    }

    /// Measures this many times five commits.
    pub(crate) fn five(&self, times: usize) -> Result<Duration, Failure> {
        let text = "UPDATE bare SET body = ?1 WHERE id < ?2";
        let mut update = self.connection.prepare(text)?;
        let begun = Instant::now();
        for commit in 0..times * 5 {
            // SQLite does not write unchanged pages.
            update.execute(([commit as u8; ROW], self.pages[commit % 5]))?;
        }
        Ok(begun.elapsed())
    }
}

fn open(file: &Path) -> Result<Connection, Failure> {
    let connection = Connection::open(file)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// The callers of the bare writer thread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Callers {
    /// Threads, woken by the system.
    Threads,
    /// Futures polled by one thread.
    Futures,
}

/// The number of commits per second of a thread that does nothing else. Each commit is an insert and
/// an update for one of the callers, and waiting callers share a transaction.
pub(crate) fn grouped(
    file: &Path,
    callers: Callers,
    together: usize,
    commits: usize,
) -> Result<f64, Failure> {
    let connection = open(file)?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS bare (id INTEGER PRIMARY KEY, body TEXT, state TEXT)",
    )?;
    let (sender, receiver) = mpsc::channel();
    let writer = std::thread::spawn(move || write(&connection, &receiver));
    let begun = Instant::now();
    let lines = (0..together).map(|_| call(sender.clone(), commits / together));
    match callers {
        Callers::Futures => pollster::block_on(futures::future::try_join_all(lines)).map(drop)?,
        Callers::Threads => {
            let lines: Vec<_> =
                lines.map(|line| std::thread::spawn(|| pollster::block_on(line))).collect();
            for line in lines {
                line.join().map_err(|_| "a caller panicked")??;
            }
        }
    }
    let took = begun.elapsed();
    drop(sender);
    writer.join().map_err(|_| "the writer panicked")??;
    Ok(commits as f64 / took.as_secs_f64())
}

/// Requests commits in sequence.
async fn call(writer: mpsc::Sender<oneshot::Sender<()>>, commits: usize) -> Result<(), Failure> {
    for _ in 0..commits {
        let (done, end) = oneshot::channel();
        writer.send(done)?;
        end.await?;
    }
    Ok(())
}

/// The maximum number of callers in a transaction.
const MOST: usize = 512;

fn write(
    connection: &Connection,
    asked: &mpsc::Receiver<oneshot::Sender<()>>,
) -> Result<(), Failure> {
    let mut insert = connection.prepare("INSERT INTO bare (body, state) VALUES (?1, 'new')")?;
    let mut update = connection.prepare("UPDATE bare SET state = 'done' WHERE id = ?1")?;
    let body = "x".repeat(200);
    while let Ok(first) = asked.recv() {
        let group: Vec<_> = std::iter::once(first).chain(asked.try_iter().take(MOST - 1)).collect();
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for _ in &group {
            insert.execute([&body])?;
            update.execute([connection.last_insert_rowid()])?;
        }
        connection.execute_batch("COMMIT")?;
        group.into_iter().for_each(|caller| caller.send(()).unwrap_or_default());
    }
    Ok(())
}
