//! Application state: values of an engine for the jobs that it runs.
//!
//! A call [needs](Need) types of state and other parameters, which an engine checks before a run
//! begins. The engine holds the state, and jobs look it up by type.

use std::any::{Any, TypeId, type_name};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::parameter::{ParameterCheck, ProvidedParameter};
use super::{AttemptIo, Call, JobError, Replacement, Replacements};
use crate::value::short;

/// Application state of an engine, set with
/// [`EngineBuilder::state`](crate::engine::EngineBuilder::state): a database pool, a client,
/// settings.
///
/// A `#[job]` function takes it as a parameter, in any position. It is not an input of the job:
/// calls of the function omit it, and the schema of the inputs does not contain it. `State<T>`
/// derefs to `T`; clones are cheap and share the value.
///
/// ```
/// use workflow_core::prelude::*;
///
/// struct Prices {
///     discount: u64,
/// }
///
/// #[job]
/// async fn price(prices: State<Prices>, amount: u64) -> u64 {
///     amount - prices.discount
/// }
///
/// #[register_workflow(name = "quote")]
/// fn quote(flow: &mut Flow, amount: Handle<u64>) -> Handle<u64> {
///     flow.job(price(amount))
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::builder().state(Prices { discount: 2 }).build();
/// let report = engine.run("quote").input(10_u64).wait()?;
/// assert_eq!(report.output::<u64>()?, 8);
///
/// // An engine without it does not begin the run.
/// let refused = Engine::default().run("quote").input(10_u64).wait();
/// assert!(matches!(refused, Err(RunError::MissingState { .. })));
///
/// // A unit test passes the state.
/// let prices = State::new(Prices { discount: 1 });
/// assert_eq!(futures::executor::block_on(price::call(prices, 5)), 4);
/// # Ok(())
/// # }
/// ```
pub struct State<T: ?Sized>(Arc<T>);

impl<T> State<T> {
    /// Creates state for a unit test, which calls the function of a job directly: `job::call(state,
    /// ..)`.
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T: ?Sized> Clone for State<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: ?Sized> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for State<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("State").field(&&*self.0).finish()
    }
}

impl<T: Send + Sync + 'static> ProvidedParameter for State<T> {
    fn require<O: Send + Sync + 'static>(call: Call<O>, job: Option<TypeId>) -> Call<O> {
        call.requiring([Need::state::<T>(job)])
    }

    fn of(io: &AttemptIo) -> Result<Self, JobError> {
        let wanted = StateType::of::<T>();
        let Some(run) = io.link() else {
            return Err(JobError::terminal(format!(
                "`{}` is available only in jobs that an engine runs; outside of a run, call the \
                 function with `State::new(..)`: `job::call(state, ..)`",
                wanted.written()
            )));
        };
        let run = run.upgrade().ok_or_else(JobError::no_engine)?;
        match run.states().find() {
            Some(state) => Ok(state),
            None => Err(JobError::missing_state(
                &run.job_name(io.job),
                wanted.name,
                &run.states().names(),
            )),
        }
    }
}

/// A type of state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StateType {
    id: TypeId,
    pub(crate) name: &'static str,
}

impl StateType {
    pub(crate) fn of<T: 'static>() -> Self {
        Self { id: TypeId::of::<T>(), name: type_name::<T>() }
    }

    fn written(&self) -> String {
        format!("State<{}>", short(self.name))
    }
}

/// The state and the replacements of an engine, by type.
#[derive(Clone, Default)]
pub(crate) struct States {
    values: HashMap<TypeId, (&'static str, Arc<dyn Any + Send + Sync>)>,
    /// The closures that replace jobs.
    replaced: Option<Arc<Replacements>>,
}

impl States {
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        self.values.insert(TypeId::of::<T>(), (type_name::<T>(), Arc::new(value)));
    }

    pub(crate) fn replace(&mut self, replacement: Replacement) {
        Arc::make_mut(self.replaced.get_or_insert_default()).insert(replacement);
    }

    pub(crate) fn replaced(&self) -> Option<&Arc<Replacements>> {
        self.replaced.as_ref()
    }

    pub(crate) fn find<T: Send + Sync + 'static>(&self) -> Option<State<T>> {
        let (_, value) = self.values.get(&TypeId::of::<T>())?;
        Arc::clone(value).downcast().ok().map(State)
    }

    fn has(&self, kind: &StateType) -> bool {
        self.values.contains_key(&kind.id)
    }

    /// The names of the types, sorted.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.values.values().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names
    }
}

/// A need of a call that the engine must meet.
#[derive(Clone)]
pub struct Need(NeedKind);

