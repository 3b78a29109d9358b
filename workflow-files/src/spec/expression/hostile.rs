//! Expressions that nobody would write: whatever nests is refused, and what is taken fits a small
//! stack.

use proptest::prelude::*;

use super::Expression;
use crate::bounds::expression;

/// What nests, and what it is repeated around.
const NESTS: [(&str, &str, &str); 27] = [
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
    ("", "1", " < 1"),
    ("(1 == ", "1", ")"),
    ("[1 in ", "[1]", "]"),
    ("f(1 < ", "1", ")"),
    ("1 == 1 if 1 < 1 else ", "1", ""),
];

fn nested((open, inside, close): (&str, &str, &str), times: usize) -> String {
    open.repeat(times) + inside + &close.repeat(times)
}

#[test]
fn deep_nesting_is_refused_with_the_limit_and_the_cure() {
    for nest in NESTS {
        let error = Expression::checked(&nested(nest, 1_000)).expect_err(nest.0);
        assert!(error.contains("at most 24 levels") || error.contains("at most 400"), "{error}");
        assert!(error.contains("compute the value in a job"), "{error}");
        assert!(error.len() < 400, "{error}");
    }
    let long = format!("'{}'", "x".repeat(64 << 10));
    assert!(Expression::checked(&long).expect_err("too long").contains("at most 65536 bytes"));
}

#[test]
fn long_ordinary_expressions_are_accepted() {
    let many = (0..80).map(|n| format!("jobs.job_{n}.completed")).collect::<Vec<_>>();
    let list = (0..5_000).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    for text in [many.join(" and "), format!("input.n in [{list}]"), nested(NESTS[3], 20)] {
        assert!(Expression::checked(&text).is_ok(), "{text}");
    }
    let marks = format!("'{}' == 'x'", "-not ([{".repeat(1_000));
    assert!(Expression::checked(&marks).is_ok());
}

/// Does work on a thread with half of the stack that threads have.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(work);
    thread.expect("a thread").join().expect("no panic");
}

/// Parses and evaluates; the outcome does not matter.
fn evaluate(text: String) {
    on_a_small_stack(move || {
        if let Ok(expression) = Expression::checked(&text) {
            let value = expression.evaluate(&serde_json::json!({ "input": {}, "jobs": {} }));
            drop(value);
        }
    });
}

#[test]
fn the_deepest_accepted_expression_fits_a_small_stack() {
    for nest in NESTS {
        let most = (1..=400).take_while(|times| expression(&nested(nest, *times)).is_ok());
        evaluate(nested(nest, most.last().expect("one is taken")));
    }
    let unary = nested(("(------------ ", "1", ")"), 24);
    let chained = nested(("(1 if 0 else 1 if 0 else 1 if 0 else ", "1", ")"), 24);
    let left = nested(("(", "1", " == 1)"), 12);
    for text in [unary, chained, left] {
        assert_eq!(expression(&text), Ok(()));
        evaluate(text);
    }
}

#[test]
fn a_value_that_would_fill_the_memory_is_refused() {
    let known = serde_json::json!({ "input": {}, "jobs": {} });
    for text in ["[0] * 100000000", "['x' * 1000] * 100000"] {
        let expression = Expression::checked(text).expect("an expression");
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
    "-", "not ", "+", "~", "*", "**", "/", "//", "%", "(", ")", "[", "]", "{", "}", ",", ":", ".",
    "..", "|", " and ", " or ", " if ", " else ", " is ", " in ", " == ", " < ", "1", "1.5", "'a'",
    "\"", "'", "\\", "input", "jobs.a", "int", "odd", "f(", " ",
];
