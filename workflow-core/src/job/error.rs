//! Errors of jobs, and whether a retry may help.

use std::any::type_name;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::io;

use serde::{Deserialize, Serialize};

use super::options::TimeoutKind;
use crate::error_text::io_reason;
use crate::guard;
use crate::value::ValueError;

type Source = Box<dyn Error + Send + Sync>;

/// The error of a job: any error, converted by `?`, and whether a retry may help.
///
/// Every error type converts into a retryable error; so do `anyhow::Error`, `String` and `&str`.
/// Use [`JobError::terminal`] for an error that a retry cannot fix.
///
/// ```
/// use workflow_core::JobError;
///
/// fn port(text: &str) -> Result<u16, JobError> {
///     if text.is_empty() {
///         return Err(JobError::terminal("no port was given"));
///     }
///     Ok(text.parse()?)
/// }
/// assert!(port("x").unwrap_err().is_retryable());
/// assert!(!port("").unwrap_err().is_retryable());
/// ```
// Like `anyhow::Error`, it does not implement `std::error::Error`, because the blanket conversion
// could not exist then.
pub struct JobError(Box<Inner>);

struct Inner {
    kind: JobErrorKind,
    error_type: String,
    source: Source,
    /// The text of the error and its causes, once the attempt has ended.
    text: Option<Box<str>>,
}

/// The text in a command's error that precedes the end of its stderr.
pub const STDERR_FOLLOWS: &str = "the end of its stderr:\n";

/// The most causes and bytes in the text of an error; the rest is cut off.
const MOST_CAUSES: usize = 64;
const LONGEST_TEXT: usize = 64 * 1024;

/// The way in which an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum JobErrorKind {
    /// The job returned an error that a retry may fix.
    #[serde(rename = "retryable")]
    Retryable,
    /// The job returned an error that a retry cannot fix.
    #[serde(rename = "terminal")]
    Terminal,
    /// The job panicked. Counts as retryable.
    #[serde(rename = "panicked")]
    Panicked,
    /// An attempt, or all attempts together, took too long.
    #[serde(rename = "timed_out")]
    TimedOut(TimeoutKind),
    /// The job, or its run, was cancelled.
    #[serde(rename = "cancelled")]
    Cancelled,
}

impl JobError {
    /// Creates an error that a retry may fix, as `JobError::from` does.
    pub fn retryable<E: Into<Source>>(error: E) -> Self {
        Self::new::<E>(JobErrorKind::Retryable, error)
    }

    /// Creates an error that a retry cannot fix: the job is not retried.
    pub fn terminal<E: Into<Source>>(error: E) -> Self {
        Self::new::<E>(JobErrorKind::Terminal, error)
    }

    /// Creates an error of a given kind, for engines and for jobs that report the errors of others.
    pub fn of_kind<E: Into<Source>>(kind: JobErrorKind, error: E) -> Self {
        Self::new::<E>(kind, error)
    }

    fn new<E: Into<Source>>(kind: JobErrorKind, error: E) -> Self {
        let error_type = type_name::<E>().to_owned();
        Self(Box::new(Inner { kind, error_type, source: error.into(), text: None }))
    }

    /// Creates the error of an attempt that panicked with this message.
    #[cold]
    pub(crate) fn panicked(panic: String) -> Self {
        Self::of_kind(JobErrorKind::Panicked, panic)
    }

    /// Creates the error of an attempt whose value could not be converted to or from JSON.
    #[cold]
    pub(crate) fn of_value(error: ValueError) -> Self {
        let panicked = matches!(error, ValueError::Panicked { .. });
        let kind = if panicked { JobErrorKind::Panicked } else { JobErrorKind::Terminal };
        Self::of_kind(kind, error)
    }

    /// Formats the error once, where the host's `Display` may be called; from then on no method
    /// calls it again. An error that cannot be formatted is replaced by one that says so and counts
    /// as a panic.
    #[cold]
    pub(crate) fn written_down(mut self) -> Self {
        if self.0.text.is_some() {
            return self;
        }
        let source = &*self.0.source;
        let problem = match guard::call(|| write_chain(source)) {
            Ok(Ok(text)) => {
                self.0.text = Some(text.into());
                return self;
            }
            Ok(Err(fmt::Error)) => "its `Display` returned an error".to_owned(),
            Err(panic) => format!("its `Display` panicked: {panic}"),
        };
        let error_type = std::mem::take(&mut self.0.error_type);
        guard::discard(self);
        let text = format!("the job failed with an error that cannot be displayed: {problem}");
        Self::panicked(text).with_type(error_type)
    }

