//! From jobs and dependencies to flat arrays, or to an error that names what is wrong.

use std::collections::{HashMap, HashSet};

use super::group::{GroupSketch, Groups};
use super::{Cell, Graph, GraphError, JobPolicy, Lists, Names, Settings};
use crate::definition::Definition;
use crate::id::nearest;
use crate::job::Traits;

/// Jobs as they were noted down, in the order in which they were added.
#[derive(Default)]
pub(crate) struct Sketch {
    pub(crate) names: Names,
    pub(crate) traits: Vec<Traits>,
    /// Dependencies of job `j` are `depends_on[..ends[j]]` from where those of `j - 1` end.
    pub(crate) depends_on: Vec<u32>,
    pub(crate) ends: Vec<u32>,
    pub(crate) groups: GroupSketch,
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

    pub(super) fn dependencies(&self, job: usize) -> &[u32] {
        let start = if job == 0 { 0 } else { self.ends[job - 1] as usize };
        &self.depends_on[start..self.ends[job] as usize]
    }

    /// Proves that the jobs can run, and fixes their order. Also returns the old number of each
    /// job of the graph.
    pub(crate) fn compile(mut self) -> Result<(Graph, Vec<u32>), GraphError> {
        self.check_names()?;
        self.groups.tidy()?;
        let jobs = self.traits.len();
        let successors = self.successors();
        let order = Release::of(&self, &successors).order();
        if order.len() < jobs {
            return Err(GraphError::Cycle(self.find_cycle(&order)));
        }
        let new_of = invert(&order);
        let successors = successors.reordered(&order, &new_of);
        let groups = self.groups.compile(&order, &new_of);
        let cells = self.cells(&order, &new_of);
        let Self { mut names, policies, settings, .. } = self;
        let policies = policies.into_iter().map(|(job, policy)| (new_of[job as usize], policy));
        let policies = policies.collect();
        names.reorder(new_of);
        Ok((Graph { successors, groups, cells, policies, names, settings }, order))
    }

    fn cells(&self, order: &[u32], new_of: &[u32]) -> Vec<Cell> {
        let cell = |old: &u32| {
            let (pending, traits) = (self.pending(*old as usize), self.traits[*old as usize]);
            Cell { pending, traits, phase: 0, seen: 0 }
        };
        let mut cells: Vec<Cell> = order.iter().map(cell).collect();
        for (_, job) in self.groups.waiting() {
            cells[new_of[*job as usize] as usize].pending += 1;
        }
        for (_, job) in self.groups.members() {
            let traits = &mut cells[new_of[*job as usize] as usize].traits;
            *traits = traits.and(Traits::MEMBER);
        }
        cells
    }

    /// How many jobs a job waits for, not counting groups.
    fn pending(&self, job: usize) -> u32 {
        u32::try_from(self.dependencies(job).len()).unwrap_or(u32::MAX)
    }

    fn check_names(&self) -> Result<(), GraphError> {
        if self.traits.is_empty() {
            return Err(GraphError::Empty);
        }
        let mut seen = HashSet::new();
        for name in self.names.given() {
            if !seen.insert(name) {
                return Err(GraphError::DuplicateName(name.to_owned()));
            }
        }
        Ok(())
    }

    /// Who waits for each job, in the order in which they were added.
    fn successors(&self) -> Lists {
        let jobs = 0..self.traits.len() as u32;
        let waits = |job: u32| self.dependencies(job as usize).iter().map(move |on| (*on, job));
        Lists::of(self.traits.len(), jobs.flat_map(waits))
    }
}

/// Releases jobs in the order of Kahn's algorithm.
struct Release<'a> {
    successors: &'a Lists,
    groups: Groups,
    /// How many of the jobs and groups that it waits for are yet to be released.
    pending: Vec<u32>,
    order: Vec<u32>,
}

impl<'a> Release<'a> {
    fn of(sketch: &Sketch, successors: &'a Lists) -> Self {
        let jobs = sketch.traits.len();
        let groups = sketch.groups.as_added(jobs);
        let mut pending: Vec<u32> = (0..jobs).map(|job| sketch.pending(job)).collect();
        for (_, job) in sketch.groups.waiting() {
            pending[*job as usize] += 1;
        }
        Self { successors, groups, pending, order: Vec::with_capacity(jobs) }
    }

    /// The jobs, first in, first out; short when there is a cycle. Among jobs that are released
    /// together, the order in which they were added holds.
    fn order(mut self) -> Vec<u32> {
        let first = (0_u32..).zip(&self.pending).filter(|(_, pending)| **pending == 0);
        self.order.extend(first.map(|(job, _)| job));
        let mut next = 0;
        while let Some(job) = self.order.get(next).copied() {
            next += 1;
            let together = self.order.len();
            count_down(&mut self.pending, self.successors.get(job), &mut self.order);
            let groups = self.groups.of_job.get(job);
            for group in groups {
                let cell = &mut self.groups.cells[*group as usize];
                cell.pending -= 1;
                if cell.pending == 0 {
                    let waiting = self.groups.waiting.get(*group);
                    count_down(&mut self.pending, waiting, &mut self.order);
                }
            }
            if !groups.is_empty() {
                self.order[together..].sort_unstable();
            }
        }
        self.order
    }
}

/// Releases those of `waiting` that wait for nothing more.
fn count_down(pending: &mut [u32], waiting: &[u32], released: &mut Vec<u32>) {
    for job in waiting {
        let pending = &mut pending[*job as usize];
        *pending -= 1;
        if *pending == 0 {
            released.push(*job);
        }
    }
}

fn invert(order: &[u32]) -> Vec<u32> {
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
    /// Fails when there are no jobs, when two share a name, when `depends_on` names no job, when
    /// there is no group or member of a number, or when jobs wait on each other.
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
        self.sketch_groups(&mut sketch.groups)?;
        for job in &self.jobs {
            for name in &job.depends_on {
                let number = numbers.get(name.as_str()).copied();
                sketch.depends_on.push(number.ok_or_else(|| self.unknown(job, name))?);
            }
            sketch
                .ends
                .push(u32::try_from(sketch.depends_on.len()).map_err(|_| GraphError::TooLarge)?);
            sketch.traits.push(Traits::default().with_rule(job.trigger));
            sketch.names.push("job".into(), Some(job.name.as_str()));
        }
        Ok(sketch)
    }

    fn sketch_groups(&self, sketch: &mut GroupSketch) -> Result<(), GraphError> {
        let (jobs, groups) = (self.jobs.len(), self.groups.len());
        for (group, members) in self.groups.iter().enumerate() {
            if let Some(member) = members.iter().copied().find(|job| *job as usize >= jobs) {
                return Err(GraphError::UnknownMember { group, member, jobs });
            }
            sketch.add(members.iter().copied());
        }
        for (number, job) in (0..).zip(&self.jobs) {
            for group in job.depends_on_groups.iter().copied() {
                if group as usize >= groups {
                    let job = job.name.to_string();
                    return Err(GraphError::UnknownGroup { job, group, groups });
                }
                sketch.wait(number, group);
            }
        }
        Ok(())
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
