//! The behaviour of pipelines: both forms of the configuration, sources, stages, sinks, failing
//! records, and what a failure leaves behind.

#![expect(clippy::unwrap_used, reason = "tests")]

#[cfg(feature = "api")]
mod api;
mod assets;
mod config;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod databases;
mod empty;
mod failing;
mod folder;
mod incremental;
#[cfg(all(feature = "object-store", feature = "parquet"))]
mod objects;
mod preview;
mod runs;
#[cfg(all(feature = "object-store", feature = "parquet"))]
mod s3;
#[cfg(feature = "api")]
mod server;
mod sinks;
mod sources;
mod stages;
#[cfg(feature = "postgres")]
mod tls;
mod types;
