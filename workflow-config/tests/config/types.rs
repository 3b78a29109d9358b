//! What is said when a value does not fit its type.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use serde_json::json;
use workflow_config::{Config, Loader};

use crate::{Etl, Folder};

#[test]
fn a_value_of_another_type() {
    let text = "source:\n  url: https://example.com\n  max_retries: R\n";
    assert_snapshot!(Folder::with("integer", text).misfit::<Etl>(), @"
    invalid configuration of `etl`

    error: `source.max_retries`: expected an integer, found a string
     --> etl/config.yaml:3:16
      |
    3 |   max_retries: R
      |                ^
    ");
    let text = "source:\n  url: 8080\n";
    assert_snapshot!(Folder::with("string", text).misfit::<Etl>(), @"
    invalid configuration of `etl`

    error: `source.url`: expected a string, found an integer
     --> etl/config.yaml:2:8
      |
    2 |   url: 8080
      |        ^^^^
      |
      = help: put it in quotes
    ");
    let text = "source:\n  url: a\n  max_retries: -1\n";
    assert_snapshot!(Folder::with("range", text).misfit::<Etl>(), @"
    invalid configuration of `etl`

    error: `source.max_retries`: expected an integer from 0 to 4294967295, found -1
     --> etl/config.yaml:3:16
      |
    3 |   max_retries: -1
      |                ^^
    ");
    let text = "source:\n  url: a\n  max_retries: 1.5\n";
    assert_snapshot!(Folder::with("float", text).misfit::<Etl>(), @"
    invalid configuration of `etl`

    error: `source.max_retries`: expected an integer, found a number
     --> etl/config.yaml:3:16
      |
    3 |   max_retries: 1.5
      |                ^^^
    ");
    assert_snapshot!(Folder::with("list", "source: [a]\n").misfit::<Etl>(), @"
    invalid configuration of `etl`

    error: `source`: expected a map, found a list
     --> etl/config.yaml:1:9
      |
    1 | source: [a]
      |         ^^^
    ");
    let text = "source: {url: a}\nstages:\n  - name: a\n    kind: clear\n";
    assert_snapshot!(Folder::with("choice", text).misfit::<Etl>(), @"
    invalid configuration of `etl`

    error: `stages[0].kind`: unknown choice `clear`
     --> etl/config.yaml:4:11
      |
    4 |     kind: clear
      |           ^^^^^
      |
      = help: did you mean `clean`?
    ");
    let text = "source: {url: a}\nstages:\n  - name: a\n    kind: [clean]\n";
    assert_snapshot!(Folder::with("enum", text).misfit::<Etl>(), @"
    invalid configuration of `etl`

    error: `stages[0].kind`: expected `clean` or `enrich`, found a list
     --> etl/config.yaml:4:11
      |
    4 |     kind: [clean]
      |           ^^^^^^^
    ");
    let text = "source: {url: a}\nstages:\n  - name: a\n    kind: {clean: , enrich: }\n";
    assert_snapshot!(Folder::with("enum2", text).misfit::<Etl>(), @"
    invalid configuration of `etl`

    error: `stages[0].kind`: expected a map with one key, `clean` or `enrich`, found a map with 2 keys
     --> etl/config.yaml:4:11
      |
    4 |     kind: {clean: , enrich: }
      |           ^^^^^^^^^^^^^^^^^^^
    ");
    assert_snapshot!(Folder::with("tuple", "a: [1, 2, 3]\n").misfit::<BTreeMap<String, (u8, u8)>>(), @"
    invalid configuration of `etl`

    error: `a`: expected a list of 2 items, found one of 3
     --> etl/config.yaml:1:4
      |
    1 | a: [1, 2, 3]
      |    ^^^^^^^^^
    ");
    assert_snapshot!(Folder::with("short", "a: [1]\n").misfit::<BTreeMap<String, (u8, u8)>>(), @"
    invalid configuration of `etl`

    error: `a`: expected a list of 2 items, found 1 item
     --> etl/config.yaml:1:4
      |
    1 | a: [1]
      |    ^^^
    ");
    assert_snapshot!(Folder::with("char", "a: bc\n").misfit::<BTreeMap<String, char>>(), @"
    invalid configuration of `etl`

    error: `a`: expected a character, found `bc`
     --> etl/config.yaml:1:4
      |
    1 | a: bc
      |    ^^
    ");
    assert_snapshot!(Folder::with("key", "a: 1\n").misfit::<BTreeMap<u32, u32>>(), @"
    invalid configuration of `etl`

    error: `a`: expected an integer, found a string
     --> etl/config.yaml:1:1
      |
    1 | a: 1
      | ^
    ");
    assert_snapshot!(Folder::with("bool", "a: yes\n").misfit::<BTreeMap<String, bool>>(), @"
    invalid configuration of `etl`

    error: `a`: expected `true` or `false`, found a string
     --> etl/config.yaml:1:4
      |
    1 | a: yes
      |    ^^^
    ");
}

#[test]
fn fields_that_are_unknown_or_missing() {
    let text = "source:\n  url: a\n  max_retrys: 3\n";
    assert_snapshot!(Folder::with("unknown", text).misfit::<Etl>(), @"
    invalid configuration of `etl`

    error: `source.max_retrys`: unknown field `max_retrys`
     --> etl/config.yaml:3:3
      |
    3 |   max_retrys: 3
      |   ^^^^^^^^^^
      |
      = help: did you mean `max_retries`?
    ");
    let text = "source:\n  zzz: a\n";
    assert_snapshot!(Folder::with("unknown2", text).misfit::<Etl>(), @"
    invalid configuration of `etl`

    error: `source.zzz`: unknown field `zzz`
     --> etl/config.yaml:2:3
      |
    2 |   zzz: a
      |   ^^^
      |
      = help: available: url, max_retries
    ");
    let text = "source:\n  max_retries: 3\nstages: []\n";
    assert_snapshot!(Folder::with("missing", text).misfit::<Etl>(), @"
    invalid configuration of `etl`

    error: `source`: the field `url` is missing
     --> etl/config.yaml:2:3
      |
    2 |   max_retries: 3
      |   ^^^^^^^^^^^^^^
      |
      = help: add `url:`
    ");
}

#[test]
fn a_wrong_value_is_traced_to_its_layer() {
    let folder = Folder::with("traced", "source:\n  url: a\n  max_retries: ${RETRIES:-3}\n")
        .file("etl/config.production.yaml", "source:\n  max_retries: many\n");
    let wrong = |loader: Loader| {
        let error = loader.open("etl").expect("fine").read_without_rules::<Etl>();
        folder.text(&error.expect_err("no number"))
    };
    assert_snapshot!(wrong(folder.loader().environment([("RETRIES", "several")])), @"
    invalid configuration of `etl`

    error: `source.max_retries`: expected an integer, found a string
     --> etl/config.yaml:3:16
      |
    3 |   max_retries: ${RETRIES:-3}
      |                ^^^^^^^^^^^^^ the value of `RETRIES`
    ");
    assert_snapshot!(wrong(folder.loader().profile("production")), @"
    invalid configuration of `etl`

    error: `source.max_retries`: expected an integer, found a string
     --> etl/config.production.yaml:2:16
      |
    2 |   max_retries: many
      |                ^^^^
    ");
    let variable = [("WORKFLOW_ETL__SOURCE__MAX_RETRIES", "few")];
    assert_snapshot!(wrong(folder.loader().environment(variable)), @"
    invalid configuration of `etl`

    error: `source.max_retries`: expected an integer, found a string
    --> environment variable `WORKFLOW_ETL__SOURCE__MAX_RETRIES`
    ");
    assert_snapshot!(wrong(folder.loader().set("source.max_retries", "none")), @"
    invalid configuration of `etl`

    error: `source.max_retries`: expected an integer, found a string
    --> override `source.max_retries`
    ");
}

#[test]
fn a_part_has_the_places_of_the_whole() {
    let text = "stages:\n- name: clean\n  options: {trim: maybe, key: [id]}\n";
    let folder = Folder::with("part", text);
    let config = folder.open();
    let key = config.read_part::<Vec<String>>("stages[0].options.key");
    assert_eq!(key.expect("a list of texts"), Some(vec!["id".to_owned()]));
    assert_eq!(config.read_part::<bool>("stages[1].options").expect("no value"), None);
    let error = config.read_part::<BTreeMap<String, bool>>("stages[0].options");
    assert_snapshot!(folder.text(&error.expect_err("a text in place of a boolean")), @"
    invalid configuration of `etl`

    error: `stages[0].options.trim`: expected `true` or `false`, found a string
     --> etl/config.yaml:3:19
      |
    3 |   options: {trim: maybe, key: [id]}
      |                   ^^^^^

    error: `stages[0].options.key`: expected `true` or `false`, found a list
     --> etl/config.yaml:3:31
      |
    3 |   options: {trim: maybe, key: [id]}
      |                               ^^^^
    ");
    let error = config.error_at("stages[0].options.depth", "is required");
    assert_snapshot!(folder.text(&error), @"
    invalid configuration of `etl`

    error: `stages[0].options.depth`: is required
     --> etl/config.yaml:3:12
      |
    3 |   options: {trim: maybe, key: [id]}
      |            ^^^^^^^^^^^^^^^^^^^^^^^^
    ");
}

#[test]
fn a_configuration_from_json_is_a_map() {
    let config = Config::from_json("etl", json!({ "a": { "b": 1 } })).expect("a map");
    assert_eq!(config.read_part::<u8>("a.b").expect("an integer"), Some(1));
    let error = Config::from_json("etl", json!([1])).expect_err("a list");
    assert_snapshot!(error.to_string(), @"
    invalid configuration of `etl`

    error: expected a map, found a list
    --> defaults
    ");
}
