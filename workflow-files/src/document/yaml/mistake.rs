//! What is wrong with a text that is not YAML, where, and what to do about it. The parser knows the
//! kind of the mistake; the lines around it show what the author meant.

use granit_parser::ErrorKind;

use crate::document::{SourceText, Span};

/// A mistake in a text that is not YAML.
pub(super) struct Mistake {
    pub(super) span: Span,
    pub(super) message: String,
    pub(super) help: String,
}

impl Mistake {
    /// Explains an error of the parser at this position. Everything before `read` was read, and the
    /// innermost list or map there begins at `open`.
    pub(super) fn new(
        kind: &ErrorKind,
        source: &SourceText,
        at: usize,
        read: usize,
        open: Option<Span>,
    ) -> Self {
        let text = Text { source: source.text(), at };
        let open = open.map(|span| span.start as usize);
        let open = text.bracket(read).or(open.filter(|open| text.begins_bracket(*open)));
        let (at, message, help) = match kind {
            kind if is_of_tabs(kind) => text.tab(),
            ErrorKind::UnknownQuotedScalarEscape => text.escape(),
            kind if is_of_escapes(kind) => text.damaged_escape(),
            kind if is_of_quotes(kind) => text.quote(kind),
            ErrorKind::UnclosedFlowCollection { .. } => text.unclosed(at),
            kind => match open {
                Some(open) => text.in_bracket(open),
                None => text.in_block(kind),
            },
        };
        let length =
            text.source[at.min(text.source.len())..].chars().next().map_or(1, char::len_utf8);
        Self { span: Span::new(at, at + length), message, help }
    }
}

fn is_of_tabs(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInPlainScalar
    )
}

fn is_of_escapes(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::InvalidQuotedScalarHexEscape
            | ErrorKind::InvalidLowSurrogateHexEscape
            | ErrorKind::InvalidLowSurrogate
            | ErrorKind::MissingLowSurrogate
            | ErrorKind::UnpairedLowSurrogate
            | ErrorKind::InvalidUnicodeEscape
    )
}

fn is_of_quotes(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::UnclosedQuotedScalar
            | ErrorKind::DocumentIndicatorInQuotedScalar
            | ErrorKind::InvalidQuotedScalarIndent
            | ErrorKind::InvalidTrailingSingleQuotedScalar
            | ErrorKind::InvalidTrailingDoubleQuotedScalar
    )
}

/// The position, the message and the cure of a mistake.
type Explained = (usize, String, String);

/// A text with a mistake at this position.
struct Text<'t> {
    source: &'t str,
    at: usize,
}

