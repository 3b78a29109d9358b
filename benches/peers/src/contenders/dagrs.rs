//! The crate `dagrs`: all nodes start at once and wait for each other on channels.

use std::sync::Arc;

use dagrs::async_trait::async_trait;
use dagrs::{Action, Content, DefaultNode, EnvVar, Graph, InChannels, NodeId, NodeTable};
use dagrs::{OutChannels, Output};

use crate::contender::{Contender, Note, Outcome, Place, Prepared};
use crate::plan::{Plan, Work};
use crate::runtime::run_from;
use crate::shapes::successors::Successors;

/// The contender of this module.
pub struct Dagrs;

impl Contender for Dagrs {
    fn name(&self) -> &'static str {
        "dagrs 0.9"
    }

    fn notes(&self) -> &'static [Note] {
        &[Note::BestOfPlaces, Note::Reset, Note::FewerSamples]
    }

    fn handles(&self, _: Work) -> bool {
        true
    }

    fn slow(&self) -> bool {
        true
    }

    fn places(&self) -> &'static [Place] {
        &[Place::Main, Place::Worker]
    }

    fn prepare(&self, plan: &'static Plan) -> Box<dyn Prepared> {
        let mut table = NodeTable::new();
        let mut graph = Graph::new();
        let nodes = plan.shape.jobs().map(|job| {
            let node = DefaultNode::with_action(job.to_string(), Job { plan, job }, &mut table);
            graph.add_node(node).expect("nodes differ")
        });
        let nodes: Vec<_> = nodes.collect();
        connect(&mut graph, plan, &nodes);
        Box::new(Run { graph: Some(graph), nodes })
    }
}

fn connect(graph: &mut Graph, plan: &Plan, nodes: &[NodeId]) {
    let successors = Successors::of(&plan.shape);
    for job in plan.shape.jobs() {
        let after = successors.after(job).iter();
        let after = after.map(|&after| nodes[after as usize]);
        let added = graph.add_edge(nodes[job as usize], after);
        added.expect("all nodes have been added");
    }
}

struct Run {
    graph: Option<Graph>,
    nodes: Vec<NodeId>,
}

impl Prepared for Run {
    fn execute(&mut self, times: usize, from: Place) {
        let mut graph = self.graph.take().expect("the graph is back");
        self.graph = Some(run_from(from, async move {
            for run in 0..times {
                if run > 0 {
                    graph.reset().await.expect("the graph is reset");
                }
                graph.async_start().await.expect("all jobs succeed");
            }
            graph
        }));
    }

    fn outcome(&mut self) -> Outcome {
        let graph = self.graph.as_ref().expect("the graph is back");
        let results = graph.get_results::<u64>();
        let value = |node| results[node].as_deref().copied();
        let values = self.nodes.iter().map(value);
        Outcome::All(values.map(|value| value.expect("the job has run")).collect())
    }
}

struct Job {
    plan: &'static Plan,
    job: u32,
}

#[async_trait]
impl Action for Job {
    async fn run(&self, from: &mut InChannels, to: &mut OutChannels, _: Arc<EnvVar>) -> Output {
        let mut inputs = Vec::new();
        for sender in from.get_sender_ids() {
            let content = from.recv_from(&sender).await.expect("the input is sent");
            inputs.push(*content.get().expect("every value is a number"));
        }
        let value = Content::new(self.plan.run(self.job, inputs));
        self.plan.pause().await;
        to.broadcast(value.clone()).await;
        Output::Out(Some(value))
    }
}
