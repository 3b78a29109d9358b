//! From a drawing to a plan.

use std::sync::{Arc, OnceLock};

use super::{CONSTANTS, Flow, INPUT};
use crate::graph::GraphError;
use crate::job::{Source, ValueLayout};
use crate::workflow::{Plan, PlanError};

impl Flow {
    /// Proves that the graph can run, and compiles it.
    ///
    /// # Errors
    ///
    /// Fails when there are no jobs, when two were given one name, when a name is ill-formed, when
    /// a timeout is zero, or when a job reads a handle of another flow.
    pub fn plan(mut self) -> Result<Plan, PlanError> {
        if let Some(problem) = self.problem {
            return Err(problem.into());
        }
        if self.builder.waits().max(self.bodies.len()) >= CONSTANTS as usize {
            return Err(GraphError::TooLarge.into());
        }
        let (graph, order) = self.builder.compile()?;
        self.bodies.reorder(&order);
        let (outputs, output_of, rows) = self.outputs(&order);
        let source = |index: u32| match index {
            INPUT => Source { column: Source::INPUT, row: 0 },
            job if job < CONSTANTS => output_of[job as usize],
            other => Source { column: Source::CONSTANT, row: other - CONSTANTS },
        };
        let output = self.output.map(|(index, kind)| (source(index), kind));
        let mut starts = Vec::with_capacity(order.len());
        let mut inputs = Vec::with_capacity(self.inputs);
        for job in &order {
            starts.push(inputs.len() as u32);
            let read = self.builder.first_waits(*job, self.input_ends[*job as usize]);
            inputs.extend(read.iter().map(|index| source(*index)));
        }
        let extras = self.extras.into_iter();
        let extras = extras.map(|(job, extras)| (graph.names.number(job), extras));
        let needs = self.needs.into_iter().map(|(job, need)| (graph.names.number(job), need));
        let mut needs: Vec<_> = needs.collect();
        needs.sort_by_key(|(job, _)| *job);
        let columns = self.columns.into_iter().zip(rows).collect();
        let constants = self.constants;
        let timed = graph.policies.iter().filter(|(_, policy)| policy.timeouts.any());
        let timed = timed.map(|(job, _)| *job).collect();
        Ok(Plan {
            extras: extras.collect(),
            graph: Arc::new(graph),
            bodies: self.bodies,
            layout: Arc::new(ValueLayout { columns, inputs, starts, outputs, constants, timed }),
            output,
            limits: self.limits,
            needs,
            stored_graph: OnceLock::new(),
        })
    }

    /// Where the jobs leave their outputs: in the order of the graph, and in that in which they
    /// were added; and how many rows each column has for them.
    fn outputs(&self, order: &[u32]) -> (Vec<Source>, Vec<Source>, Vec<u32>) {
        let mut rows = vec![0_u32; self.columns.len()];
        let mut output_of = vec![Source { column: 0, row: 0 }; order.len()];
        let output = |job: &u32| {
            let column = self.column_of[*job as usize];
            let next = &mut rows[column as usize];
            let source = Source { column, row: *next };
            *next += 1;
            output_of[*job as usize] = source;
            source
        };
        (order.iter().map(output).collect(), output_of, rows)
    }
}
