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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::spec::Expression;

    /// What nests, and what it is repeated around.
    const NESTS: [(&str, &str, &str); 22] = [
        ("-", "1", ""),
        ("not ", "1", ""),
        ("-----..", "1", ""),
        ("(", "1", ")"),
        ("[", "1", "]"),
        ("{'a': ", "1", "}"),
        ("f(", "1", ")"),
        ("input[", "0", "]"),
        ("(-", "1", ")"),
        ("(not ", "1", ")"),
        ("1 if 0 else ", "1", ""),
        ("(1 if ", "1", " else 0)"),
        ("1 is eq -", "1", ""),
        ("", "input", ".b"),
        ("", "input", "[0]"),
        ("", "input", "()"),
        ("", "1", "|int"),
        ("", "1", " + 1"),
        ("", "1", " and 1"),
        ("", "1", " or not 1"),
        ("", "1", " if 1"),
        ("", "1", " is not odd"),
    ];

    fn nested((open, inside, close): (&str, &str, &str), times: usize) -> String {
        open.repeat(times) + inside + &close.repeat(times)
    }

    #[test]
    fn whatever_nests_is_refused_with_the_limit_and_the_cure() {
        for nest in NESTS {
            let error = Expression::parse(&nested(nest, 1_000)).expect_err(nest.0);
            assert!(
                error.contains("at most 24 levels") || error.contains("at most 400"),
                "{error}"
            );
            assert!(error.contains("compute the value in a job"), "{error}");
            assert!(error.len() < 400, "{error}");
        }
        let long = format!("'{}'", "x".repeat(BYTES));
        assert!(Expression::parse(&long).expect_err("too long").contains("at most 65536 bytes"));
    }

    #[test]
    fn what_people_write_is_kept() {
        let many = (0..80).map(|n| format!("jobs.job_{n}.completed")).collect::<Vec<_>>();
        let list = (0..5_000).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
        for text in [many.join(" and "), format!("input.n in [{list}]"), nested(NESTS[3], 20)] {
            assert!(Expression::parse(&text).is_ok(), "{text}");
        }
        let marks = format!("'{}' == 'x'", "-not ([{".repeat(1_000));
        assert!(Expression::parse(&marks).is_ok());
    }

    /// Does work on a thread with half of the stack that threads have.
    fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
        let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(work);
        thread.expect("a thread").join().expect("no panic");
    }

    /// Parses and evaluates; the outcome does not matter.
    fn evaluate(text: String) {
        on_a_small_stack(move || {
            if let Ok(expression) = Expression::parse(&text) {
                let value = expression.evaluate(&serde_json::json!({ "input": {}, "jobs": {} }));
                drop(value);
            }
        });
    }

    #[test]
    fn the_deepest_that_is_taken_fits_a_small_stack() {
        for nest in NESTS {
            let most =
                (1..=OPERATORS).take_while(|times| expression(&nested(nest, *times)).is_ok());
            evaluate(nested(nest, most.last().expect("one is taken")));
        }
        let unary = nested(("(------------ ", "1", ")"), DEPTH);
        let chained = nested(("(1 if 0 else 1 if 0 else 1 if 0 else ", "1", ")"), DEPTH);
        for text in [unary, chained] {
            assert_eq!(expression(&text), Ok(()));
            evaluate(text);
        }
    }

    #[test]
    fn a_value_that_would_fill_the_memory_is_refused() {
        let known = serde_json::json!({ "input": {}, "jobs": {} });
        for text in ["[0] * 100000000", "['x' * 1000] * 100000"] {
            let expression = Expression::parse(text).expect("an expression");
            let error = expression.evaluate(&known).expect_err(text);
            assert!(error.contains("larger than 16777216 bytes"), "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_pieces_can_be_evaluated(
            pieces in prop::collection::vec(
                (prop::sample::select(PIECES.as_slice()), 1..60_usize), 0..30,
            )
        ) {
            evaluate(pieces.iter().map(|(piece, times)| piece.repeat(*times)).collect());
        }

        #[test]
        fn any_text_can_be_evaluated(text in any::<String>()) {
            evaluate(text);
        }
    }

    const PIECES: [&str; 40] = [
        "-", "not ", "+", "~", "*", "**", "/", "//", "%", "(", ")", "[", "]", "{", "}", ",", ":",
        ".", "..", "|", " and ", " or ", " if ", " else ", " is ", " in ", " == ", " < ", "1",
        "1.5", "'a'", "\"", "'", "\\", "input", "jobs.a", "int", "odd", "f(", " ",
    ];
}
