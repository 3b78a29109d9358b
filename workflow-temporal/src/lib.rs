//! Runs registered workflows on a [Temporal](https://temporal.io) cluster, unchanged.
//!
//! The engine of `workflow-core` runs inside Temporal's workflow tasks and decides as it does in one
//! process: order, conditions, trigger rules, maps, retries, compensation, signals. Attempts of jobs
//! become activities, durable sleeps timers, child workflows those of Temporal. A crash of a worker
//! costs no attempt of a job.
//!
//! - [`TemporalWorker`] serves task queues with the workflows of this program.
//! - [`TemporalClient`] starts workflows, and asks for results, events and awaited signals.
//! - [`TemporalOptions`] says how to connect.
//!
//! # What differs from one process
//!
//! - Inputs and outputs must serialize to JSON, and Temporal limits a payload to 2 MiB.
//! - A function workflow must be deterministic. Waiting for anything but jobs, child workflows,
//!   `ctx.sleep` and signals fails the run with the cure.
//! - Limits of engines and workflows (`limit`) do not hold; the slots of workers do.
//! - Times of less than a second take about a second, because Temporal's timers are coarse.
//! - What jobs print stays on the machine of the worker, in the `runs_dir` of its engine.

mod activity;
mod activity_id;
mod bridge;
mod client;
mod connect;
mod continuation;
mod history;
mod hosted;
mod labels;
mod logs;
mod message;
mod names;
mod payload;
mod replay;
mod request;
mod schedules;
mod worker;

pub use client::{
    AttemptState, Attributes, CallError, RunEvents, RunState, StartError, StartRequest, Started,
    TemporalClient, TemporalRun, TemporalRunSummary,
};
pub use connect::{ConnectError, TemporalAddressError, TemporalOptions, Tls};
pub use replay::{ReplayError, replay};
pub use request::Placement;
pub use schedules::{ScheduleSync, ScheduleSyncError};
pub use worker::{TemporalWorker, WorkerError};
