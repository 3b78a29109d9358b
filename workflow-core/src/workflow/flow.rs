//! The builder of typed graphs.

mod group;

use std::sync::Arc;
use std::time::Duration;

use super::plan::{Extras, Plan, PlanError, UndoPlan};
use crate::graph::{GraphError, JobPolicy, Sketch};
use crate::id::check_name;
use crate::job::{
    Bodies, Call, Handle, InputRef, JobOptions, OnFailure, RawCall, Source, Traits, Wiring,
    fresh_owner,
};
use crate::value::{Boxed, Type};

/// Draws a graph of typed jobs.
///
/// An edge is a value: a job that is given another's [`Handle`] waits for it and reads its
/// output. A handle exists only once its job does, so a cycle cannot be written, and a wrong type
/// does not compile.
///
/// ```
/// use workflow_core::prelude::*;
///
/// #[job]
/// fn extract() -> Vec<u64> { vec![1, 2, 3] }
/// #[job]
/// fn total(numbers: &Vec<u64>) -> u64 { numbers.iter().sum() }
///
/// let mut flow = Flow::new();
/// let numbers = flow.job(extract());
/// let total = flow.job(total(numbers));
/// flow.output(total);
/// let plan = flow.plan()?;
/// assert_eq!(plan.graph().edges().collect::<Vec<_>>(), [("extract", "total")]);
/// # Ok::<(), workflow_core::PlanError>(())
/// ```
pub struct Flow {
    owner: u32,
    sketch: Sketch,
    bodies: Bodies,
    columns: Vec<Type>,
    /// Of each job, the column that its output goes to.
    column_of: Vec<u32>,
    /// Inputs of all jobs, one after another: numbers of jobs, or what [`Place`] makes of others.
    inputs: Vec<u32>,
    input_ends: Vec<u32>,
    constants: Vec<Boxed>,
    extras: Vec<(u32, Extras)>,
    input: Option<Type>,
    output: Option<(u32, Type)>,
    problem: Option<GraphError>,
}

/// Constants are numbered from here; jobs come before.
const CONSTANTS: u32 = 1 << 31;
/// The number of the workflow's input.
const INPUT: u32 = u32::MAX;

impl Default for Flow {
    fn default() -> Self {
        Self::new()
    }
}

impl Flow {
    /// A flow without jobs.
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// A flow with room for this many jobs.
    pub fn with_capacity(jobs: usize) -> Self {
        Self {
            owner: fresh_owner(),
            sketch: Sketch::with_capacity(jobs),
            bodies: Bodies::with_capacity(jobs),
            columns: Vec::new(),
            column_of: Vec::with_capacity(jobs),
            inputs: Vec::with_capacity(jobs),
            input_ends: Vec::with_capacity(jobs),
            constants: Vec::new(),
            extras: Vec::new(),
            input: None,
            output: None,
            problem: None,
        }
    }

