//! From jobs and dependencies to flat arrays, or to an error that names what is wrong.

use std::collections::{HashMap, HashSet};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::{Cell, Graph, JobPolicy, Names, Settings};
use crate::definition::Definition;
use crate::id::{NameError, nearest};
use crate::job::Traits;

/// Why jobs cannot become a [`Graph`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// There is nothing to run.
    #[error("the workflow has no jobs; add one with `flow.job(..)`")]
    Empty,
    /// Two jobs have one name.
    #[error("two jobs are named `{0}`; give one of them another name")]
    DuplicateName(String),
    /// A name is ill-formed.
    #[error("a job is not well named: {0}")]
    Name(NameError),
    /// Jobs that wait on each other, in order; the last waits on the first.
    #[error(
        "jobs wait on each other: {}, each for the one before it; remove one of these dependencies",
        path(.0)
    )]
    Cycle(Vec<String>),
    /// A dependency without a job behind it.
    #[error("job `{job}` depends on `{missing}`, which is not defined{}", hint(.nearest))]
    UnknownJob {
        /// The job that waits.
        job: String,
        /// The name that no job has.
        missing: String,
        /// The most similar name that a job has.
        nearest: Option<String>,
    },
    /// A handle of another flow was used.
    #[error(
        "{} reads a handle that another flow gave out; \
         draw both jobs in one flow, or pass the value as input",
        reader(job)
    )]
    ForeignHandle {
        /// The job that reads it; `None` when it was made the workflow's output.
        job: Option<String>,
    },
    /// More jobs or edges than numbers for them.
    #[error("the graph is too large: at most 2147483647 jobs and 4294967295 edges")]
    TooLarge,
}

fn path(jobs: &[String]) -> String {
    let first = jobs.first().map(String::as_str);
    jobs.iter().map(String::as_str).chain(first).collect::<Vec<_>>().join(" -> ")
}

fn reader(job: &Option<String>) -> String {
    match job {
        Some(job) => format!("job `{job}`"),
        None => "the workflow's output".to_owned(),
    }
}

fn hint(nearest: &Option<String>) -> String {
    match nearest {
        Some(name) => format!("; did you mean `{name}`?"),
        None => "; define it, or remove the dependency".to_owned(),
    }
}

/// Jobs as they were noted down, in the order in which they were added.
#[derive(Default)]
pub(crate) struct Sketch {
    pub(crate) names: Names,
    pub(crate) traits: Vec<Traits>,
    /// Dependencies of job `j` are `depends_on[..ends[j]]` from where those of `j - 1` end.
    pub(crate) depends_on: Vec<u32>,
    pub(crate) ends: Vec<u32>,
    pub(crate) policies: HashMap<u32, JobPolicy>,
    pub(crate) settings: Settings,
}

impl Sketch {
    pub(crate) fn with_capacity(jobs: usize) -> Self {
        Self {
            names: Names::with_capacity(jobs),
            traits: Vec::with_capacity(jobs),
            depends_on: Vec::with_capacity(jobs),
            ends: Vec::with_capacity(jobs),
            ..Self::default()
        }
    }

    fn dependencies(&self, job: usize) -> &[u32] {
        let start = if job == 0 { 0 } else { self.ends[job - 1] as usize };
        &self.depends_on[start..self.ends[job] as usize]
    }

    /// Proves that the jobs can run, and fixes their order. Also returns the old number of each
    /// job of the graph.
    pub(crate) fn compile(mut self) -> Result<(Graph, Vec<u32>), GraphError> {
        self.check_names()?;
        let jobs = self.traits.len();
        let order = Successors::of(&self).release();
        if order.len() < jobs {
            return Err(GraphError::Cycle(self.find_cycle(&order)));
        }
        let new_of = invert(&order);
        self.names.reorder(&order);
        let policies = std::mem::take(&mut self.policies);
        let policies = policies.into_iter().map(|(job, policy)| (new_of[job as usize], policy));
        let cells = order.iter().map(|old| self.cell(*old as usize)).collect();
        let (starts, successors) = self.successors(&new_of);
        let policies = policies.collect();
        let Self { names, settings, .. } = self;
        Ok((Graph { starts, successors, cells, policies, names, settings }, order))
    }

