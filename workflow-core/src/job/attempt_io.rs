//! The access of a job's body to its run: the values that it reads, and the slot for its output.

use std::any::Any;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use futures::channel::oneshot;
use futures::future::BoxFuture;
use serde_json::Value as Json;
use smallvec::SmallVec;

use super::{ChildHandle, JobError, JobErrorKind, NewChild, Printed, Replacements, States, Token};
use crate::guard;
use crate::id::RunId;
use crate::run_log::{LogError, OutputStream, RunLog};
use crate::value::{Boxed, ChildOutputs, Column, Type, ValueError};

/// The place of a value: in a column, among the plan's constants, or the run's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) column: u32,
    pub(crate) row: u32,
}

impl Source {
    /// The column number that stands for the plan's constants.
    pub(crate) const CONSTANT: u32 = u32::MAX;
    /// The column number that stands for the run's input.
    pub(crate) const INPUT: u32 = u32::MAX - 1;
}

/// The places of the inputs and outputs of all jobs of a plan; flat arrays, in the graph's order.
#[derive(Default)]
pub(crate) struct ValueLayout {
    /// The columns, each with its type and number of rows.
    pub(crate) columns: Vec<(Type, u32)>,
    /// Input number `k` of job `j` is `inputs[starts[j] + k]`.
    pub(crate) inputs: Vec<Source>,
    pub(crate) starts: Vec<u32>,
    pub(crate) outputs: Vec<Source>,
    pub(crate) constants: Vec<Boxed>,
    /// The jobs with timeouts, in order.
    pub(crate) timed: Vec<u32>,
}

impl ValueLayout {
    #[inline]
    fn input(&self, job: u32, index: u32) -> Option<Source> {
        let start = *self.starts.get(job as usize)?;
        self.inputs.get((start + index) as usize).copied()
    }

    /// The places of all inputs of a job.
    pub(crate) fn inputs_of(&self, job: u32) -> &[Source] {
        let end = |job: usize| self.starts.get(job).map_or(self.inputs.len(), |end| *end as usize);
        self.inputs.get(end(job as usize)..end(job as usize + 1)).unwrap_or_default()
    }

    fn is_timed(&self, job: u32) -> bool {
        self.timed.binary_search(&job).is_ok()
    }
}

/// The values of one run.
pub(crate) struct RunValues {
    columns: SmallVec<[Boxed; 2]>,
    input: Option<Boxed>,
    layout: Arc<ValueLayout>,
    /// Whether outputs may arrive too late, because there are fences or jobs with timeouts.
    guarded: AtomicBool,
    /// Attempts whose outputs are no longer accepted.
    fences: Mutex<Vec<(u32, u32)>>,
    pub(crate) services: Option<Weak<dyn Services>>,
    replaced: Option<Arc<Replacements>>,
}

impl RunValues {
    pub(crate) fn new(
        layout: Arc<ValueLayout>,
        input: Option<Boxed>,
        services: Option<Weak<dyn Services>>,
        replaced: Option<Arc<Replacements>>,
    ) -> Self {
        let columns =
            layout.columns.iter().map(|(kind, rows)| kind.column(*rows as usize)).collect();
        let guarded = AtomicBool::new(!layout.timed.is_empty());
        Self { columns, input, layout, guarded, fences: Mutex::default(), services, replaced }
    }

