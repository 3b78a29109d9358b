//! An embeddable workflow engine: annotate a function, and it is a workflow that is found by name
//! at run time and runs as a graph of typed jobs in this process, on any async executor or none.
//!
//! ```
//! use workflow_core::prelude::*;
//!
//! #[job]
//! async fn extract() -> Result<Vec<u32>, JobError> {
//!     Ok("3 4 5".split(' ').map(str::parse).collect::<Result<_, _>>()?)
//! }
//!
//! #[job]
//! fn total(prices: &[u32]) -> u32 {
//!     prices.iter().sum()
//! }
//!
//! #[register_workflow(name = "prices", metadata = { "owner": "shop" })]
//! fn prices(flow: &mut Flow) -> Handle<u32> {
//!     let prices = flow.job(extract());
//!     flow.job(total(prices))
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let report = registry::run("prices").wait()?; // or, in async code, `.await?`
//! assert_eq!(report.output::<u32>()?, 12);
//! # Ok(())
//! # }
//! ```
//!
//! # Where to look
//!
//! - [`register_workflow`] and [`job`](macro@job): what can be annotated, and with what
//! - [`registry`]: finding and running workflows by name
//! - [`Flow`], [`Call`], [`Each`], [`map`]: drawing graphs; [`WorkflowContext`]: running jobs from
//!   a function with loops and branches
//! - [`Engine`], [`RunRequest`], [`Run`], [`Report`]: limits, stores and clocks; running, watching
//!   and stopping runs; their results
//! - [`JobError`], [`RetryPolicy`], [`TriggerRule`]: failures, retries and what runs after a
//!   failure
//!
//! # Features
//!
//! - `tokio` (default): uses the caller's tokio runtime for tasks, blocking functions and timers.
//!   Without the feature, or outside of a runtime, the library uses its own threads.
//! - `schedule`: runs registered workflows on their schedules (`Engine::run_schedules`).
//! - `schema`: provides the JSON Schema of inputs and outputs that implement
//!   `schemars::JsonSchema`.

extern crate self as workflow_core;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
pub mod bounds;
pub mod definition;
pub mod engine;
pub mod event;
pub mod graph;
mod guard;
pub mod id;
pub mod job;
pub mod json;
pub mod printing;
mod recover;
pub mod registry;
pub mod retry;
pub mod run;
pub mod run_log;
#[cfg(feature = "schedule")]
mod schedule;
mod scheduler;
mod sparse_map;
pub mod store;
pub mod value;
pub mod workflow;

pub use definition::{Definition, JobDefinition, Metadata, MetadataError};
pub use engine::{
    Cancellation, Clock, Engine, EngineBuilder, Enqueued, IntoWorkflow, LimitScope, LimitUsage,
    LookupError, ManualClock, Recovery, Resolve, ResumeError, RunFuture, RunHandle, RunRequest,
    Shutdown, SystemClock, Timings,
};
pub use event::{
    AttemptView, Blocked, Death, Event, EventKind, Failure, JobCounts, JobOrigin, JobView, RunView,
    Stall, Status, TransitionError, Waiting, decisive_line,
};
pub use graph::{Graph, GraphError};
pub use id::{JobName, NameError, RunId, RunIdError, WorkflowName, normalize_name};
pub use job::{
    Call, Each, Group, Handle, Job, JobContext, JobError, JobErrorKind, JobFn, OnFailure,
    Replacement, State, TimeoutKind, Timeouts, TriggerRule, WorkflowContext, call_job, closure,
    map,
};
pub use retry::RetryPolicy;
pub use run::{InputError, JobReport, OutputError, Report, Run, RunError};
pub use run_log::{
    AttemptLog, LogChunk, LogEntry, LogError, LogPlace, LogPosition, LogRecord, LogRecords,
    OutputStream, RunLog,
};
#[cfg(feature = "schedule")]
pub use schedule::schedule_key;
pub use store::{
    BeginOutcome, HeldLeases, IntoStore, KeyError, KeyScope, Lease, MemoryStore, Message,
    MessageKind, NewRun, Owner, OwnerId, Parent, Store, StoreError, StoredRun, Trigger,
    WorkflowSnapshot,
};
pub use value::{Type, ValueError, ValueOperation};
pub use workflow::{Flow, FunctionWorkflow, OutputOf, Plan, PlanError, Workflow};
pub use workflow_macros::{job, register_workflow};

/// The names that a program needs to declare and run workflows.
pub mod prelude {
    pub use crate::{
        Call, Each, Engine, Flow, Handle, Job, JobContext, JobError, Report, RetryPolicy, Run,
        RunError, State, Status, TriggerRule, Workflow, WorkflowContext, call_job, map, registry,
    };
    pub use workflow_macros::{job, register_workflow};
}

/// A doctest in an older edition: the macros work there, too.
///
/// ```edition2021
/// use workflow_core::prelude::*;
///
/// type Fallible<T> = Result<T, JobError>;
///
/// #[job]
/// async fn double(ctx: &JobContext, number: u64, text: &str) -> Fallible<u64> {
///     Ok(u64::from(ctx.attempt()) * number * 2 + text.len() as u64)
/// }
///
/// #[job]
/// fn total(numbers: Each<'_, u64>, last: Option<&u64>) -> u64 {
///     numbers.iter().chain(last).sum()
/// }
///
/// #[register_workflow]
/// fn doubled(flow: &mut Flow, number: Handle<u64>) -> Fallible<Handle<u64>> {
///     let text = flow.value(String::new());
///     let double = flow.job(double(number, text));
///     Ok(flow.job(total([double], number)))
/// }
///
/// let total: u64 = registry::run("doubled").input(2_u64).wait()?.output()?;
/// assert_eq!(total, 6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(doctest)]
struct OlderEdition;
