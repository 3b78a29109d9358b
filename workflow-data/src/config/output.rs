//! The section `output`: where a pipeline writes its table.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use workflow_config::{Rules, Secret, Violations};

use super::FileFormat;
use super::database::{DatabaseSource, System};
use super::files;

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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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
            (SinkKind::Sqlite | SinkKind::Postgres, Some(table)) => {
                if let Some(message) = self.mistake_in(table) {
                    violations.add("table", message);
                }
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
            _ => files::is_same(&self.path, &other.path),
        }
    }

    /// Whether each run adds the records of this query to the table that they are from.
    pub(super) fn grows_from(&self, source: &DatabaseSource) -> bool {
        let is_same = match (self.kind, &self.url) {
            (SinkKind::Postgres, Some(url)) => *url.expose() == *source.url.expose(),
            (SinkKind::Sqlite, _) => {
                source.sqlite_file().is_some_and(|file| files::is_same(file, &self.path))
            }
            _ => false,
        };
        let table = self.table.as_ref().filter(|_| is_same && self.mode == WriteMode::Append);
        table.is_some_and(|table| source.selects_from(table))
    }

    /// The files that the output writes. `is_incremental` is whether it keeps a cursor.
    pub(super) fn files(&self, is_incremental: bool) -> impl Iterator<Item = PathBuf> {
        let table = Some(self.path.clone()).filter(|path| !path.as_os_str().is_empty());
        let keeps_cursor = is_incremental && self.kind == SinkKind::File;
        let cursor = table.as_deref().filter(|_| keeps_cursor).map(cursor_file);
        table.into_iter().chain(cursor)
    }

    /// What is wrong with the name of the table.
    fn mistake_in(&self, table: &str) -> Option<String> {
        let is_postgres = self.kind == SinkKind::Postgres;
        if table.is_empty() || table.contains('\0') {
            return Some("must be a name".to_owned());
        }
        if OWN_TABLES.iter().any(|own| own.eq_ignore_ascii_case(table)) {
            return Some(format!("outputs keep their own data in `{table}`; choose another name"));
        }
        if is_postgres && table.len() > LONGEST_NAME {
            let bytes = table.len();
            return Some(format!("has {bytes} bytes; names of PostgreSQL have at most 63"));
        }
        let (schema, name) = table.split_once('.').filter(|_| is_postgres)?;
        Some(format!(
            "is a name without a schema; write `table: {name}`, and add \
             `?options=-csearch_path%3D{schema}` to `url`"
        ))
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
            (_, None) => {
                if let Some((scheme, _)) = self.path.to_str().and_then(files::scheme) {
                    violations.add("path", no_url(scheme));
                }
            }
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

/// The tables that sinks make for themselves.
const OWN_TABLES: [&str; 2] = ["workflow_cursors", "workflow_stage"];

/// The longest name of PostgreSQL, in bytes. Longer ones are cut off.
const LONGEST_NAME: usize = 63;

/// Why a URL with this scheme is no path of a file that is written.
pub(super) fn no_url(scheme: &str) -> String {
    format!("files are written on this machine only, not to `{scheme}://`; write a path")
}

/// The file of cursors beside the file of an output.
pub(crate) fn cursor_file(output: &Path) -> PathBuf {
    let name = output.file_name().unwrap_or_default().to_string_lossy();
    output.with_file_name(format!("{name}.cursor.json"))
}
