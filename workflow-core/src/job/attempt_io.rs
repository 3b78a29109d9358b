//! What a body sees of its run: the values that it reads, and the slot that it fills.

use std::any::Any;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::BoxFuture;
use serde_json::Value as Json;
use smallvec::SmallVec;

use super::{ChildHandle, JobError, JobErrorKind, NewChild, Printed, Replacements, States, Token};
use crate::guard;
use crate::id::RunId;
use crate::run_log::OutputStream;
use crate::run_log::{LogError, RunLog};
use crate::value::{Boxed, ChildOutputs, Column, Type, ValueError};

/// Where a value is kept: in a column, among the plan's constants, or as the run's input.
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

/// Where each job of a plan finds its inputs and leaves its output; flat, in the graph's order.
#[derive(Default)]
pub(crate) struct ValueLayout {
    /// The columns, each with its type and how many rows it needs.
    pub(crate) columns: Vec<(Type, u32)>,
    /// Input number `k` of job `j` is `inputs[starts[j] + k]`.
    pub(crate) inputs: Vec<Source>,
    pub(crate) starts: Vec<u32>,
    pub(crate) outputs: Vec<Source>,
    pub(crate) constants: Vec<Boxed>,
    /// The jobs that have timeouts, in order.
    pub(crate) timed: Vec<u32>,
}

impl ValueLayout {
    #[inline]
    fn input(&self, job: u32, index: u32) -> Option<Source> {
        let start = *self.starts.get(job as usize)?;
        self.inputs.get((start + index) as usize).copied()
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
    /// Whether outputs may come too late: there are fences, or jobs with timeouts.
    guarded: AtomicBool,
    /// Attempts whose outputs are not taken any more.
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
        Self {
            columns,
            input,
            layout: layout,
            guarded,
            fences: Mutex::default(),
            services: services,
            replaced,
        }
    }

    #[inline]
    fn get<T: 'static>(&self, source: Source) -> Option<&T> {
        match self.columns.get(source.column as usize) {
            Some(column) => column.downcast_ref::<Column<T>>()?.get(source.row as usize),
            None => self.elsewhere(source)?.downcast_ref(),
        }
    }

    fn elsewhere(&self, source: Source) -> Option<&(dyn Any + Send + Sync)> {
        match source.column {
            Source::CONSTANT => {
                self.layout.constants.get(source.row as usize).map(|value| &**value)
            }
            Source::INPUT => self.input.as_deref(),
            _ => None,
        }
    }

    /// The value behind the source, whatever its type.
    pub(crate) fn any(&self, source: Source) -> Option<&(dyn Any + Send + Sync)> {
        match self.layout.columns.get(source.column as usize) {
            Some((kind, _)) => {
                kind.slot(&*self.columns[source.column as usize], source.row as usize)
            }
            None => self.elsewhere(source),
        }
    }

    /// What a job of the graph left, if it is there, and its type; `None` for no such job.
    pub(crate) fn output(&self, job: u32) -> Option<(Option<&(dyn Any + Send + Sync)>, Type)> {
        let source = *self.layout.outputs.get(job as usize)?;
        let (kind, _) = self.layout.columns.get(source.column as usize)?;
        Some((self.any(source), *kind))
    }

    /// Fills the slot of a job's output with a value that it left in an earlier life of the run.
    pub(crate) fn restore(&self, job: u32, value: Json) -> Result<(), ValueError> {
        let Some(source) = self.layout.outputs.get(job as usize) else { return Ok(()) };
        if let Some((kind, _)) = self.layout.columns.get(source.column as usize) {
            let column = &*self.columns[source.column as usize];
            kind.fill(column, source.row as usize, kind.read(value)?);
        }
        Ok(())
    }

    /// Refuses what this attempt may still leave.
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

/// The columns see to themselves.
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

/// What becomes of an output that an attempt is about to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    InTime,
    /// The time of the attempt is up.
    Late,
    /// Nobody waits for the attempt any more.
    Unwanted,
}

