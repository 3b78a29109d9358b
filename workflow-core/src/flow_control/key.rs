//! Keys of flow control: texts with places for values of a run's input.

use serde_json::{Number, Value as Json};

use super::MOST_CHARACTERS;

/// Why a key of flow control is invalid, or has no value for a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitKeyError {
    /// A place has no end.
    #[error("the key `{0}` has `${{{{` without `}}}}`; write `${{{{ input.name }}}}`")]
    Open(String),
    /// A place names something else than the input.
    #[error(
        "the key has `${{{{ {0} }}}}`, but only the input has values before a run begins; write \
         `${{{{ input.name }}}}`"
    )]
    NotInput(String),
    /// The input has no such value.
    #[error(
        "the key needs `{0}`, which the input of the run does not have; pass it, or use another key"
    )]
    Missing(String),
    /// The value cannot be part of a key.
    #[error("the key needs `{path}`, which is {found}; it must be a text, a number or a boolean")]
    NotScalar {
        /// The path of the value.
        path: String,
        /// What it is.
        found: &'static str,
    },
    /// The key is too long.
    #[error("the key has {0} characters; the limit is {MOST_CHARACTERS}")]
    TooLong(usize),
    /// The key contains a control character.
    #[error("the key contains a control character; use printable text")]
    Control,
}

/// A piece of a key.
enum Piece<'a> {
    Text(&'a str),
    /// The steps after `input`, and the whole path.
    Place(Vec<&'a str>, &'a str),
}

/// Checks that a key is well-formed.
pub(super) fn check(key: &str) -> Result<(), LimitKeyError> {
    pieces(key)?;
    check_text(key)
}

/// Replaces the places of a key by values of the input.
pub(super) fn resolve(key: &str, input: Option<&Json>) -> Result<String, LimitKeyError> {
    let mut resolved = String::new();
    for piece in pieces(key)? {
        match piece {
            Piece::Text(text) => resolved.push_str(text),
            Piece::Place(steps, path) => {
                let value = input.and_then(|input| steps.into_iter().try_fold(input, step));
                resolved.push_str(&scalar(value, path)?);
            }
        }
    }
    check_text(&resolved)?;
    Ok(resolved)
}

fn pieces(key: &str) -> Result<Vec<Piece<'_>>, LimitKeyError> {
    let (mut pieces, mut rest) = (Vec::new(), key);
    while let Some((text, after)) = rest.split_once("${{") {
        let (place, after) =
            after.split_once("}}").ok_or_else(|| LimitKeyError::Open(key.to_owned()))?;
        let path = place.trim();
        let mut steps = path.split('.');
        let is_input = steps.next() == Some("input");
        let steps: Vec<&str> = steps.collect();
        if !is_input || steps.iter().any(|step| step.is_empty() || step.contains(' ')) {
            return Err(LimitKeyError::NotInput(path.to_owned()));
        }
        pieces.extend([Piece::Text(text), Piece::Place(steps, path)]);
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
}

fn step<'a>(value: &'a Json, step: &str) -> Option<&'a Json> {
    match value {
        Json::Object(object) => object.get(step),
        Json::Array(list) => list.get(step.parse::<usize>().ok()?),
        _ => None,
    }
}

fn scalar(value: Option<&Json>, path: &str) -> Result<String, LimitKeyError> {
    let found = match value {
        None | Some(Json::Null) => return Err(LimitKeyError::Missing(path.to_owned())),
        Some(Json::String(text)) => return Ok(text.clone()),
        Some(Json::Number(number)) => return Ok(number_text(number)),
        Some(Json::Bool(value)) => return Ok(value.to_string()),
        Some(Json::Array(_)) => "a list",
        Some(Json::Object(_)) => "an object",
    };
    Err(LimitKeyError::NotScalar { path: path.to_owned(), found })
}

/// The text of a number: the same for 1, 1.0 and 1e0, and for 0 and -0.
fn number_text(number: &Number) -> String {
    let whole =
        number.as_f64().filter(|value| value.fract() == 0.0 && value.abs() <= LARGEST_EXACT);
    match whole {
        // Both conversions are exact.
        Some(value) if number.is_f64() => (value as i64).to_string(),
        _ => number.to_string(),
    }
}

/// Beyond it, a float may stand for several integers.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

fn check_text(key: &str) -> Result<(), LimitKeyError> {
    match key.chars().count() {
        count if count > MOST_CHARACTERS => Err(LimitKeyError::TooLong(count)),
        _ if key.chars().any(char::is_control) => Err(LimitKeyError::Control),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(key: &str, input: &Json) -> Result<String, String> {
        resolve(key, Some(input)).map_err(|error| error.to_string())
    }

    #[test]
    fn places_take_values_of_the_input() {
        let input = json!({ "customer": { "id": 7 }, "tags": ["a", "b"], "big": true });
        assert_eq!(key("${{ input.customer.id }}", &input), Ok("7".to_owned()));
        assert_eq!(
            key("c-${{input.tags.1}}/${{ input.big }}!", &input),
            Ok("c-b/true!".to_owned())
        );
        assert_eq!(key("all", &input), Ok("all".to_owned()));
        assert_eq!(key("${{ input }}", &json!("text")), Ok("text".to_owned()));
        assert_eq!(resolve("fixed", None), Ok("fixed".to_owned()));
    }

    #[test]
    fn equal_numbers_are_one_key() {
        for (numbers, wanted) in [
            (json!([1, 1.0, 1e0]), "1"),
            (json!([0, 0.0, -0.0]), "0"),
            (json!([-3, -3.0]), "-3"),
            (json!([1.5, 15e-1]), "1.5"),
            (json!([9_007_199_254_740_993_u64]), "9007199254740993"),
            (json!([1e300]), "1e+300"),
        ] {
            for number in numbers.as_array().expect("a list") {
                assert_eq!(key("${{ input }}", number).as_deref(), Ok(wanted), "{number}");
            }
        }
    }

    #[test]
    fn a_missing_value_is_named() {
        let input = json!({ "customer": { "id": null }, "list": [] });
        let error = key("${{ input.customer.id }}", &input).expect_err("null");
        assert!(error.contains("`input.customer.id`") && error.contains("pass it"), "{error}");
        assert!(key("${{ input.list }}", &input).expect_err("no scalar").contains("a list"));
        assert!(resolve("${{ input.a }}", None).is_err());
        let long = json!("x".repeat(256));
        assert_eq!(resolve("${{ input }}", Some(&long)), Err(LimitKeyError::TooLong(256)));
        assert_eq!(resolve("${{ input }}", Some(&json!("a\0"))), Err(LimitKeyError::Control));
    }
}
