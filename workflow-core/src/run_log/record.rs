//! Records of a log: their headers, streams, and places.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// One of the two streams that jobs print to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OutputStream {
    /// Standard output.
    #[serde(rename = "stdout")]
    Stdout,
    /// Standard error.
    #[serde(rename = "stderr")]
    Stderr,
}

/// The place of a piece of output in the log: its record, in one of the log's files. The next
/// record starts where this one ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LogPlace {
    /// The number of the file, from 1. Each engine that drives the run writes its own file.
    #[serde(default = "first")]
    pub segment: u32,
    /// The start of the record, in bytes from the start of the file.
    pub offset: u64,
    /// The length of the record with its header, in bytes.
    pub length: u64,
}

fn first() -> u32 {
    1
}

impl LogPlace {
    /// Returns the start of the record in the whole log.
    pub fn start(&self) -> LogPosition {
        LogPosition::new(self.segment, self.offset)
    }

    /// Returns the end of the record in the whole log, where reading continues.
    ///
    /// ```
    /// # let place: workflow_core::run_log::LogPlace =
    /// #     serde_json::from_str(r#"{"segment": 1, "offset": 19, "length": 80}"#)?;
    /// assert_eq!(u64::from(place.end()), 99);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn end(&self) -> LogPosition {
        LogPosition::new(self.segment, self.offset + self.length)
    }
}

/// A position in the whole log of a run, from which reading can continue. Grows along the log. The
/// default is the start.
///
/// As a number, it is the position that the REST API returns. Treat it as opaque.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct LogPosition(u64);

impl LogPosition {
    /// The number of bits for the offset in a file. The rest of the 53 bits that JavaScript has for
    /// integers suffices for 8,192 files.
    const OFFSET_BITS: u32 = 40;

    pub(crate) fn new(segment: u32, offset: u64) -> Self {
        let end = (1 << Self::OFFSET_BITS) - 1;
        Self(u64::from(segment.saturating_sub(1)) << Self::OFFSET_BITS | offset.min(end))
    }

    /// Returns the number of the file, from 1.
    pub fn segment(self) -> u32 {
        u32::try_from(self.0 >> Self::OFFSET_BITS).unwrap_or(u32::MAX) + 1
    }

    /// Returns the offset in that file, in bytes.
    pub fn offset(self) -> u64 {
        self.0 & ((1 << Self::OFFSET_BITS) - 1)
    }
}

impl From<u64> for LogPosition {
    fn from(position: u64) -> Self {
        Self(position)
    }
}

impl From<LogPosition> for u64 {
    fn from(position: LogPosition) -> Self {
        position.0
    }
}

/// The header of a record: a line of JSON before its bytes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Header<'a> {
    /// The name of the job, escaped as JSON so that it is one line.
    pub job: Cow<'a, str>,
    /// The number of its attempt, from 1.
    pub attempt: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    /// The stream; `None` for a record without output.
    pub stream: Option<OutputStream>,
    /// Milliseconds since the start of the attempt.
    pub after_ms: u64,
    /// The length of the body.
    pub bytes: usize,
    /// The number of bytes beyond the limit that were dropped so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<u64>,
}

impl Header<'_> {
    pub(super) fn write(&self, record: &mut Vec<u8>) {
        serde_json::to_writer(&mut *record, self)
            .expect("numbers and text become JSON, and memory takes it");
        record.push(b'\n');
    }
}

/// The first line of a log.
pub(super) const FIRST_LINE: &[u8] = b"{\"workflow_log\":1}\n";

/// The longest header, in bytes.
pub(super) const MAX_HEADER: u64 = 64 * 1024;

/// The longest body, in bytes.
pub const MAX_BODY: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn positions_grow_along_the_log(
            one in (1u32..9000, 0u64..1 << 40),
            other in (1u32..9000, 0u64..1 << 40),
        ) {
            let position = |(segment, offset)| LogPosition::new(segment, offset);
            let (first, second) = (position(one), position(other));
            prop_assert_eq!(one.cmp(&other), first.cmp(&second));
            prop_assert_eq!((first.segment(), first.offset()), one);
        }

        #[test]
        fn any_number_is_a_position(number: u64) {
            let position = LogPosition::from(number);
            prop_assert_eq!(u64::from(position), number);
            prop_assert!(position.segment() >= 1);
        }
    }
}
