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
/// before an operator is inside of it.
pub(crate) fn expression(text: &str) -> Result<(), TooLarge> {
    if text.len() > BYTES {
        let message = format!("an expression has at most {BYTES} bytes");
        return Err(TooLarge::new(message, SHORTER, BYTES..text.len()));
    }
    let bytes = text.as_bytes();
    let (mut operators, mut depth, mut prefixes) = (0, 0_usize, 0_usize);
    let mut at = 0;
    while at < bytes.len() {
        let token = Token::at(text, at);
        match token.kind {
            TokenKind::Space => {}
            TokenKind::Other => prefixes = 0,
            TokenKind::Close => (depth, prefixes) = (depth.saturating_sub(1), 0),
            TokenKind::Operator => {
                operators += 1;
                prefixes += 1;
            }
            TokenKind::Open => {
                operators += 1;
                depth += 1;
                prefixes = 0;
            }
        }
        if depth > DEPTH || prefixes > DEPTH {
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
    Open,
    Close,
}

/// The words that nest what stands around them.
const WORDS: [&str; 7] = ["and", "or", "not", "if", "else", "is", "in"];

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
                let kind = match WORDS.contains(&&text[at..at + length]) {
                    true => TokenKind::Operator,
                    false => TokenKind::Other,
                };
                (kind, at + length)
            }
            _ => {
                let pairs: [&[u8]; 6] = [b"==", b"!=", b"<=", b">=", b"//", b"**"];
                let pair = bytes.get(at..at + 2).is_some_and(|two| pairs.contains(&two));
                (TokenKind::Operator, at + if pair { 2 } else { 1 })
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
