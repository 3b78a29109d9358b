//! Comparisons in expressions: comparing text with a number or a boolean is an error, and so is
//! ordering values of different kinds.
//!
//! Jinja sorts all text above all numbers, so that `rows > 0` holds for the text "0", and null
//! below all of them. No setting of minijinja changes that. Each comparison is therefore written
//! as a call of [`compare`], which refuses such pairs with a cure.

use std::cmp::Ordering;
use std::fmt::Write;

use minijinja::value::{Rest, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value, tests as jinja};
use serde_json::Value as Json;

use crate::bounds::NESTING;

/// The function that a comparison calls.
const FUNCTION: &str = "__compare";

/// Adds the comparisons to an environment.
pub(super) fn add_to(environment: &mut Environment<'static>) {
    environment.add_function(FUNCTION, chain);
    environment.add_test("in", |state: &State<'_, '_>, wanted: Value, held: Value| {
        is_in(state, Shown::of(&wanted), &held)
    });
    for (names, operator) in [
        (["eq", "equalto", "=="], "=="),
        (["ne", "ne", "!="], "!="),
        (["lt", "lessthan", "<"], "<"),
        (["le", "le", "<="], "<="),
        (["gt", "greaterthan", ">"], ">"),
        (["ge", "ge", ">="], ">="),
    ] {
        for name in names {
            environment.add_test(
                name,
                move |state: &mut State<'_, '_>, left: Value, right: Value| {
                    let shown = [Shown::of(&left), Shown::of(&right)];
                    compare(state, operator, [&left, &right], shown)
                },
            );
        }
    }
}

/// Whether a name is that of the function which a comparison calls.
pub(super) fn is_own(name: &str) -> bool {
    name == FUNCTION
}

/// Rewrites the comparisons of an expression as calls. The nesting of the expression is bounded.
pub(super) fn as_calls(code: &str) -> String {
    rewrite(&tokens(code))
}