    fn cell(&self, job: usize) -> Cell {
        let pending = u32::try_from(self.dependencies(job).len()).unwrap_or(u32::MAX);
        Cell { pending, traits: self.traits[job], phase: 0, seen: 0 }
    }

    fn check_names(&self) -> Result<(), GraphError> {
        if self.traits.is_empty() {
            return Err(GraphError::Empty);
        }
        if !self.names.has_given() {
            return Ok(());
        }
        let mut seen = HashSet::with_capacity(self.traits.len());
        for (_, name) in self.names.given() {
            if !seen.insert(name) {
                return Err(GraphError::DuplicateName(name.to_owned()));
            }
        }
        Ok(())
    }

    /// Successor lists in the new numbering, each in rising order.
    fn successors(&self, new_of: &[u32]) -> (Vec<u32>, Vec<u32>) {
        let mut starts = vec![0_u32; new_of.len() + 1];
        for dependency in &self.depends_on {
            starts[new_of[*dependency as usize] as usize + 1] += 1;
        }
        for job in 0..new_of.len() {
            starts[job + 1] += starts[job];
        }
        let mut next = starts.clone();
        let mut successors = vec![0_u32; self.depends_on.len()];
        for (job, new) in new_of.iter().enumerate() {
            for dependency in self.dependencies(job) {
                let slot = &mut next[new_of[*dependency as usize] as usize];
                successors[*slot as usize] = *new;
                *slot += 1;
            }
        }
        (starts, successors)
    }

    /// One full cycle among the jobs that were not released.
    fn find_cycle(&self, released: &[u32]) -> Vec<String> {
        let released: HashSet<u32> = released.iter().copied().collect();
        let mut waits = DiGraph::<u32, ()>::new();
        let stuck = (0..self.traits.len()).map(|job| u32::try_from(job).unwrap_or(u32::MAX));
        let nodes: HashMap<u32, NodeIndex> = stuck
            .filter(|job| !released.contains(job))
            .map(|job| (job, waits.add_node(job)))
            .collect();
        for (job, node) in &nodes {
            for dependency in self.dependencies(*job as usize) {
                if let Some(other) = nodes.get(dependency) {
                    waits.add_edge(*other, *node, ());
                }
            }
        }
        let knot = kosaraju_scc(&waits).into_iter().find(|knot| {
            knot.len() > 1 || knot.iter().any(|node| waits.contains_edge(*node, *node))
        });
        let cycle = walk_round(&waits, &knot.unwrap_or_default());
        cycle.into_iter().map(|node| self.names.get(waits[node] as usize).to_owned()).collect()
    }
}

/// Follows edges inside a strongly connected set until a job comes round again.
fn walk_round(waits: &DiGraph<u32, ()>, knot: &[NodeIndex]) -> Vec<NodeIndex> {
    let members: HashSet<NodeIndex> = knot.iter().copied().collect();
    let Some(mut at) = knot.iter().copied().min_by_key(|node| waits[*node]) else {
        return Vec::new();
    };
    let mut trail: Vec<NodeIndex> = Vec::new();
    let mut place = HashMap::new();
    while !place.contains_key(&at) {
        place.insert(at, trail.len());
        trail.push(at);
        let next = waits.neighbors(at).filter(|node| members.contains(node));
        let Some(next) = next.min_by_key(|node| waits[*node]) else { break };
        at = next;
    }
    let mut cycle = trail.split_off(place.get(&at).copied().unwrap_or(0));
    let first = (0..cycle.len()).min_by_key(|index| waits[cycle[*index]]).unwrap_or(0);
    cycle.rotate_left(first);
    cycle
}

