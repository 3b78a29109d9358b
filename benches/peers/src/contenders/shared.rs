//! Like [`boxed`](super::boxed), with values of any type: every output is an `Arc<dyn Any>` that its
//! dependents share.

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;

use super::boxed::finish;
use crate::contender::{Contender, Note, Outcome, Place, Prepared};
use crate::plan::Plan;

type Value = Arc<dyn Any + Send + Sync>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Job = Box<dyn Fn(Vec<Value>) -> BoxFuture<Value> + Send + Sync>;

/// The contender of this module.
pub struct Shared;

impl Contender for Shared {
    fn name(&self) -> &'static str {
        "sequential loop, boxed, `Arc<Value>` passed on"
    }

    fn notes(&self) -> &'static [Note] {
        &[Note::OneThread]
    }

    fn prepare(&self, plan: &'static Plan) -> Box<dyn Prepared> {
        Box::new(Loop {
            plan,
            jobs: plan.shape.jobs().map(|job| boxed(plan, job)).collect(),
            values: Vec::with_capacity(plan.shape.len()),
        })
    }
}

fn boxed(plan: &'static Plan, job: u32) -> Job {
    Box::new(move |inputs| {
        Box::pin(async move {
            let value = plan.run(job, inputs.iter().map(read));
            Arc::new(value) as Value
        })
    })
}

fn read(value: &Value) -> u64 {
    *value.downcast_ref().expect("every value is a number")
}

struct Loop {
    plan: &'static Plan,
    jobs: Vec<Job>,
    values: Vec<Value>,
}

impl Prepared for Loop {
    fn execute(&mut self, times: usize, _: Place) {
        let shape = &self.plan.shape;
        for _ in 0..times {
            self.values.clear();
            for (job, run) in self.jobs.iter().enumerate() {
                let inputs = shape.inputs(job as u32).iter();
                let inputs = inputs.map(|&j| Arc::clone(&self.values[j as usize]));
                let value = finish(run(inputs.collect()));
                self.values.push(value);
            }
        }
    }

    fn outcome(&mut self) -> Outcome {
        Outcome::All(self.values.iter().map(read).collect())
    }
}
