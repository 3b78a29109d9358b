//! Live events of runs: one feed per run, and server-sent events for the subscribers.

pub(crate) mod feed;
pub(crate) mod sse;
