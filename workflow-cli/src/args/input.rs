//! The input of a run: `--input` and `--param`.

mod field;
mod parameter;
mod unknown;

use std::path::Path;

use clap::Args;
use serde_json::{Map, Value as Json};
use workflow_core::json::{self, JsonError};
use workflow_core::value::Type;
use workflow_core::{Workflow, bounds};
use workflow_files::document::{read_file, read_text};
use workflow_files::read_yaml;

use crate::failure::Failure;
use crate::output;

use field::Field;
pub(crate) use field::fields;
use parameter::Parameter;

/// The input of a workflow.
#[derive(Debug, Default, Args)]
pub(crate) struct InputArguments {
    /// Input of the workflow: JSON, @file (JSON or YAML), or @- for standard input
    #[arg(short, long, alias = "json-input", value_name = "JSON|@FILE")]
    input: Option<String>,
    /// Set a key of the input object. `a.b` sets the key `b` of the object `a`; write `a\.b` for a
    /// key that contains a dot. A value that is not valid JSON is a string. So is a number that
    /// JSON would change, such as 3.10, 007 or 1e3, unless the workflow expects a number
    #[arg(short, long, value_name = "KEY=VALUE")]
    param: Vec<Parameter>,
}

/// How the keys of an input are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// With `--param KEY=VALUE`.
    Parameters,
    /// With an option for each key of the schema.
    Options,
}

impl InputArguments {
    /// Adds the options for [`fields`] of the input.
    ///
    /// # Errors
    ///
    /// Fails when a value is a number that would lose digits.
    pub(crate) fn take_fields(&mut self, matches: &clap::ArgMatches) -> Result<(), String> {
        // First, so that `--param a.b` may change a key of `--a`.
        self.param.splice(0..0, field::parameters(matches)?);
        Ok(())
    }

    /// Returns the input for a workflow of this input type, if any was given.
    ///
    /// # Errors
    ///
    /// Fails when the input is invalid JSON, its file cannot be read, a parameter targets a value
    /// that is not an object, or two parameters conflict.
    pub(crate) fn json(&self, expected: Option<Type>) -> Result<Option<Json>, Failure> {
        let given = self.input.as_deref().map(read).transpose()?;
        let json = self.with_parameters(given, expected)?;
        json.as_ref()
            .map_or(Ok(()), bounds::value)
            .map_err(|error| Failure::Usage(format!("invalid input: {error}")))?;
        Ok(json)
    }

    fn with_parameters(
        &self,
        given: Option<Json>,
        expected: Option<Type>,
    ) -> Result<Option<Json>, Failure> {
        if self.param.is_empty() {
            return Ok(given);
        }
        let object = match given {
            None => Map::new(),
            Some(Json::Object(object)) => object,
            Some(_) => {
                return Err(Failure::Usage(
                    "--param needs an object, but --input is not an object; remove one of the two"
                        .to_owned(),
                ));
            }
        };
        let fits = |input: &Json| expected.is_none_or(|kind| kind.read(input.clone()).is_ok());
        parameter::set_to_fit(&self.param, &object, &fits).map_err(Failure::Usage).map(Some)
    }
}

fn read(input: &str) -> Result<Json, Failure> {
    let (text, place) = match input.strip_prefix('@') {
        None => (input.to_owned(), "--input".to_owned()),
        Some("-") => (standard_input()?, "standard input".to_owned()),
        Some(path) => {
            let text = read_file(Path::new(path)).map_err(|reason| {
                Failure::Usage(format!("cannot read the input file `{path}`: {reason}"))
            })?;
            let place = format!("the input file `{path}`");
            if path.ends_with(".yaml") || path.ends_with(".yml") {
                return yaml(&text, &place);
            }
            (text, place)
        }
    };
    json::read(&text).map_err(|error| {
        Failure::Usage(match error {
            JsonError::Syntax(error) => {
                format!("invalid JSON in {place}: {error}{}", quotes_cure(&text, "Ada"))
            }
            error => format!("invalid input in {place}: {error}"),
        })
    })
}

