//! Run requests, which are acknowledged once they are persisted.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::child::Serving;
use crate::client::Question;
use crate::load::press;
use crate::table::{Figure, Row};
use crate::{Failure, Options, fresh};

pub(crate) const CONNECTIONS: usize = 64;
/// Runs per second.
const LEAST: f64 = 2000.0;
/// Milliseconds.
const MOST: f64 = 50.0;
/// The maximum time until all runs have ended after the last request.
const PATIENCE: Duration = Duration::from_secs(60);

/// Requests a run.
pub(crate) fn question() -> Question {
    Question::post("/api/v1/workflows/trivial/run", "{}")
}

pub(crate) async fn measure(folder: &Path, options: &Options) -> Result<Vec<Row>, Failure> {
    let (mut loads, mut rest) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let file = fresh(folder, "runs")?;
        let server = Serving::start(&file)?;
        let questions = |_| vec![question()];
        let load = press(server.address, CONNECTIONS, options.time, questions, |_| ()).await?;
        if load.lost > 0 {
            return Err("the server closed a connection".into());
        }
        loads.push(load);
        rest.push(until_ended(&file).await?.as_secs_f64());
    }
    let rate: Figure = loads.iter().map(|load| load.per_second()).collect();
    let half: Figure = loads.iter().map(|load| load.percentile(50)).collect();
    let late: Figure = loads.iter().map(|load| load.percentile(99)).collect();
    let rest: Figure = rest.into_iter().collect();
    Ok(vec![
        Row::at_least("runs accepted durably, 64 connections", &rate, LEAST, "/s"),
        Row::plain("half of the answers came within", half.show(" ms")),
        Row::at_most("99 of 100 answers came within", &late, MOST, " ms"),
        Row::plain("after the last answer, until all runs have ended", rest.show(" s")),
    ])
}

/// Waits until all runs have ended.
async fn until_ended(file: &Path) -> Result<Duration, Failure> {
    let database = rusqlite::Connection::open(file)?;
    let begun = Instant::now();
    let open = "SELECT count(*) FROM workflows_workflowrun WHERE status <> 'completed'";
    while database.query_row(open, [], |row| row.get::<_, i64>(0))? > 0 {
        if begun.elapsed() > PATIENCE {
            return Err("some runs do not end".into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(begun.elapsed())
}
