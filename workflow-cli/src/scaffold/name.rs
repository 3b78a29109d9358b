//! Names of new workflows, which are names of packages and of crates as well.

use std::fmt;
use std::str::FromStr;

use workflow_core::asset;

/// The name of a new workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name(String);

/// Why a text is not the name of a new workflow.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NameError {
    #[error(
        "`{0}` cannot be the name of a package; write a lowercase letter, then up to 63 lowercase \
         letters, digits, `_` or `-`"
    )]
    Letters(String),
    #[error("`{0}` has a meaning for Rust or Cargo; choose another name")]
    Reserved(String),
    #[error("the new package depends on a crate `{0}`; choose another name")]
    Dependency(String),
    #[error("the new package has a module or job `{0}`; choose another name")]
    Item(String),
    #[error("the workflow that materializes assets is named `{0}`; choose another name")]
    Workflow(String),
}

const LONGEST: usize = 64;

/// Keywords, names of the compiler's crates, and names that Cargo refuses.
const RESERVED: [&str; 58] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "use",
    "virtual",
    "where",
    "while",
];

/// What the templates depend on.
const DEPENDENCIES: [&str; 5] = ["arrow_array", "arrow_schema", "serde", "serde_json", "tempfile"];

/// What the tests of the templates import: a package of the same name would be hidden by it.
const ITEMS: [&str; 6] = ["dashboard", "ingestion", "length", "load", "transform", "workflow"];

impl Name {
    /// The name as it was given: that of the folder.
    pub(crate) fn as_given(&self) -> &str {
        &self.0
    }

    /// The name of the package, the crate and the workflow.
    pub(crate) fn as_crate(&self) -> String {
        self.0.replace('-', "_")
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let is_allowed = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
        };
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        if !begins || text.len() > LONGEST || !text.bytes().all(is_allowed) {
            return Err(NameError::Letters(text.to_owned()));
        }
        let name = Self(text.to_owned());
        let crate_name = name.as_crate();
        if RESERVED.contains(&&*crate_name) {
            return Err(NameError::Reserved(text.to_owned()));
        }
        if crate_name == asset::WORKFLOW {
            return Err(NameError::Workflow(text.to_owned()));
        }
        if ITEMS.contains(&&*crate_name) {
            return Err(NameError::Item(text.to_owned()));
        }
        if DEPENDENCIES.contains(&&*crate_name) || crate_name.starts_with("workflow_") {
            return Err(NameError::Dependency(text.to_owned()));
        }
        Ok(name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