/// `a < b < c` as `__compare(["<", "<"], ["a", "b", "c"], a, b, c)`.
fn chain(
    state: &mut State<'_, '_>,
    operators: Vec<String>,
    sources: Vec<String>,
    operands: Rest<Value>,
) -> Result<bool, Error> {
    for (at, operator) in operators.iter().enumerate() {
        let pair = [&operands[at], &operands[at + 1]];
        let shown =
            [0, 1].map(|side| Shown { text: sources[at + side].clone(), value: pair[side] });
        if !compare(state, operator, pair, shown)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// An operand as an error shows it.
struct Shown<'v> {
    text: String,
    value: &'v Value,
}

impl<'v> Shown<'v> {
    fn of(value: &'v Value) -> Self {
        Self { text: String::new(), value }
    }

    /// "`jobs.count.outputs.rows` is the text "0"".
    fn told(&self) -> String {
        let (kind, value) = kind_and_text(self.value);
        if self.value.is_none() {
            return format!("`{}` is null", self.name());
        }
        if self.text.is_empty() || self.is_literal() || self.text == value {
            format!("{value} is a {kind}")
        } else {
            format!("`{}` is the {kind} {value}", self.text)
        }
    }

    /// Whether it is a string literal of the expression.
    fn is_literal(&self) -> bool {
        self.text.starts_with(['"', '\''])
    }

    fn name(&self) -> &str {
        if self.text.is_empty() { ".." } else { &self.text }
    }
}

fn beginning(text: &str) -> String {
    text.chars().take(40).collect()
}

fn compare(
    state: &mut State<'_, '_>,
    operator: &str,
    [left, right]: [&Value; 2],
    shown: [Shown<'_>; 2],
) -> Result<bool, Error> {
    if left.is_undefined() || right.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    if let Some(is_wanted) = match operator {
        "in" => Some(true),
        "not in" => Some(false),
        _ => None,
    } {
        let [left, _] = shown;
        return is_in(state, left, right).map(|is_in| is_in == is_wanted);
    }
    if let Some((one, other)) = different(left, right) {
        let [left, right] = shown;
        return Err(match differ(left.value, right.value) {
            true => unlike(&left, &right),
            false => unlike(&Shown::of(&one), &Shown::of(&other)),
        });
    }
    match operator {
        "==" => return Ok(left == right),
        "!=" => return Ok(left != right),
        _ if !have_order(left, right, NESTING) => {
            let [left, right] = shown;
            return Err(unordered(&left, &right));
        }
        _ => {}
    }
    let order = left.cmp(right);
    Ok(match operator {
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        _ => order != Ordering::Less,
    })
}

/// Whether a list, a text or the keys of a map hold a value.
fn is_in(state: &State<'_, '_>, wanted: Shown<'_>, held: &Value) -> Result<bool, Error> {
    // The library would search the digits of a number.
    if held.kind() == ValueKind::String && differ(wanted.value, held) {
        return Err(unlike(&wanted, &Shown::of(held)));
    }
    if jinja::is_in(state, wanted.value, held)? {
        return Ok(true);
    }
    let unlike_item = match held.kind() {
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => {
            held.try_iter()?.find_map(|item| different(wanted.value, &item))
        }
        _ => None,
    };
    match unlike_item {
        None => Ok(false),
        Some((_, item)) if differ(wanted.value, &item) => Err(unlike(&wanted, &Shown::of(&item))),
        Some((inner, item)) => Err(unlike(&Shown::of(&inner), &Shown::of(&item))),
    }
}

/// Whether one of two values is before the other or both are equal: numbers, texts, booleans, and
/// lists of these.
fn have_order(left: &Value, right: &Value, levels: usize) -> bool {
    use ValueKind::{Bool, Number, Seq, String};
    match (left.kind(), right.kind()) {
        (Number, Number) => !is_nan(left) && !is_nan(right),
        (String, String) | (Bool, Bool) => true,
        (Seq, Seq) if levels > 0 => {
            let (Ok(left), Ok(right)) = (left.try_iter(), right.try_iter()) else { return false };
            left.zip(right).all(|(left, right)| have_order(&left, &right, levels - 1))
        }
        _ => false,
    }
}

fn is_nan(number: &Value) -> bool {
    f64::try_from(number.clone()).is_ok_and(f64::is_nan)
}

/// The first text in two values and the number or boolean that it would be compared with.
pub(super) fn different(left: &Value, right: &Value) -> Option<(Value, Value)> {
    different_inside(left, right, NESTING)
}

fn different_inside(left: &Value, right: &Value, levels: usize) -> Option<(Value, Value)> {
    if differ(left, right) {
        return Some((left.clone(), right.clone()));
    }
    let levels = levels.checked_sub(1)?;
    match (left.kind(), right.kind()) {
        (ValueKind::Seq, ValueKind::Seq) => {
            let mut pairs = left.try_iter().ok()?.zip(right.try_iter().ok()?);
            pairs.find_map(|(left, right)| different_inside(&left, &right, levels))
        }
        (ValueKind::Map, ValueKind::Map) => left.try_iter().ok()?.find_map(|key| {
            let (left, right) = (left.get_item(&key).ok()?, right.get_item(&key).ok()?);
            different_inside(&left, &right, levels)
        }),
        _ => None,
    }
}

/// "9, a number".
pub(super) fn kind_of(value: &Value) -> String {
    let (kind, value) = kind_and_text(value);
    format!("{value}, a {kind}")
}

fn kind_and_text(value: &Value) -> (&'static str, String) {
    match value.kind() {
        ValueKind::String => ("text", format!("{:?}", beginning(&value.to_string()))),
        ValueKind::Bool => ("boolean", value.to_string()),
        ValueKind::Seq | ValueKind::Iterable => ("list", beginning(&value.to_string())),
        ValueKind::Map => ("map", beginning(&value.to_string())),
        _ => ("number", value.to_string()),
    }
}

/// Whether one is text and the other a number or a boolean.
fn differ(left: &Value, right: &Value) -> bool {
    let is_text = |value: &Value| value.kind() == ValueKind::String;
    let is_other = |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool);
    is_text(left) && is_other(right) || is_other(left) && is_text(right)
}

fn unlike(left: &Shown<'_>, right: &Shown<'_>) -> Error {
    let (text, other) =
        if left.value.kind() == ValueKind::String { (left, right) } else { (right, left) };
    let cure = match other.value.kind() {
        _ if text.is_literal() => "remove the quotes".to_owned(),
        ValueKind::Bool => "compare texts with texts: `== \"true\"`".to_owned(),
        _ if text.value.to_string().trim().parse::<i64>().is_ok() => {
            format!("write `{} | int`", text.name())
        }
        _ => format!("write `{} | float`, or compare texts with texts", text.name()),
    };
    let message = format!("{}, and {}; {cure}", left.told(), right.told());
    Error::new(ErrorKind::InvalidOperation, message)
}

fn unordered(left: &Shown<'_>, right: &Shown<'_>) -> Error {
    let cure = match [left, right].into_iter().find(|shown| shown.value.is_none()) {
        Some(null) => format!("test `{} is not none` first", null.name()),
        None => "compare numbers with numbers, and texts with texts".to_owned(),
    };
    let message = format!("{}, and {}, which have no order; {cure}", left.told(), right.told());
    Error::new(ErrorKind::InvalidOperation, message)
}

/// A token of an expression: a word, a string, an operator, blanks.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let of_words = |letter: char| letter.is_alphanumeric() || letter == '_';
        let length = match first {
            '"' | '\'' => super::quoted(rest, first).unwrap_or(rest.len()),
            _ if of_words(first) => rest.find(|letter| !of_words(letter)).unwrap_or(rest.len()),
            _ if first.is_whitespace() => {
                rest.find(|letter: char| !letter.is_whitespace()).unwrap_or(rest.len())
            }
            _ => {
                let pairs = ["==", "!=", "<=", ">=", "//", "**"];
                pairs
                    .iter()
                    .find(|pair| rest.starts_with(**pair))
                    .map_or(first.len_utf8(), |it| it.len())
            }
        };
        tokens.push(&rest[..length]);
        rest = &rest[length..];
    }
    tokens
}

