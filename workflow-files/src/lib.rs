//! Workflows in files: YAML, JSON or JSON5, whose jobs are shell commands, registered jobs, or
//! other workflows.

mod bounds;
#[cfg(unix)]
pub mod command;
pub mod document;
#[cfg(unix)]
mod file;
mod spec;

pub use document::{Diagnostic, Diagnostics, Severity, read_yaml};
#[cfg(unix)]
pub use file::{WorkflowFile, interpolated};
