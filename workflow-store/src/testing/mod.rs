//! Conformance suites for stores: those of this crate, wrappers, and stores of other crates.
//!
//! A store that passes [`store_conformance!`](crate::store_conformance) works with an engine. One
//! that also passes [`catalog_conformance!`](crate::catalog_conformance) works with the server and
//! the command line. A store that enforces the limits of runs passes
//! [`flow_control_conformance!`](crate::flow_control_conformance), too. Each macro makes a test for every scenario, in its module:
//!
//! ```
//! use std::sync::Arc;
//!
//! use workflow_core::store::MemoryStore;
//! use workflow_store::testing::Stores;
//!
//! async fn memory() -> Stores {
//!     let store = Arc::new(MemoryStore::new());
//!     Stores::new(store.clone(), store)
//! }
//!
//! # #[cfg(test)]
//! mod conformance {
//!     workflow_store::store_conformance!(super::memory());
//! }
//! # pollster::block_on(async {
//! workflow_store::testing::store::check("an_id_is_taken_once", memory().await).await;
//! # });
//! ```

pub mod catalog;
pub mod flow_control;
pub mod store;

pub use catalog::Catalogs;
pub use store::Stores;

/// Defines a suite of scenarios: a function that checks one by its name, and a macro that makes a
/// test for each.
macro_rules! suite {
    ($d:tt $macro:ident, $suite:ident, $under_test:ty; $($module:ident :: $scenario:ident,)*) => {
        /// The names of the scenarios.
        pub const SCENARIOS: &[&str] = &[$(stringify!($scenario)),*];

        /// Checks one scenario with an empty store.
        ///
        /// # Panics
        ///
        /// Panics when the store fails the scenario, and when no scenario has this name.
        pub async fn check(scenario: &str, under_test: $under_test) {
            match scenario {
                $(stringify!($scenario) => $module::$scenario(under_test).await,)*
                other => panic!("no scenario is named `{other}`; SCENARIOS has their names"),
            }
        }

        /// Makes a test for each scenario of a conformance suite; see [`testing`](crate::testing).
        /// Takes a future of
/// the store under test, which is evaluated for each test.
        #[macro_export]
        macro_rules! $macro {
            ($d make:expr) => {
                $(#[test]
                fn $scenario() {
                    $crate::testing::block_on(async {
                        let under_test = $d make.await;
                        $crate::testing::$suite::check(stringify!($scenario), under_test).await;
                    });
                })*
            };
        }
    };
}
use suite;

/// Runs the future of a scenario on this thread.
#[doc(hidden)]
pub fn block_on(scenario: impl Future<Output = ()>) {
    pollster::block_on(scenario);
}