/// Who waits for whom, in the order in which the jobs were added.
struct Successors {
    starts: Vec<u32>,
    successors: Vec<u32>,
    pending: Vec<u32>,
}

impl Successors {
    fn of(sketch: &Sketch) -> Self {
        let jobs = sketch.traits.len();
        let identity: Vec<u32> = (0..u32::try_from(jobs).unwrap_or(u32::MAX)).collect();
        let (starts, successors) = sketch.successors(&identity);
        let pending = (0..jobs).map(|job| sketch.dependencies(job).len() as u32).collect();
        Self { starts, successors, pending }
    }

    /// The jobs in the order of Kahn's algorithm, first in, first out; short when there is a
    /// cycle. Among jobs that are ready together, the order in which they were added holds.
    fn release(mut self) -> Vec<u32> {
        let jobs = self.pending.len();
        let mut order = Vec::with_capacity(jobs);
        order.extend((0..jobs).filter(|job| self.pending[*job] == 0).map(|job| job as u32));
        let mut next = 0;
        while let Some(job) = order.get(next).copied() {
            next += 1;
            let (start, end) = (self.starts[job as usize], self.starts[job as usize + 1]);
            for successor in &self.successors[start as usize..end as usize] {
                let pending = &mut self.pending[*successor as usize];
                *pending -= 1;
                if *pending == 0 {
                    order.push(*successor);
                }
            }
        }
        order
    }
}

pub(super) fn invert(order: &[u32]) -> Vec<u32> {
    let mut new_of = vec![0; order.len()];
    for (new, old) in order.iter().enumerate() {
        new_of[*old as usize] = new as u32;
    }
    new_of
}

impl Graph {
    /// Proves that a definition can run, and fixes the order.
    ///
    /// # Errors
    ///
    /// Fails when there are no jobs, when two share a name, when `depends_on` names no job, or
    /// when jobs wait on each other.
    ///
    /// ```
    /// use workflow_core::{Definition, Graph};
    ///
    /// let definition = Definition::new("etl")?
    ///     .job("extract", [])?
    ///     .job("load", ["transform"])?
    ///     .job("transform", ["extract"])?;
    /// let names: Vec<_> = Graph::compile(&definition)?.job_names().map(String::from).collect();
    /// assert_eq!(names, ["extract", "transform", "load"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn compile(definition: &Definition) -> Result<Self, GraphError> {
        Ok(definition.sketch()?.compile()?.0)
    }
}

impl Definition {
    /// The jobs with their dependencies as numbers.
    pub(crate) fn sketch(&self) -> Result<Sketch, GraphError> {
        let mut numbers = HashMap::with_capacity(self.jobs.len());
        for (number, job) in self.jobs.iter().enumerate() {
            if numbers.insert(job.name.as_str(), number as u32).is_some() {
                return Err(GraphError::DuplicateName(job.name.to_string()));
            }
        }
        let mut sketch = Sketch {
            settings: Settings {
                on_failure: self.on_failure,
                max_parallel: self.max_parallel,
                timeout: self.timeout,
            },
            ..Sketch::default()
        };
        for job in &self.jobs {
            for name in &job.depends_on {
                let number = numbers.get(name.as_str()).copied();
                sketch.depends_on.push(number.ok_or_else(|| self.unknown(job, name))?);
            }
            sketch
                .ends
                .push(u32::try_from(sketch.depends_on.len()).map_err(|_| GraphError::TooLarge)?);
            sketch.traits.push(Traits::default().with_rule(job.trigger));
            sketch.names.push("job".into(), Some(job.name.to_string()));
        }
        Ok(sketch)
    }

    fn unknown(&self, job: &crate::definition::JobDefinition, missing: &str) -> GraphError {
        let names = self.jobs.iter().map(|job| job.name.as_str());
        GraphError::UnknownJob {
            job: job.name.to_string(),
            missing: missing.to_owned(),
            nearest: nearest(missing, names).map(str::to_owned),
        }
    }
}