    /// Adds a job and returns the handle of its output.
    pub fn job<T: Send + Sync + 'static>(&mut self, call: Call<T>) -> Handle<T> {
        let job = self.add(call.raw);
        Handle::new(InputRef { owner: self.owner, index: job })
    }

    /// Adds a job that runs `job` for every element of a list. Short for
    /// `flow.job(map(list, job))`, which also takes a limit and options.
    pub fn map<T, U>(
        &mut self,
        list: Handle<Vec<T>>,
        job: impl FnOnce(Handle<T>) -> Call<U>,
    ) -> Handle<Vec<U>>
    where
        T: Send + Sync + 'static,
        U: Send + Sync + 'static,
    {
        self.job(crate::job::map(list, job))
    }

    /// The handle of a value that is known already.
    pub fn value<T: Send + Sync + 'static>(&mut self, value: T) -> Handle<T> {
        let index = CONSTANTS + self.constants.len() as u32;
        self.constants.push(Box::new(value));
        Handle::new(InputRef { owner: self.owner, index })
    }

    /// The place of a value that is known already, and whose type has been set aside.
    #[cfg(feature = "yaml")]
    pub(crate) fn erased_value(&mut self, value: Boxed) -> InputRef {
        let index = CONSTANTS + self.constants.len() as u32;
        self.constants.push(value);
        InputRef { owner: self.owner, index }
    }

    /// Makes what a job leaves the output of the workflow.
    #[cfg(feature = "yaml")]
    pub(crate) fn erased_output(&mut self, job: InputRef) {
        let column = self.column_of.get(job.index as usize);
        self.output = column.map(|column| (job.index, self.columns[*column as usize]));
    }

    /// The handle of the run's input. A flow has one input; the last type that was asked for holds.
    pub fn input<T: Send + Sync + 'static>(&mut self, kind: Type) -> Handle<T> {
        self.input = Some(kind);
        Handle::new(InputRef { owner: self.owner, index: INPUT })
    }

    /// Makes this value the output of the workflow.
    pub fn output<T: Send + Sync + 'static>(&mut self, value: Handle<T>) {
        let Some(index) = self.own(value.at) else {
            return self.foreign(None);
        };
        let kind = match index {
            INPUT => self.input,
            job => self.column_of.get(job as usize).map(|column| self.columns[*column as usize]),
        };
        self.output = Some((index, kind.unwrap_or(Type::opaque::<T>())));
    }

    /// Sets what a run does when a job fails for good. Default: the branches that do not descend
    /// from the job are finished.
    pub fn on_failure(&mut self, what: OnFailure) {
        self.sketch.settings.on_failure = what;
    }

    /// Limits how many jobs of a run may run at once; 0 counts as 1. Default: no limit.
    pub fn max_parallel(&mut self, jobs: usize) {
        self.sketch.settings.max_parallel = Some(jobs.max(1));
    }

    /// Limits how long a run may take: then its jobs are cancelled, and it has failed.
    pub fn timeout(&mut self, limit: Duration) {
        self.sketch.settings.timeout = Some(limit);
    }

    /// The output of the job of this number, which may be added later. Jobs that wait for each
    /// other in this way are found by [`Flow::plan`].
    #[cfg(feature = "yaml")]
    pub(crate) fn output_of<T>(&self, job: u32) -> Handle<T> {
        Handle::new(InputRef { owner: self.owner, index: job })
    }

    fn own(&self, input: InputRef) -> Option<u32> {
        (input.owner == self.owner).then_some(input.index)
    }

    #[cold]
    fn foreign(&mut self, job: Option<&str>) {
        self.problem.get_or_insert(GraphError::ForeignHandle { job: job.map(str::to_owned) });
    }

    fn add(&mut self, call: RawCall) -> u32 {
        let job = self.bodies.len() as u32;
        let mut traits = call.traits();
        let RawCall { name, given, body, inputs, output, options, .. } = call;
        for input in &inputs {
            match self.own(input.0) {
                Some(index) => self.read(index),
                None => self.foreign(Some(&name)),
            }
        }
        if let Some(Err(error)) = given.as_deref().map(check_name) {
            self.problem.get_or_insert(GraphError::Name(error));
        }
        if let Some(options) = options {
            traits = self.ask(job, given.as_deref().unwrap_or(&name), traits, *options);
        }
        let column = self.column(output);
        self.column_of.push(column);
        self.input_ends.push(self.inputs.len() as u32);
        self.sketch.traits.push(traits);
        self.sketch.ends.push(self.sketch.depends_on.len() as u32);
        self.sketch.names.push(name, given.as_deref());
        self.bodies.push(body);
        job
    }

    fn read(&mut self, index: u32) {
        self.inputs.push(index);
        if index < CONSTANTS {
            self.sketch.depends_on.push(index);
        }
    }

    /// Notes what a job asks for.
    fn ask(&mut self, job: u32, name: &str, traits: Traits, options: JobOptions) -> Traits {
        for other in &options.after {
            match self.own(*other) {
                Some(index) if index < CONSTANTS => self.sketch.depends_on.push(index),
                Some(_) => {}
                None => self.foreign(Some(name)),
            }
        }
        self.wait_for_groups(job, name, &options.after_groups);
        let (policy, traits) = policy(&options, traits);
        if let Some(policy) = policy {
            self.sketch.policies.insert(job, policy);
        }
        if options.condition.is_some() || options.undo.is_some() {
            let undo = options.undo.map(|undo| UndoPlan {
                call: Arc::new(undo.call),
                inputs: undo.inputs.into(),
                output: undo.output,
            });
            self.extras.push((job, Extras { condition: options.condition, undo }));
        }
        traits
    }

    /// The column for outputs of this type.
    fn column(&mut self, kind: Type) -> u32 {
        if let Some(last) = self.column_of.last()
            && self.columns[*last as usize].same(&kind)
        {
            return *last;
        }
        let known = self.columns.iter().position(|column| column.same(&kind));
        known.unwrap_or_else(|| {
            self.columns.push(kind);
            self.columns.len() - 1
        }) as u32
    }

    /// Proves that the graph can run, and compiles it.
    ///
    /// # Errors
    ///
    /// Fails when there are no jobs, when two were given one name, when a name is ill-formed, or
    /// when a job reads a handle of another flow.
    pub fn plan(self) -> Result<Plan, PlanError> {
        if let Some(problem) = self.problem {
            return Err(problem.into());
        }
        if self.inputs.len() >= CONSTANTS as usize || self.bodies.len() >= CONSTANTS as usize {
            return Err(GraphError::TooLarge.into());
        }
        let (graph, order) = self.sketch.compile()?;
        let mut rows = vec![0_u32; self.columns.len()];
        let mut outputs = Vec::with_capacity(order.len());
        let mut output_of = vec![Source { column: 0, row: 0 }; order.len()];
        for old in &order {
            let column = self.column_of[*old as usize];
            let source = Source { column, row: rows[column as usize] };
            rows[column as usize] += 1;
            outputs.push(source);
            output_of[*old as usize] = source;
        }
        let source = |index: u32| match index {
            INPUT => Source { column: Source::INPUT, row: 0 },
            job if job < CONSTANTS => output_of[job as usize],
            other => Source { column: Source::CONSTANT, row: other - CONSTANTS },
        };
        let mut starts = Vec::with_capacity(order.len());
        let mut inputs = Vec::with_capacity(self.inputs.len());
        for old in &order {
            starts.push(inputs.len() as u32);
            let old = *old as usize;
            let first = if old == 0 { 0 } else { self.input_ends[old - 1] as usize };
            let range = first..self.input_ends[old] as usize;
            inputs.extend(self.inputs[range].iter().map(|index| source(*index)));
        }
        let output = self.output.map(|(index, kind)| (source(index), kind));
        let columns = self.columns.into_iter().zip(rows).collect();
        let mut bodies = self.bodies;
        bodies.reorder(&order);
        let extras = self.extras.into_iter();
        let extras = extras.map(|(job, extras)| (graph.names.number(job), extras));
        Ok(Plan {
            extras: extras.collect(),
            graph: Arc::new(graph),
            bodies,
            wiring: Arc::new(Wiring {
                columns,
                inputs,
                starts,
                outputs,
                constants: self.constants,
            }),
            output,
        })
    }
}

/// What the scheduler must know of a job's options, if anything.
pub(crate) fn policy(options: &JobOptions, traits: Traits) -> (Option<JobPolicy>, Traits) {
    let timed = options.timeouts != crate::job::Timeouts::default();
    let narrow = options.concurrency != usize::MAX;
    let traits = traits
        .with_rule(options.trigger)
        .and(Traits::LIMITED.when(!options.limits.is_empty()))
        .and(Traits::RETRIED.when(options.retry.is_some()))
        .and(Traits::TIMED.when(timed))
        .and(Traits::CONDITIONAL.when(options.condition.is_some()))
        .and(Traits::UNDOABLE.when(options.undo.is_some()))
        .and(Traits::RANKED.when(options.priority != 0));
    let asks = Traits::LIMITED.and(Traits::RETRIED).and(Traits::TIMED).and(Traits::RANKED);
    let policy = (narrow || traits.has(asks)).then(|| JobPolicy {
        retry: options.retry.clone().unwrap_or_default(),
        timeouts: options.timeouts,
        priority: options.priority,
        limits: options.limits.clone(),
        concurrency: options.concurrency,
    });
    (policy, traits)
}
