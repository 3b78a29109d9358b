//! Loads of new records only: the option `incremental` of sources.

use serde::Deserialize;
use serde_json::Value;
use workflow_config::{Rules, Violations};

/// Reads the records after the last load, by a column that grows.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Incremental {
    /// The column whose largest value is kept with the load, such as `updated_at`.
    pub cursor: String,
    /// The value after which the first load begins: a text or a number. Queries need it.
    pub initial: Option<Value>,
    /// The parameter of an API with the value. A query has it as its last parameter.
    pub parameter: Option<String>,
}

impl Rules for Incremental {
    fn check(&self, violations: &mut Violations) {
        if self.cursor.is_empty() {
            violations.add("cursor", "must be the name of a column");
        }
        if self.initial.as_ref().is_some_and(|value| !value.is_string() && !value.is_number()) {
            violations.add("initial", "must be a text or a number");
        }
    }
}
