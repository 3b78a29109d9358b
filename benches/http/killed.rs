//! Killing the server under load: all acknowledged runs are persisted.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::child::Serving;
use crate::load::press;
use crate::runs::{CONNECTIONS, question};
use crate::table::{Figure, Row};
use crate::{Failure, Options, fresh};

/// The acknowledged IDs.
type Ids = Arc<Mutex<Vec<String>>>;

pub(crate) async fn measure(folder: &Path, options: &Options) -> Result<Vec<Row>, Failure> {
    let (mut acknowledged, mut lost) = (0, 0);
    for _ in 0..options.rounds {
        let file = fresh(folder, "killed")?;
        let ids = until_killed(&file).await?;
        acknowledged += ids.len();
        lost += missing(&file, &ids)?;
    }
    let rounds = options.rounds;
    let name = format!("killed {rounds} times under this load: acknowledged runs that are lost");
    let lost: Figure = std::iter::once(lost as f64).collect();
    Ok(vec![
        Row::at_most(&name, &lost, 0.0, ""),
        Row::plain("acknowledged runs in all", acknowledged.to_string()),
    ])
}

/// Requests runs until the server is killed at a random time. Returns the acknowledged IDs.
async fn until_killed(file: &Path) -> Result<Vec<String>, Failure> {
    let mut server = Serving::start(file)?;
    let ids = Ids::default();
    let heard = {
        let ids = ids.clone();
        move |body: Bytes| note(&ids, &body)
    };
    let long = Duration::from_secs(60);
    let pressing =
        tokio::spawn(press(server.address, CONNECTIONS, long, |_| vec![question()], heard));
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos();
    tokio::time::sleep(Duration::from_millis(500 + u64::from(nanos / 1000 % 2000))).await;
    server.kill()?;
    let load = pressing.await??;
    if load.lost != CONNECTIONS {
        return Err("a connection outlived the server".into());
    }
    let ids = std::mem::take(&mut *ids.lock().unwrap_or_else(PoisonError::into_inner));
    if ids.is_empty() { Err("no run was acknowledged".into()) } else { Ok(ids) }
}

fn note(ids: &Ids, body: &Bytes) {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let id = answer["run_id"].as_str().unwrap_or("an answer without an id").to_owned();
    ids.lock().unwrap_or_else(PoisonError::into_inner).push(id);
}

/// The number of these runs that are missing in the database.
fn missing(file: &Path, ids: &[String]) -> Result<usize, Failure> {
    let database = rusqlite::Connection::open(file)?;
    let mut find = database.prepare("SELECT 1 FROM workflows_workflowrun WHERE run_id = $1")?;
    let mut missing = 0;
    for id in ids {
        missing += usize::from(!find.exists([id])?);
    }
    Ok(missing)
}