#[derive(Clone)]
enum NeedKind {
    /// State, unless this job is replaced.
    State(StateType, Option<TypeId>),
    /// Another parameter that passes this check, unless this job is replaced.
    Parameter(ParameterProbe, Option<TypeId>),
    /// The needs of the workflow that the job runs.
    Workflow(Arc<dyn Fn(&mut StateCheck<'_>) + Send + Sync>),
}

impl Need {
    /// A need for state of this type, unless the job `job` is replaced.
    pub(crate) fn state<T: 'static>(job: Option<TypeId>) -> Self {
        Self(NeedKind::State(StateType::of::<T>(), job))
    }

    /// A need for a parameter that passes a check, unless the job `job` is replaced.
    pub(super) fn parameter(probe: ParameterProbe, job: Option<TypeId>) -> Self {
        Self(NeedKind::Parameter(probe, job))
    }

    /// The needs of a workflow, which `look` finds.
    pub(crate) fn workflow(look: impl Fn(&mut StateCheck<'_>) + Send + Sync + 'static) -> Self {
        Self(NeedKind::Workflow(Arc::new(look)))
    }
}

/// The check of a parameter before a run.
type ParameterProbe = fn(&ParameterCheck<'_>) -> Result<(), BoxError>;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A search for state and parameters that jobs need and an engine cannot provide.
pub(crate) struct StateCheck<'a> {
    states: &'a States,
    /// Whether to find all unmet needs for parameters, and none for state.
    all_parameters: bool,
    /// The names of the workflows that have been checked.
    entered: HashSet<String>,
    /// The first one, or all parameters.
    pub(crate) unmet: Vec<Unmet>,
}

/// A need of a job that is not met.
pub(crate) struct Unmet {
    pub(crate) workflow: String,
    pub(crate) job: String,
    pub(crate) why: UnmetReason,
}

pub(crate) enum UnmetReason {
    /// The engine lacks this type of state.
    State(&'static str),
    /// The parameter cannot be made.
    Parameter(BoxError),
}

impl<'a> StateCheck<'a> {
    pub(crate) fn new(states: &'a States) -> Self {
        Self { states, all_parameters: false, entered: HashSet::new(), unmet: Vec::new() }
    }

    /// Finds all parameters that cannot be provided, and ignores state.
    pub(crate) fn of_parameters(states: &'a States) -> Self {
        Self { all_parameters: true, ..Self::new(states) }
    }

    fn is_done(&self) -> bool {
        !self.all_parameters && !self.unmet.is_empty()
    }

    /// Marks the workflow as checked; false if it was checked already.
    pub(crate) fn enter(&mut self, workflow: &str) -> bool {
        !self.is_done() && self.entered.insert(workflow.to_owned())
    }

    fn is_replaced(&self, job: TypeId) -> bool {
        self.states.replaced.as_ref().is_some_and(|replaced| replaced.has(job))
    }

    /// Checks one need of a job.
    pub(crate) fn look(&mut self, workflow: &str, job: &str, need: &Need) {
        let why = match &need.0 {
            _ if self.is_done() => return,
            NeedKind::Workflow(look) => return look(self),
            NeedKind::State(_, Some(job)) | NeedKind::Parameter(_, Some(job))
                if self.is_replaced(*job) =>
            {
                return;
            }
            NeedKind::State(kind, _) if self.all_parameters || self.states.has(kind) => return,
            NeedKind::State(kind, _) => UnmetReason::State(kind.name),
            NeedKind::Parameter(probe, _) => {
                match probe(&ParameterCheck::new(workflow, self.states)) {
                    Ok(()) => return,
                    Err(error) => UnmetReason::Parameter(error),
                }
            }
        };
        self.unmet.push(Unmet { workflow: workflow.to_owned(), job: job.to_owned(), why });
    }
}

/// Formats the error for a job that lacks state.
pub(crate) fn missing_state(job: &str, state: &str, known: &[&str]) -> String {
    let state = short(state);
    let known: Vec<String> = known.iter().map(|name| format!("`{}`", short(name))).collect();
    let known = match known.is_empty() {
        true => String::new(),
        false => format!(" (the engine has: {})", known.join(", ")),
    };
    format!(
        "job `{job}` takes `State<{state}>`, which the engine does not have; add `.state(..)` \
         with a `{state}` to `Engine::builder()`{known}"
    )
}

impl JobError {
    #[cold]
    pub(crate) fn missing_state(job: &str, state: &str, known: &[&str]) -> Self {
        Self::terminal(missing_state(job, state, known))
    }
}
