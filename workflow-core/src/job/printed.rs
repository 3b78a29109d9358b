//! What jobs print for those who watch them.

use serde::{Deserialize, Serialize};

/// One of the two streams that jobs print to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Where the log of a run has a piece of output: its record, from this byte of the file on. The
/// next record begins where this one ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LogPlace {
    /// Where the record begins, in bytes from the beginning of the file.
    pub offset: u64,
    /// How long it is with its header, in bytes.
    pub length: u64,
}

impl LogPlace {
    /// Where the next record begins.
    ///
    /// ```
    /// # let place: workflow_core::LogPlace = serde_json::from_str(r#"{"offset": 19, "length": 80}"#)?;
    /// assert_eq!(place.end(), 99);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn end(&self) -> u64 {
        self.offset + self.length
    }
}

/// A piece of what a job printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Printed {
    pub(crate) stream: OutputStream,
    pub(crate) text: String,
    /// Where it is kept, if it is.
    pub(crate) log: Option<LogPlace>,
}
