//! The engine of this repository.

use std::any::Any;
use std::sync::Arc;

use workflow_core::prelude::*;
use workflow_core::definition::Metadata;
use workflow_core::engine::Timings;
use workflow_core::id::WorkflowName;
use workflow_core::workflow::{Plan as Compiled, PlanError};

use crate::contender::{Contender, Note, Outcome, Place, Prepared};
use crate::plan::{Plan, Work};
use crate::runtime::run_from;

/// Reads the clock only for waiting jobs.
pub static COARSE: Ours = Ours { name: "ours", timings: Timings::Coarse, named: false };
/// The default: reads the clock at the start and the end of each job.
pub static EXACT: Ours =
    Ours { name: "ours, each job timed", timings: Timings::Exact, named: false };
/// With an explicit name for each job.
pub static NAMED: Ours =
    Ours { name: "ours, each job named", timings: Timings::Coarse, named: true };

/// The contender of this module.
pub struct Ours {
    name: &'static str,
    timings: Timings,
    named: bool,
}

#[job]
async fn derive(plan: &'static Plan, job: u32, inputs: Each<'_, u64>) -> u64 {
    let value = plan.run(job, inputs.iter().copied());
    plan.pause().await;
    value
}

impl Contender for Ours {
    fn name(&self) -> &'static str {
        self.name
    }

    fn notes(&self) -> &'static [Note] {
        &[Note::BestOfPlaces]
    }

    fn handles(&self, _: Work) -> bool {
        true
    }

    fn places(&self) -> &'static [Place] {
        &[Place::Main, Place::Worker]
    }

    fn prepare(&self, plan: &'static Plan) -> Box<dyn Prepared> {
        let compiled = compile(plan, self.named).expect("the graph is sound");
        let name = "shape".parse().expect("a name");
        let workflow = Fixed { name, metadata: Metadata::default(), plan: Arc::new(compiled) };
        let engine = Engine::builder().timings(self.timings).build();
        Box::new(Graph { engine, workflow: Arc::new(workflow), named: self.named, report: None })
    }
}

fn compile(plan: &'static Plan, named: bool) -> Result<Compiled, PlanError> {
    let jobs = plan.shape.len();
    let mut flow = Flow::with_capacity(jobs);
    let mut handles: Vec<Handle<u64>> = Vec::with_capacity(jobs);
    let mut inputs = Vec::new();
    for job in plan.shape.jobs() {
        inputs.clear();
        inputs.extend(plan.shape.inputs(job).iter().map(|&input| handles[input as usize]));
        let call = derive::draw(plan, job, inputs.as_slice());
        let call = if named { call.name(format!("job {job}")) } else { call };
        handles.push(flow.job(call));
    }
    flow.plan()
}

struct Fixed {
    name: WorkflowName,
    metadata: Metadata,
    plan: Arc<Compiled>,
}

impl Workflow for Fixed {
    fn name(&self) -> &WorkflowName {
        &self.name
    }

    fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    fn plan(&self, _: Option<&(dyn Any + Send + Sync)>) -> Result<Arc<Compiled>, PlanError> {
        Ok(Arc::clone(&self.plan))
    }
}

struct Graph {
    engine: Engine,
    workflow: Arc<dyn Workflow>,
    named: bool,
    report: Option<Report>,
}

impl Prepared for Graph {
    fn execute(&mut self, times: usize, from: Place) {
        let (engine, workflow) = (self.engine.clone(), Arc::clone(&self.workflow));
        self.report = run_from(from, async move {
            let mut report = None;
            for _ in 0..times {
                report = Some(engine.run(Arc::clone(&workflow)).await.expect("it completes"));
            }
            report
        });
    }

    fn outcome(&mut self) -> Outcome {
        let report = self.report.take().expect("the graph has been run");
        let mut values = vec![0; report.graph().len()];
        for (name, value) in report.outputs::<u64>() {
            values[number(name, self.named)] = *value;
        }
        Outcome::All(values)
    }
}

/// The number of a job: from `derive`, `derive_2`, `derive_3`, or from its explicit name.
fn number(name: &str, named: bool) -> usize {
    let parse = |text: &str| text.parse::<usize>().expect("a number");
    match name.rsplit_once(['_', ' ']) {
        Some((_, number)) if named => parse(number),
        Some((_, number)) => parse(number) - 1,
        None => 0,
    }
}
