//! All mistakes are told at once, each with its place.

use serde::Deserialize;
use serde_json::json;
use workflow_config::{Config, ConfigError, Rules};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "values are only read into it")]
struct Section {
    #[serde(default)]
    retries: u32,
    #[serde(default)]
    kind: Kind,
    size: Option<u8>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    File,
    Api,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "values are only read into it")]
struct Settings {
    name: String,
    section: Option<Section>,
    #[serde(default)]
    list: Vec<Section>,
    #[serde(default, rename = "a.b")]
    dotted: u8,
}

impl Rules for Settings {}

/// The paths with the messages.
fn mistakes(config: serde_json::Value) -> Vec<String> {
    let config = Config::from_json("w", config).expect("a map");
    let error = config.read::<Settings>().map(|read| format!("{read:?}")).expect_err("a mistake");
    let problems = error.problems().expect("mistakes in values");
    problems
        .iter()
        .map(|problem| format!("{}: {}", problem.path().unwrap_or("-"), problem.message()))
        .collect()
}

#[test]
fn one_mistake_does_not_hide_the_others() {
    let section = json!({ "retries": "R", "kind": "fil", "size": 256, "extra": 1 });
    let found = mistakes(json!({
        "name": 7, "section": section, "list": [{ "size": "x" }, { "size": "y" }, 3], "a.b": -1,
    }));
    let mut sorted = found.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        [
            "a.b: expected an integer from 0 to 255, found -1",
            "list[0].size: expected an integer, found a string",
            "list[1].size: expected an integer, found a string",
            "list[2]: expected a map, found an integer",
            "name: expected a string, found an integer",
            "section.extra: unknown field `extra`",
            "section.kind: unknown choice `fil`",
            "section.retries: expected an integer, found a string",
            "section.size: expected an integer from 0 to 255, found 256",
        ]
    );
}

#[test]
fn what_is_missing_is_told_once() {
    let found = mistakes(json!({ "section": { "retries": [] } }));
    assert_eq!(
        found,
        ["section.retries: expected an integer, found a list", "-: the field `name` is missing"]
    );
}

#[test]
fn numbers_that_are_texts_are_told_apart() {
    let retries = |retries: &str| {
        mistakes(json!({ "name": "n", "section": { "retries": retries } })).join("; ")
    };
    let expected = "section.retries: expected an integer, found `5`, in quotes";
    assert_eq!(retries("5"), expected);
    let expected =
        "section.retries: expected an integer, found `99999999999999999999`, which is too large";
    assert_eq!(retries("99999999999999999999"), expected);
}

#[test]
fn what_an_empty_file_lacks_is_missing_there() {
    let folder = crate::Folder::with("empty_file", "# Nothing yet.\n");
    let said = folder.misfit::<Settings>();
    let expected = "the field `name` is missing\n --> etl/config.yaml:1:1";
    assert!(said.contains(expected), "{said}");
}

fn is_named_ada(config: &Config) -> Result<(), ConfigError> {
    match config.read_part::<String>("name")?.as_deref() {
        Some("Ada") => Ok(()),
        _ => Err(config.error_at("name", "only Ada is let in")),
    }
}

workflow_config::check!("guarded", is_named_ada);
workflow_config::declare!("guarded", Settings);

#[test]
fn declared_functions_check_beside_types() {
    let folder = crate::Folder::new("guarded");
    let validate = |text: &str| {
        folder.write("guarded/config.yaml", text);
        folder.loader().validate("guarded").map(drop).map_err(|error| error.to_string())
    };
    assert!(workflow_config::is_declared("guarded"));
    assert_eq!(validate("name: Ada"), Ok(()));
    let said = validate("name: Bob\nlist: 3").expect_err("two mistakes");
    assert!(said.contains("only Ada is let in") && said.contains("expected a list"), "{said}");
}