impl<'t> Text<'t> {
    fn from(&self, at: usize) -> &'t str {
        self.source.get(at..).unwrap_or_default()
    }

    /// The line of a position, without its indentation.
    fn line(&self, at: usize) -> &'t str {
        let start = self.source.get(..at).and_then(|text| text.rfind('\n')).map_or(0, |at| at + 1);
        self.from(start).lines().next().unwrap_or_default().trim()
    }

    /// The first tab in the indentation of a line, from the position on.
    fn tab(&self) -> Explained {
        let mut start =
            self.source[..self.at.min(self.source.len())].rfind('\n').map_or(0, |at| at + 1);
        let mut found = self.at;
        for line in self.from(start).split_inclusive('\n') {
            let indentation = &line[..line.len() - line.trim_start_matches([' ', '\t']).len()];
            if let Some(tab) = indentation.find('\t') {
                found = start + tab;
                break;
            }
            start += line.len();
        }
        (found, "lines may not be indented with tabs".to_owned(), "indent with spaces".to_owned())
    }

    /// The first escape after the position that YAML does not know.
    fn escape(&self) -> Explained {
        let mut letters = self.from(self.at).char_indices();
        while let Some((at, letter)) = letters.next() {
            if letter != '\\' {
                continue;
            }
            let Some((_, escaped)) = letters.next() else { break };
            if !ESCAPES.contains(escaped) {
                let message = format!("unknown escape `\\{escaped}` in double quotes");
                return (self.at + at, message, self.escape_cure());
            }
        }
        self.damaged_escape()
    }

    fn damaged_escape(&self) -> Explained {
        (self.at, "invalid escape in double quotes".to_owned(), self.escape_cure())
    }

    fn escape_cure(&self) -> String {
        let below = below(self.line(self.at));
        format!("in double quotes `\\` begins an escape: use single quotes, or {below}")
    }

    fn quote(&self, kind: &ErrorKind) -> Explained {
        let line = self.line(self.at);
        let (message, help) = match kind {
            ErrorKind::InvalidTrailingSingleQuotedScalar
            | ErrorKind::InvalidTrailingDoubleQuotedScalar => (
                "more text follows the closing quote",
                format!("put the whole text in quotes, or {}", below(line)),
            ),
            ErrorKind::InvalidQuotedScalarIndent => (
                "the quote is not closed, or its lines are indented too little",
                format!("close the quotes; write a text of many lines below `{}`", bar(line)),
            ),
            _ => (
                "the quote is not closed",
                format!(
                    "close the quotes; write a text that contains quotes below `{}`",
                    bar(line)
                ),
            ),
        };
        (self.at, message.to_owned(), help)
    }

    fn begins_bracket(&self, at: usize) -> bool {
        self.from(at).starts_with(['[', '{'])
    }

    /// The innermost bracket that opens after what was read, and does not close before the mistake.
    fn bracket(&self, read: usize) -> Option<usize> {
        let mut open = Vec::new();
        let mut quote = None;
        let mut before = ' ';
        for (at, letter) in self.source.get(read..self.at)?.char_indices() {
            match (quote, letter) {
                (Some(end), letter) if letter == end && before != '\\' => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') if " \t\n[{,:".contains(before) => quote = Some(letter),
                (None, '[' | '{') => open.push(read + at),
                (None, ']' | '}') => drop(open.pop()),
                _ => {}
            }
            before = letter;
        }
        open.pop()
    }

    /// A list or map in brackets that does not end.
    fn unclosed(&self, open: usize) -> Explained {
        let (bracket, close, quotes) = self.brackets(open);
        let message = format!("`{bracket}` is not closed");
        (open, message, format!("close it with `{close}`{quotes}"))
    }

    /// A mistake inside of a list or map in brackets.
    fn in_bracket(&self, open: usize) -> Explained {
        let between = self.source.get(open..self.at).unwrap_or_default();
        if between.contains('\n') || self.from(self.at).trim().is_empty() {
            return self.unclosed(open);
        }
        let (_, close, quotes) = self.brackets(open);
        let message = format!("expected `,` or `{close}`");
        (self.at, message, format!("separate the values with `, `{quotes}"))
    }

    /// The bracket at this position, the one that closes it, and how to write them as text.
    fn brackets(&self, open: usize) -> (char, char, String) {
        let bracket = if self.from(open).starts_with('[') { '[' } else { '{' };
        let close = if bracket == '[' { ']' } else { '}' };
        let line = self.line(open);
        let is_text = entry(line).is_some_and(|(_, value)| value.starts_with(bracket));
        let quotes = match is_text {
            true => format!("; if it is text, put it in quotes, or {}", below(line)),
            false => "; put texts that contain brackets, braces or commas in quotes".to_owned(),
        };
        (bracket, close, quotes)
    }

    /// A mistake in a text, or in the order of the lines.
    fn in_block(&self, kind: &ErrorKind) -> Explained {
        let line = self.line(self.at);
        let value = entry(line).map(|(_, value)| value).unwrap_or_default();
        let columns = "start the entries of a list or map in the same column".to_owned();
        let quotes = format!("put the text in quotes, or {}", below(line));
        let (message, help) = match kind {
            ErrorKind::MappingValueNotAllowed if value.contains(": ") || value.ends_with(':') => {
                ("a `:` inside plain text".to_owned(), quotes)
            }
            ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => (
                "expected a `:` after the key".to_owned(),
                "write `key: value`, with `: ` between them".to_owned(),
            ),
            ErrorKind::UnexpectedCharacter { character } => {
                (format!("plain text may not begin with `{character}`"), quotes)
            }
            ErrorKind::InvalidBlockScalarHeader => (
                "text follows the `|` or `>`".to_owned(),
                format!("put the text into the lines below, or in quotes: {}", below(line)),
            ),
            ErrorKind::InvalidBlockScalarIndent | ErrorKind::ZeroBlockScalarIndent => (
                "the text below `|` or `>` is not indented like its first line".to_owned(),
                "indent its lines by the same number of spaces".to_owned(),
            ),
            ErrorKind::CommentNotSeparated => {
                ("no space before the comment".to_owned(), "write a space before `#`".to_owned())
            }
            ErrorKind::MissingAnchorOrAliasName => ("`&` or `*` without a name".to_owned(), quotes),
            _ if value.starts_with(['[', '{']) => {
                ("more text follows the closing bracket".to_owned(), quotes)
            }
            _ if value.starts_with("- ") => {
                ("plain text may not begin with `- `".to_owned(), quotes)
            }
            _ if needs_quotes(value) => ("this is not plain text".to_owned(), quotes),
            _ => ("this line does not continue the lines above".to_owned(), columns),
        };
        (self.at, message, help)
    }
}

/// What may follow `\` in double quotes.
const ESCAPES: &str = "0abt\tnvfre \"/\\N_LPxuU\n\r";

/// The key and the value of a line such as `- command: echo`.
fn entry(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("- ").unwrap_or(line).trim_start();
    let (key, value) = line.split_once(": ")?;
    let is_name = !key.is_empty() && !key.contains([' ', '"', '\'']);
    is_name.then_some((key, value.trim()))
}

/// Whether YAML reads the value as something else than a text.
fn needs_quotes(value: &str) -> bool {
    const SPECIAL: [char; 12] = ['@', '`', '%', '[', '{', '"', '\'', '*', '&', '!', '>', '|'];
    value.starts_with(SPECIAL) || value.starts_with("- ") || value.contains(": ")
}

/// The cure that works for any text.
fn below(line: &str) -> String {
    format!("write it below `{}`", bar(line))
}

fn bar(line: &str) -> String {
    format!("{}: |", entry(line).map_or("key", |(key, _)| key))
}
