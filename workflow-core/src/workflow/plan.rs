//! A graph with the bodies of its jobs: everything that a run needs but its input.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde_json::Value as Json;

use crate::graph::{Graph, GraphError};
use crate::job::{Bodies, Condition, JobError, Need, RawCall, Source, StateCheck, ValueLayout};
use crate::value::Type;

/// A workflow ready to run: its graph, its jobs' bodies, and where values go. Made by
/// [`Flow::plan`](crate::Flow::plan); shared by any number of runs.
pub struct Plan {
    pub(crate) graph: Arc<Graph>,
    pub(crate) bodies: Bodies,
    pub(crate) layout: Arc<ValueLayout>,
    pub(crate) extras: HashMap<u32, Extras>,
    pub(crate) output: Option<(Source, Type)>,
    /// The workflow's own limits, by name.
    pub(crate) limits: BTreeMap<String, usize>,
    /// What jobs need of the engine, in the order of the jobs.
    pub(crate) needs: Vec<(u32, Need)>,
    pub(crate) stored_graph: OnceLock<StoredGraph>,
}

/// What a store is told of a plan's graph: worked out once, for the first run that is kept.
pub(crate) struct StoredGraph {
    pub(crate) fingerprint: Arc<str>,
    pub(crate) graph: Arc<Json>,
}

/// What few jobs have.
#[derive(Default)]
pub(crate) struct Extras {
    pub(crate) condition: Option<Condition>,
    pub(crate) compensation: Option<CompensationPlan>,
}

/// How the work of a job is taken back.
pub(crate) struct CompensationPlan {
    pub(crate) call: Arc<RawCall>,
    pub(crate) inputs: Arc<[crate::job::ChildInput]>,
    pub(crate) output: fn(&crate::job::AttemptIo, usize) -> Option<&(dyn Any + Send + Sync)>,
}

impl Plan {
    /// The jobs and the order between them.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Looks for state that the jobs of this plan need, which is that of the workflow, and an
    /// engine does not have.
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

/// Why a workflow cannot be planned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The jobs do not make a graph.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The function that draws the graph returned an error.
    #[error("the workflow could not be drawn: {}", .0.chain())]
    Draw(JobError),
    /// The function that draws the graph panicked.
    #[error("the workflow could not be drawn: it panicked: {0}")]
    Panicked(String),
}
