//! Which run is meant.

use std::convert::Infallible;
use std::str::FromStr;

use workflow_core::RunId;
use workflow_store::Catalog;

use crate::failure::Failure;

/// A run as the command line names it, which the store resolves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WhichRun(String);

impl FromStr for WhichRun {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl WhichRun {
    /// The id of the run.
    ///
    /// # Errors
    ///
    /// Fails when there is none, or several.
    pub(super) fn find(&self, store: &dyn Catalog) -> Result<RunId, Failure> {
        Ok(pollster::block_on(store.find_run(&self.0))?)
    }
}
