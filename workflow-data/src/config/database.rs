//! Options of sources of type `database`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use workflow_config::{Rules, Secret, Violations};

use super::incremental::Incremental;
use crate::value::ColumnType;

/// Options of a source of type `database`: the records of a query.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DatabaseSource {
    /// The database: `sqlite:FILE`, or `postgres://user:password@host:5432/database`.
    pub url: Secret,
    /// The query, one `SELECT`.
    pub query: String,
    /// The values of `$1`, `$2` and so on in the query: texts, numbers, `true`, `false` or null.
    #[serde(default)]
    pub parameters: Vec<Value>,
    /// Reads new records only. The last parameter of the query is the cursor.
    pub incremental: Option<Incremental>,
    /// Types of columns. The others have the types of the database.
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnType>,
}

/// The database systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum System {
    Sqlite,
    Postgres,
}

impl System {
    /// The system of a URL.
    pub(crate) fn of(url: &str) -> Option<Self> {
        match url.split_once(':')?.0 {
            "sqlite" => Some(Self::Sqlite),
            "postgres" | "postgresql" => Some(Self::Postgres),
            _ => None,
        }
    }
}

impl DatabaseSource {
    /// The file of a SQLite database.
    pub(crate) fn sqlite_file(&self) -> Option<&Path> {
        let path = self.url.expose().strip_prefix("sqlite:")?;
        Some(Path::new(path.strip_prefix("//").unwrap_or(path)))
    }

    /// Whether the query selects from this table. Tables that it joins, and those of inner queries,
    /// do not count: a query may leave out what is there.
    pub(super) fn selects_from(&self, table: &str) -> bool {
        let mut words = Words(&self.query).peekable();
        let (mut depth, mut is_found) = (0_usize, false);
        while let Some(word) = words.next() {
            match word {
                Word::Sign('(') => depth += 1,
                Word::Sign(')') => depth = depth.saturating_sub(1),
                Word::Name(name) if depth == 0 && name.eq_ignore_ascii_case("from") => {
                    let mut source = Vec::new();
                    while let Some(Word::Name(name) | Word::Quoted(name)) = words.peek() {
                        source.push(name.to_lowercase());
                        words.next();
                        if words.next_if(|word| *word == Word::Sign('.')).is_none() {
                            break;
                        }
                    }
                    let source = source.join(".");
                    let source = source.strip_prefix("main.").unwrap_or(&source);
                    is_found |= source == table.to_lowercase();
                }
                _ => {}
            }
        }
        is_found
    }
}

/// The words of a query, without spaces, texts and comments.
struct Words<'q>(&'q str);

#[derive(Debug, PartialEq)]
enum Word {
    Name(String),
    /// A name between quotes, or a text.
    Quoted(String),
    Sign(char),
}

impl Iterator for Words<'_> {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        let mut rest = self.0.trim_start();
        while let Some((_, after)) = comment(rest) {
            rest = after.trim_start();
        }
        let first = rest.chars().next()?;
        let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '$';
        let close = match first {
            '"' | '`' | '\'' => Some(first),
            '[' => Some(']'),
            _ => None,
        };
        let (word, length) = if let Some(close) = close {
            let inside = &rest[1..];
            let length = inside.find(close).unwrap_or(inside.len());
            (Word::Quoted(inside[..length].to_owned()), (length + 2).min(rest.len()))
        } else if is_part(first) {
            let length = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
            (Word::Name(rest[..length].to_owned()), length)
        } else {
            (Word::Sign(first), first.len_utf8())
        };
        self.0 = &rest[length..];
        Some(word)
    }
}

/// The comment at the start of a text, and what follows it.
fn comment(text: &str) -> Option<(&str, &str)> {
    let end = if text.starts_with("--") {
        "\n"
    } else if text.starts_with("/*") {
        "*/"
    } else {
        return None;
    };
    Some(text.split_once(end).unwrap_or((text, "")))
}

impl Rules for DatabaseSource {
    fn check(&self, violations: &mut Violations) {
        // The URL may have a password, so no message shows it.
        if System::of(self.url.expose()).is_none() {
            let message = "must be `sqlite:FILE`, or `postgres://user:password@host:5432/database`";
            violations.add("url", message);
        }
        if self.query.trim().is_empty() {
            violations.add("query", "must not be empty");
        }
        if let Some(incremental) = &self.incremental {
            violations.field("incremental", incremental);
            if incremental.initial.is_none() {
                let message = "a query needs the value of the first load; add `initial: 0`";
                violations.add("incremental.cursor", message);
            }
            if incremental.parameter.is_some() {
                let message = "the last parameter of the query is the cursor; remove this";
                violations.add("incremental.parameter", message);
            }
            // The database compares the cursor with its own values.
            if self.columns.contains_key(&incremental.cursor) {
                let message = "is the cursor, which keeps its type; cast it in the query";
                violations.add(format!("columns.{}", incremental.cursor), message);
            }
        }
        let lists = self.parameters.iter().enumerate();
        for (index, _) in lists.filter(|(_, value)| value.is_array() || value.is_object()) {
            let message = "must be a text, a number, `true`, `false` or null";
            violations.add(format!("parameters[{index}]"), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_a_query_is_found() {
        let selects = |query: &str| {
            let query = query.to_owned();
            let url = "sqlite:a.db".to_owned().into();
            let (parameters, columns) = (Vec::new(), BTreeMap::new());
            let source = DatabaseSource { url, query, parameters, incremental: None, columns };
            source.selects_from("Clean")
        };
        for query in [
            "SELECT * FROM clean",
            "select ')', \"from\" from main.[clean] where a > 1",
            "SELECT a -- FROM b\nFROM /* the */ \"Clean\"",
            "SELECT * FROM raw UNION ALL SELECT * FROM clean",
        ] {
            assert!(selects(query), "{query}");
        }
        for query in [
            "SELECT * FROM raw",
            "SELECT * FROM other.clean",
            "SELECT * FROM clean_items",
            "SELECT 'a FROM clean' FROM raw LEFT JOIN clean USING (id) WHERE clean.id IS NULL",
            "SELECT * FROM raw WHERE id NOT IN (SELECT id FROM clean)",
            "SELECT 'it''s' FROM",
            "SELECT \"",
        ] {
            assert!(!selects(query), "{query}");
        }
    }
}
