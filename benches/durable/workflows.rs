//! The measured workflows: three jobs in a row, which other engines also run, and larger graphs.

use std::path::Path;

use workflow_core::prelude::*;
use workflow_core::workflow::FunctionWorkflow;
use workflow_store::{Durability, SqliteOptions};

use crate::Failure;

#[job]
async fn add_one(number: u64) -> u64 {
    number + 1
}

#[job]
async fn sum(numbers: Each<'_, u64>) -> u64 {
    numbers.iter().sum()
}

#[register_workflow(name = "three_jobs")]
fn three_jobs(flow: &mut Flow, number: Handle<u64>) -> Handle<u64> {
    let number = flow.job(add_one(number).name("first"));
    let number = flow.job(add_one(number).name("second"));
    flow.job(add_one(number).name("third"))
}

/// Runs [`three_jobs`], and checks its output.
pub(crate) async fn run_three(engine: &Engine, number: u64) -> Result<(), Failure> {
    let output: u64 = engine.run("three_jobs").input(number).await?.output()?;
    if output == number + 3 { Ok(()) } else { Err(format!("{number} became {output}").into()) }
}

/// A graph of 10,000 jobs.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// The number of dependencies of each job in the previous layer.
    pub(crate) layers: usize,
}

pub(crate) const JOBS: usize = 10_000;

/// Full layers would require a million edges, so each job depends on two.
pub(crate) const SHAPES: [Shape; 3] = [
    Shape { name: "10,000 side by side", layers: 1 },
    Shape { name: "100 layers of 100", layers: 100 },
    Shape { name: "a chain of 10,000", layers: JOBS },
];

impl Shape {
    pub(crate) fn workflow(&self) -> Result<FunctionWorkflow, Failure> {
        let layers = self.layers;
        let draw = move |flow: &mut Flow| {
            let width = JOBS / layers;
            let zero = flow.value(0);
            let mut before = vec![zero; width];
            for _ in 0..layers {
                let job = |at: usize| sum([before[at], before[(at + 1) % width]].as_slice());
                before = (0..width).map(|at| flow.job(job(at))).collect();
            }
        };
        Ok(FunctionWorkflow::new(&format!("layers_{layers}"), draw)?)
    }
}

/// An engine with a SQLite store.
pub(crate) fn engine(file: &Path, durability: Durability) -> Result<Engine, Failure> {
    let store = pollster::block_on(SqliteOptions::new().durability(durability).open(file))?;
    Ok(Engine::builder().store(store).build())
}
