//! The additional cost per job of a large run when it is persisted.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use workflow_core::{Engine, Workflow};
use workflow_store::Durability;

use crate::Failure;
use crate::table::{Figure, Row};
use crate::workflows::{JOBS, SHAPES, Shape, engine};

/// The maximum additional cost per job, in microseconds.
const MOST: f64 = 15.0;

pub(crate) fn measure(folder: &Path, rounds: usize) -> Result<Vec<Row>, Failure> {
    std::fs::create_dir_all(folder)?;
    let kept = engine(&folder.join("workflows.db"), Durability::Normal)?;
    SHAPES.iter().map(|shape| row(shape, &kept, rounds)).collect()
}

fn row(shape: &Shape, kept: &Engine, rounds: usize) -> Result<Row, Failure> {
    let workflow: Arc<dyn Workflow> = Arc::new(shape.workflow()?);
    let bare = Engine::builder().build();
    for engine in [&bare, kept] {
        time(engine, &workflow)?;
    }
    let pairs = (0..rounds).map(|_| Ok(time(kept, &workflow)? - time(&bare, &workflow)?));
    let costs = pairs.collect::<Result<Vec<f64>, Failure>>()?;
    let figure: Figure = costs.into_iter().collect();
    let measure = format!("durable cost of a job, `normal`, {}", shape.name);
    // A chain waits for commits, and would not measure the work of the store.
    Ok(match shape.layers {
        JOBS => Row::plain(measure, figure.show(" us")),
        _ => Row::at_most(&measure, &figure, MOST, " us"),
    })
}

/// Microseconds per job.
fn time(engine: &Engine, workflow: &Arc<dyn Workflow>) -> Result<f64, Failure> {
    let begun = Instant::now();
    let report = pollster::block_on(engine.run(workflow.clone()).into_future())?;
    let took = begun.elapsed();
    drop(report);
    Ok(took.as_secs_f64() * 1e6 / JOBS as f64)
}
