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
//! - [`Engine`], [`Run`], [`Report`]: limits, stores and clocks; running workflows; their results
//! - [`JobError`], [`RetryPolicy`], [`TriggerRule`]: failures, retries and what runs after a
//!   failure
//!
//! The names above are at the root and in the [`prelude`]. All others are found in the module of
//! what they belong to: [`engine`] has requests, handles and clocks, [`event`] what happens in a
//! run and its state, [`store`] where runs are persisted, [`run_log`] what jobs print.
//!
//! # Features
//!
//! - `tokio` (default): uses the caller's tokio runtime for tasks, blocking functions and timers.
//!   Without the feature, or outside of a runtime, the library uses its own threads.
//! - `assets`: values with partitions and records, made from each other ([`mod@asset`]).
//! - `schedule`: runs registered workflows on their schedules (`Engine::run_schedules`).
//! - `schema`: provides the JSON Schema of inputs and outputs that implement
//!   `schemars::JsonSchema`.

extern crate self as workflow_core;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
#[cfg(feature = "assets")]
pub mod asset;
pub mod bounds;
pub mod definition;
pub mod downstream;
pub mod engine;
pub mod error_text;
pub mod event;
pub mod executor;
pub mod flow_control;
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
pub mod schedule;
mod scheduler;
mod sparse_map;
pub mod store;
pub mod table;
pub mod value;
pub mod worker;
pub mod workflow;

pub use engine::Engine;
pub use event::Status;
pub use job::{
    Call, Each, Handle, Job, JobContext, JobError, State, TriggerRule, WorkflowContext, call_job,
    map,
};
pub use retry::RetryPolicy;
pub use run::{Report, Run, RunError};
pub use workflow::{Flow, Workflow};
#[cfg(feature = "assets")]
pub use workflow_macros::asset;
pub use workflow_macros::{job, register_workflow};

/// The names that a program needs to declare and run workflows: those of the crate's root.
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
