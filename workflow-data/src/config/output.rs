//! The section `output`: where a pipeline writes its table.

use std::path::PathBuf;

use serde::Deserialize;
use workflow_config::{Rules, Violations};

use super::FileFormat;

/// A sink.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct OutputConfig {
    /// The kind of sink.
    #[serde(rename = "type")]
    pub kind: SinkKind,
    /// The file. Missing folders are created.
    pub path: PathBuf,
    /// The format of a `file`. Default: by the extension.
    pub format: Option<FileFormat>,
    /// The table of a `sqlite` database.
    pub table: Option<String>,
    /// What happens with data that is already there. Default: `replace`.
    #[serde(default)]
    pub mode: WriteMode,
    /// The columns that identify a record, for `merge`.
    #[serde(default)]
    pub key: Vec<String>,
}

/// The kind of a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SinkKind {
    /// A CSV file, or JSON lines.
    File,
    /// A Parquet file (feature `parquet`).
    Parquet,
    /// A table of a SQLite database (feature `sqlite`).
    Sqlite,
}

/// What happens with data that is already there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum WriteMode {
    /// It is removed.
    #[default]
    Replace,
    /// It stays, and the new records follow.
    Append,
    /// Records with the same key are replaced; all others stay.
    Merge,
}

impl Rules for OutputConfig {
    fn check(&self, violations: &mut Violations) {
        if self.path.as_os_str().is_empty() {
            violations.add("path", "must not be empty");
        }
        self.check_mode(violations);
        match self.kind {
            SinkKind::File => self.check_file(violations),
            SinkKind::Parquet | SinkKind::Sqlite if self.format.is_some() => {
                violations.add("format", "only `type: file` has a format; remove it");
            }
            _ => {}
        }
        match (self.kind, &self.table) {
            (SinkKind::Sqlite, None) => {
                violations.add("", "`type: sqlite` needs a table; add `table:`");
            }
            (SinkKind::Sqlite, Some(table)) if table.is_empty() || table.contains('\0') => {
                violations.add("table", "must be a name");
            }
            (SinkKind::File | SinkKind::Parquet, Some(_)) => {
                violations.add("table", "only `type: sqlite` has a table; remove it");
            }
            _ => {}
        }
    }
}

impl OutputConfig {
    fn check_mode(&self, violations: &mut Violations) {
        match (self.mode, self.kind) {
            (WriteMode::Merge, SinkKind::File | SinkKind::Parquet) => violations.add(
                "mode",
                "files have no keys to merge by; use `type: sqlite`, or `mode: replace`",
            ),
            (WriteMode::Append, SinkKind::Parquet) => violations.add(
                "mode",
                "a Parquet file cannot grow; use `mode: replace`, or a new `path` for each run",
            ),
            (WriteMode::Merge, _) if self.key.is_empty() => {
                violations.add("mode", "`merge` needs the columns of the key; add `key: [id]`");
            }
            (WriteMode::Replace | WriteMode::Append, _) if !self.key.is_empty() => {
                violations.add("key", "only `mode: merge` has a key; remove it");
            }
            _ => {}
        }
    }

    fn check_file(&self, violations: &mut Violations) {
        match self.format.or_else(|| FileFormat::of(&self.path)) {
            None => violations.add(
                "path",
                "the extension is not `.csv`, `.jsonl` or `.ndjson`; \
                 add `format: csv` or `format: jsonl`",
            ),
            Some(FileFormat::Parquet) => violations.add("type", "write `type: parquet`"),
            Some(FileFormat::Json) => violations
                .add("path", "a JSON array cannot be written batch by batch; use `format: jsonl`"),
            Some(FileFormat::Csv | FileFormat::Jsonl) => {}
        }
    }
}
