//! Compiles jobs and dependencies into flat arrays, or returns an error that names what is wrong.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::group::{GroupBuilder, Groups};
use super::{Graph, GraphError, JobPolicy, JobState, Lists, Names, Settings};
use crate::definition::Definition;
use crate::id::nearest;
use crate::job::JobFlags;

/// Jobs and dependencies, in the order in which they were added.
#[derive(Default)]
pub(crate) struct GraphBuilder {
    pub(crate) names: Names,
    /// The initial state of each job, without groups.
    pub(crate) cells: Vec<JobState>,
    /// The dependencies of job `j` are in `waits` from `ends[j - 1]` to `ends[j]`. Numbers from
    /// [`NO_JOB`] on are no jobs, and mean something to the caller only.
    waits: Vec<u32>,
    ends: Vec<u32>,
    /// The number of dependencies of the next job.
    pending: u32,
    pub(crate) groups: GroupBuilder,
    pub(crate) policies: HashMap<u32, JobPolicy>,
    pub(crate) settings: Settings,
}

/// Numbers from here on are no jobs and do not count as dependencies.
pub(crate) const NO_JOB: u32 = 1 << 31;

impl GraphBuilder {
    pub(crate) fn with_capacity(jobs: usize) -> Self {
        Self {
            names: Names::with_capacity(jobs),
            cells: Vec::with_capacity(jobs),
            waits: Vec::with_capacity(jobs),
            ends: Vec::with_capacity(jobs),
            ..Self::default()
        }
    }

    /// Makes the next job that is added wait for another.
    pub(crate) fn wait(&mut self, on: u32) {
        self.pending += u32::from(on < NO_JOB);
        self.waits.push(on);
    }

    /// Adds a job with the dependencies that were added since the previous job.
    pub(crate) fn add(&mut self, seed: Cow<'static, str>, given: Option<&str>, flags: JobFlags) {
        let pending = std::mem::take(&mut self.pending);
        self.cells.push(JobState { pending, flags, phase: 0, seen: 0 });
        self.ends.push(self.waits.len() as u32);
        self.names.push(seed, given);
    }

    /// Returns the number of dependencies so far.
    pub(crate) fn waits(&self) -> usize {
        self.waits.len()
    }

    /// Returns the dependencies that a job had when [`Self::waits`] returned `end`.
    pub(crate) fn first_waits(&self, job: u32, end: u32) -> &[u32] {
        &self.waits[self.start(job as usize)..end as usize]
    }

    fn start(&self, job: usize) -> usize {
        job.checked_sub(1).map_or(0, |before| self.ends[before] as usize)
    }

    pub(super) fn dependencies(&self, job: usize) -> impl Iterator<Item = &u32> + Clone {
        let waits = &self.waits[self.start(job)..self.ends[job] as usize];
        waits.iter().filter(|on| **on < NO_JOB)
    }

    /// Proves that the jobs can run, and fixes their order. Also returns the old number of each job
    /// of the graph. Dependencies stay in the builder.
    pub(crate) fn compile(&mut self) -> Result<(Graph, Vec<u32>), GraphError> {
        self.check_names()?;
        self.groups.normalize()?;
        let successors = self.successors();
        let order = Release::of(self, &successors).order();
        if order.len() < self.cells.len() {
            return Err(GraphError::Cycle(self.find_cycle(&order)));
        }
        let new_of = invert(&order);
        let successors = successors.reordered(&order, &new_of);
        let groups = self.groups.compile(&order, &new_of);
        let cells = self.cells(&order, &new_of);
        let policies = std::mem::take(&mut self.policies).into_iter();
        let policies = policies.map(|(job, policy)| (new_of[job as usize], policy)).collect();
        let mut names = std::mem::take(&mut self.names);
        names.reorder(new_of);
        let settings = self.settings;
        Ok((Graph { successors, groups, cells, policies, names, settings }, order))
    }

    fn cells(&mut self, order: &[u32], new_of: &[u32]) -> Vec<JobState> {
        let added = std::mem::take(&mut self.cells);
        let mut cells: Vec<JobState> = order.iter().map(|old| added[*old as usize]).collect();
        for (_, job) in self.groups.waiting() {
            cells[new_of[*job as usize] as usize].pending += 1;
        }
        for (_, job) in self.groups.members() {
            let flags = &mut cells[new_of[*job as usize] as usize].flags;
            *flags = flags.union(JobFlags::MEMBER);
        }
        cells
    }