    /// Sets the error's type name, which `non_retryable_errors` match.
    #[must_use]
    pub fn with_type(mut self, error_type: impl Into<String>) -> Self {
        self.0.error_type = error_type.into();
        self
    }

    /// The way in which the attempt failed.
    pub fn kind(&self) -> JobErrorKind {
        self.0.kind
    }

    /// Whether a retry may help.
    pub fn is_retryable(&self) -> bool {
        match self.0.kind {
            JobErrorKind::Retryable | JobErrorKind::Panicked => true,
            JobErrorKind::TimedOut(kind) => kind != TimeoutKind::ScheduleToClose,
            JobErrorKind::Terminal | JobErrorKind::Cancelled => false,
        }
    }

    /// The path of the error's Rust type, or the name given with [`JobError::with_type`].
    pub fn error_type(&self) -> &str {
        &self.0.error_type
    }

    /// The error that the job returned, if it was an `E`.
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.0.source.downcast_ref()
    }

    /// Converts into the underlying `std::error::Error`.
    pub fn into_error(self) -> Box<dyn Error + Send + Sync> {
        self.0.source
    }

    /// The text of the error and its causes, separated by `: `, without causes that the text
    /// contains already. Text beyond 64 causes or 64 KiB is replaced by `...`.
    pub fn chain(&self) -> String {
        match &self.0.text {
            Some(text) => text.to_string(),
            None => write_chain(&*self.0.source).unwrap_or_else(|fmt::Error| {
                format!("an error of type `{}`, which cannot be displayed", self.0.error_type)
            }),
        }
    }
}

