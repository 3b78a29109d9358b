//! Plans: graphs with the bodies of their jobs, everything that a run needs except its input.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde_json::Value as Json;

use crate::graph::{Graph, GraphError};
use crate::job::{
    AttemptIo, Bodies, ChildFrame, Condition, Item, JobError, Need, RawCall, Source, StateCheck,
    ValueLayout,
};
use crate::value::Type;

/// A workflow that is ready to run: its graph, the bodies of its jobs, and the layout of its
/// values.
///
/// Created by [`Flow::plan`](crate::Flow::plan), and shared by any number of runs.
pub struct Plan {
    pub(crate) graph: Arc<Graph>,
    pub(crate) bodies: Bodies,
    pub(crate) layout: Arc<ValueLayout>,
    pub(crate) extras: HashMap<u32, Extras>,
    pub(crate) output: Option<(Source, Type)>,
    /// The workflow's own limits, by name.
    pub(crate) limits: BTreeMap<String, usize>,
    /// The needs of the jobs, in the order of the jobs.
    pub(crate) needs: Vec<(u32, Need)>,
    pub(crate) stored_graph: OnceLock<StoredGraph>,
}

/// The graph of a plan for a store, computed once for the first persisted run.
pub(crate) struct StoredGraph {
    pub(crate) fingerprint: Arc<str>,
    pub(crate) graph: Arc<Json>,
}

/// Options that few jobs have.
#[derive(Default)]
pub(crate) struct Extras {
    pub(crate) condition: Option<Condition>,
    pub(crate) compensation: Option<CompensationPlan>,
}

/// The compensation of a job.
pub(crate) struct CompensationPlan {
    pub(crate) call: Arc<RawCall>,
    pub(crate) inputs: Arc<[crate::job::ChildInput]>,
    pub(crate) output: fn(&crate::job::AttemptIo, usize) -> Option<&(dyn Any + Send + Sync)>,
}

impl CompensationPlan {
    /// The frame of the compensation of the job with this `io`.
    pub(crate) fn frame(&self, of: AttemptIo) -> ChildFrame {
        ChildFrame {
            parent: of,
            inputs: Arc::clone(&self.inputs),
            item: Item::Projected { index: 0, project: self.output },
            output: Arc::from(self.call.output.child_outputs(1)),
            row: 0,
            index: None,
            timed: self.call.is_timed(),
        }
    }
}

impl Plan {
    /// The graph: the jobs and their order.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Checks that the engine has the state that the jobs of this plan, of the named workflow,
    /// need.
    pub(crate) fn check_state(&self, workflow: &str, check: &mut StateCheck<'_>) {
        if !self.needs.is_empty() && check.enter(workflow) {
            for (job, need) in &self.needs {
                check.look(workflow, self.graph.names.get(*job as usize), need);
            }
        }
    }

    pub(crate) fn stored_graph(&self) -> &StoredGraph {
        self.stored_graph.get_or_init(|| StoredGraph {
            fingerprint: self.graph.fingerprint().into(),
            graph: Arc::new(self.graph.to_json()),
        })
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("graph", &self.graph).finish_non_exhaustive()
    }
}

/// The reason why a workflow cannot be planned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The graph is invalid.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The graph depends on the input.
    #[error("the workflow's graph depends on its input, and there is none")]
    NoInput,
    /// The function that draws the graph returned an error.
    #[error("the workflow's graph could not be drawn: {}", .0.chain())]
    Draw(JobError),
    /// The function that draws the graph panicked.
    #[error("the workflow's graph could not be drawn: its function panicked: {0}")]
    Panicked(String),
}
