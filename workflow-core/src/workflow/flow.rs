//! The builder of typed graphs.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::plan::{CompensationPlan, Extras, Plan, PlanError};
use crate::graph::{GraphBuilder, GraphError, JobPolicy, NO_JOB};
use crate::id::check_name;
use crate::job::{
    Bodies, Call, Group, Handle, InputRef, JobFlags, JobOptions, Need, OnFailure, RawCall, Source,
    TimeoutKind, ValueLayout, fresh_owner,
};
use crate::value::{Boxed, Type};

/// A builder that draws a graph of typed jobs.
///
/// Edges are values: a job that takes the [`Handle`] of another job waits for it and reads its
/// output. A handle exists only once its job does, so cycles cannot be written, and wrong types do
/// not compile.
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
/// # Ok::<(), workflow_core::workflow::PlanError>(())
/// ```
pub struct Flow {
    owner: u32,
    builder: GraphBuilder,
    bodies: Bodies,
    columns: Vec<Type>,
    /// The column of each job's output.
    column_of: Vec<u32>,
    /// For each job, the end of its inputs in the builder's list of the values that it waits for.
    /// Inputs come first; those that are not jobs have numbers from [`CONSTANTS`] on.
    input_ends: Vec<u32>,
    /// The number of inputs of all jobs.
    inputs: usize,
    constants: Vec<Boxed>,
    extras: Vec<(u32, Extras)>,
    needs: Vec<(u32, Need)>,
    input: Option<Type>,
    output: Option<(u32, Type)>,
    limits: BTreeMap<String, usize>,
    problem: Option<GraphError>,
    /// The call, in a flow that only [catches](Self::catching) one.
    caught: Option<Box<Option<RawCall>>>,
}

/// The number of the first constant; smaller numbers are jobs.
const CONSTANTS: u32 = NO_JOB;
/// The number of the workflow's input.
const INPUT: u32 = u32::MAX;

impl Default for Flow {
    fn default() -> Self {
        Self::new()
    }
}

impl Flow {
    /// Creates a flow without jobs.
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// Creates a flow with room for this many jobs.
    pub fn with_capacity(jobs: usize) -> Self {
        Self {
            owner: fresh_owner(),
            builder: GraphBuilder::with_capacity(jobs),
            bodies: Bodies::with_capacity(jobs),
            columns: Vec::new(),
            column_of: Vec::with_capacity(jobs),
            input_ends: Vec::with_capacity(jobs),
            inputs: 0,
            constants: Vec::new(),
            extras: Vec::new(),
            needs: Vec::new(),
            input: None,
            output: None,
            limits: BTreeMap::new(),
            problem: None,
            caught: None,
        }
    }

    /// Creates a flow that draws nothing and only catches the call of a registered job.
    pub(crate) fn catching() -> Self {
        Self { caught: Some(Box::default()), ..Self::new() }
    }

    /// The place for the caught call, in a flow that catches one.
    pub(crate) fn caught(&mut self) -> Option<&mut Option<RawCall>> {
        self.caught.as_deref_mut()
    }

