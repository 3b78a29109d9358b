//! One unit of work: what it is given, what it may fail with, and how a call of it is written down.
//!
//! A job is described by a [`Call`]: a body, the values that it reads, and its options. The body
//! sees the run through a [`AttemptIo`] alone. Knows nothing of graphs, schedulers or engines.

mod attempt_io;
mod bind;
mod body;
mod call;
mod context;
mod dispatch;
mod error;
mod flags;
mod map;
mod options;
mod print;
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
pub use bind::{
    Bind, Each, EachOf, Handle, Input, InputCount, Inputs, Opt, Ownable, Reader, Ref, Val,
};
pub(crate) use bind::{InputRef, fresh_owner};
pub use body::Body;
pub(crate) use body::{Bodies, BodyFuture, BodyKind, Started};
pub use call::{Call, JobFn, Parameter, call_job, closure};
pub(crate) use call::{RawCall, one_input};
pub use context::{AttemptContext, JobContext};
pub use dispatch::{Arg, Both, FromEngine, Invoke, Later, LaterArgs, Mode, Now, NowArgs};
pub use error::{JobError, JobErrorKind, STDERR_FOLLOWS};
pub(crate) use flags::JobFlags;
pub use map::map;
pub(crate) use options::{Condition, zero_timeout};
pub use options::{Grace, Group, JobOptions, OnFailure, TimeoutKind, Timeouts, TriggerRule};
#[doc(hidden)]
pub use print::print;
pub(crate) use print::{Attempt, Entered, Printed};
pub use replacement::Replacement;
pub(crate) use replacement::Replacements;
pub use returned::{GraphReturn, JobReturn};
pub use state::Need;
pub(crate) use state::{MissingState, StateCheck, States, missing_state};
pub use state::{State, StateParameter};
pub(crate) use token::Token;
pub use workflow_context::WorkflowContext;
pub(crate) use workflow_context::{ChildHandle, NewChild};

/// A job that is a value: a unit of work with a name, an input, an output, and state of its own.
///
/// Most jobs are functions with `#[job]` on them; implement this for work that needs a client, a
/// pool or a setting at hand, and add it to a flow with [`call_job`], which shows an example.
#[async_trait]
pub trait Job: Send + Sync + 'static {
    /// What the job reads.
    type Input: Serialize + Send + Sync + 'static;
    /// What the job makes. It has a JSON form, which is what a store keeps of it.
    type Output: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The name that its jobs carry, unless they are given another.
    fn name(&self) -> &'static str;

    /// Does the work of one attempt.
    ///
    /// # Errors
    ///
    /// Fails with whatever stopped it; the retry policy of the job decides what follows.
    async fn run(&self, ctx: &JobContext, input: &Self::Input) -> Result<Self::Output, JobError>;
}
