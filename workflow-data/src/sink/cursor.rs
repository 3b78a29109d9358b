//! Where an incremental load continues: a value that a sink keeps together with its records.

/// Whose cursor a sink keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CursorName {
    /// The name of the configuration.
    pub(crate) pipeline: String,
    /// The name of the source.
    pub(crate) source: String,
}

impl CursorName {
    /// The cursor of a source in a pipeline.
    pub(crate) fn new(pipeline: impl Into<String>, source: impl Into<String>) -> Self {
        Self { pipeline: pipeline.into(), source: source.into() }
    }
}

/// A cursor that is committed together with records.
#[derive(Debug, Clone)]
pub(super) struct Saved {
    pub(super) name: CursorName,
    pub(super) value: String,
}

impl Saved {
    pub(super) fn new(name: &CursorName, value: &str) -> Self {
        Self { name: name.clone(), value: value.to_owned() }
    }
}

/// The table of cursors. The table of the records belongs to the key: two outputs of a pipeline
/// are committed one after the other, and each one knows how far it is.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(super) const CREATE: &str = "CREATE TABLE IF NOT EXISTS workflow_cursors (\
    pipeline TEXT NOT NULL, source TEXT NOT NULL, output TEXT NOT NULL, value TEXT NOT NULL, \
    PRIMARY KEY (pipeline, source, output))";

#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(super) const SELECT: &str = "SELECT value FROM workflow_cursors \
    WHERE pipeline = $1 AND source = $2 AND output = $3";

#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(super) const SAVE: &str = "INSERT INTO workflow_cursors (pipeline, source, output, value) \
    VALUES ($1, $2, $3, $4) \
    ON CONFLICT (pipeline, source, output) DO UPDATE SET value = excluded.value";
