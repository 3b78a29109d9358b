//! What is left of an error once it is written down.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::job::{JobError, JobErrorKind, STDERR_FOLLOWS};

/// Why an attempt failed: what is left of a [`JobError`] once it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// In which way.
    pub kind: JobErrorKind,
    /// The error and its causes, in words.
    pub message: String,
    /// The error's type.
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

/// The whole message; its decisive line with `{:#}`, where a table has one line for it.
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

/// The error again, as far as it was written down.
impl From<Failure> for JobError {
    fn from(failure: Failure) -> Self {
        Self::of_kind(failure.kind, failure.message).with_type(failure.error_type)
    }
}

/// The decisive line of an error's text, for places that have room for one line.
///
/// Of a command it is the line of its stderr that names the error, or the last that says
/// something; of anything else it is the first line. What comes before the command's own text, such
/// as which job failed, stays.
///
/// ```
/// let text = "job `load` failed: the command exited with code 1; the end of its stderr:\n\
///             Traceback (most recent call last):\n  File \"load.py\", line 12\n\
///             ConnectionError: no route to host\n";
/// let line = workflow_core::decisive_line(text);
/// assert_eq!(line, "job `load` failed: ConnectionError: no route to host");
/// ```
pub fn decisive_line(text: &str) -> String {
    let told = text.split_once(STDERR_FOLLOWS).and_then(|(before, stderr)| {
        let (context, _) = before.split_once("the command ")?;
        Some(format!("{context}{}", decisive_of(stderr)?))
    });
    told.unwrap_or_else(|| {
        text.lines().find(|line| !line.trim().is_empty()).unwrap_or("").trim().to_owned()
    })
}

/// The line of what a program wrote to its stderr that says what went wrong.
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
    // As a panic of Rust, and some exceptions: what went wrong follows.
    match lines.get(at + 1).filter(|_| line.ends_with(':')) {
        Some(next) => Some(Cow::Owned(format!("{line} {}", next.trim()))),
        None => Some(Cow::Borrowed(line)),
    }
}

/// Words by which programs name what went wrong.
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
