//! The crate `async_dag`.

use async_dag::{Graph, NodeIndex};

use super::body::Body;
use crate::contender::{Contender, Note, Outcome, Place, Prepared};
use crate::plan::Plan;
use crate::runtime::block_on;
use crate::shapes::narrow::{Narrow, Node};

/// The maximum number of inputs in this crate.
const LIMIT: usize = 12;

/// The contender of this module.
pub struct AsyncDag;

impl Contender for AsyncDag {
    fn name(&self) -> &'static str {
        "async_dag 0.1"
    }

    fn notes(&self) -> &'static [Note] {
        &[Note::OneThread, Note::Rebuilt, Note::Narrowed(LIMIT)]
    }

    fn prepare(&self, plan: &'static Plan) -> Box<dyn Prepared> {
        Box::new(Run { plan, fresh: Some(Dag::build(plan)), ended: None })
    }
}

struct Run {
    plan: &'static Plan,
    fresh: Option<Dag>,
    ended: Option<Dag>,
}

impl Prepared for Run {
    fn execute(&mut self, times: usize, _: Place) {
        block_on(async {
            for _ in 0..times {
                let fresh = self.fresh.take();
                let mut dag = fresh.unwrap_or_else(|| Dag::build(self.plan));
                dag.graph.run().await;
                self.ended = Some(dag);
            }
        });
    }

    fn outcome(&mut self) -> Outcome {
        let dag = self.ended.take().expect("the graph has been run");
        let value = |&node| dag.graph.get_value(NodeIndex::new(node as usize));
        let values = dag.of_job.iter().map(value);
        Outcome::All(values.map(|value| value.expect("the job has run")).collect())
    }
}

struct Dag {
    graph: Graph<'static>,
    of_job: Vec<u32>,
}

impl Dag {
    fn build(plan: &'static Plan) -> Self {
        let Narrow { nodes, of_job } = Narrow::of(&plan.shape, LIMIT);
        let mut graph = Graph::new();
        for node in nodes {
            add(&mut graph, plan, &node);
        }
        Self { graph, of_job }
    }
}

fn add(graph: &mut Graph<'static>, plan: &'static Plan, node: &Node) {
    let step = node.step;
    let mut inputs = node.inputs.iter().map(|&node| NodeIndex::new(node as usize));
    let body = Body { plan, step };
    let child = match inputs.next() {
        None => graph.add_task(move || body.run([])),
        Some(first) => add_child(graph, body, first, node.inputs.len()),
    };
    for (input, index) in inputs.zip(1..) {
        let added = graph.update_dependency(input, child, index);
        added.expect("inputs come first");
    }
}

/// Adds a task with this number of inputs, and sets the first one.
fn add_child(graph: &mut Graph<'static>, body: Body, first: NodeIndex, inputs: usize) -> NodeIndex {
    macro_rules! child {
        ($($input:ident)+) => {{
            let task = move |$($input: u64),+| body.run([$($input),+]);
            graph.add_child_task(first, task, 0).expect("inputs come first")
        }};
    }
    match inputs {
        1 => child!(a),
        2 => child!(a b),
        3 => child!(a b c),
        4 => child!(a b c d),
        5 => child!(a b c d e),
        6 => child!(a b c d e f),
        7 => child!(a b c d e f g),
        8 => child!(a b c d e f g h),
        9 => child!(a b c d e f g h i),
        10 => child!(a b c d e f g h i j),
        11 => child!(a b c d e f g h i j k),
        12 => child!(a b c d e f g h i j k l),
        _ => unreachable!("the graph has been narrowed"),
    }
}
