//! Stores: their conformance suites, and what only databases do. On SQLite and on PostgreSQL.

mod announcements;
mod catalog;
mod clocks;
mod conformance;
#[cfg(unix)]
mod disk_full;
mod engine;
#[cfg(unix)]
mod evicted;
mod given;
#[cfg(unix)]
mod postgres_cut;
mod postgres_faults;
#[cfg(unix)]
mod postgres_stopped;
#[cfg(feature = "tls")]
mod postgres_tls;
mod sqlite_faults;
mod why;

use test_postgres::Template;

/// A database with the tables of this version, which most tests begin with.
pub(crate) static MIGRATED: Template = Template::new(|url| {
    drop(pollster::block_on(workflow_store::open(url)).expect("a store"));
});