    #[inline]
    fn get<T: 'static>(&self, source: Source) -> Option<&T> {
        match self.columns.get(source.column as usize) {
            Some(column) => column.downcast_ref::<Column<T>>()?.get(source.row as usize),
            None => self.constant_or_input(source)?.downcast_ref(),
        }
    }

    fn constant_or_input(&self, source: Source) -> Option<&(dyn Any + Send + Sync)> {
        match source.column {
            Source::CONSTANT => {
                self.layout.constants.get(source.row as usize).map(|value| &**value)
            }
            Source::INPUT => self.input.as_deref(),
            _ => None,
        }
    }

    /// The run's input, if it has one.
    pub(crate) fn run_input(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.input.as_deref()
    }

    /// The value at this place, of any type.
    pub(crate) fn any(&self, source: Source) -> Option<&(dyn Any + Send + Sync)> {
        match self.layout.columns.get(source.column as usize) {
            Some((kind, _)) => {
                kind.slot(&*self.columns[source.column as usize], source.row as usize)
            }
            None => self.constant_or_input(source),
        }
    }

    /// The output of a job of the graph, if it is there, and its type; `None` if there is no such
    /// job.
    pub(crate) fn output(&self, job: u32) -> Option<(Option<&(dyn Any + Send + Sync)>, Type)> {
        let source = *self.layout.outputs.get(job as usize)?;
        let (kind, _) = self.layout.columns.get(source.column as usize)?;
        Some((self.any(source), *kind))
    }

    /// Restores the output that a job left before the run was resumed.
    pub(crate) fn restore(&self, job: u32, value: Json) -> Result<(), ValueError> {
        let Some(source) = self.layout.outputs.get(job as usize) else { return Ok(()) };
        if let Some((kind, _)) = self.layout.columns.get(source.column as usize) {
            let column = &*self.columns[source.column as usize];
            kind.fill(column, source.row as usize, kind.read(value)?);
        }
        Ok(())
    }

    /// Rejects the output that this attempt may still deliver.
    pub(crate) fn fence(&self, job: u32, attempt: u32) {
        self.fences.lock().unwrap_or_else(PoisonError::into_inner).push((job, attempt));
        self.guarded.store(true, Ordering::Release);
    }

    fn is_fenced(&self, job: u32, attempt: u32) -> bool {
        let fences = self.fences.lock().unwrap_or_else(PoisonError::into_inner);
        fences.contains(&(job, attempt))
    }

    #[inline]
    fn set<T: Send + Sync + 'static>(&self, job: u32, value: T) -> Result<(), JobError> {
        let output = self.layout.outputs.get(job as usize);
        output
            .and_then(|slot| self.columns.get(slot.column as usize)?.downcast_ref::<Column<T>>())
            .zip(output)
            .map(|(column, slot)| column.set(slot.row as usize, value))
            .ok_or_else(JobError::misplaced::<T>)
    }
}

/// The columns drop their values themselves.
impl Drop for RunValues {
    fn drop(&mut self) {
        if let Some(input) = self.input.take() {
            guard::discard(input);
        }
    }
}

impl Drop for ValueLayout {
    fn drop(&mut self) {
        guard::clear(&mut self.constants);
    }
}

/// The decision about an output that an attempt is about to deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    InTime,
    /// The attempt has timed out.
    Late,
    /// Nothing waits for the attempt any more.
    Unwanted,
}

