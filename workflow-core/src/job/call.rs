//! Calls of jobs: what a `#[job]` function with handles returns, and how a host creates one.

use std::borrow::Cow;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::attempt_io::{ChildFrame, Item};
use super::bind::{Bind, Handle, InputCount, InputRef, Inputs, Reader, Ref, Val, fresh_owner};
use super::options::{Compensation, Condition, Grace, Group, JobOptions, TriggerRule};
use super::raw_call::{Parameter, RawCall};
use super::{AttemptIo, Body, Job, JobContext, JobError, Need};
use crate::retry::RetryPolicy;
use crate::value::{ChildOutputs, Type};

/// A job that has not been added to a graph yet: the result of calling a `#[job]` function with
/// handles.
///
/// The methods set order, conditions, retries, timeouts and limits; `Flow::job` adds the job. A
/// call without inputs can also be awaited, which runs it outside of any engine.
#[must_use = "a call does nothing until it is given to `flow.job(..)`"]
pub struct Call<T> {
    pub(crate) raw: RawCall,
    kind: PhantomData<fn() -> T>,
}

impl<T: Send + Sync + 'static> Call<T> {
    /// Creates a call of this body. The macros create calls; to create one by hand, see
    /// [`closure`].
    pub fn new(
        name: impl Into<Cow<'static, str>>,
        output: Type,
        body: Body,
        inputs: Inputs,
    ) -> Self {
        let raw = RawCall {
            name: name.into(),
            given: None,
            body,
            inputs,
            output,
            parameters: None,
            takes_context: false,
            container: false,
            uncommon: None,
            options: None,
        };
        Self { raw, kind: PhantomData }
    }

    /// Declares the parameters, so that a store can distinguish the calls of a function.
    #[doc(hidden)]
    pub fn parameters(mut self, parameters: fn() -> Vec<Parameter>) -> Self {
        self.raw.parameters = Some(parameters);
        self
    }

    /// Declares that the body takes a context, and so can be cancelled cooperatively.
    pub fn takes_context(mut self) -> Self {
        self.raw.takes_context = true;
        self
    }

    /// Declares that the body takes this [state](super::State), so that an engine without it
    /// refuses the run before it begins.
    ///
    /// Calls of `#[job]` functions declare it automatically; a [`Job`] that calls
    /// [`JobContext::state`] does not.
    pub fn requires_state<S: Send + Sync + 'static>(mut self) -> Self {
        self.raw.add_need(Need::state::<S>(None));
        self
    }

    /// Adds the needs of another body.
    pub fn requiring(mut self, needs: impl IntoIterator<Item = Need>) -> Self {
        for need in needs {
            self.raw.add_need(need);
        }
        self
    }

    /// Declares that the body only waits for jobs that it starts.
    pub fn container(mut self) -> Self {
        self.raw.container = true;
        self
    }

    /// Sets all options at once, for crates that read workflows from files.
    pub fn options(mut self, options: JobOptions) -> Self {
        self.raw.given = None;
        self.raw.options = Some(Box::new(options));
        self
    }

    fn set(mut self, change: impl FnOnce(&mut JobOptions)) -> Self {
        change(self.raw.options.get_or_insert_default());
        self
    }

    /// Sets the job's name, which must be unique in its workflow. Default: the function's name,
    /// with `_2`, `_3` and so on from the second job of that name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.raw.given = Some(name.into());
        self
    }

    /// Makes the job wait for another whose value it does not read.
    pub fn after<U: ?Sized>(self, other: Handle<U>) -> Self {
        self.set(|options| options.after.push(other.at))
    }

    /// Makes the job wait for others whose values it does not read. Where many jobs wait for the
    /// same many others, [`after_group`](Self::after_group) costs less.
    pub fn after_all<U>(self, others: impl IntoIterator<Item = Handle<U>>) -> Self {
        self.set(|options| options.after.extend(others.into_iter().map(|other| other.at)))
    }

    /// Makes the job wait for all jobs of a group, whose values it does not read.
    ///
    /// It means what [`after_all`](Self::after_all) with these jobs means, for every trigger rule
    /// and every way to end. Where many jobs wait for the same many others, it costs less: see
    /// [`Flow::group`](crate::Flow::group).
    pub fn after_group(mut self, group: Group) -> Self {
        self.raw.options.get_or_insert_default().after_groups.push(group);
        self
    }

    /// Runs the job only if `test` returns true for an upstream value.
    ///
    /// Otherwise the job is skipped, and so are the jobs that need its success. With several
    /// conditions, all must hold.
    pub fn when<U: 'static>(
        mut self,
        value: Handle<U>,
        test: impl Fn(&U) -> bool + Send + Sync + 'static,
    ) -> Self {
        let reader = <Handle<U> as Bind<Ref<U>>>::bind(value, &mut self.raw.inputs);
        self.set(|options| {
            let earlier = options.condition.take();
            options.condition = Some(Condition(Box::new(move |io: &AttemptIo| {
                if let Some(Condition(earlier)) = &earlier
                    && !earlier(io)?
                {
                    return Ok(false);
                }
                // Without the value the condition is false.
                Ok(Reader::<Ref<U>>::read(&reader, io).is_ok_and(&test))
            })));
        })
    }

    /// Sets the rule that decides when the job starts, depending on how its dependencies ended.
    /// Default: all completed.
    pub fn trigger(self, rule: TriggerRule) -> Self {
        self.set(|options| options.trigger = rule)
    }

    /// Sets the retry policy. Default: one attempt.
    pub fn retry(self, policy: RetryPolicy) -> Self {
        self.set(|options| options.retry = Some(policy))
    }

    /// Sets the timeout of one attempt.
    pub fn start_to_close(self, limit: Duration) -> Self {
        self.set(|options| options.timeouts.start_to_close = Some(limit))
    }

    /// Sets the timeout of all attempts, including the delays between them.
    pub fn schedule_to_close(self, limit: Duration) -> Self {
        self.set(|options| options.timeouts.schedule_to_close = Some(limit))
    }

    /// Sets the heartbeat timeout: the longest time between two heartbeats.
    pub fn heartbeat(self, limit: Duration) -> Self {
        self.set(|options| options.timeouts.heartbeat = Some(limit))
    }

    /// Sets a grace period in which the job can clean up when it is cancelled or times out.
    /// Default: none; its future is dropped at once.
    ///
    /// When the grace period starts, [`JobContext::cancelled`] and [`JobContext::sleep`] end,
    /// [`JobContext::wait_signal`] fails, and the jobs of a function are cancelled. When it is
    /// over, the future is dropped. Zero means none.
    ///
    /// An attempt that timed out has failed, even if it completes within its grace period. A job of
    /// a cancelled run that completes within its grace period has completed.
    ///
    /// A plain `fn` runs on a thread and cannot be dropped. If it does not return in time, the
    /// engine abandons the thread and discards the output.
    pub fn grace(self, period: Duration) -> Self {
        self.set(|options| options.grace = Some(Grace::For(period)))
    }

    /// Sets a [grace period](Self::grace) as long as the engine's
    /// [`cancel_grace`](crate::engine::EngineBuilder::cancel_grace).
    pub fn default_grace(self) -> Self {
        self.set(|options| options.grace = Some(Grace::Engine))
    }

    /// Sets the priority. Of the jobs that are ready, and of those that wait for a limit, the job
    /// with the highest priority starts first. Default: 0.
    ///
    /// At most 16 jobs of a higher priority overtake the job that has waited longest for a limit;
    /// then it is next.
    pub fn priority(self, priority: i32) -> Self {
        self.set(|options| options.priority = priority)
    }

    /// Counts the job against a named limit: of the engine
    /// ([`EngineBuilder::limit`](crate::engine::EngineBuilder::limit)), of the workflow
    /// ([`Flow::limit`](crate::Flow::limit)) or of this machine.
    ///
    /// If several have a limit of this name, the job counts against all of them. An unknown name is
    /// an error.
    ///
    /// The job waits for permits of all its limits. It holds them until its attempt completes,
    /// fails, is cancelled or is given up, even if its thread continues.
    ///
    /// Waiting jobs receive permits in the order of [priority](Self::priority), and within a
    /// priority first come, first served. No job overtakes one that waits for many permits at once.
    ///
    /// A job lends its permits to the jobs that it starts, including those of child workflows,
    /// because it waits for them: together they hold no more permits than it does. A child that
    /// needs more permits than its parent holds fails. For limits that its parent does not hold, a
    /// child waits like any other job; so acquire nested limits in the same order everywhere, as
    /// with locks.
    ///
    /// ```
    /// use workflow_core::prelude::*;
    ///
    /// #[job(limit = "db")]
    /// async fn query(number: u64) -> u64 { number + 1 }
    ///
    /// // Holds the only permit, and lends it to one query at a time.
    /// #[register_workflow(name = "report", limit = "db")]
    /// async fn report(ctx: WorkflowContext) -> Result<u64, JobError> {
    ///     let first = ctx.run(query, 1).await?;
    ///     ctx.run(query, first).await
    /// }
    ///
    /// let engine = Engine::builder().limit("db", 1).build();
    /// assert_eq!(engine.run("report").wait()?.output::<u64>()?, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn limit(self, name: impl Into<String>) -> Self {
        self.limit_by(name, 1)
    }

    /// Counts the job against a named [limit](Self::limit) with several permits. A job that needs
    /// more permits than the limit has takes all of them.
    pub fn limit_by(self, name: impl Into<String>, amount: usize) -> Self {
        let name = name.into();
        self.set(|options| options.limits.push((name, amount)))
    }

    /// Sets the task queue whose workers make the attempts of the job, such as those of machines
    /// with a GPU. Default: the process of the run makes them.
    ///
    /// The run stays where it is, and waits for the outcome. It decides about retries, timeouts of
    /// all attempts, and everything else that follows. The attempt has the limits, the state and
    /// the slots of the engine that makes it. Its values, annotations and output become part of the
    /// run. If its worker dies, another one makes the same attempt again, with the same
    /// [idempotency key](crate::JobContext::idempotency_key), which costs no attempt.
    ///
    /// The timeouts of an attempt begin when a worker begins it. While no live worker serves the
    /// queue, the job waits; `schedule_to_close` bounds that.
    ///
    /// Workers share a store. An engine without a store serves all queues by itself: it makes the
    /// attempts as if no queue was set. So does an engine whose store does not hand out
    /// [tasks](crate::store::Store::task_store).
    ///
    /// A worker finds the job by the name of its workflow or its function. A closure that a function
    /// runs with `ctx.run` has no such name: it fails in a run with a store. A job that only waits
    /// for other jobs, such as a map, cannot have a queue; the jobs of its elements can.
    ///
    /// ```
    /// use workflow_core::prelude::*;
    /// use workflow_core::store::{MemoryStore, Queues};
    /// use workflow_core::worker::Worker;
    ///
    /// #[job(task_queue = "gpu")]
    /// async fn train(epochs: u64) -> u64 { epochs * 2 }
    ///
    /// #[register_workflow(name = "model")]
    /// fn model(flow: &mut Flow, epochs: Handle<u64>) -> Handle<u64> {
    ///     flow.job(train(epochs))
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # futures::executor::block_on(async {
    /// let engine = Engine::builder().store(MemoryStore::new()).build();
    /// let gpu = Worker::new(engine.to_builder().build()).queues(Queues::named(["gpu"]));
    /// let report = gpu.run_until(async { engine.run("model").input(3_u64).await }).await??;
    /// assert_eq!(report.output::<u64>()?, 6);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn task_queue(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.set(|options| options.task_queue = Some(name))
    }

    /// Sets the compensation of the job, which undoes its work when a later job fails for good.
    /// Compensations run newest first.
    ///
    /// `compensation` receives the handle of this job's output.
    pub fn compensate<U>(mut self, compensation: impl FnOnce(Handle<T>) -> Call<U>) -> Self {
        let owner = fresh_owner();
        let call = compensation(Handle::new(InputRef { owner, index: 0 })).raw;
        let inputs = call.split_inputs(owner, &mut self.raw.inputs);
        self.set(|options| {
            options.compensation = Some(Compensation { call, inputs, output: |io, _| io.output() });
        })
    }

    /// Runs the body outside of any engine.
    ///
    /// # Errors
    ///
    /// Fails when the job fails, and when it has inputs, which only a flow can provide.
    pub async fn run_detached(self) -> Result<T, JobError> {
        if !self.raw.inputs.0.is_empty() {
            return Err(JobError::terminal(format!(
                "job `{}` reads handles, whose values exist only in a run; add it with \
                 `flow.job(..)`",
                self.raw.name
            )));
        }
        let output = Arc::new(ChildOutputs::<T>::new(1));
        let frame = ChildFrame {
            parent: AttemptIo::detached(),
            inputs: Arc::default(),
            item: Item::Values(Vec::new()),
            output: output.clone(),
            row: 0,
            index: None,
            timed: false,
        };
        self.raw.body.run(AttemptIo::child(Arc::new(frame), 0, 1)).await?;
        output
            .take()
            .and_then(|mut values| values.pop())
            .ok_or_else(|| JobError::terminal("the job ended without an output"))
    }
}

