//! The line before a record's bytes.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::place::OutputStream;

/// The line before the bytes of a record.
#[derive(Debug, Serialize, Deserialize)]
pub struct Header<'a> {
    /// The name of the job. In JSON, and so on one line whatever the name.
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
    /// How many bytes beyond the limit were not kept so far.
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

/// What a log begins with.
pub(super) const FIRST_LINE: &[u8] = b"{\"workflow_log\":1}\n";

/// The longest line that is taken for a header, in bytes.
pub(super) const MAX_HEADER: u64 = 64 * 1024;

/// The longest body, in bytes.
pub const MAX_BODY: usize = 64 * 1024;