fn rewrite(tokens: &[&str]) -> String {
    let mut written = String::new();
    let mut operand = Operand::default();
    let mut chain: Vec<(Operand, &str)> = Vec::new();
    let mut before = "";
    let mut at = 0;
    while at < tokens.len() {
        let token = tokens[at];
        at += 1;
        match token {
            "(" | "[" | "{" => {
                let end = at + closing(&tokens[at..]);
                operand.push(token);
                operand.code.push_str(&rewrite(&tokens[at..end]));
                operand.source.push_str(&tokens[at..end].concat());
                at = end;
            }
            "==" | "!=" | "<" | "<=" | ">" | ">=" | "in"
                if before != "is" && before != "is not" =>
            {
                let is_negated = before == "not" && token == "in";
                chain.push((
                    std::mem::take(&mut operand),
                    if is_negated { "not in" } else { token },
                ));
            }
            "not" if before != "is" && next_word(&tokens[at..]) == Some("in") => {}
            "and" | "or" | "if" | "else" | "not" | "," | ":" | "="
                if before != "is" && before != "." && before != "|" =>
            {
                finish(&mut written, &mut chain, std::mem::take(&mut operand));
                written.push_str(token);
            }
            _ => operand.push(token),
        }
        if !token.trim().is_empty() {
            before = if before == "is" && token == "not" { "is not" } else { token };
        }
    }
    finish(&mut written, &mut chain, operand);
    written
}

#[derive(Default)]
struct Operand {
    code: String,
    source: String,
}

