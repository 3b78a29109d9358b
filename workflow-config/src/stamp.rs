//! Whether a file is still the one that was read.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What told a file from another state of it, when it was about to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    path: PathBuf,
    /// `None` when there was no such file.
    state: Option<State>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    modified: SystemTime,
    length: u64,
}

/// Clocks of file systems are this coarse, at worst. What was changed so shortly before it was
/// read may be changed again without a trace.
const COARSE: Duration = Duration::from_secs(2);

impl Stamp {
    pub(super) fn of(path: &Path) -> Self {
        let state = std::fs::metadata(path).ok().and_then(|found| {
            Some(State { modified: found.modified().ok()?, length: found.len() })
        });
        Self { path: path.to_owned(), state }
    }

    /// Whether a later change of the file will be noticed.
    pub(super) fn is_settled(&self) -> bool {
        let age = |state: &State| SystemTime::now().duration_since(state.modified);
        self.state.as_ref().is_none_or(|state| age(state).is_ok_and(|age| age > COARSE))
    }

    pub(super) fn is_current(&self) -> bool {
        *self == Self::of(&self.path)
    }
}
