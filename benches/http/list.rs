//! Listing the workflows of a project among 100,000 workflows.

use std::path::Path;

use crate::child::{Serving, open};
use crate::client::{Client, Question};
use crate::load::press;
use crate::table::{Figure, Row};
use crate::workflows::{PROJECTS, fill};
use crate::{Failure, Options};

const CONNECTIONS: usize = 16;
/// Requests per second.
const LEAST: f64 = 5000.0;
/// Milliseconds.
const MOST: f64 = 10.0;

pub(crate) async fn measure(folder: &Path, options: &Options) -> Result<Vec<Row>, Failure> {
    let file = folder.join("list.db");
    if !file.exists() {
        fill(&open(&file).await?).await?;
    }
    let server = Serving::start(&file)?;
    let mut rows = Vec::new();
    for (limit, name) in [("", "a page of 50"), ("&limit=10", "a page of 10")] {
        rows.extend(page(&server, options, limit, name).await?);
    }
    Ok(rows)
}

async fn page(
    server: &Serving,
    options: &Options,
    limit: &str,
    name: &str,
) -> Result<Vec<Row>, Failure> {
    let question = |project: usize| {
        Question::get(format!("/api/v1/workflows?project=project-{}{limit}", project % PROJECTS))
    };
    let (_, body) = Client::connect(server.address).await?.ask(&question(7)).await?;
    let mut loads = Vec::new();
    for _ in 0..options.rounds {
        let questions = |at| (0..PROJECTS).map(|project| question(at + project)).collect();
        let load = press(server.address, CONNECTIONS, options.time, questions, |_| ()).await?;
        if load.lost > 0 {
            return Err("the server closed a connection".into());
        }
        loads.push(load);
    }
    let rate: Figure = loads.iter().map(|load| load.per_second()).collect();
    let half: Figure = loads.iter().map(|load| load.percentile(50)).collect();
    let late: Figure = loads.iter().map(|load| load.percentile(99)).collect();
    let size = body.len() / 1024;
    let measure = format!("workflows of a project of 5,000 of 100,000, {name} ({size} KiB)");
    Ok(vec![
        Row::at_least(&measure, &rate, LEAST, "/s"),
        Row::plain("half of the answers came within", half.show(" ms")),
        Row::at_most("99 of 100 answers came within", &late, MOST, " ms"),
    ])
}