/// The services of the engine that a body may use.
pub(crate) trait Services: Send + Sync {
    /// The engine, for callers that know its type.
    fn engine(&self) -> Arc<dyn Any + Send + Sync>;
    /// What a child run of this job inherits, for callers that know its type.
    fn inherited(&self, job: u32) -> Arc<dyn Any + Send + Sync>;
    /// The engine's state.
    fn states(&self) -> &States;
    fn run_id(&self) -> RunId;
    fn workflow_name(&self) -> String;
    /// The user who requested the run.
    fn user(&self) -> Option<Arc<str>>;
    /// The time of the schedule for which the run stands.
    fn scheduled_for(&self) -> Option<SystemTime>;
    fn job_name(&self, job: u32) -> String;
    fn token(&self, job: u32, attempt: u32) -> Arc<Token>;
    fn heartbeat(&self, job: u32, attempt: u32);
    /// Decides whether an attempt of a job with timeouts may still deliver its output. If so, its
    /// timeouts no longer stop it.
    fn deliver(&self, job: u32, attempt: u32) -> Delivery;
    /// Reserves at least this grace period for an attempt; false if it has been cancelled already,
    /// or has ended.
    fn reserve_grace(&self, job: u32, attempt: u32, grace: Duration) -> bool;
    /// Adds an annotation to an attempt, for the report.
    fn annotate(&self, job: u32, attempt: u32, name: String, value: serde_json::Value);
    /// Writes output of an attempt to the run's log, if there is one, and sends it to subscribers.
    fn print(&self, job: u32, attempt: u32, stream: OutputStream, text: &str);
    /// Sends output of an attempt, which the log has already if there is one, to subscribers.
    fn show(&self, job: u32, attempt: u32, printed: Printed);
    /// The run's folder.
    fn folder(&self) -> Option<PathBuf>;
    /// The run's folder, and the log of its jobs' output in it, if this process writes that.
    fn log(&self) -> Option<(PathBuf, Result<RunLog, Arc<LogError>>)>;
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
    /// Sleeps until a time that a crash does not change.
    fn sleep_durably(&self, job: u32, attempt: u32, duration: Duration) -> BoxFuture<'static, ()>;
    /// Waits for a signal.
    fn wait_signal(&self, job: u32, attempt: u32, name: String) -> oneshot::Receiver<Json>;
    /// Sets the child run that a job waits for, or that it no longer waits.
    fn await_run(&self, job: u32, run: Option<RunId>);
    /// Persists a value; false if the attempt has ended.
    fn persist_value(&self, job: u32, attempt: u32, key: String, value: Json) -> bool;
    fn persisted_value(&self, key: &str) -> Option<Json>;
    /// Checks that the attempt is running.
    ///
    /// # Errors
    ///
    /// Fails with the error that its context returns otherwise.
    fn check_under_way(&self, job: u32, attempt: u32) -> Result<(), JobError>;
    /// The nesting level of the run; 1 for a run without a parent.
    fn level(&self) -> u32;
    /// The names of its workflow and the workflows around it, the innermost first.
    fn callers(&self) -> Vec<String>;
    /// Whether a store persists the run.
    fn is_persisted(&self) -> bool;
    /// Whether another engine owns the run by now, or its store no longer accepts its events.
    fn is_lost(&self) -> bool;
    /// Starts jobs inside the job `parent`.
    fn spawn(&self, parent: u32, children: Vec<NewChild>) -> Vec<ChildHandle>;
    /// Stops a job whose result is no longer needed.
    fn abandon(&self, job: u32);
}

/// The inputs, the output and the run of one attempt of a job.
///
/// The bodies that the macros generate use it; it is not for use by hand.
#[derive(Clone)]
pub struct AttemptIo {
    frame: Frame,
    pub(crate) job: u32,
    pub(crate) attempt: u32,
}

#[derive(Clone)]
enum Frame {
    Graph(Arc<RunValues>),
    Child(Arc<ChildFrame>),
    /// Reads the inputs of another attempt, and has its own run and output.
    Lent(Arc<LentFrame>),
}

/// The inputs of an attempt, lent to one that is made outside of the run.
struct LentFrame {
    inputs: AttemptIo,
    /// The run, as far as the attempt may use it.
    run: Arc<RunValues>,
    /// A [`ChildOutputs<T>`] with one place for the output.
    output: Arc<dyn Any + Send + Sync>,
}

/// Finds a value that has no slot of its own, such as an element of a list.
pub(crate) type Project = fn(&AttemptIo, usize) -> Option<&(dyn Any + Send + Sync)>;

/// The items of a child's inputs.
pub(crate) enum Item {
    /// Values passed by the caller.
    Values(Vec<Boxed>),
    /// A value found in the parent.
    Projected { index: usize, project: Project },
}

impl Drop for Item {
    fn drop(&mut self) {
        if let Self::Values(values) = self {
            guard::clear(values);
        }
    }
}