/// The engine, as far as a body may ask things of it.
pub(crate) trait Services: Send + Sync {
    /// The engine, for whoever knows its type.
    fn engine(&self) -> Arc<dyn Any + Send + Sync>;
    /// What a run has that is inside of this job, for whoever knows its type.
    fn inherited(&self, job: u32) -> Arc<dyn Any + Send + Sync>;
    /// The engine's state.
    fn states(&self) -> &States;
    fn run_id(&self) -> RunId;
    fn workflow_name(&self) -> String;
    /// Who asked for the run.
    fn user(&self) -> Option<Arc<str>>;
    fn job_name(&self, job: u32) -> String;
    fn token(&self, job: u32, attempt: u32) -> Arc<Token>;
    fn heartbeat(&self, job: u32, attempt: u32);
    /// Whether an attempt of a job with timeouts is in time to leave its output. From then on none
    /// of them stops it.
    fn deliver(&self, job: u32, attempt: u32) -> Delivery;
    /// Gives an attempt at least this long to stop once it is asked to; false when it has been
    /// asked already, or has ended.
    fn reserve_grace(&self, job: u32, attempt: u32, grace: Duration) -> bool;
    /// Keeps a fact about an attempt for the report.
    fn note(&self, job: u32, attempt: u32, name: String, value: serde_json::Value);
    /// Keeps what an attempt printed in the run's log, if it has one, and shows it to those who
    /// watch.
    fn print(&self, job: u32, attempt: u32, stream: OutputStream, text: &str);
    /// Shows what an attempt printed, and the log has if there is one, to those who watch.
    fn show(&self, job: u32, attempt: u32, printed: Printed);
    /// The run's folder, and the log in it: where its jobs print.
    fn log(&self) -> Option<(PathBuf, Result<RunLog, Arc<LogError>>)>;
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
    /// Waits until a time that a crash does not move.
    fn sleep_durably(&self, job: u32, attempt: u32, duration: Duration) -> BoxFuture<'static, ()>;
    /// Waits for a signal.
    fn wait_signal(&self, job: u32, attempt: u32, name: String) -> oneshot::Receiver<Json>;
    /// Keeps a value; false when the attempt has ended.
    fn persist_value(&self, job: u32, attempt: u32, key: String, value: Json) -> bool;
    fn persisted_value(&self, key: &str) -> Option<Json>;
    /// Whether the attempt is under way.
    ///
    /// # Errors
    ///
    /// Fails with what its context answers when it is not.
    fn check_under_way(&self, job: u32, attempt: u32) -> Result<(), JobError>;
    /// How many runs the run is inside of, and itself.
    fn level(&self) -> u32;
    /// The names of its workflow and of those that it is inside of, the innermost first.
    fn callers(&self) -> Vec<String>;
    /// Whether a store keeps the run.
    fn is_persisted(&self) -> bool;
    /// Whether another engine drives the run by now, or its store does not keep it any more.
    fn is_lost(&self) -> bool;
    /// Starts jobs inside the job `parent`.
    fn spawn(&self, parent: u32, children: Vec<NewChild>) -> Vec<ChildHandle>;
    /// Stops a job whose result nobody waits for any more.
    fn abandon(&self, job: u32);
}

/// Where one attempt of one job stands: its inputs, its output, its run.
///
/// Bodies that the macros make read and write through it; it is not for use by hand.
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
}

/// Finds a value that is not kept in a slot of its own, such as an element of a list.
pub(crate) type Project = fn(&AttemptIo, usize) -> Option<&(dyn Any + Send + Sync)>;

/// What the items of a child stand for.
pub(crate) enum Item {
    /// Values that were handed over.
    Values(Vec<Boxed>),
    /// Something found in the parent.
    Projected { index: usize, project: Project },
}

impl Drop for Item {
    fn drop(&mut self) {
        if let Self::Values(values) = self {
            guard::clear(values);
        }
    }
}

/// Where a child takes one of its inputs from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ChildInput {
    /// The item with this number.
    Item(u32),
    /// The parent's input with this number.
    Parent(u32),
}

/// The surroundings of a job that was started by another.
pub(crate) struct ChildFrame {
    pub(crate) parent: AttemptIo,
    pub(crate) inputs: Arc<[ChildInput]>,
    pub(crate) item: Item,
    /// An `Outbox<T>` for the output, and the place in it.
    pub(crate) output: Arc<dyn Any + Send + Sync>,
    pub(crate) row: usize,
    /// Which element of a list this is, for maps.
    pub(crate) index: Option<u32>,
    /// The job has timeouts.
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