    /// Adds a job and returns the handle of its output.
    pub fn job<T: Send + Sync + 'static>(&mut self, call: Call<T>) -> Handle<T> {
        let job = self.add(call.raw);
        Handle::new(InputRef { owner: self.owner, index: job })
    }

    /// Returns a handle of a constant.
    pub fn value<T: Send + Sync + 'static>(&mut self, value: T) -> Handle<T> {
        let index = CONSTANTS + self.constants.len() as u32;
        self.constants.push(Box::new(value));
        Handle::new(InputRef { owner: self.owner, index })
    }

    /// Returns the handle of the run's input. A flow has one input; the last call sets its type.
    #[doc(hidden)]
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

    /// Sets the output's type, if its handle does not have a serializable one.
    pub(crate) fn describe_output(&mut self, kind: Type) {
        if let Some((_, known)) = &mut self.output
            && known.same(&kind)
            && !known.is_serializable()
        {
            *known = kind;
        }
    }

    /// Sets the reaction of a run to a job that fails for good. Default: the run finishes the
    /// branches that do not depend on the job.
    pub fn on_failure(&mut self, reaction: OnFailure) {
        self.builder.settings.on_failure = reaction;
    }

    /// Limits how many jobs of a run may run at once; 0 counts as 1. Default: no limit.
    pub fn max_parallel(&mut self, jobs: usize) {
        self.builder.settings.max_parallel = Some(jobs.max(1));
    }

    /// Limits how many jobs with this limit may run at once, over all runs of the workflow in this
    /// process and all engines; 0 counts as 1.
    ///
    /// Runs of workflows of the same name share their limits. If the workflow has changed and
    /// running runs have different sizes, the smallest applies. If the engine has a limit of the
    /// same name, jobs count against both. Child workflows have these limits in addition to their
    /// own.
    ///
    /// ```
    /// use workflow_core::prelude::*;
    ///
    /// #[job(limit = "db")]
    /// fn query(number: u64) -> u64 { number * 2 }
    ///
    /// #[register_workflow(name = "queries")]
    /// fn queries(flow: &mut Flow) {
    ///     flow.limit("db", 2);
    ///     for number in 0..10 {
    ///         let number = flow.value(number);
    ///         flow.job(query(number));
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// registry::run("queries").wait()?; // two queries at a time, also beside other runs of it
    /// # Ok(())
    /// # }
    /// ```
    pub fn limit(&mut self, name: impl Into<String>, jobs: usize) {
        self.limits.insert(name.into(), jobs.max(1));
    }

    /// Sets the timeout of a run: when it is over, the jobs are cancelled and the run fails. A
    /// timeout of zero is an error in [`Flow::plan`].
    pub fn timeout(&mut self, limit: Duration) {
        if limit.is_zero() {
            self.refuse_timeout(None, TimeoutKind::Run);
        }
        self.builder.settings.timeout = Some(limit);
    }

    /// Returns the handle of the output of job number `job`, from 0 in the order of addition, which
    /// may be added later.
    ///
    /// The type is not checked here: a job that reads the output as the wrong type fails.
    /// [`Flow::plan`] finds cycles.
    pub fn output_of<T>(&self, job: u32) -> Handle<T> {
        Handle::new(InputRef { owner: self.owner, index: job })
    }

    fn own(&self, input: InputRef) -> Option<u32> {
        (input.owner == self.owner).then_some(input.index)
    }

    #[cold]
    fn foreign(&mut self, job: Option<&str>) {
        self.problem.get_or_insert(GraphError::ForeignHandle { job: job.map(str::to_owned) });
    }

    #[cold]
    fn refuse_timeout(&mut self, job: Option<&str>, timeout: TimeoutKind) {
        let job = job.map(str::to_owned);
        self.problem.get_or_insert(GraphError::ZeroTimeout { job, timeout });
    }

    fn add(&mut self, call: RawCall) -> u32 {
        let job = self.bodies.len() as u32;
        if let Some(timeout) = call.zero_timeout() {
            self.refuse_timeout(Some(call.given.as_deref().unwrap_or(&call.name)), timeout);
        }
        if let Err(error) = call.check_queue() {
            let job = call.given.as_deref().unwrap_or(&call.name).to_owned();
            self.problem.get_or_insert(GraphError::TaskQueue { job, error });
        }
        let mut flags = call.flags();
        if !call.needs().is_empty() {
            self.needs.extend(call.needs().iter().map(|need| (job, need.clone())));
        }
        let RawCall { name, given, body, inputs, output, options, .. } = call;
        for input in &inputs.0 {
            match self.own(input.0) {
                Some(index) => self.builder.wait(index),
                None => self.foreign(Some(&name)),
            }
        }
        self.input_ends.push(self.builder.waits() as u32);
        self.inputs += inputs.0.len();
        if let Some(Err(error)) = given.as_deref().map(check_name) {
            self.problem.get_or_insert(GraphError::Name(error));
        }
        if let Some(options) = options {
            flags = self.set_options(job, given.as_deref().unwrap_or(&name), flags, *options);
        }
        let column = self.column(output);
        self.column_of.push(column);
        self.builder.add(name, given.as_deref(), flags);
        self.bodies.push(body);
        job
    }

    /// Records the options of a job.
    fn set_options(
        &mut self,
        job: u32,
        name: &str,
        flags: JobFlags,
        options: JobOptions,
    ) -> JobFlags {
        for other in &options.after {
            match self.own(*other) {
                Some(index) if index < CONSTANTS => self.builder.wait(index),
                Some(_) => {}
                None => self.foreign(Some(name)),
            }
        }
        self.wait_for_groups(job, name, &options.after_groups);
        let (policy, flags) = policy(&options, flags);
        if let Some(policy) = policy {
            self.builder.policies.insert(job, policy);
        }
        if let Some(compensation) = &options.compensation {
            self.needs.extend(compensation.call.needs().iter().map(|need| (job, need.clone())));
        }
        if options.condition.is_some() || options.compensation.is_some() {
            let compensation = options.compensation.map(|compensation| CompensationPlan {
                call: Arc::new(compensation.call),
                inputs: compensation.inputs.into(),
                output: compensation.output,
            });
            self.extras.push((job, Extras { condition: options.condition, compensation }));
        }
        flags
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
}

