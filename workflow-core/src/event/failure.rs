//! Errors of attempts as plain data, and the one line of them that a list has room for.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::job::{JobError, JobErrorKind, STDERR_FOLLOWS};

/// The error of an attempt as plain data, made from a [`JobError`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// The way in which the attempt failed.
    pub kind: JobErrorKind,
    /// The text of the error and its causes.
    pub message: String,
    /// The name of the error's type.
    pub error_type: String,
}

impl From<&JobError> for Failure {
    fn from(error: &JobError) -> Self {
        Self {
            kind: error.kind(),
            message: error.chain(),
            error_type: error.error_type().to_owned(),
        }
    }
}

impl Failure {
    /// The [decisive line](decisive_line) of the error.
    pub fn decisive_line(&self) -> String {
        decisive_line(&self.to_string())
    }
}

/// The whole message, or with `{:#}` its decisive line, for tables.
impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.kind == JobErrorKind::Panicked {
            f.write_str("panicked: ")?;
        }
        if f.alternate() && self.message.contains('\n') {
            return write!(f, "{} ...", decisive_line(&self.message));
        }
        f.write_str(&self.message)
    }
}

/// Restores the error, without its original type and sources.
impl From<Failure> for JobError {
    fn from(failure: Failure) -> Self {
        Self::of_kind(failure.kind, failure.message).with_type(failure.error_type)
    }
}

/// Returns the decisive line of an error's text, for places that have room for one line.
///
/// For a command, that is the line of its stderr that names the error, or else the last significant
/// line; for anything else it is the first line. Text before the command's error, such as the name
/// of the job, stays.
///
/// ```
/// let text = "job `load` failed: the command exited with code 1; the end of its stderr:\n\
///             Traceback (most recent call last):\n  File \"load.py\", line 12\n\
///             ConnectionError: no route to host\n";
/// let line = workflow_core::event::decisive_line(text);
/// assert_eq!(line, "job `load` failed: ConnectionError: no route to host");
/// ```
pub fn decisive_line(text: &str) -> String {
    let line = text.split_once(STDERR_FOLLOWS).and_then(|(before, stderr)| {
        let (context, _) = before.split_once("the command ")?;
        Some(format!("{context}{}", decisive_of(stderr)?))
    });
    line.unwrap_or_else(|| {
        text.lines().find(|line| !line.trim().is_empty()).unwrap_or("").trim().to_owned()
    })
}

/// Returns the line of a program's stderr that names the error.
fn decisive_of(stderr: &str) -> Option<Cow<'_, str>> {
    let lines: Vec<&str> =
        stderr.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let is_indented = |line: &str| line.starts_with(char::is_whitespace);
    let names_error = |line: &str| {
        let lower = line.to_lowercase();
        !is_indented(line) && ERROR_WORDS.iter().any(|word| lower.contains(word))
    };
    let says_something = |line: &str| !is_indented(line) && !line.starts_with("note:");
    let at = lines
        .iter()
        .rposition(|line| names_error(line))
        .or_else(|| lines.iter().rposition(|line| says_something(line)))
        .or_else(|| lines.len().checked_sub(1))?;
    let line = lines[at].trim();
    // The message of a Rust panic and of some exceptions is on the next line.
    match lines.get(at + 1).filter(|_| line.ends_with(':')) {
        Some(next) => Some(Cow::Owned(format!("{line} {}", next.trim()))),
        None => Some(Cow::Borrowed(line)),
    }
}

/// Words that mark a line as an error.
const ERROR_WORDS: [&str; 5] = ["error", "exception", "fatal", "panicked", "denied"];

#[cfg(test)]
mod tests {
    use super::*;

    fn of_command(stderr: &str) -> String {
        decisive_line(&format!("the command exited with code 1; {STDERR_FOLLOWS}{stderr}"))
    }

    #[test]
    fn programs_name_their_errors_in_many_ways() {
        let node = "/app/x.js:1\nthrow new Error('boom')\n^\n\nError: boom\n    at x.js:1:7\n\nNode.js v20\n";
        assert_eq!(of_command(node), "Error: boom");
        let rust =
            "thread 'main' panicked at src/main.rs:2:5:\nboom\nnote: run with `RUST_BACKTRACE=1`\n";
        assert_eq!(of_command(rust), "thread 'main' panicked at src/main.rs:2:5: boom");
        assert_eq!(
            of_command("cat: x: No such file or directory\n"),
            "cat: x: No such file or directory"
        );
        assert_eq!(of_command("  only indented\n"), "only indented");
    }

    #[test]
    fn other_errors_begin_with_what_matters() {
        assert_eq!(decisive_line("\nno route\nto host"), "no route");
        let silent = "the command exited with code 3; it wrote nothing to stderr";
        assert_eq!(decisive_line(silent), silent);
        assert_eq!(decisive_line(""), "");
    }
}