    /// Input number `index`, if its job has an outcome and it is of this type.
    #[inline]
    pub fn get<T: 'static>(&self, index: u32) -> Option<&T> {
        match &self.frame {
            Frame::Graph(run_values) => run_values.get(run_values.layout.input(self.job, index)?),
            Frame::Child(_) => self.any(index)?.downcast_ref(),
        }
    }

    /// Input number `index`, whatever its type.
    pub(crate) fn any(&self, index: u32) -> Option<&(dyn Any + Send + Sync)> {
        // A child's input may be its parent's, and so on: a loop, so that depth costs no stack.
        let (mut io, mut index) = (self, index);
        loop {
            let frame = match &io.frame {
                Frame::Graph(run_values) => {
                    return run_values.any(run_values.layout.input(io.job, index)?);
                }
                Frame::Child(frame) => frame,
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
        }
    }

    /// Leaves the job's output.
    ///
    /// # Errors
    ///
    /// Fails when `T` is not the type that the job was announced with, and when the attempt's time
    /// is up.
    #[inline]
    pub fn put<T: Send + Sync + 'static>(&self, value: T) -> Result<(), JobError> {
        match &self.frame {
            Frame::Graph(run_values) => {
                if run_values.guarded.load(Ordering::Acquire) && !self.may_leave()? {
                    return Ok(());
                }
                run_values.set(self.job, value)
            }
            Frame::Child(frame) if frame.timed && !self.may_leave()? => Ok(()),
            Frame::Child(frame) => match frame.output.downcast_ref::<ChildOutputs<T>>() {
                Some(outputs) => {
                    outputs.set(frame.row, value);
                    Ok(())
                }
                None => Err(JobError::misplaced::<T>()),
            },
        }
    }

    /// Whether the attempt may still leave its output.
    ///
    /// # Errors
    ///
    /// Fails when the time of the attempt is up.
    #[cold]
    fn may_leave(&self) -> Result<bool, JobError> {
        let timed = match &self.frame {
            Frame::Graph(run_values) if run_values.is_fenced(self.job, self.attempt) => {
                return Ok(false);
            }
            Frame::Graph(run_values) => run_values.layout.is_timed(self.job),
            Frame::Child(frame) => frame.timed,
        };
        // Without a run nobody looks at the clock.
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
        }
    }

    pub(crate) fn services(&self) -> Option<Arc<dyn Services>> {
        self.link()?.upgrade()
    }

    /// Whether a job of a graph runs on an engine without replacements: what most jobs ask.
    #[inline]
    pub(super) fn replaces_nothing(&self) -> bool {
        matches!(&self.frame, Frame::Graph(run_values) if run_values.replaced.is_none())
    }

    /// The jobs that run another closure.
    pub(super) fn replaced(&self) -> Option<&Replacements> {
        let mut io = self;
        loop {
            match &io.frame {
                Frame::Graph(run_values) => return run_values.replaced.as_deref(),
                Frame::Child(frame) => io = &frame.parent,
            }
        }
    }

    /// The run, which may have ended and be gone; `None` for a scope without a run around it.
    pub(super) fn link(&self) -> Option<&Weak<dyn Services>> {
        let mut io = self;
        loop {
            match &io.frame {
                Frame::Graph(run_values) => return run_values.services.as_ref(),
                Frame::Child(frame) => io = &frame.parent,
            }
        }
    }

    /// A scope without a run around it, for jobs that are called as plain functions.
    pub(crate) fn detached() -> Self {
        Self::graph(Arc::new(RunValues::new(Arc::default(), None, None, None)), 0, 1)
    }
}

impl JobError {
    #[cold]
    fn late() -> Self {
        Self::of_kind(
            JobErrorKind::Cancelled,
            "it completed too late, and its output was discarded",
        )
    }

    #[cold]
    fn misplaced<T>() -> Self {
        let output = crate::value::short(std::any::type_name::<T>());
        Self::terminal(format!("the job has no place for an output of type `{output}`"))
    }

    /// An input has no value, because its job did not complete.
    #[cold]
    pub fn no_input<T: ?Sized>() -> Self {
        let input = crate::value::short(std::any::type_name::<T>());
        Self::terminal(format!(
            "an input of type `{input}` has no value, because its job did not complete; \
             take it as `Option<&T>` to run without it"
        ))
    }
}
