//! The crate `operese-dagx`, a fork of `dagx`.

use operese_dagx::{DagOutput, DagRunner, TaskHandle, task};

use super::body::Body;
use super::fixed_arity::{LIMIT, fixed_arity};
use crate::contender::{Contender, Note, Outcome, Place, Prepared};
use crate::plan::{Plan, Work};
use crate::runtime::run_from;
use crate::shapes::narrow::Narrow;

/// The contender of this module.
pub struct OpereseDagx;

impl Contender for OpereseDagx {
    fn name(&self) -> &'static str {
        "operese-dagx 0.4"
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
    ended: Option<Ended>,
}

impl Prepared for Graph {
    fn execute(&mut self, times: usize, from: Place) {
        let (plan, mut fresh) = (self.plan, self.fresh.take());
        self.ended = run_from(from, async move {
            let mut ended = None;
            for _ in 0..times {
                let dag = fresh.take().unwrap_or_else(|| Dag::build(plan));
                ended = Some(dag.run().await);
            }
            ended
        });
    }

    fn outcome(&mut self) -> Outcome {
        let ended = self.ended.take().expect("the graph has been run");
        Outcome::All(ended.values())
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
        let mut runner = DagRunner::new();
        let mut handles = Vec::with_capacity(nodes.len());
        for node in nodes {
            let step = node.step;
            let handle = add(&mut runner, Body { plan, step }, &handles, &node.inputs);
            handles.push(handle);
        }
        Self { runner, handles, of_job }
    }

    async fn run(self) -> Ended {
        let spawn = |job| async move { tokio::spawn(job).await.expect("panics are caught") };
        Ended {
            output: self.runner.run(spawn).await.expect("all jobs succeed"),
            handles: self.handles,
            of_job: self.of_job,
        }
    }
}

struct Ended {
    output: DagOutput,
    handles: Vec<TaskHandle<u64>>,
    of_job: Vec<u32>,
}

impl Ended {
    fn values(self) -> Vec<u64> {
        let (mut output, handles) = (self.output, self.handles.into_iter());
        let values: Vec<_> = handles.map(|handle| output.get(handle)).collect();
        let of_job = self.of_job.iter();
        of_job.map(|&node| values[node as usize]).collect()
    }
}

fixed_arity!(&mut DagRunner);
