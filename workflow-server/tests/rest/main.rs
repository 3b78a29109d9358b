//! The API through real servers on this machine, with stores of SQLite and of PostgreSQL.

mod changes;
#[path = "../../../tests-support/counting.rs"]
mod counting;
mod documents;
mod files;
mod hostile;
mod limits;
mod lists;
mod mounted;
mod numbers;
mod outage;
mod outside;
mod rights;
mod runs;
mod schedules;
mod sessions;
mod slow;
mod spelling;
mod states;
mod strangers;
mod streams;
mod support;
mod users;
mod workflows;
mod wrapped;

use test_postgres as cluster;
