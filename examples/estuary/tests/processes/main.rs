//! The real program with its commands, on SQLite and on PostgreSQL, and its workers that are killed.

/// A test for each backend.
macro_rules! on_every_backend {
    ($test:ident) => {
        mod $test {
            use crate::support::Backend;

            #[test]
            fn on_sqlite() {
                super::$test(Backend::Sqlite);
            }

            #[test]
            fn on_postgres() {
                super::$test(Backend::Postgres);
            }
        }
    };
}

mod commands;
mod crashes;
mod support;
