//! Options of sources of type `database`.

use std::collections::BTreeMap;

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