/// The source of one input of a child.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ChildInput {
    /// The item with this number.
    Item(u32),
    /// The parent's input with this number.
    Parent(u32),
}

/// The inputs and output of a job that another job started.
pub(crate) struct ChildFrame {
    pub(crate) parent: AttemptIo,
    pub(crate) inputs: Arc<[ChildInput]>,
    pub(crate) item: Item,
    /// A [`ChildOutputs<T>`] for the output, and the place in it.
    pub(crate) output: Arc<dyn Any + Send + Sync>,
    pub(crate) row: usize,
    /// The index of the element, in a map.
    pub(crate) index: Option<u32>,
    /// Whether the job has timeouts.
    pub(crate) timed: bool,
}

impl AttemptIo {
    #[inline]
    pub(crate) fn graph(run_values: Arc<RunValues>, job: u32, attempt: u32) -> Self {
        Self { frame: Frame::Graph(run_values), job, attempt }
    }

    pub(crate) fn child(frame: Arc<ChildFrame>, job: u32, attempt: u32) -> Self {
        Self { frame: Frame::Child(frame), job, attempt }
    }

    /// Input number `index`, if there is a value and it is of this type.
    #[inline]
    pub fn get<T: 'static>(&self, index: u32) -> Option<&T> {
        match &self.frame {
            Frame::Graph(run_values) => run_values.get(run_values.layout.input(self.job, index)?),
            Frame::Child(_) | Frame::Lent(_) => self.any(index)?.downcast_ref(),
        }
    }

    /// Input number `index`, of any type.
    pub(crate) fn any(&self, index: u32) -> Option<&(dyn Any + Send + Sync)> {
        // A child's input may be its parent's, and so on: a loop, so that depth costs no stack.
        let (mut io, mut index) = (self, index);
        loop {
            let frame = match &io.frame {
                Frame::Graph(run_values) => {
                    return run_values.any(run_values.layout.input(io.job, index)?);
                }
                Frame::Child(frame) => frame,
                Frame::Lent(frame) => {
                    io = &frame.inputs;
                    continue;
                }
            };
            match *frame.inputs.get(index as usize)? {
                ChildInput::Parent(outer) => (io, index) = (&frame.parent, outer),
                ChildInput::Item(item) => match &frame.item {
                    Item::Values(values) => return values.get(item as usize).map(|value| &**value),
                    Item::Projected { index, project } => return project(&frame.parent, *index),
                },
            }
        }
    }

    /// The job's own output, once it is there.
    pub(crate) fn output(&self) -> Option<&(dyn Any + Send + Sync)> {
        match &self.frame {
            Frame::Graph(run_values) => {
                run_values.any(*run_values.layout.outputs.get(self.job as usize)?)
            }
            Frame::Child(_) => None,
            Frame::Lent(frame) => frame.inputs.output(),
        }
    }

    /// Lends the inputs of this attempt to one that is made outside of the run, with these services
    /// and this place for its output.
    pub(crate) fn lent(
        &self,
        services: Weak<dyn Services>,
        replaced: Option<Arc<Replacements>>,
        output: Arc<dyn Any + Send + Sync>,
    ) -> Self {
        let run = Arc::new(RunValues::new(Arc::default(), None, Some(services), replaced));
        let frame = Frame::Lent(Arc::new(LentFrame { inputs: self.clone(), run, output }));
        Self { frame, job: self.job, attempt: self.attempt }
    }

    /// Sets the job's output.
    ///
    /// # Errors
    ///
    /// Fails when `T` is not the declared output type of the job, and when the attempt has timed
    /// out.
    #[inline]
    pub fn put<T: Send + Sync + 'static>(&self, value: T) -> Result<(), JobError> {
        match &self.frame {
            Frame::Graph(run_values) => {
                if run_values.guarded.load(Ordering::Acquire) && !self.may_deliver()? {
                    return Ok(());
                }
                run_values.set(self.job, value)
            }
            Frame::Child(frame) if frame.timed && !self.may_deliver()? => Ok(()),
            Frame::Child(frame) => match frame.output.downcast_ref::<ChildOutputs<T>>() {
                Some(outputs) => {
                    outputs.set(frame.row, value);
                    Ok(())
                }
                None => Err(JobError::misplaced::<T>()),
            },
            Frame::Lent(frame) => match frame.output.downcast_ref::<ChildOutputs<T>>() {
                Some(outputs) => {
                    if self.may_deliver()? {
                        outputs.set(0, value);
                    }
                    Ok(())
                }
                None => Err(JobError::misplaced::<T>()),
            },
        }
    }

    /// Returns whether the attempt may still deliver its output.
    ///
    /// # Errors
    ///
    /// Fails when the attempt has timed out.
    #[cold]
    fn may_deliver(&self) -> Result<bool, JobError> {
        let timed = match &self.frame {
            Frame::Graph(run_values) if run_values.is_fenced(self.job, self.attempt) => {
                return Ok(false);
            }
            Frame::Graph(run_values) => run_values.layout.is_timed(self.job),
            Frame::Child(frame) => frame.timed,
            Frame::Lent(_) => true,
        };
        // Without a run there are no timeouts.
        let Some(services) = self.services().filter(|_| timed) else { return Ok(true) };
        match services.deliver(self.job, self.attempt) {
            Delivery::InTime => Ok(true),
            Delivery::Unwanted => Ok(false),
            Delivery::Late => Err(JobError::late()),
        }
    }

    pub(crate) fn map_index(&self) -> Option<u32> {
        match &self.frame {
            Frame::Graph(_) => None,
            Frame::Child(frame) => frame.index,
            Frame::Lent(frame) => frame.inputs.map_index(),
        }
    }

    pub(crate) fn services(&self) -> Option<Arc<dyn Services>> {
        self.link()?.upgrade()
    }

    /// Returns whether the engine replaces no job: the common case.
    #[inline]
    pub(super) fn replaces_nothing(&self) -> bool {
        matches!(&self.frame, Frame::Graph(run_values) if run_values.replaced.is_none())
    }

    /// The jobs that are replaced by closures.
    pub(super) fn replaced(&self) -> Option<&Replacements> {
        let mut io = self;
        loop {
            match &io.frame {
                Frame::Graph(run_values) => return run_values.replaced.as_deref(),
                Frame::Child(frame) => io = &frame.parent,
                Frame::Lent(frame) => return frame.run.replaced.as_deref(),
            }
        }
    }

    /// The run, which may have been dropped; `None` outside of a run.
    pub(super) fn link(&self) -> Option<&Weak<dyn Services>> {
        let mut io = self;
        loop {
            match &io.frame {
                Frame::Graph(run_values) => return run_values.services.as_ref(),
                Frame::Child(frame) => io = &frame.parent,
                Frame::Lent(frame) => return frame.run.services.as_ref(),
            }
        }
    }

    /// Creates the access of a job that is called as a plain function, outside of a run.
    pub(crate) fn detached() -> Self {
        Self::graph(Arc::new(RunValues::new(Arc::default(), None, None, None)), 0, 1)
    }
}

impl JobError {
    #[cold]
    fn late() -> Self {
        Self::of_kind(
            JobErrorKind::Cancelled,
            "the job completed after its timeout; its output was discarded",
        )
    }

    #[cold]
    fn misplaced<T>() -> Self {
        let output = crate::value::short(std::any::type_name::<T>());
        Self::terminal(format!("the job was not declared with the output type `{output}`"))
    }

    /// The error for an input without a value, because its job did not complete.
    #[cold]
    pub fn no_input<T: ?Sized>() -> Self {
        let input = crate::value::short(std::any::type_name::<T>());
        Self::terminal(format!(
            "an input of type `{input}` has no value, because its job did not complete; \
             take it as `Option<&T>` to run without it"
        ))
    }
}