/// Returns a hint for invalid JSON that may be a string whose quotes the shell removed; empty for
/// other texts.
pub(crate) fn quotes_cure(text: &str, example: &str) -> String {
    if text.trim_start().starts_with(['{', '[', '"']) {
        return String::new();
    }
    format!("; a JSON string needs its own quotes, such as '\"{example}\"'")
}

/// Converts YAML to JSON.
fn yaml(text: &str, place: &str) -> Result<Json, Failure> {
    read_yaml(place, text)
        .map_err(|found| Failure::Usage(format!("invalid YAML in {place}:\n{found}")))
}

fn standard_input() -> Result<String, Failure> {
    read_text(std::io::stdin()).map_err(|reason| {
        Failure::Usage(format!("cannot read the input from standard input: {reason}"))
    })
}

/// Checks that an input is present exactly when the workflow takes one, and warns of keys that
/// look misspelled. The run checks the values.
///
/// # Errors
///
/// Fails when a required input is missing, or the workflow takes none.
pub(crate) fn check(
    workflow: &dyn Workflow,
    input: Option<&Json>,
    keys: Keys,
) -> Result<(), Failure> {
    let name = workflow.name();
    match (workflow.input(), input) {
        (None, Some(_)) => Err(Failure::Usage(format!(
            "workflow `{name}` takes no input; remove --input and --param"
        ))),
        (Some(kind), None) if kind.read(Json::Null).is_err() => {
            let needed = needed(&kind.schema().unwrap_or_default(), keys);
            Err(Failure::Usage(format!(
                "workflow `{name}` requires an input of type `{kind}`; pass it with --input JSON, \
                 or key by key with {needed}"
            )))
        }
        (Some(kind), Some(input)) => {
            let schema = kind.schema().unwrap_or_default();
            for (key, near) in unknown::keys(&schema, input) {
                output::warning(format_args!(
                    "the input of `{name}` has no key `{key}`; did you mean `{near}`?"
                ));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The options for the required keys of an input.
fn needed(schema: &Json, keys: Keys) -> String {
    let required = fields(schema).into_iter().filter(Field::is_required);
    let options: Vec<String> = required
        .map(|field| match keys {
            Keys::Options => format!("--{}", field.flag()),
            Keys::Parameters => format!("--param {}=VALUE", field.key()),
        })
        .collect();
    if options.is_empty() { "--param KEY=VALUE".to_owned() } else { options.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn given(input: Option<&str>, params: &[&str]) -> Result<Option<Json>, String> {
        let param = params.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        let arguments = InputArguments { input: input.map(str::to_owned), param };
        arguments.json(None).map_err(|failure| failure.to_string())
    }

    #[test]
    fn parameters_keep_their_text() {
        for text in ["3.10", "007", "1234e8", "1e400", "18446744073709551616", "-0", "1.0e2"] {
            assert_eq!(given(None, &[&format!("x={text}")]), Ok(Some(json!({ "x": text }))));
        }
        for (text, value) in [
            ("18446744073709551615", json!(u64::MAX)),
            ("9007199254740993", json!(9_007_199_254_740_993_u64)),
            ("3.1", json!(3.1)),
            ("true", json!(true)),
            ("\"7\"", json!("7")),
        ] {
            assert_eq!(given(None, &[&format!("x={text}")]), Ok(Some(json!({ "x": value }))));
        }
    }

    #[test]
    fn an_expected_number_is_a_number() {
        #[derive(serde::Deserialize)]
        #[expect(dead_code, reason = "only read")]
        struct Wanted {
            rate: f64,
            version: String,
        }
        let kind = Type::opaque::<Wanted>().with_deserialize::<Wanted>();
        let param = ["rate=1.50", "version=3.10"].map(|text| text.parse().expect("a parameter"));
        let arguments = InputArguments { input: None, param: param.to_vec() };
        let input = arguments.json(Some(kind)).map_err(|failure| failure.to_string());
        assert_eq!(input, Ok(Some(json!({ "rate": 1.5, "version": "3.10" }))));
    }

    #[test]
    fn a_number_in_another_form_is_one_where_the_workflow_expects_it() {
        #[derive(serde::Deserialize)]
        #[expect(dead_code, reason = "only read")]
        struct Wanted {
            id: u64,
            #[serde(default)]
            note: String,
        }
        let read = |params: &[&str]| {
            let param = params.iter().map(|text| text.parse().expect("a parameter")).collect();
            let kind = Type::opaque::<Wanted>().with_deserialize::<Wanted>();
            let arguments = InputArguments { input: None, param };
            arguments.json(Some(kind)).map_err(|failure| failure.to_string())
        };
        for (text, number) in [("007", 7), ("+3", 3), ("1e3", 1000), ("0", 0)] {
            assert_eq!(read(&[&format!("id={text}")]), Ok(Some(json!({ "id": number }))));
        }
        let both = read(&["id=007", "note=007"]);
        assert_eq!(both, Ok(Some(json!({ "id": 7, "note": "007" }))));
        // The run says what is wrong with these.
        assert_eq!(read(&["id=1.50"]), Ok(Some(json!({ "id": 1.5 }))));
        assert_eq!(read(&["id=1-2"]), Ok(Some(json!({ "id": "1-2" }))));
        let long = "99999999999999999999999";
        let error = read(&[&format!("id={long}"), &format!("note={long}")]);
        let expected =
            format!("--param id: the number {long} is out of range: it has more than 64 bits");
        assert_eq!(error, Err(expected));
    }

    #[test]
    fn parameters_are_keys_of_an_object() {
        assert_eq!(given(None, &[]), Ok(None));
        assert_eq!(given(Some("[1]"), &[]), Ok(Some(json!([1]))));
        let both = given(Some(r#"{"day": 1, "dry": false}"#), &["day=2", "name=a=b", "x="]);
        assert_eq!(both, Ok(Some(json!({ "day": 2, "dry": false, "name": "a=b", "x": "" }))));
    }

    #[test]
    fn dots_are_paths_into_objects() {
        let input = r#"{"source": {"url": "a", "tries": 1}}"#;
        let params = ["source.tries=2", r"source.a\.b=3", "new.deep.key=[4]", r"back\\slash=5"];
        let expected = json!({
            "source": { "url": "a", "tries": 2, "a.b": 3 },
            "new": { "deep": { "key": [4] } },
            r"back\slash": 5,
        });
        assert_eq!(given(Some(input), &params), Ok(Some(expected)));
        let whole_first = given(None, &[r#"a={"b": 1, "c": 2}"#, "a.b=3"]);
        assert_eq!(whole_first, Ok(Some(json!({ "a": { "b": 3, "c": 2 } }))));
    }

    #[test]
    fn yaml_is_read_as_json() {
        let json = yaml("guests: 3\ntea: [green]\n", "the input").map_err(|_| "no YAML");
        assert_eq!(json, Ok(serde_json::json!({ "guests": 3, "tea": ["green"] })));
        assert!(yaml("a: [", "the input").is_err());
    }

    #[test]
    fn invalid_input_is_an_error() {
        let wrong = |input, params: &[&str]| given(input, params).expect_err("an error");
        assert!(wrong(None, &["day"]).contains("KEY=VALUE"));
        assert!(wrong(None, &["=1"]).contains("KEY=VALUE"));
        assert!(wrong(None, &["a=1", "a=2"]).contains("`a` twice"));
        assert!(wrong(None, &["a.=1"]).contains("empty key"));
        assert!(wrong(None, &["a.b=1", "a=2"]).contains("`a` after `a.b`"));
        assert!(wrong(None, &["a=3", "a.b.c=1"]).contains("`a.b.c`, but `a` is a number"));
        assert!(wrong(Some(r#"{"a.x": []}"#), &[r"a\.x.0=1"]).contains(r"`a\.x` is a list"));
        assert!(wrong(Some("3"), &["a=1"]).contains("--input is not an object"));
        let deep = "a.".repeat(100_000) + "b=1";
        assert!(wrong(None, &[&deep]).contains("at most 64 keys"));
        let deep = "[".repeat(70) + &"]".repeat(70);
        assert!(wrong(Some(&deep), &[]).contains("nested more than 64 levels"));
        assert!(wrong(Some("Ada"), &[]).contains("invalid JSON in --input"));
        assert!(
            wrong(Some("@/no/such/file"), &[])
                .contains("cannot read the input file `/no/such/file`")
        );
    }
}
