//! Outputs that are too large for a row, kept once each under their SHA-256.

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::db::sql::{Sql, SqlError};
use crate::db::value::Value;

/// The largest event, in bytes of JSON, whose output stays in its row. A larger output goes to a
/// table of its own, where equal outputs are kept once, and comes back with the event.
pub const MAX_INLINE: usize = 1024 * 1024;

/// A large output.
#[derive(Debug)]
pub(crate) struct Blob {
    pub(crate) digest: [u8; 32],
    content: String,
}

impl Blob {
    pub(crate) fn new(content: String) -> Self {
        Self { digest: Sha256::digest(content.as_bytes()).into(), content }
    }

    /// What stands for the blob where JSON is shown.
    pub(crate) fn reference(&self) -> String {
        let hex: String = self.digest.iter().map(|byte| format!("{byte:02x}")).collect();
        json!({ "blob": format!("sha256:{hex}"), "bytes": self.content.len() }).to_string()
    }

    pub(crate) fn insert(&self, sql: &mut dyn Sql) -> Result<(), SqlError> {
        let values = [Value::Bytes(&self.digest), Value::Bytes(self.content.as_bytes())];
        sql.execute(INSERT, &values).map(|_| ())
    }
}

const INSERT: &str =
    "INSERT INTO workflows_blob (digest, content) VALUES ($1, $2) ON CONFLICT DO NOTHING";
