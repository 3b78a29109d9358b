//! Texts of errors of the operating system, as all crates of the workspace write them.
//!
//! Knows no error of this library.

use std::error::Error;
use std::io::{self, ErrorKind};

/// Returns the reason of an error in plain English, without the number of the system.
///
/// It is a clause for the end of a message: "cannot read `a.yaml`: no such file or folder". An
/// error with a text of its own keeps that.
///
/// # Examples
///
/// ```
/// use std::io::{Error, ErrorKind};
///
/// use workflow_core::error_text::io_reason;
///
/// assert_eq!(io_reason(&Error::from(ErrorKind::NotFound)), "no such file or folder");
/// assert_eq!(io_reason(&Error::other("the disk is full")), "the disk is full");
/// ```
pub fn io_reason(error: &io::Error) -> String {
    let text = error.to_string();
    if error.get_ref().is_some() {
        return text;
    }
    let reason = match error.kind() {
        ErrorKind::NotFound => "no such file or folder",
        ErrorKind::PermissionDenied => "permission denied",
        ErrorKind::IsADirectory => "it is a folder",
        ErrorKind::NotADirectory => "not a folder",
        ErrorKind::InvalidData if text.contains("UTF-8") => "it is not UTF-8 text",
        ErrorKind::UnexpectedEof => "it ends early",
        _ => return of_system(&text),
    };
    reason.to_owned()
}

/// Returns the text of one error, without its causes.
pub fn message(error: &(dyn Error + 'static)) -> String {
    error.downcast_ref().map_or_else(|| error.to_string(), io_reason)
}

/// The system's text in lower case, without its number.
fn of_system(text: &str) -> String {
    let text = text.find(" (os error").map_or(text, |end| &text[..end]);
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        // Not `I/O error`.
        (Some(first), Some('a'..='z')) => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_system_error_has_no_number() {
        let reason = |code| io_reason(&io::Error::from_raw_os_error(code));
        // Two, thirteen and twenty-one have these meanings on every Unix system.
        assert_eq!(reason(2), "no such file or folder");
        assert_eq!(reason(13), "permission denied");
        assert_eq!(reason(21), "it is a folder");
        assert_eq!(of_system("Connection refused (os error 111)"), "connection refused");
        assert_eq!(of_system("I/O error (os error 5)"), "I/O error");
    }

    #[test]
    fn a_message_is_that_of_one_error() {
        assert_eq!(message(&io::Error::from(ErrorKind::NotFound)), "no such file or folder");
        assert_eq!(message(&std::fmt::Error), std::fmt::Error.to_string());
    }
}
