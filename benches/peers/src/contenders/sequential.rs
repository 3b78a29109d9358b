//! The floor: a loop in topological order over flat arrays.

use crate::contender::{Contender, Note, Outcome, Place, Prepared};
use crate::plan::{Plan, Work};

/// The contender of this module.
pub struct Sequential;

impl Contender for Sequential {
    fn name(&self) -> &'static str {
        "sequential loop, nothing boxed"
    }

    fn notes(&self) -> &'static [Note] {
        &[Note::OneThread]
    }

    fn handles(&self, work: Work) -> bool {
        matches!(work, Work::Derive | Work::Spin(_))
    }

    fn prepare(&self, plan: &'static Plan) -> Box<dyn Prepared> {
        let values = vec![0; plan.shape.len()];
        Box::new(Loop { plan, values })
    }
}

struct Loop {
    plan: &'static Plan,
    values: Vec<u64>,
}

impl Prepared for Loop {
    fn execute(&mut self, times: usize, _: Place) {
        let shape = &self.plan.shape;
        for _ in 0..times {
            for job in shape.jobs() {
                let inputs = shape.inputs(job).iter().map(|&j| self.values[j as usize]);
                let value = self.plan.run(job, inputs);
                self.values[job as usize] = value;
            }
        }
    }

    fn outcome(&mut self) -> Outcome {
        Outcome::All(self.values.clone())
    }
}