/// Formats an error and its causes.
///
/// # Errors
///
/// Fails when the `Display` of one of them fails, on which `to_string` would panic.
fn write_chain(error: &(dyn Error + 'static)) -> Result<String, fmt::Error> {
    let (mut text, mut whole) = write_bounded(error)?;
    let mut cause = error.source();
    for _ in 0..MOST_CAUSES {
        let Some(error) = cause.filter(|_| whole) else { break };
        let (message, all) = write_bounded(error)?;
        if let Some(system) = of_system(error).map(ToString::to_string)
            && let Some(length) = text.strip_suffix(&system).map(str::len)
        {
            // The error above has written it in the words of the system.
            text.truncate(length);
            text.push_str(&message);
        }
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        whole = all && text.len() <= LONGEST_TEXT;
        cause = error.source();
    }
    if !whole {
        text.truncate(boundary(&text, LONGEST_TEXT));
        text.push_str("...");
    } else if cause.is_some() {
        text.push_str(": ...");
    }
    Ok(text)
}

/// Formats an error; false if the text was cut off.
fn write_bounded(error: &(dyn Error + 'static)) -> Result<(String, bool), fmt::Error> {
    let mut bounded = Bounded { text: String::new(), whole: true };
    // The text of an error of the host may be endless, or fail.
    let written = match of_system(error) {
        Some(error) => bounded.write_str(&io_reason(error)),
        None => write!(bounded, "{error}"),
    };
    match written {
        Err(fmt::Error) if bounded.whole => Err(fmt::Error),
        _ => Ok((bounded.text, bounded.whole)),
    }
}

/// An error of the operating system, which has no text of the host.
fn of_system<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e io::Error> {
    error.downcast_ref::<io::Error>().filter(|error| error.get_ref().is_none())
}

/// A writer that stops at [`LONGEST_TEXT`].
struct Bounded {
    text: String,
    whole: bool,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = LONGEST_TEXT - self.text.len();
        self.whole &= more.len() <= room;
        self.text.push_str(&more[..boundary(more, room)]);
        if self.whole { Ok(()) } else { Err(fmt::Error) }
    }
}

/// Returns the last character boundary up to `most`.
fn boundary(text: &str, most: usize) -> usize {
    let places = (0..=most.min(text.len())).rev();
    places.into_iter().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

impl<E: Into<Source>> From<E> for JobError {
    fn from(error: E) -> Self {
        Self::retryable(error)
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.chain())
    }
}

impl fmt::Debug for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobError")
            .field("kind", &self.0.kind)
            .field("error_type", &self.0.error_type)
            .field("source", &self.0.source)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read: {0}")]
    struct Unreadable(#[source] io::Error);

    #[test]
    fn errors_of_the_system_are_in_plain_english() {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        assert_eq!(JobError::terminal(missing()).to_string(), "no such file or folder");
        let error = JobError::terminal(Unreadable(missing()));
        assert_eq!(error.to_string(), "cannot read: no such file or folder");
        let error = JobError::terminal(Unreadable(io::Error::other("it is gone")));
        assert_eq!(error.to_string(), "cannot read: it is gone");
    }

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the table")]
    struct Outer(#[source] std::num::ParseIntError);

    #[test]
    fn any_error_converts_and_keeps_its_type_and_causes() {
        let cause = "x".parse::<u8>().expect_err("x is not a number");
        let error = JobError::from(Outer(cause));
        assert!(error.error_type().ends_with("::Outer"));
        assert!(error.downcast_ref::<Outer>().is_some());
        assert_eq!(error.to_string(), "cannot read the table: invalid digit found in string");
    }

    /// Names itself as its cause.
    #[derive(Debug)]
    struct Loop(&'static str);

    impl fmt::Display for Loop {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Loop {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self)
        }
    }

    /// Each displays its number, with the next one as its source.
    #[derive(Debug, thiserror::Error)]
    #[error("{number}")]
    struct Numbered {
        number: usize,
        source: Option<Box<Self>>,
    }

    #[derive(Debug)]
    struct Unspeakable(bool);

    impl fmt::Display for Unspeakable {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            assert!(!self.0, "no words");
            Err(fmt::Error)
        }
    }

    impl Error for Unspeakable {}

    #[test]
    fn a_chain_of_causes_ends() {
        assert_eq!(JobError::from(Loop("again")).chain(), "again: ...");
        let numbered = |count: usize| {
            let deeper = |source, number| Some(Box::new(Numbered { number, source }));
            (0..count).rev().fold(None, deeper).map(|error| JobError::from(*error))
        };
        let text = |count| numbered(count).map(|error| error.chain()).unwrap_or_default();
        assert_eq!(text(3), "0: 1: 2");
        assert!(text(65).ends_with("63: 64"), "{}", text(65));
        assert!(text(66).ends_with("63: 64: ..."), "{}", text(66));
    }

    #[test]
    fn a_text_without_end_is_cut_off() {
        for wide in ["x", "\u{e9}"] {
            let text = JobError::from(wide.repeat(LONGEST_TEXT + 1)).chain();
            assert!(text.len() <= LONGEST_TEXT + 3 && text.ends_with(&format!("{wide}...")));
        }
        assert_eq!(JobError::from("x".repeat(LONGEST_TEXT)).chain().len(), LONGEST_TEXT);
    }

    #[test]
    fn an_error_that_cannot_be_displayed_counts_as_a_panic() {
        let cases = [(false, "its `Display` returned an error"), (true, "panicked: no words")];
        for (panics, problem) in cases {
            let error = JobError::terminal(Unspeakable(panics)).written_down();
            assert_eq!(error.kind(), JobErrorKind::Panicked);
            assert!(error.error_type().ends_with("::Unspeakable"));
            assert!(error.chain().ends_with(problem), "{error}");
        }
        let shown = JobError::terminal(Unspeakable(false)).to_string();
        assert!(shown.ends_with("::Unspeakable`, which cannot be displayed"), "{shown}");
    }

    #[test]
    fn a_formatted_error_is_not_formatted_again() {
        use std::sync::atomic::{AtomicU32, Ordering};

        static SHOWN: AtomicU32 = AtomicU32::new(0);

        #[derive(Debug, thiserror::Error)]
        #[error("shown {} times", SHOWN.fetch_add(1, Ordering::Relaxed))]
        struct Counts;

        let error = JobError::from(Counts).written_down().written_down();
        assert_eq!(
            (error.chain(), error.to_string()),
            ("shown 0 times".into(), "shown 0 times".into())
        );
        assert_eq!(SHOWN.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn text_converts_too() {
        assert_eq!(JobError::from("no").to_string(), "no");
        assert_eq!(JobError::from(String::from("no")).kind(), JobErrorKind::Retryable);
    }
}
