//! A snapshot of the environment variables, so that one load sees one state: those that set values
//! of a workflow's configuration, and any other by name.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// The folders with a folder for each workflow, separated as in `PATH`.
pub(super) const CONFIG_DIR: &str = "WORKFLOW_CONFIG_DIR";
/// The profile.
pub(super) const PROFILE: &str = "WORKFLOW_PROFILE";
/// The folder with one file for each secret.
pub(super) const SECRETS_DIR: &str = "WORKFLOW_SECRETS_DIR";

#[derive(Clone, Default)]
pub(super) struct Environment(BTreeMap<String, OsString>);

/// A variable that sets a value.
pub(super) struct Assignment<'e> {
    pub(super) variable: &'e str,
    /// The keys on the way to the value, lowercased.
    pub(super) path: Vec<String>,
    /// `None` when it is not UTF-8.
    pub(super) text: Option<&'e str>,
}

impl Environment {
    pub(super) fn of_process() -> Self {
        let named = |(name, value): (OsString, _)| Some((name.into_string().ok()?, value));
        Self(std::env::vars_os().filter_map(named).collect())
    }

    pub(super) fn new<K: Into<String>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(name).map(OsString::as_os_str)
    }

    /// A variable that is set and not empty.
    pub(super) fn non_empty(&self, name: &str) -> Option<&OsStr> {
        self.get(name).filter(|value| !value.is_empty())
    }

    pub(super) fn beginning_with(&self, prefix: &str) -> BTreeMap<String, OsString> {
        let from = self.0.range(prefix.to_owned()..);
        let these = from.take_while(|(name, _)| name.starts_with(prefix));
        these.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The variables with the workflow's prefix, sorted by name: one that sets a map comes before
    /// those that set values in it.
    pub(super) fn assignments(&self, workflow: &str) -> impl Iterator<Item = Assignment<'_>> {
        let prefix = prefix(workflow);
        let from = self.0.range(prefix.clone()..);
        from.map_while(move |(variable, value)| {
            let path = variable.strip_prefix(&prefix)?;
            let path = path.split(LEVEL).map(str::to_ascii_lowercase).collect();
            Some(Assignment { variable, path, text: value.to_str() })
        })
    }
}

/// The separator of the keys of a path.
const LEVEL: &str = "__";

/// `WORKFLOW_<NAME>__`: the name in capitals, with `_` for everything but letters and digits.
pub(super) fn prefix(workflow: &str) -> String {
    let plain = |letter: char| {
        let letter = letter.to_ascii_uppercase();
        if letter.is_ascii_uppercase() || letter.is_ascii_digit() { letter } else { '_' }
    };
    format!("WORKFLOW_{}{LEVEL}", workflow.chars().map(plain).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_has_only_ascii_letters_digits_and_underscores() {
        assert_eq!(prefix("daily-etl v2"), "WORKFLOW_DAILY_ETL_V2__");
        assert_eq!(prefix("é"), "WORKFLOW____");
    }

    #[test]
    fn assignments_are_those_of_the_workflow_outer_ones_first() {
        let environment = Environment::new([
            ("WORKFLOW_ETL__SOURCE__URL", "u"),
            ("WORKFLOW_ETL__SOURCE", "{}"),
            ("WORKFLOW_ETL_2__SOURCE", "other"),
            ("WORKFLOW_PROFILE", "p"),
        ]);
        let found: Vec<_> = environment.assignments("etl").map(|one| one.path.join(".")).collect();
        assert_eq!(found, ["source", "source.url"]);
    }
}
