//! Runs of an engine in memory.

#[path = "../support/delegated.rs"]
mod delegated;
mod executor;
mod extremes;
mod recorded_runs;
mod replaced;
mod stacked;
mod waiting;
