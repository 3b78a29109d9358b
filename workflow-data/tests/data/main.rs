//! The behaviour of pipelines: both forms of the configuration, sources, stages, sinks, failing
//! records, and what a failure leaves behind.

#![expect(clippy::unwrap_used, reason = "tests")]

mod config;
mod failing;
mod folder;
mod runs;
mod sinks;
mod sources;
mod stages;
