//! The section `output`: where a pipeline writes its table.

use std::path::PathBuf;

use serde::Deserialize;
use workflow_config::{Rules, Secret, Violations};

use super::FileFormat;
use super::database::System;

/// A sink.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct OutputConfig {
    /// The kind of sink.
    #[serde(rename = "type")]
    pub kind: SinkKind,
    /// The file; empty for `postgres`. Missing folders are created.
    #[serde(default)]
    pub path: PathBuf,
    /// The database of `postgres`: `postgres://user:password@host:5432/database`.
    pub url: Option<Secret>,
    /// The format of a `file`. Default: by the extension.
    pub format: Option<FileFormat>,
    /// The table of a `sqlite` or `postgres` database.
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
    /// A table of a PostgreSQL database (feature `postgres`).
    Postgres,
}

impl SinkKind {
    fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Parquet => "parquet",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
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
        self.check_place(violations);
        self.check_mode(violations);
        if self.kind == SinkKind::File {
            self.check_file(violations);
        } else if self.format.is_some() {
            violations.add("format", "only `type: file` has a format; remove it");
        }
        match (self.kind, &self.table) {
            (SinkKind::Sqlite | SinkKind::Postgres, None) => {
                let kind = self.kind.name();
                violations.add("", format!("`type: {kind}` needs a table; add `table:`"));
            }
            (SinkKind::Sqlite | SinkKind::Postgres, Some(table))
                if table.is_empty() || table.contains('\0') =>
            {
                violations.add("table", "must be a name");
            }
            (SinkKind::File | SinkKind::Parquet, Some(_)) => {
                violations
                    .add("table", "only `type: sqlite` and `postgres` have a table; remove it");
            }
            _ => {}
        }
    }
}

impl OutputConfig {
    /// The file, or the table of a server, for people.
    pub(crate) fn place(&self) -> String {
        match (self.kind, &self.table) {
            (SinkKind::Postgres, Some(table)) => format!("table {table}"),
            _ => self.path.display().to_string(),
        }
    }

    /// Whether two outputs would write one file, or one table of a server.
    pub(crate) fn collides_with(&self, other: &Self) -> bool {
        let url = |output: &Self| output.url.as_ref().map(|url| url.expose().clone());
        match (self.kind, other.kind) {
            (SinkKind::Postgres, SinkKind::Postgres) => {
                url(self) == url(other) && self.table == other.table
            }
            // Two connections to one SQLite database would wait for each other.
            _ => self.path == other.path && !self.path.as_os_str().is_empty(),
        }
    }

    fn check_place(&self, violations: &mut Violations) {
        let (kind, has_path) = (self.kind.name(), !self.path.as_os_str().is_empty());
        match (self.kind, &self.url) {
            (SinkKind::Postgres, None) => {
                violations.add("", "`type: postgres` needs a database; add `url:`");
            }
            (SinkKind::Postgres, Some(url))
                if System::of(url.expose()) != Some(System::Postgres) =>
            {
                let message = "must be `postgres://user:password@host:5432/database`";
                violations.add("url", message);
            }
            (SinkKind::Postgres, _) if has_path => {
                violations.add("path", "`type: postgres` has a `url` in place of it; remove it");
            }
            (SinkKind::Postgres, _) => {}
            (_, Some(_)) => violations.add("url", "only `type: postgres` has a URL; remove it"),
            (_, None) if !has_path => {
                violations.add("", format!("`type: {kind}` needs a file; add `path:`"));
            }
            _ => {}
        }
    }

    fn check_mode(&self, violations: &mut Violations) {
        match (self.mode, self.kind) {
            (WriteMode::Merge, SinkKind::File | SinkKind::Parquet) => violations.add(
                "mode",
                "files have no keys to merge by; \
                 use `type: sqlite` or `postgres`, or `mode: replace`",
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
