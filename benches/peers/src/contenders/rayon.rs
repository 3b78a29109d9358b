//! Rayon with atomic counters of missing inputs: a job that releases others runs the first of them
//! itself, and spawns the rest.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rayon::{Scope, ThreadPool, ThreadPoolBuilder};

use crate::contender::{Contender, Outcome, Place, Prepared};
use crate::plan::{Plan, Work};
use crate::runtime::WORKERS;
use crate::shapes::successors::Successors;

static POOL: LazyLock<ThreadPool> = LazyLock::new(|| {
    let pool = ThreadPoolBuilder::new().num_threads(WORKERS).build();
    pool.expect("the pool starts")
});

/// The contender of this module.
pub struct Rayon;

impl Contender for Rayon {
    fn name(&self) -> &'static str {
        "rayon, first released successor run in place"
    }

    fn handles(&self, work: Work) -> bool {
        matches!(work, Work::Derive | Work::Spin(_))
    }

    fn prepare(&self, plan: &'static Plan) -> Box<dyn Prepared> {
        Box::new(State {
            plan,
            successors: Successors::of(&plan.shape),
            missing: plan.shape.jobs().map(|_| AtomicU32::new(0)).collect(),
            values: plan.shape.jobs().map(|_| AtomicU64::new(0)).collect(),
        })
    }
}

struct State {
    plan: &'static Plan,
    successors: Successors,
    missing: Vec<AtomicU32>,
    values: Vec<AtomicU64>,
}

impl Prepared for State {
    fn execute(&mut self, times: usize, _: Place) {
        POOL.install(|| {
            for _ in 0..times {
                self.rewind();
                rayon::scope(|scope| self.start(scope));
            }
        });
    }

    fn outcome(&mut self) -> Outcome {
        Outcome::All(self.values.iter_mut().map(|v| *v.get_mut()).collect())
    }
}

impl State {
    fn rewind(&mut self) {
        for (job, missing) in self.missing.iter_mut().enumerate() {
            *missing.get_mut() = self.plan.shape.inputs(job as u32).len() as u32;
        }
    }

    fn start<'scope>(&'scope self, scope: &Scope<'scope>) {
        let shape = &self.plan.shape;
        for job in shape.jobs().filter(|&job| shape.inputs(job).is_empty()) {
            scope.spawn(move |scope| self.run_from(scope, job));
        }
    }

    fn run_from<'scope>(&'scope self, scope: &Scope<'scope>, start: u32) {
        let mut next = Some(start);
        while let Some(job) = next {
            self.run(job);
            let after = self.successors.after(job).iter();
            let mut released = after.copied().filter(|&after| self.release(after));
            next = released.next();
            for job in released {
                scope.spawn(move |scope| self.run_from(scope, job));
            }
        }
    }

    fn run(&self, job: u32) {
        let inputs = self.plan.shape.inputs(job).iter();
        let inputs = inputs.map(|&j| self.values[j as usize].load(Ordering::Relaxed));
        let value = self.plan.run(job, inputs);
        self.values[job as usize].store(value, Ordering::Relaxed);
    }

    /// Counts down the missing inputs of `job`, and returns whether none is left. This orders the
    /// values of all inputs before the run of the job.
    fn release(&self, job: u32) -> bool {
        self.missing[job as usize].fetch_sub(1, Ordering::AcqRel) == 1
    }
}
