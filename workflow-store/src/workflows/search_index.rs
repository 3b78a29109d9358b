//! The search index of workflows: a row for each tag, molecule, atom, word and metadata value. Both
//! databases have the same rows, so that the same index serves the same queries.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::catalog_error::{Answer, CatalogError, CatalogField};
use crate::db::sql::{Sql, SqlError};
use crate::db::value::{Value, clean, clean_json};

/// The kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Tag,
    Molecule,
    /// An atom. Its path is a dot and the molecule; a second entry has no path.
    Atom,
    /// A word of the name or description.
    Word,
    /// A metadata value: its path of keys, and its JSON.
    Metadata,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Molecule => "molecule",
            Self::Atom => "atom",
            Self::Word => "word",
            Self::Metadata => "metadata",
        }
    }
}

/// The longest path or value, in bytes. A longer one is replaced by its digest, because indexes
/// have a limit.
const LONGEST: usize = 400;

/// Shortens a path or a value for an entry.
pub(crate) fn shorten(text: &str) -> String {
    let text = clean(text);
    if text.len() <= LONGEST {
        return text.into_owned();
    }
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().fold("sha256:".to_owned(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// The words of a text, in lower case.
pub(crate) fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let parts = text.split(|character: char| !character.is_alphanumeric());
    parts.filter(|word| !word.is_empty()).map(|word| shorten(&word.to_lowercase()))
}

/// The most entries of a workflow: each is a row that occupies the writer thread.
const MOST: usize = 5_000;

/// The most bytes of paths and values in entries: 16 MiB. A long key is part of the path of every
/// value below it.
const MOST_BYTES: usize = 16 << 20;

/// Replaces the entries of a workflow from its row, for a change by a user.
///
/// # Errors
///
/// Fails before writing if there are too many.
pub(crate) fn write(sql: &mut dyn Sql, workflow: i64) -> Answer<()> {
    let entries = IndexEntries::read(sql, workflow)?;
    if entries.is_full() {
        return Err(CatalogError::Invalid {
            field: CatalogField::Workflow,
            found: format!("described by more than {MOST} words, tags and values"),
            cure: "shorten its description and metadata, and move long texts to a file",
        }
        .into());
    }
    Ok(entries.write(sql, workflow)?)
}

/// Replaces the entries of a workflow from its row, for rows of programs. If there are too many,
/// only the first are written.
pub(crate) fn write_some(sql: &mut dyn Sql, workflow: i64) -> Result<(), SqlError> {
    let entries = IndexEntries::read(sql, workflow)?;
    if entries.is_full() {
        tracing::warn!(workflow, "only the first {MOST} words and values are searchable");
    }
    entries.write(sql, workflow)
}

/// NULL columns of other applications mean the defaults.
const LABELLED: &str = "UPDATE workflows_workflow SET labelled = TRUE, \
    is_active = coalesce(is_active, TRUE), version = coalesce(version, 1), \
    execution_count = coalesce(execution_count, 0) WHERE id = $1";

const INSERT: &str = "INSERT INTO workflows_label (kind, path, value, workflow_id) \
    VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";

/// The same for many rows, on PostgreSQL.
const INSERT_MANY: &str = "INSERT INTO workflows_label (kind, path, value, workflow_id) \
    SELECT kind, path, value, $4 FROM unnest($1::text[], $2::text[], $3::text[]) \
    AS row (kind, path, value) ON CONFLICT DO NOTHING";

#[derive(Default)]
struct IndexEntries {
    /// Unshortened: digests are only made for entries that are written.
    rows: BTreeSet<(Kind, String, String)>,
    /// The bytes of paths and values.
    bytes: usize,
}

impl IndexEntries {
    /// The entries of a workflow, from its row.
    fn read(sql: &mut dyn Sql, workflow: i64) -> Result<Self, SqlError> {
        let mut entries = Self::default();
        let row = sql.first(
            "SELECT name, description, tags, molecules_used, atoms_in_molecules, metadata \
             FROM workflows_workflow WHERE id = $1",
            &[Value::Int(workflow)],
        )?;
        let Some(row) = row else { return Ok(entries) };
        entries.add_words(&row.text(0)?);
        entries.add_words(&row.maybe_text(1)?.unwrap_or_default());
        entries.add_list(Kind::Tag, "", &row.json(2)?);
        entries.add_list(Kind::Molecule, "", &row.maybe_json(3)?.unwrap_or_default());
        if let Some(Json::Object(atoms)) = row.maybe_json(4)? {
            for (molecule, atoms) in &atoms {
                entries.add_list(Kind::Atom, "", atoms);
                entries.add_list(Kind::Atom, &format!(".{molecule}"), atoms);
            }
        }
        entries.add_values("", &row.json(5)?);
        Ok(entries)
    }

    /// Replaces the entries of the workflow.
    fn write(&self, sql: &mut dyn Sql, workflow: i64) -> Result<(), SqlError> {
        let id = [Value::Int(workflow)];
        sql.execute("DELETE FROM workflows_label WHERE workflow_id = $1", &id)?;
        let rows = self.rows.iter().take(MOST);
        let rows: Vec<_> = rows
            .map(|(kind, path, value)| (kind.as_str(), shorten(path), shorten(value)))
            .collect();
        if sql.dialect().is_postgres() {
            // Thousands of statements may exceed the idle timeout of a transaction.
            let (mut kinds, mut paths, mut values) = (Vec::new(), Vec::new(), Vec::new());
            for (kind, path, value) in &rows {
                kinds.push(Some(*kind));
                paths.push(Some(path.as_str()));
                values.push(Some(value.as_str()));
            }
            let columns =
                [Value::Texts(&kinds), Value::Texts(&paths), Value::Texts(&values), id[0]];
            sql.execute(INSERT_MANY, &columns)?;
        } else {
            let rows = rows.iter().map(|(kind, path, value)| {
                [Value::Text(kind), Value::Text(path), Value::Text(value), id[0]]
            });
            let rows: Vec<_> = rows.collect();
            let inserts: Vec<_> = rows.iter().map(|values| (INSERT, values.as_slice())).collect();
            sql.pipeline(&inserts)?;
        }
        sql.execute(LABELLED, &id)?;
        Ok(())
    }

    fn add(&mut self, kind: Kind, path: &str, value: &str) {
        if !self.is_full() {
            self.bytes += path.len() + value.len();
            self.rows.insert((kind, path.to_owned(), value.to_owned()));
        }
    }

    /// Whether there are too many entries.
    fn is_full(&self) -> bool {
        self.rows.len() > MOST || self.bytes > MOST_BYTES
    }

    fn add_words(&mut self, text: &str) {
        for word in words(text) {
            self.add(Kind::Word, "", &word);
        }
    }

    fn add_list(&mut self, kind: Kind, path: &str, list: &Json) {
        for value in list.as_array().into_iter().flatten() {
            match value {
                Json::String(text) => self.add(kind, path, text),
                other => self.add(kind, path, &other.to_string()),
            }
        }
    }

    /// Adds every value that is not an object, with its path of keys; for a list, its elements and
    /// the whole list.
    fn add_values(&mut self, path: &str, json: &Json) {
        if self.is_full() {
            return;
        }
        match json {
            Json::Object(object) => {
                for (key, value) in object {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    self.add_values(&path, value);
                }
            }
            Json::Array(list) => {
                self.add(Kind::Metadata, path, &clean_json(json));
                list.iter().filter(|value| !value.is_array()).for_each(|value| {
                    self.add_values(path, value);
                });
            }
            value => self.add(Kind::Metadata, path, &clean_json(value)),
        }
    }
}

/// Indexes some workflows that other applications have added; returns whether there may be more.
pub(crate) fn catch_up(sql: &mut dyn Sql) -> Result<bool, SqlError> {
    let rows = sql.query("SELECT id FROM workflows_workflow WHERE NOT labelled LIMIT 500", &[])?;
    for row in &rows {
        write_some(sql, row.int(0)?)?;
    }
    Ok(!rows.is_empty())
}
