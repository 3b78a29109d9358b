//! The crate `dagx`.

use dagx::{DagRunner, Task, TaskHandle, task};

use super::body::Body;
use super::fixed_arity::{LIMIT, fixed_arity};
use crate::contender::{Contender, Note, Outcome, Place, Prepared};
use crate::plan::{Plan, Work};
use crate::runtime::run_from;
use crate::shapes::narrow::Narrow;

/// The contender of this module.
pub struct Dagx;

impl Contender for Dagx {
    fn name(&self) -> &'static str {
        "dagx 0.3"
    }

    fn notes(&self) -> &'static [Note] {
        &[Note::BestOfPlaces, Note::Rebuilt, Note::Narrowed(LIMIT)]
    }

    fn handles(&self, _: Work) -> bool {
        true
    }

    fn places(&self) -> &'static [Place] {
        &[Place::Main, Place::Worker]
    }

    fn prepare(&self, plan: &'static Plan) -> Box<dyn Prepared> {
        Box::new(Graph { plan, fresh: Some(Dag::build(plan)), ended: None })
    }
}

struct Graph {
    plan: &'static Plan,
    fresh: Option<Dag>,
    ended: Option<Dag>,
}

impl Prepared for Graph {
    fn execute(&mut self, times: usize, from: Place) {
        let (plan, mut fresh) = (self.plan, self.fresh.take());
        self.ended = run_from(from, async move {
            let mut ended = None;
            for _ in 0..times {
                let dag = fresh.take().unwrap_or_else(|| Dag::build(plan));
                dag.run().await;
                ended = Some(dag);
            }
            ended
        });
    }

    fn outcome(&mut self) -> Outcome {
        let dag = self.ended.take().expect("the graph has been run");
        let value = |&node: &u32| dag.runner.get(dag.handles[node as usize]);
        let values = dag.of_job.iter().map(value);
        Outcome::All(values.map(|value| value.expect("the job has run")).collect())
    }
}

struct Dag {
    runner: DagRunner,
    handles: Vec<TaskHandle<u64>>,
    of_job: Vec<u32>,
}

impl Dag {
    fn build(plan: &'static Plan) -> Self {
        let Narrow { nodes, of_job } = Narrow::of(&plan.shape, LIMIT);
        let runner = DagRunner::new();
        let mut handles = Vec::with_capacity(nodes.len());
        for node in nodes {
            let step = node.step;
            let handle = add(&runner, Body { plan, step }, &handles, &node.inputs);
            handles.push(handle);
        }
        Self { runner, handles, of_job }
    }

    async fn run(&self) {
        let spawn = |job| drop(tokio::spawn(job));
        self.runner.run(spawn).await.expect("all jobs succeed");
    }
}

fixed_arity!(&DagRunner);
