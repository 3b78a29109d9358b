//! Jobs, the units of work: their inputs, outputs, errors and options, and calls of them.
//!
//! A [`Call`] describes a job: a body, the values that it reads, and its options. The body accesses
//! the run only through an [`AttemptIo`]. This module knows nothing about graphs, schedulers or
//! engines.

mod attempt_io;
mod bind;
mod body;
mod call;
mod context;
mod dispatch;
mod error;
mod flags;
mod known_wait;
mod map;
mod options;
mod parameter;
pub(crate) mod print;
mod raw_call;
mod replacement;
mod returned;
mod state;
mod token;
mod workflow_context;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use attempt_io::AttemptIo;
pub(crate) use attempt_io::{
    ChildFrame, ChildInput, Delivery, Item, RunValues, Services, Source, ValueLayout,
};
pub use bind::{Each, Handle, Input, Inputs};
pub(crate) use bind::{InputRef, fresh_owner};
pub use body::Body;
pub(crate) use body::{Bodies, BodyFuture, BodyKind, Started};
pub(crate) use call::one_input;
pub use call::{Call, JobFn, call_job, closure};
pub use context::{AttemptContext, JobContext};
pub use error::{JobError, JobErrorKind, STDERR_FOLLOWS};
pub(crate) use flags::JobFlags;
pub(crate) use known_wait::{PollingTask, TaskGuard, enter_task, known_wait};
pub use map::map;
pub(crate) use options::{Condition, zero_timeout};
pub use options::{
    Grace, Group, JobOptions, OnFailure, TaskQueueError, TimeoutKind, Timeouts, TriggerRule,
};
pub use parameter::{FromContext, ParameterCheck};
pub(crate) use print::{Attempt, Entered, Printed};
pub use raw_call::Parameter;
pub(crate) use raw_call::{RawCall, RegisteredJobs};
pub use replacement::Replacement;
pub(crate) use replacement::Replacements;
pub use state::Need;
pub use state::State;
pub(crate) use state::{StateCheck, States, Unmet, UnmetReason, missing_state};
pub(crate) use token::Token;
pub use workflow_context::WorkflowContext;
pub(crate) use workflow_context::{ChildHandle, NewChild};

/// The kinds of parameters of `#[job]` functions, and the traits that match arguments to them.
///
/// Compile errors name them: `Handle<u64>: Arg<Ref<str>>` is not satisfied where a parameter is
/// `&str` and the argument is the output of a job that returns `u64`. Programs have no need of
/// them, and generated code is their only user, so they may change in any version.
pub mod arguments {
    pub use super::bind::{Bind, EachOf, InputCount, Opt, Ownable, Reader, Ref, Val};
    pub use super::dispatch::{
        Arg, Both, FromEngine, Invoke, Later, LaterArgs, Mode, Now, NowArgs,
    };
    pub use super::parameter::ProvidedParameter;
    pub use super::returned::{GraphReturn, JobReturn};
}

/// A job that is a value with its own state: a client, a pool, a setting.
///
/// Most jobs are functions with `#[job]`. Implement this trait for work that needs state, and add
/// it to a flow with [`call_job`], which shows an example.
#[async_trait]
pub trait Job: Send + Sync + 'static {
    /// The type of the input.
    type Input: Serialize + Send + Sync + 'static;
    /// The type of the output. A store persists its JSON form.
    type Output: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The default name of its jobs.
    fn name(&self) -> &'static str;

    /// Runs one attempt.
    ///
    /// # Errors
    ///
    /// Fails with any error; the job's retry policy decides whether it is retried.
    async fn run(&self, ctx: &JobContext, input: &Self::Input) -> Result<Self::Output, JobError>;
}
