//! Workflows in YAML, JSON and JSON5 files, whose jobs are shell commands, registered jobs, or
//! other workflows.

mod bounds;
#[cfg(unix)]
pub mod command;
pub mod document;
#[cfg(unix)]
mod file;
mod spec;
mod words;

pub use document::{Diagnostic, Diagnostics, Severity, read_yaml};
#[cfg(unix)]
pub use file::{WorkflowFile, interpolated};
pub use spec::{CompiledExpression, Expression, ExpressionError};
