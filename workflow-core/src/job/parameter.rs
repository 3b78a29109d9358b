//! Parameters of job functions that no other job passes.

use std::any::TypeId;
use std::error::Error;

use super::state::{Need, States};
use super::{AttemptIo, Call, JobContext, JobError, State};

/// A parameter of a `#[job]` function that is made from the job's context, such as the
/// configuration of its workflow: `Config<T>` of the crate `workflow-config`.
///
/// Like [`State`](super::State), it is not an input of the job. The macros recognize it by its
/// name, `Config<T>`, which may be any type that implements this trait:
///
/// ```
/// use std::error::Error;
///
/// use workflow_core::prelude::*;
/// use workflow_core::job::{FromContext, ParameterCheck};
///
/// /// The settings of a workflow, which this program compiles in.
/// struct Config<T>(T);
///
/// impl FromContext for Config<u64> {
///     fn from_context(ctx: &JobContext) -> Result<Self, JobError> {
///         limit(&ctx.workflow_name()).map(Self).map_err(JobError::terminal)
///     }
///
///     fn check(check: &ParameterCheck<'_>) -> Result<(), Box<dyn Error + Send + Sync>> {
///         Ok(limit(check.workflow()).map(drop)?)
///     }
/// }
///
/// fn limit(workflow: &str) -> Result<u64, String> {
///     match workflow {
///         "orders" => Ok(10),
///         _ => Err(format!("`{workflow}` has no limit")),
///     }
/// }
///
/// #[job]
/// fn cut(limit: Config<u64>, amount: u64) -> u64 {
///     amount.min(limit.0)
/// }
///
/// #[register_workflow(name = "orders")]
/// fn orders(flow: &mut Flow, amount: Handle<u64>) -> Handle<u64> {
///     flow.job(cut(amount))
/// }
///
/// let report = registry::run("orders").input(12_u64).wait()?;
/// assert_eq!(report.output::<u64>()?, 10);
/// # Ok::<(), Box<dyn Error>>(())
/// ```
pub trait FromContext: Sized + 'static {
    /// Makes the parameter for one attempt.
    ///
    /// # Errors
    ///
    /// Fails when the parameter cannot be made. The attempt ends with the error, and the function
    /// is not called.
    fn from_context(ctx: &JobContext) -> Result<Self, JobError>;

    /// Checks before a run begins whether the parameter can be made for a job of this workflow.
    ///
    /// # Errors
    ///
    /// Fails when it cannot. The run does not begin.
    fn check(check: &ParameterCheck<'_>) -> Result<(), Box<dyn Error + Send + Sync>>;
}

/// What is known before a run about a job with a [parameter](FromContext).
pub struct ParameterCheck<'a> {
    workflow: &'a str,
    states: &'a States,
}

impl<'a> ParameterCheck<'a> {
    pub(crate) fn new(workflow: &'a str, states: &'a States) -> Self {
        Self { workflow, states }
    }

    /// The name of the job's workflow, which may be a child workflow.
    pub fn workflow(&self) -> &str {
        self.workflow
    }

    /// The engine's state of this type, if it has it.
    pub fn state<T: Send + Sync + 'static>(&self) -> Option<State<T>> {
        self.states.find()
    }
}

/// A parameter of a function that no other job passes: state, or made from the context.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no parameter that an engine provides, but another type of that name",
    note = "the macros recognize application state by the name `State<T>`, and configuration by \
            the name `Config<T>`; import the other type under another name"
)]
pub trait ProvidedParameter: Sized {
    /// Declares that the call takes this parameter, unless the job `job` is replaced.
    fn require<O: Send + Sync + 'static>(call: Call<O>, job: Option<TypeId>) -> Call<O>;

    /// Returns the parameter for an attempt.
    ///
    /// # Errors
    ///
    /// Fails when there is no such parameter, and state outside of a run.
    fn of(io: &AttemptIo) -> Result<Self, JobError>;
}

impl<P: FromContext> ProvidedParameter for P {
    fn require<O: Send + Sync + 'static>(call: Call<O>, job: Option<TypeId>) -> Call<O> {
        call.requiring([Need::parameter(P::check, job)])
    }

    fn of(io: &AttemptIo) -> Result<Self, JobError> {
        P::from_context(&JobContext::new(io))
    }
}
