//! The baseline: handwritten code on top of tokio. A coordinator counts down the missing inputs of every
//! job, and spawns a task for each job without missing inputs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use crate::contender::{Contender, Outcome, Place, Prepared};
use crate::plan::{Plan, Work};
use crate::runtime::run_from;
use crate::shapes::successors::Successors;

/// The contender of this module.
pub struct Tokio;

impl Contender for Tokio {
    fn name(&self) -> &'static str {
        "tokio, one spawned task per job"
    }

    fn handles(&self, _: Work) -> bool {
        true
    }

    fn places(&self) -> &'static [Place] {
        &[Place::Worker]
    }

    fn prepare(&self, plan: &'static Plan) -> Box<dyn Prepared> {
        let missing = |job| plan.shape.inputs(job).len() as u32;
        Box::new(Graph(Arc::new(State {
            plan,
            successors: Successors::of(&plan.shape),
            missing: plan.shape.jobs().map(missing).collect(),
            values: plan.shape.jobs().map(|_| AtomicU64::new(0)).collect(),
        })))
    }
}

struct Graph(Arc<State>);

struct State {
    plan: &'static Plan,
    successors: Successors,
    missing: Vec<u32>,
    values: Vec<AtomicU64>,
}

impl State {
    /// The message about the end of an input orders its value before this read.
    fn value(&self, job: u32) -> u64 {
        self.values[job as usize].load(Ordering::Relaxed)
    }

    async fn run(&self, job: u32) {
        let inputs = self.plan.shape.inputs(job).iter();
        let value = self.plan.run(job, inputs.map(|&j| self.value(j)));
        self.plan.pause().await;
        self.values[job as usize].store(value, Ordering::Relaxed);
    }
}

impl Prepared for Graph {
    fn execute(&mut self, times: usize, from: Place) {
        let state = Arc::clone(&self.0);
        run_from(from, async move {
            for _ in 0..times {
                coordinate(&state).await;
            }
        });
    }

    fn outcome(&mut self) -> Outcome {
        let jobs = self.0.plan.shape.jobs();
        Outcome::All(jobs.map(|job| self.0.value(job)).collect())
    }
}

async fn coordinate(state: &Arc<State>) {
    let mut missing = state.missing.clone();
    let (done, mut finished) = mpsc::unbounded_channel();
    for job in state.plan.shape.jobs() {
        if missing[job as usize] == 0 {
            spawn(state, job, &done);
        }
    }
    for _ in 0..missing.len() {
        let job = finished.recv().await.expect("every job reports its end");
        for &next in state.successors.after(job) {
            missing[next as usize] -= 1;
            if missing[next as usize] == 0 {
                spawn(state, next, &done);
            }
        }
    }
}

fn spawn(state: &Arc<State>, job: u32, done: &mpsc::UnboundedSender<u32>) {
    let (state, done) = (Arc::clone(state), done.clone());
    tokio::spawn(async move {
        state.run(job).await;
        done.send(job).expect("the coordinator waits for all jobs");
    });
}
