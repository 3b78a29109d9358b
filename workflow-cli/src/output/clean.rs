//! Escapes control codes in untrusted text. Names, descriptions, errors and logs may contain
//! sequences that move the cursor, set the title, or disguise a line. All output of the command
//! line passes through here, and only its own styles reach the terminal as sequences.

use std::collections::hash_map::RandomState;
use std::fmt::{self, Write as _};
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{self, Write};
use std::sync::LazyLock;

/// A text style of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Success,
    Error,
    Warning,
    Heading,
    Dim,
}

/// Marks the command line's own styles. It is random, so that untrusted text cannot imitate it.
static MARK: LazyLock<String> =
    LazyLock::new(|| format!("\u{1b}{:016x}", RandomState::new().build_hasher().finish()));

/// The letter after the mark that ends a style.
const END: char = '.';

impl Style {
    const ALL: [(Self, char); 5] = [
        (Self::Success, 's'),
        (Self::Error, 'e'),
        (Self::Warning, 'w'),
        (Self::Heading, 'h'),
        (Self::Dim, 'd'),
    ];

    fn sequence(self) -> &'static str {
        match self {
            Self::Success => "\u{1b}[32m",
            Self::Error => "\u{1b}[1m\u{1b}[31m",
            Self::Warning => "\u{1b}[33m",
            Self::Heading => "\u{1b}[1m",
            Self::Dim => "\u{1b}[2m",
        }
    }
}

/// The sequence that ends every style.
const RESET: &str = "\u{1b}[0m";

/// Begins the style, or ends it with the flag `#`, like the styles of `anstyle`.
impl fmt::Display for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = Self::ALL.iter().find(|(style, _)| style == self).map_or(END, |(_, c)| *c);
        let letter = if f.alternate() { END } else { letter };
        // In a single write, so that no buffer splits the mark.
        f.write_str(&format!("{}{letter}", *MARK))
    }
}

/// Turns marked styles into sequences and removes all other control codes: colours are dropped, and
/// the rest is escaped, such as `\u001b`.
pub(crate) fn clean(text: &str) -> String {
    clean_with(text, Colors::On)
}

/// Whether styles reach the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colors {
    On,
    Off,
}

fn clean_with(text: &str, colors: Colors) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = find_control(rest) {
        cleaned.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = match own_style(rest).or_else(|| color(rest)) {
            Some((sequence, rest)) => {
                if colors == Colors::On {
                    cleaned.push_str(sequence);
                }
                rest
            }
            None => show(rest, &mut cleaned),
        };
    }
    cleaned.push_str(rest);
    cleaned
}

/// Whether the text has only printable ASCII, line breaks and tabs.
pub(crate) fn is_plain(text: &str) -> bool {
    text.bytes().all(is_printable)
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\n' | b'\t')
}

/// The position of the first control code.
fn find_control(text: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        // Skips by bytes, because output of jobs may be large and is mostly ASCII.
        at += text.as_bytes()[at..].iter().position(|byte| !is_printable(*byte))?;
        let letter = text[at..].chars().next()?;
        if is_control(letter) {
            return Some(at);
        }
        at += letter.len_utf8();
    }
}

/// Whether a character is a control code. Line breaks and tabs are not, nor are right-to-left
/// marks, except those that reorder the text around them.
fn is_control(letter: char) -> bool {
    let reorders = matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (letter.is_control() && !matches!(letter, '\n' | '\t')) || reorders
}

/// If the text begins with a marked style, returns its sequence and the rest.
fn own_style(text: &str) -> Option<(&'static str, &str)> {
    let rest = text.strip_prefix(MARK.as_str())?;
    let letter = rest.chars().next()?;
    let style = Style::ALL.iter().find(|(_, of)| *of == letter);
    let sequence = style.map_or(RESET, |(style, _)| style.sequence());
    Some((sequence, &rest[letter.len_utf8()..]))
}

/// If the text begins with a colour sequence, returns an empty replacement and the rest.
fn color(text: &str) -> Option<(&'static str, &str)> {
    let rest = text.strip_prefix("\u{1b}[").or_else(|| text.strip_prefix('\u{9b}'))?;
    let end = rest.find(|letter: char| !matches!(letter, '0'..='9' | ';' | ':'))?;
    Some(("", rest[end..].strip_prefix('m')?))
}

/// Escapes the control code at the start of the text and returns the rest. Windows line breaks
/// become `\n`.
fn show<'t>(text: &'t str, cleaned: &mut String) -> &'t str {
    let mut letters = text.chars();
    let letter = letters.next().unwrap_or_default();
    let rest = letters.as_str();
    if letter != '\r' || !rest.starts_with('\n') {
        // Also valid inside a JSON string. Writing to a string cannot fail.
        let _ = write!(cleaned, "\\u{:04x}", u32::from(letter));
    }
    rest
}

/// A stream that escapes control codes. Each write must be a complete text.
pub(crate) struct Clean<W> {
    stream: W,
    colors: Colors,
}

impl<W> Clean<W> {
    pub(crate) fn new(stream: W, colors: Colors) -> Self {
        Self { stream, colors }
    }
}

/// The text without styles.
#[cfg(test)]
pub(crate) fn plain_text(text: &str) -> String {
    clean_with(text, Colors::Off)
}

impl<W: Write> Write for Clean<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        match find_control(&text) {
            Some(_) => self.stream.write_all(clean_with(&text, self.colors).as_bytes())?,
            None => self.stream.write_all(text.as_bytes())?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untrusted_text_has_no_control_codes() {
        for (text, shown) in [
            ("plain\ttext\nand é漢", "plain\ttext\nand é漢"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{9b}1;31mred", "red"),
            ("\u{1b}[2J", "\\u001b[2J"),
            ("\u{1b}]0;title\u{7}", "\\u001b]0;title\\u0007"),
            ("\u{1b}]8;;http://x\u{1b}\\link", "\\u001b]8;;http://x\\u001b\\link"),
            ("a\rb\r\nc", "a\\u000db\nc"),
            ("a\u{8}b\u{7f}\u{0}", "a\\u0008b\\u007f\\u0000"),
            ("\u{9b}2J\u{85}", "\\u009b2J\\u0085"),
            ("exe\u{202e}txt", "exe\\u202etxt"),
            ("\u{1b}", "\\u001b"),
            ("\u{1b}[3", "\\u001b[3"),
            ("שלום", "שלום"),
        ] {
            assert_eq!(clean(text), shown);
            assert!(!clean(text).contains('\u{1b}'));
        }
    }

    #[test]
    fn own_styles_are_sequences() {
        let text = format!("{}error{:#}: \u{1b}[1mbold", Style::Error, Style::Error);
        assert_eq!(clean(&text), "\u{1b}[1m\u{1b}[31merror\u{1b}[0m: bold");
    }

    #[test]
    fn json_stays_json() {
        let value = serde_json::json!({ "a\u{9b}": "\u{1b}[2J\u{85}\u{202e}" });
        let text = clean(&value.to_string());
        assert!(!text.contains(is_control), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("JSON"), value);
    }
}