impl Operand {
    fn push(&mut self, token: &str) {
        self.code.push_str(token);
        self.source.push_str(token);
    }
}

fn next_word<'t>(tokens: &[&'t str]) -> Option<&'t str> {
    tokens.iter().copied().find(|token| !token.trim().is_empty())
}

/// How many tokens there are up to the one that closes the bracket before.
fn closing(tokens: &[&str]) -> usize {
    let mut open = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            "(" | "[" | "{" => open += 1,
            ")" | "]" | "}" if open == 0 => return at,
            ")" | "]" | "}" => open -= 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Writes the operands collected so far: as a comparison, or as they are.
fn finish(written: &mut String, chain: &mut Vec<(Operand, &str)>, last: Operand) {
    if chain.is_empty() {
        written.push_str(&last.code);
        return;
    }
    let (operators, operands): (Vec<_>, Vec<_>) =
        chain.drain(..).map(|(operand, operator)| (operator, operand)).unzip();
    let operands: Vec<Operand> = operands.into_iter().chain([last]).collect();
    let sources = operands.iter().map(|operand| Json::from(plain(&operand.source)));
    let _ = write!(
        written,
        " {FUNCTION}({}, {}",
        Json::from(operators),
        Json::from(sources.collect::<Vec<_>>())
    );
    for operand in &operands {
        let _ = write!(written, ", ({})", operand.code.trim());
    }
    written.push_str(") ");
}

/// Jobs as they are mostly written: `jobs.count`, not `jobs["count"]`.
fn plain(source: &str) -> String {
    let mut plain = String::new();
    let mut rest = source.trim();
    while let Some((before, after)) = rest.split_once("jobs[\"") {
        plain.push_str(before);
        match after.split_once("\"]") {
            Some((name, after)) => {
                let _ = write!(plain, "jobs.{name}");
                rest = after;
            }
            None => {
                plain.push_str("jobs[\"");
                rest = after;
            }
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::super::Expression;
    use serde_json::json;

    fn value(source: &str) -> Result<serde_json::Value, String> {
        let known = json!({
            "input": { "n": 3, "t": "3", "f": 2.5, "yes": true, "list": ["1", 2], "none": null },
            "jobs": { "count": { "outputs": { "rows": "many", "zero": 0 } } },
        });
        Expression::checked(source)?.evaluate(&known)
    }

    #[test]
    fn values_of_one_type_are_compared() {
        for (source, expected) in [
            ("input.n > 2", true),
            ("input.n > 2 and not input.n >= 4", true),
            ("1 < input.n < 3", false),
            ("1 < input.n <= 3", true),
            ("input.t == '3'", true),
            ("input.t | int == 3", true),
            ("input.t in ['3', '4']", true),
            ("input.n in [3, 4] and input.n not in [5]", true),
            ("not input.n in [3]", false),
            ("'a' in 'abc' and 'd' not in 'abc'", true),
            ("'n' in input", true),
            ("(input.n > 5 or input.f > 2) == true", true),
            ("input.yes == true and input.yes != false", true),
            ("input.none == none", true),
            ("input.none != 'x'", true),
            ("input.n is defined and input.n is not none", true),
            ("input.n is in [3]", true),
            ("input.n is eq 3 and input.n is not gt 5", true),
            ("input.x is not defined", true),
            ("true if input.n > 2 else input.t > 2", true),
            ("[1, 2, 3] | select('gt', 1) | list | length == 2", true),
            ("{'a': input.n == 3}['a']", true),
            ("input['n'] == 3 and jobs['count'].outputs.zero == 0", true),
            ("'a > 1' == \"a > 1\"", true),
            ("input.n + 1 == 4 and input.n ~ '' == '3'", true),
            ("range(3) | list == [0, 1, 2]", true),
            ("input.list[1:][0] == 2", true),
            ("input.n * 2 > 5 if input.yes", true),
        ] {
            assert_eq!(value(source), Ok(json!(expected)), "{source}");
        }
    }

    #[test]
    fn text_is_not_compared_with_numbers() {
        for source in [
            "input.t > 2",
            "2 < input.t",
            "input.t == 3",
            "input.t != 3",
            "input.n == '3'",
            "input.yes == 'true'",
            "input.t in [3, 4]",
            "input.n not in ['3']",
            "input.n is in ['3']",
            "input.n is not in ['3']",
            "input.t is in [3]",
            "[3, 4] | select('in', ['3']) | list",
            "input.n in {'3': 1}",
            "input.n in '123'",
            "input.n in (input.list | map('string'))",
            "[1, 2] == ['1', 2]",
            "input.list != ['1', '2']",
            "{'a': [1]} == {'a': ['1']}",
            "[input.n] in [['3']]",
            "[input.n] < [input.t]",
            "1 < input.n < input.t",
            "not (input.t > 2)",
            "[input.t > 2]",
            "input.t is gt 2",
            "input.t is eq 3",
            "input.list | select('gt', 1) | list",
            "input.t > 2 if input.yes else 1",
            "1 if input.t == 3 else 2",
            "(input.n > 2 and input.t >= 1)",
            "[1, input.t == 3]",
            "range(input.t == 3)",
            "input.f < jobs.count.outputs.rows",
        ] {
            let told = value(source).expect_err(source);
            assert!(told.contains("is the text") || told.contains("is a text"), "{source}: {told}");
        }
    }

    #[test]
    fn values_of_different_kinds_have_no_order() {
        for source in [
            "input.none < 5",
            "none < 0",
            "5 >= none",
            "none <= none",
            "input.list > 100",
            "{} > 5",
            "input < input",
            "'a' > none",
            "'a' > input.list",
            "input.yes < 2",
            "[1, none] < [1, 2]",
            "[[1]] < [1]",
            "1 < 2 < none",
            "('nan' | float) > 5",
            "[1] < [('nan' | float)]",
            "range(2) <= [0, 1]",
            "input.none is lt 5",
            "[none] | select('lt', 5) | list",
        ] {
            let told = value(source).expect_err(source);
            assert!(told.contains("which have no order; "), "{source}: {told}");
        }
        for (source, expected) in [
            ("input.none == none or input.none > 5", true),
            ("input.none != 5", true),
            ("input.list == none", false),
            ("[1, 'b'] < [1, 'c']", true),
            ("[1] < [1, 2] < [2]", true),
            ("false < true", true),
            ("('inf' | float) > 5", true),
            ("('nan' | float) == 5", false),
        ] {
            assert_eq!(value(source), Ok(json!(expected)), "{source}");
        }
        assert_eq!(
            value("input.none < 5").expect_err("null"),
            "`input.none < 5` has no value: `input.none` is null, and 5 is a number, which have no \
             order; test `input.none is not none` first"
        );
        assert_eq!(
            value("input.list > 100").expect_err("a list"),
            "`input.list > 100` has no value: `input.list` is the list ['1', 2], and 100 is a \
             number, which have no order; compare numbers with numbers, and texts with texts"
        );
    }

    #[test]
    fn a_failed_comparison_names_both_values_and_the_cure() {
        assert_eq!(
            value("jobs.count.outputs.rows > 0").expect_err("text"),
            "`jobs.count.outputs.rows > 0` has no value: `jobs.count.outputs.rows` is the text \
             \"many\", and 0 is a number; write `jobs.count.outputs.rows | float`, or compare \
             texts with texts"
        );
        assert_eq!(
            value("input.t == input.n").expect_err("text"),
            "`input.t == input.n` has no value: `input.t` is the text \"3\", and `input.n` is the \
             number 3; write `input.t | int`"
        );
    }

    #[test]
    fn missing_values_cannot_be_compared() {
        assert!(value("input.x > 2").is_err());
        assert!(value("input.x == 2").is_err());
    }
}
