//! Conformance suites for stores: of this crate, that wrap another, or of other crates.
//!
//! A store that passes [`store_conformance!`](crate::store_conformance) can be given to an engine;
//! one that passes [`catalog_conformance!`](crate::catalog_conformance) besides, to the server and
//! to the command line. Each makes a test of every scenario, in the module where it stands:
//!
//! ```
//! use std::sync::Arc;
//!
//! use workflow_core::MemoryStore;
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
pub mod store;

pub use catalog::Catalogs;
pub use store::Stores;

/// Makes a suite of scenarios: a function that checks one by its name, and a macro that makes a
/// test of each.
macro_rules! suite {
    ($d:tt $macro:ident, $suite:ident, $under_test:ty; $($module:ident :: $scenario:ident,)*) => {
        /// The names of the scenarios.
        pub const SCENARIOS: &[&str] = &[$(stringify!($scenario)),*];

        /// Checks one scenario, given what is under test, which is empty.
        ///
        /// # Panics
        ///
        /// Panics when the store does otherwise, and when no scenario has this name.
        pub async fn check(scenario: &str, under_test: $under_test) {
            match scenario {
                $(stringify!($scenario) => $module::$scenario(under_test).await,)*
                other => panic!("no scenario is named `{other}`; SCENARIOS has those that are"),
            }
        }

        /// Makes a test of each scenario of a conformance suite; see
        /// [`testing`](crate::testing). Takes a future of what is under test, which is made anew
        /// for each.
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

/// Runs a future of a scenario on this thread.
#[doc(hidden)]
pub fn block_on(scenario: impl Future<Output = ()>) {
    pollster::block_on(scenario);
}