impl Flow {
    /// Joins jobs into a group, which other jobs can wait for with
    /// [`Call::after_group`](crate::Call::after_group).
    ///
    /// When a thousand jobs wait for a thousand others, a group takes two thousand edges, and
    /// [`Call::after_all`](crate::Call::after_all) a million. The runs are the same. A group
    /// without jobs is complete at once, and handles of constants are ignored.
    ///
    /// ```
    /// use workflow_core::prelude::*;
    ///
    /// #[job]
    /// fn load(shard: u32) -> u32 { shard }
    /// #[job]
    /// fn check(shard: u32) -> u32 { shard }
    ///
    /// let mut flow = Flow::new();
    /// let loads: Vec<_> = (0..1000).map(|shard| flow.job(load::draw(shard))).collect();
    /// let loaded = flow.group(loads);
    /// for shard in 0..1000 {
    ///     flow.job(check::draw(shard).after_group(loaded));
    /// }
    /// let plan = flow.plan()?;
    /// let (members, waiting) = plan.graph().groups().next().ok_or("a group")?;
    /// assert_eq!((members.len(), waiting.len()), (1000, 1000));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn group<T: ?Sized>(&mut self, jobs: impl IntoIterator<Item = Handle<T>>) -> Group {
        let mut members = Vec::new();
        for job in jobs {
            match self.own(job.at) {
                Some(index) if index < CONSTANTS => members.push(index),
                Some(_) => {}
                None => {
                    self.problem.get_or_insert(GraphError::ForeignMember);
                }
            }
        }
        let index = self.builder.groups.add(members);
        Group { at: InputRef { owner: self.owner, index } }
    }

    /// Records that a job waits for groups.
    fn wait_for_groups(&mut self, job: u32, name: &str, groups: &[Group]) {
        for group in groups {
            match self.own(group.at) {
                Some(index) => self.builder.groups.wait(job, index),
                None => {
                    self.problem.get_or_insert(GraphError::ForeignGroup(name.to_owned()));
                }
            }
        }
    }
}

