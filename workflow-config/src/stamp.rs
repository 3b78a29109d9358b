//! Detects changes of files.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The state of a file just before it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    path: PathBuf,
    /// `None` if the file did not exist.
    state: Option<State>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    modified: SystemTime,
    length: u64,
}

/// The worst resolution of file system clocks. A file that changed so shortly before it was read
/// may change again unnoticed.
const COARSE: Duration = Duration::from_secs(2);

impl Stamp {
    pub(super) fn of(path: &Path) -> Self {
        let state = std::fs::metadata(path).ok().and_then(|found| {
            Some(State { modified: found.modified().ok()?, length: found.len() })
        });
        Self { path: path.to_owned(), state }
    }

    /// Whether a later change of the file will be detected.
    pub(super) fn is_settled(&self) -> bool {
        let age = |state: &State| SystemTime::now().duration_since(state.modified);
        self.state.as_ref().is_none_or(|state| age(state).is_ok_and(|age| age > COARSE))
    }

    pub(super) fn is_current(&self) -> bool {
        *self == Self::of(&self.path)
    }
}
