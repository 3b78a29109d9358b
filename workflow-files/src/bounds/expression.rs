//! Expressions: how many operators, how deeply nested.

use std::io;

use serde::Serialize;

use super::{TooLarge, end_of_string};

/// The longest expression, in bytes: 64 KiB.
const BYTES: usize = 64 << 10;
/// The most operators in one expression: each may nest all that stands before it.
const OPERATORS: usize = 400;
/// The deepest nesting of brackets, and the most signs and `not` in a row.
const DEPTH: usize = 24;
/// The largest value of an expression, in bytes as JSON: 16 MiB.
const VALUE: usize = 16 << 20;

/// Counts what nests in an expression: operators, brackets, words such as `not`.
///
/// Every operator counts, since `a.b.c`, `a|f|g` and `a + b + c` nest as `(a)` does: what stands
/// before an operator is inside of it. A level of brackets that compares counts twice, because a
/// comparison is evaluated as a call, which has brackets of its own.
pub(crate) fn expression(text: &str) -> Result<(), TooLarge> {
    if text.len() > BYTES {
        let message = format!("an expression has at most {BYTES} bytes");
        return Err(TooLarge::new(message, SHORTER, BYTES..text.len()));
    }
    let bytes = text.as_bytes();
    let (mut operators, mut prefixes) = (0, 0_usize);
    let mut levels = Levels::default();
    let mut at = 0;
    while at < bytes.len() {
        let token = Token::at(text, at);
        match token.kind {
            TokenKind::Space => {}
            TokenKind::Other => prefixes = 0,
            TokenKind::Close => {
                levels.close();
                prefixes = 0;
            }
            TokenKind::Operator | TokenKind::Comparison => {
                operators += 1;
                prefixes += 1;
                if matches!(token.kind, TokenKind::Comparison) {
                    levels.last.compares = true;
                }
            }
            TokenKind::Open => {
                operators += 1;
                levels.open();
                prefixes = 0;
            }
        }
        if levels.depth() > DEPTH || prefixes > DEPTH {
            let message = format!("expressions nest at most {DEPTH} levels deep");
            return Err(TooLarge::new(message, SHORTER, at..token.end));
        }
        if operators > OPERATORS {
            let message = format!("an expression has at most {OPERATORS} operators");
            return Err(TooLarge::new(message, SHORTER, at..token.end));
        }
        at = token.end;
    }
    Ok(())
}

const SHORTER: &str = "compute the value in a job, and read its output here";

/// The brackets that are open.
#[derive(Default)]
struct Levels {
    outer: Vec<Level>,
    /// The innermost; at first what is in no brackets.
    last: Level,
}

/// What is between two brackets.
#[derive(Default)]
struct Level {
    compares: bool,
    /// How deep the brackets inside of it are, as far as they were closed.
    inner: usize,
}

impl Level {
    /// How deep all that is inside of it is.
    fn height(&self) -> usize {
        self.inner + usize::from(self.compares)
    }
}

impl Levels {
    fn open(&mut self) {
        self.outer.push(std::mem::take(&mut self.last));
    }

    fn close(&mut self) {
        if let Some(outer) = self.outer.pop() {
            let closed = std::mem::replace(&mut self.last, outer);
            self.last.inner = self.last.inner.max(closed.height() + 1);
        }
    }

    /// How deep the innermost is, with what is inside of it.
    fn depth(&self) -> usize {
        let around = self.outer.iter().map(|level| 1 + usize::from(level.compares));
        around.sum::<usize>() + self.last.height()
    }
}

/// A piece of an expression.
struct Token {
    kind: TokenKind,
    end: usize,
}

enum TokenKind {
    Space,
    /// A name, a number, a string, a comma: nothing that nests.
    Other,
    Operator,
    Comparison,
    Open,
    Close,
}

/// The words that nest what stands around them, besides `in`.
const WORDS: [&str; 6] = ["and", "or", "not", "if", "else", "is"];

impl Token {
    fn at(text: &str, at: usize) -> Self {
        let bytes = text.as_bytes();
        let (kind, end) = match bytes[at] {
            b'"' | b'\'' => (TokenKind::Other, end_of_string(bytes, at)),
            b'(' | b'[' | b'{' => (TokenKind::Open, at + 1),
            b')' | b']' | b'}' => (TokenKind::Close, at + 1),
            b',' | b':' => (TokenKind::Other, at + 1),
            byte if byte.is_ascii_whitespace() => (TokenKind::Space, at + 1),
            byte if byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80 => {
                let of_word =
                    |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
                let length = bytes[at..].iter().take_while(|byte| of_word(byte)).count();
                let kind = match &text[at..at + length] {
                    "in" => TokenKind::Comparison,
                    word if WORDS.contains(&word) => TokenKind::Operator,
                    _ => TokenKind::Other,
                };
                (kind, at + length)
            }
            _ => {
                let pairs: [&[u8]; 6] = [b"==", b"!=", b"<=", b">=", b"//", b"**"];
                let pair = bytes.get(at..at + 2).is_some_and(|two| pairs.contains(&two));
                let kind = match bytes[at] {
                    b'<' | b'>' => TokenKind::Comparison,
                    b'=' | b'!' if pair => TokenKind::Comparison,
                    _ => TokenKind::Operator,
                };
                (kind, at + if pair { 2 } else { 1 })
            }
        };
        Self { kind, end }
    }
}

/// Counts the JSON of a value that an expression has made, such as `[0] * 100000000`, before it
/// is copied.
pub(crate) fn serialized(value: &impl Serialize) -> Result<(), String> {
    serde_json::to_writer(Counter { left: VALUE }, value).map_err(|error| match error.is_io() {
        true => format!("it is larger than {VALUE} bytes; {SHORTER}"),
        false => error.to_string(),
    })
}

/// Takes a number of bytes, and no more.
struct Counter {
    left: usize,
}

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len());
        self.left = left.ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
