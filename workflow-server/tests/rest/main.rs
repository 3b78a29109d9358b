//! The API with real servers on this machine, on SQLite and PostgreSQL.

mod arrivals;
mod changes;
#[path = "../../../tests-support/counting.rs"]
mod counting;
mod custom_store;
mod downstream;
mod expensive_requests;
mod external_program;
mod files;
mod isolation;
mod limits;
mod lists;
mod mounted;
mod numbers;
mod openapi;
mod outage;
mod path_aliases;
mod permissions;
mod run_documents;
mod runs;
mod schedules;
mod sessions;
mod slow_clients;
mod streams;
mod support;
mod tables;
mod users;
mod webhooks;
mod workers;
mod workflows;

use test_postgres as cluster;
use test_postgres::Template;

/// A database with the tables of this version, which most tests begin with.
pub(crate) static MIGRATED: Template = Template::new(|url| {
    drop(pollster::block_on(workflow_store::open(url)).expect("a store"));
});
