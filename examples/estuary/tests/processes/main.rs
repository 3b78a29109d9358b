//! The real program with its commands, on every backend, and its workers that are killed.

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

            #[cfg(feature = "temporal")]
            #[test]
            fn on_temporal() {
                super::$test(Backend::Temporal);
            }
        }
    };
}

mod commands;
mod crashes;
mod support;
