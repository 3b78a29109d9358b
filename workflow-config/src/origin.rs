//! Origins of values.

use std::fmt;
use std::path::PathBuf;

use super::place::{Layer, Place};
use super::setting::Setting;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// The defaults of the program.
    Default,
    /// A file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, in characters from 1.
        column: usize,
    },
    /// The environment variable of this name.
    Environment(String),
    /// An override of the program, at this path.
    Override(String),
}

impl Origin {
    pub(super) fn of(setting: &Setting) -> Self {
        let Place { layer, source, span } = &setting.place;
        match layer {
            Layer::Default => Self::Default,
            Layer::File => {
                let (line, column) = source.line_and_column(span.start);
                Self::File { path: PathBuf::from(source.name()), line, column }
            }
            Layer::Environment(variable) => Self::Environment(variable.to_string()),
            Layer::Override(path) => Self::Override(path.to_string()),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line, column } => write!(f, "{}:{line}:{column}", path.display()),
            Self::Environment(variable) => write!(f, "environment variable `{variable}`"),
            Self::Override(path) => write!(f, "override `{path}`"),
        }
    }
}