impl Flow {
    /// Validates and compiles the graph.
    ///
    /// # Errors
    ///
    /// Fails when there are no jobs, when two jobs have the same given name, when a name is
    /// invalid, when a timeout is zero, and when a job reads a handle of another flow.
    pub fn plan(mut self) -> Result<Plan, PlanError> {
        if let Some(problem) = self.problem {
            return Err(problem.into());
        }
        if self.builder.waits().max(self.bodies.len()) >= CONSTANTS as usize {
            return Err(GraphError::TooLarge.into());
        }
        let (graph, order) = self.builder.compile()?;
        self.bodies.reorder(&order);
        let (outputs, output_of, rows) = self.outputs(&order);
        let source = |index: u32| match index {
            INPUT => Source { column: Source::INPUT, row: 0 },
            job if job < CONSTANTS => output_of[job as usize],
            other => Source { column: Source::CONSTANT, row: other - CONSTANTS },
        };
        let output = self.output.map(|(index, kind)| (source(index), kind));
        let mut starts = Vec::with_capacity(order.len());
        let mut inputs = Vec::with_capacity(self.inputs);
        for job in &order {
            starts.push(inputs.len() as u32);
            let read = self.builder.first_waits(*job, self.input_ends[*job as usize]);
            inputs.extend(read.iter().map(|index| source(*index)));
        }
        let extras = self.extras.into_iter();
        let extras = extras.map(|(job, extras)| (graph.names.number(job), extras));
        let needs = self.needs.into_iter().map(|(job, need)| (graph.names.number(job), need));
        let mut needs: Vec<_> = needs.collect();
        needs.sort_by_key(|(job, _)| *job);
        let columns = self.columns.into_iter().zip(rows).collect();
        let constants = self.constants;
        let timed = graph.policies.iter().filter(|(_, policy)| policy.timeouts.any());
        let timed = timed.map(|(job, _)| *job).collect();
        Ok(Plan {
            extras: extras.collect(),
            graph: Arc::new(graph),
            bodies: self.bodies,
            layout: Arc::new(ValueLayout { columns, inputs, starts, outputs, constants, timed }),
            output,
            limits: self.limits,
            needs,
            stored_graph: OnceLock::new(),
        })
    }

    /// Assigns places to the outputs. Returns them in the order of the graph and in the order of
    /// addition, with the number of rows of each column.
    fn outputs(&self, order: &[u32]) -> (Vec<Source>, Vec<Source>, Vec<u32>) {
        let mut rows = vec![0_u32; self.columns.len()];
        let mut output_of = vec![Source { column: 0, row: 0 }; order.len()];
        let output = |job: &u32| {
            let column = self.column_of[*job as usize];
            let next = &mut rows[column as usize];
            let source = Source { column, row: *next };
            *next += 1;
            output_of[*job as usize] = source;
            source
        };
        (order.iter().map(output).collect(), output_of, rows)
    }
}

/// Converts a job's options into a policy and flags for the scheduler.
pub(crate) fn policy(options: &JobOptions, flags: JobFlags) -> (Option<JobPolicy>, JobFlags) {
    let timed = options.timeouts.any();
    let narrow = options.concurrency != usize::MAX;
    let flags = flags
        .with_rule(options.trigger)
        .union(JobFlags::LIMITED.when(!options.limits.is_empty() || options.task_queue.is_some()))
        .union(JobFlags::RETRIED.when(options.retry.is_some()))
        .union(JobFlags::TIMED.when(timed))
        .union(JobFlags::CONDITIONAL.when(options.condition.is_some()))
        .union(JobFlags::COMPENSATED.when(options.compensation.is_some()))
        .union(JobFlags::RANKED.when(options.priority != 0));
    let in_policy =
        JobFlags::LIMITED.union(JobFlags::RETRIED).union(JobFlags::TIMED).union(JobFlags::RANKED);
    let policy =
        (narrow || options.grace.is_some() || flags.intersects(in_policy)).then(|| JobPolicy {
            retry: options.retry.clone().unwrap_or_default(),
            timeouts: options.timeouts,
            grace: options.grace,
            priority: options.priority,
            limits: options.limits.clone(),
            task_queue: options.task_queue.as_deref().map(Arc::from),
            concurrency: options.concurrency,
        });
    (policy, flags)
}