    fn check_names(&self) -> Result<(), GraphError> {
        if self.cells.is_empty() {
            return Err(GraphError::Empty);
        }
        let mut seen = HashSet::with_capacity(self.names.most_given());
        for name in self.names.given() {
            if !seen.insert(name) {
                return Err(GraphError::DuplicateName(name.to_owned()));
            }
        }
        Ok(())
    }

    /// Returns the jobs that wait for each job, in the order in which they were added.
    fn successors(&self) -> Lists {
        let jobs = 0..self.cells.len() as u32;
        let waits = |job: u32| self.dependencies(job as usize).map(move |on| (*on, job));
        Lists::of(self.cells.len(), jobs.flat_map(waits))
    }
}

/// Releases jobs in the order of Kahn's algorithm.
struct Release<'a> {
    successors: &'a Lists,
    groups: Groups,
    /// The number of dependencies and groups of each job that are not released yet.
    pending: Vec<u32>,
    order: Vec<u32>,
}

impl<'a> Release<'a> {
    fn of(builder: &GraphBuilder, successors: &'a Lists) -> Self {
        let jobs = builder.cells.len();
        let groups = builder.groups.as_added(jobs);
        let mut pending: Vec<u32> = builder.cells.iter().map(|cell| cell.pending).collect();
        for (_, job) in builder.groups.waiting() {
            pending[*job as usize] += 1;
        }
        Self { successors, groups, pending, order: Vec::with_capacity(jobs + 1) }
    }

    /// Returns the jobs in order, first in, first out. Incomplete if there is a cycle. Jobs that
    /// are released together stay in the order in which they were added.
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

/// Counts down the jobs in `waiting`, and releases those without further dependencies.
fn count_down(pending: &mut [u32], waiting: &[u32], released: &mut Vec<u32>) {
    for job in waiting {
        let pending = &mut pending[*job as usize];
        *pending -= 1;
        // Pushes first and truncates after, to avoid a branch that cannot be predicted.
        released.push(*job);
        released.truncate(released.len() - usize::from(*pending > 0));
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
    /// Compiles a definition: proves that it can run, and fixes the order of its jobs.
    ///
    /// # Errors
    ///
    /// Fails if there are no jobs, if two jobs have the same name, if a dependency, a group or a
    /// member of a group does not exist, or if jobs wait on each other.
    ///
    /// ```
    /// use workflow_core::definition::Definition;
    /// use workflow_core::graph::Graph;
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
        Ok(definition.builder()?.compile()?.0)
    }
}

impl Definition {
    /// Returns a builder with the dependencies as numbers.
    pub(crate) fn builder(&self) -> Result<GraphBuilder, GraphError> {
        let mut numbers = HashMap::with_capacity(self.jobs.len());
        for (number, job) in self.jobs.iter().enumerate() {
            if numbers.insert(job.name.as_str(), number as u32).is_some() {
                return Err(GraphError::DuplicateName(job.name.to_string()));
            }
        }
        let mut builder = GraphBuilder {
            settings: Settings {
                on_failure: self.on_failure,
                max_parallel: self.max_parallel,
                timeout: self.timeout,
            },
            ..GraphBuilder::default()
        };
        self.add_groups(&mut builder.groups)?;
        for job in &self.jobs {
            for name in &job.depends_on {
                let number = numbers.get(name.as_str()).copied();
                builder.wait(number.ok_or_else(|| self.unknown(job, name))?);
            }
            u32::try_from(builder.waits()).map_err(|_| GraphError::TooLarge)?;
            let flags = JobFlags::default().with_rule(job.trigger);
            builder.add("job".into(), Some(job.name.as_str()), flags);
        }
        Ok(builder)
    }

    fn add_groups(&self, builder: &mut GroupBuilder) -> Result<(), GraphError> {
        let (jobs, groups) = (self.jobs.len(), self.groups.len());
        for (group, members) in self.groups.iter().enumerate() {
            if let Some(member) = members.iter().copied().find(|job| *job as usize >= jobs) {
                return Err(GraphError::UnknownMember { group, member, jobs });
            }
            builder.add(members.iter().copied());
        }
        for (number, job) in (0..).zip(&self.jobs) {
            for group in job.depends_on_groups.iter().copied() {
                if group as usize >= groups {
                    let job = job.name.to_string();
                    return Err(GraphError::UnknownGroup { job, group, groups });
                }
                builder.wait(number, group);
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
