//! Runs of an engine in memory, and how they are shown.

#[path = "../support/delegated.rs"]
mod delegated;
mod executor;
mod extremes;
mod recorded_runs;
mod replaced;
mod stacked;
mod views;
mod waiting;
