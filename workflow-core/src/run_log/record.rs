//! The line before a record's bytes.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::place::OutputStream;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Header<'a> {
    /// In JSON, and so on one line whatever the name.
    pub(crate) job: Cow<'a, str>,
    pub(crate) attempt: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stream: Option<OutputStream>,
    pub(crate) after_ms: u64,
    pub(crate) bytes: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dropped: Option<u64>,
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
pub(crate) const MAX_BODY: usize = 64 * 1024;
