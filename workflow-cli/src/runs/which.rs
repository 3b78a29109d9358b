//! Which run is meant.

use std::str::FromStr;

use workflow_core::{RunId, RunIdError};
use workflow_store::Catalog;

use crate::failure::Failure;

/// A run by its number in the store, as lists show it, or by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WhichRun {
    Number(i64),
    Id(RunId),
}

impl FromStr for WhichRun {
    type Err = RunIdError;

    fn from_str(text: &str) -> Result<Self, RunIdError> {
        match text.trim_start_matches('#').parse() {
            Ok(number) => Ok(Self::Number(number)),
            Err(_) => text.parse().map(Self::Id),
        }
    }
}

impl WhichRun {
    /// The id of the run.
    ///
    /// # Errors
    ///
    /// Fails when no run has the number.
    pub(super) fn find(self, store: &dyn Catalog) -> Result<RunId, Failure> {
        let number = match self {
            Self::Id(run) => return Ok(run),
            Self::Number(number) => number,
        };
        let found = pollster::block_on(store.run_by_number(number))?;
        found.ok_or_else(|| {
            Failure::Usage(format!(
                "there is no run {number}; `workflow runs list` shows those there are"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_or_an_id() {
        assert_eq!("472".parse().ok(), Some(WhichRun::Number(472)));
        assert_eq!("#472".parse().ok(), Some(WhichRun::Number(472)));
        let id = RunId::from_u128(7);
        assert_eq!(id.to_string().parse().ok(), Some(WhichRun::Id(id)));
        assert!("etl".parse::<WhichRun>().is_err());
    }
}