impl<T: Send + Sync + 'static> IntoFuture for Call<T> {
    type Output = Result<T, JobError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run_detached())
    }
}

impl<T: Send + Sync + 'static> Call<Vec<T>> {
    /// Limits how many elements of a [`map`](super::map()) run at once. Default: only the run's and
    /// the engine's limits. 0 counts as 1.
    ///
    /// Has no effect on a call that is not a map.
    pub fn concurrency(self, at_once: usize) -> Self {
        self.set(|options| options.concurrency = at_once.max(1))
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("name", &self.raw.name).finish_non_exhaustive()
    }
}

/// A job that `ctx.run` can call: a `#[job]` function, or a closure that returns the call of one.
pub trait JobFn<I, O, M> {
    /// Returns a call with items in place of the inputs, and the owner of the items.
    #[doc(hidden)]
    fn template(self) -> (u32, Call<O>);

    /// Returns the inputs, one value per item.
    #[doc(hidden)]
    fn values(input: I) -> Vec<crate::value::Boxed>;
}

macro_rules! job_fn {
    ($input:ty, $marker:ty, ($($item:ident $index:tt),*), |$value:pat_param| [$($boxed:expr),*]) => {
        impl<Func, O, $($item: Send + Sync + 'static),*> JobFn<$input, O, $marker> for Func
        where
            Func: FnOnce($(Handle<$item>),*) -> Call<O>,
        {
            fn template(self) -> (u32, Call<O>) {
                let owner = fresh_owner();
                (owner, self($(Handle::<$item>::new(InputRef { owner, index: $index })),*))
            }

            fn values($value: $input) -> Vec<crate::value::Boxed> {
                vec![$(Box::new($boxed)),*]
            }
        }
    };
}

job_fn!((), fn(), (), |()| []);
job_fn!(A, fn(A), (A 0), |a| [a]);
job_fn!((A, B), fn(A, B), (A 0, B 1), |(a, b)| [a, b]);
job_fn!((A, B, C), fn(A, B, C), (A 0, B 1, C 2), |(a, b, c)| [a, b, c]);
job_fn!((A, B, C, D), fn(A, B, C, D), (A 0, B 1, C 2, D 3), |(a, b, c, d)| [a, b, c, d]);

/// Creates a job from a closure that takes a clone of its input and returns a future.
///
/// Input and output need a JSON form, which a store persists. For values without one, write a
/// `#[job]` function.
///
/// ```
/// use workflow_core::{Call, Handle, JobError};
/// use workflow_core::job::closure;
///
/// fn doubled(number: Handle<u64>) -> Call<u64> {
///     closure("doubled", number, |number| async move { Ok::<_, JobError>(number * 2) })
/// }
/// ```
pub fn closure<I, O, F, R, E>(
    name: impl Into<Cow<'static, str>>,
    input: Handle<I>,
    body: F,
) -> Call<O>
where
    I: Serialize + Clone + Send + Sync + 'static,
    O: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
    F: Fn(I) -> R + Send + Sync + 'static,
    R: Future<Output = Result<O, E>> + Send + 'static,
    E: Into<JobError>,
{
    let mut inputs = Inputs::new();
    let reader = <Handle<I> as Bind<Val<I>>>::bind(input, &mut inputs);
    let body = Arc::new(body);
    let body = Body::future(move |io| {
        let body = Arc::clone(&body);
        async move {
            let input = Reader::<Val<I>>::read(&reader, &io)?;
            io.put(body(input).await.map_err(Into::into)?)
        }
    });
    Call::new(name, json_type::<O>().with_clone::<O>(), body, inputs).parameters(one_input::<I>)
}

/// Creates the call of a [`Job`], a value with its own state.
///
/// ```
/// use async_trait::async_trait;
/// use workflow_core::prelude::*;
///
/// struct Shift(i64);
///
/// #[async_trait]
/// impl Job for Shift {
///     type Input = i64;
///     type Output = i64;
///
///     fn name(&self) -> &'static str {
///         "shift"
///     }
///
///     async fn run(&self, _: &JobContext, input: &i64) -> Result<i64, JobError> {
///         Ok(input + self.0)
///     }
/// }
///
/// fn draw(flow: &mut Flow) {
///     let start = flow.value(40);
///     flow.job(call_job(Shift(2), start));
/// }
/// ```
pub fn call_job<J: Job>(job: J, input: Handle<J::Input>) -> Call<J::Output> {
    let mut inputs = Inputs::new();
    let reader = <Handle<J::Input> as Bind<Ref<J::Input>>>::bind(input, &mut inputs);
    let name = job.name();
    let job = Arc::new(job);
    let body = Body::future(move |io| {
        let job = Arc::clone(&job);
        async move {
            let context = JobContext::new(&io);
            let input = Reader::<Ref<J::Input>>::read(&reader, &io)?;
            let output = job.run(&context, input).await?;
            io.put(output)
        }
    });
    Call::new(name, json_type::<J::Output>(), body, inputs)
        .parameters(one_input::<J::Input>)
        .takes_context()
}

/// The description of a type with a JSON form.
fn json_type<T: Serialize + DeserializeOwned + Send + Sync + 'static>() -> Type {
    Type::opaque::<T>().with_serialize::<T>().with_deserialize::<T>()
}

/// The parameters of a job with one input.
pub(crate) fn one_input<T: Serialize + Send + Sync + 'static>() -> Vec<Parameter> {
    vec![(InputCount::One, Some(Type::opaque::<T>().with_serialize::<T>()))]
}
