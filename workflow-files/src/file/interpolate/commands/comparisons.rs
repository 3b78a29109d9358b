//! What `test`, `[` and `[[` compare as numbers, or test as names of variables: the shell evaluates
//! these words.

use super::super::grammar::{Reader, Word};

pub(in super::super) const NUMERIC_TEST: &str =
    "is compared as a number, which the shell evaluates";
const NAME_TEST: &str = "is tested as the name of a variable, which the shell evaluates";

pub(in super::super) fn is_comparison(operator: &str) -> bool {
    const TEXTS: [&str; 7] = ["=", "==", "!=", "=~", "-nt", "-ot", "-ef"];
    TEXTS.contains(&operator) || is_numeric(operator)
}

pub(in super::super) fn is_numeric(operator: &str) -> bool {
    ["-eq", "-ne", "-lt", "-le", "-gt", "-ge"].contains(&operator)
}

/// Whether it tests one word: `-n`.
pub(in super::super) fn is_word_test(operator: &str) -> bool {
    let letter = operator.strip_prefix('-').filter(|letter| letter.len() == 1);
    letter.is_some_and(|letter| "abcdefghknoprstuvwxzGLNORS".contains(letter))
}

/// Why the shell evaluates a word after this operator, if it does.
pub(in super::super) fn evaluation_of(operator: &str) -> Option<&'static str> {
    match operator {
        "-v" | "-R" => Some(NAME_TEST),
        "-t" | "-o" => Some("is tested as something other than text"),
        _ => None,
    }
}

/// `test` and `[`, which distinguish operators from words by the number of words.
pub(super) fn test(reader: &mut Reader<'_>, words: &[Word]) {
    let words = match words.split_last() {
        Some((last, rest)) if last.literal.as_deref() == Some("]") => rest,
        _ => words,
    };
    let literal = |at: usize| words.get(at).and_then(|word| word.literal.as_deref());
    let negated = usize::from(words.len() > 2 && literal(0) == Some("!"));
    let is_known = match words.len() - negated {
        0 | 1 => true,
        2 => literal(negated).is_some_and(|operator| {
            operator == "!" || is_word_test(operator) && evaluation_of(operator).is_none()
        }),
        3 => literal(negated + 1).is_some_and(|operator| {
            matches!(operator, "<" | ">") || is_comparison(operator) && !is_numeric(operator)
        }),
        _ => false,
    };
    if is_known {
        return;
    }
    let reason = "is compared as a number, or is a part of a longer test";
    for (at, word) in words.iter().enumerate() {
        reader.refuse(word.range.clone(), reason);
        // A literal name is not evaluated.
        let is_tested = at > 0 && matches!(literal(at - 1), Some("-v" | "-R") | None);
        if is_tested && !word.is_name() && words.len() - negated != 3 {
            reader.evaluated(word.range.clone(), NAME_TEST);
        }
    }
}
