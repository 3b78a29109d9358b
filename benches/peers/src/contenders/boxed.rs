//! A loop over boxed jobs that return boxed futures, each polled once.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::contender::{Contender, Note, Outcome, Place, Prepared};
use crate::plan::Plan;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Job = Box<dyn Fn(Vec<u64>) -> BoxFuture<u64> + Send + Sync>;

/// The contender of this module.
pub struct Boxed;

impl Contender for Boxed {
    fn name(&self) -> &'static str {
        "sequential loop, one boxed future per job"
    }

    fn notes(&self) -> &'static [Note] {
        &[Note::OneThread]
    }

    fn prepare(&self, plan: &'static Plan) -> Box<dyn Prepared> {
        Box::new(Loop {
            plan,
            jobs: plan.shape.jobs().map(|job| boxed(plan, job)).collect(),
            values: vec![0; plan.shape.len()],
        })
    }
}

fn boxed(plan: &'static Plan, job: u32) -> Job {
    Box::new(move |inputs| Box::pin(async move { plan.run(job, inputs) }))
}

struct Loop {
    plan: &'static Plan,
    jobs: Vec<Job>,
    values: Vec<u64>,
}

impl Prepared for Loop {
    fn execute(&mut self, times: usize, _: Place) {
        let shape = &self.plan.shape;
        for _ in 0..times {
            for (job, run) in self.jobs.iter().enumerate() {
                let inputs = shape.inputs(job as u32).iter();
                let inputs = inputs.map(|&j| self.values[j as usize]).collect();
                self.values[job] = finish(run(inputs));
            }
        }
    }

    fn outcome(&mut self) -> Outcome {
        Outcome::All(self.values.clone())
    }
}

/// The output of a future that never waits.
pub(super) fn finish<T>(mut future: BoxFuture<T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("jobs of this contender never wait"),
    }
}
