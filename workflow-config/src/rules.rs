//! Rules for configurations beyond their types.

use std::fmt;

/// Rules of a configuration type, beyond what serde checks.
///
/// [`load`](super::load) checks the rules and reports every violation. A type without rules has an
/// empty `impl`:
///
/// ```
/// use workflow_config::{Rules, Violations};
///
/// #[derive(serde::Deserialize)]
/// struct Ingestion {
///     batch_size: u32,
///     urls: Vec<String>,
/// }
///
/// impl Rules for Ingestion {
///     fn check(&self, violations: &mut Violations) {
///         if self.batch_size == 0 {
///             violations.add("batch_size", "must be 1 or more");
///         }
///         for (index, url) in self.urls.iter().enumerate() {
///             if !url.starts_with("https://") {
///                 violations.add(format!("urls[{index}]"), "must begin with `https://`");
///             }
///         }
///     }
/// }
///
/// #[derive(serde::Deserialize)]
/// struct Config {
///     ingestion: Ingestion,
/// }
///
/// impl Rules for Config {
///     fn check(&self, violations: &mut Violations) {
///         violations.field("ingestion", &self.ingestion);
///     }
/// }
///
/// #[derive(serde::Deserialize)]
/// struct Anything {
///     schedule: Option<String>,
/// }
///
/// impl Rules for Anything {}
/// ```
///
/// With the feature `garde`, every type that derives `garde::Validate` has these rules.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not implement `Rules`",
    label = "this type has no rules",
    note = "write `impl workflow_config::Rules for {Self} {{}}` if no rules are needed, or read it with `open(name)?.read_without_rules()`",
    note = "with the feature `garde`, `#[derive(garde::Validate)]` gives it rules"
)]
pub trait Rules {
    /// Adds all violated rules.
    fn check(&self, violations: &mut Violations) {
        // Without rules, nothing can be violated.
        let _ = violations;
    }
}

#[cfg(feature = "garde")]
impl<T> Rules for T
where
    T: garde::Validate,
    T::Context: Default,
{
    fn check(&self, violations: &mut Violations) {
        if let Err(report) = self.validate() {
            for (path, error) in report.iter() {
                violations.add(path, error.message());
            }
        }
    }
}

/// Violated rules of a configuration, each with the path of the value.
#[derive(Debug, Default)]
pub struct Violations {
    prefix: String,
    list: Vec<(String, String)>,
}

impl Violations {
    /// Adds a violation: the path of the value, such as `urls[0]` or `source.url`, and the rule.
    pub fn add(&mut self, path: impl fmt::Display, message: impl fmt::Display) {
        self.list.push((self.join(&path.to_string()), message.to_string()));
    }

    /// Adds the violations of a part at this path.
    pub fn field(&mut self, path: impl fmt::Display, part: &impl Rules) {
        let inside = self.join(&path.to_string());
        let outside = std::mem::replace(&mut self.prefix, inside);
        part.check(self);
        self.prefix = outside;
    }

    fn join(&self, path: &str) -> String {
        let prefix = &self.prefix;
        let has_no_dot = prefix.is_empty() || path.is_empty() || path.starts_with('[');
        let dot = if has_no_dot { "" } else { "." };
        format!("{prefix}{dot}{path}")
    }

    pub(super) fn into_list(self) -> Vec<(String, String)> {
        self.list
    }
}
