//! Executes operations on a database: one thread writes, some read.

pub(crate) mod connection_pool;
pub(crate) mod operation;
mod queue;
mod reader;
pub(crate) mod tx_totals;
mod watcher;
pub(crate) mod write_cache;
mod writer;
