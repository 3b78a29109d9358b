//! Runs of an engine in memory.

#[path = "../support/delegated.rs"]
mod delegated;
mod executor;
mod extremes;
mod replaced;
mod stacked;
mod waiting;
