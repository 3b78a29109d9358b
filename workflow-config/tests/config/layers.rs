//! What lies over what: files, profiles, variables of the environment, overrides.

use insta::assert_snapshot;
use serde_json::json;

use crate::{ETL, Etl, Folder, Kind, value};

#[test]
fn a_file_becomes_a_type() {
    let folder = Folder::with("type", ETL);
    let etl: Etl = folder.loader().load("etl").expect("it fits");
    assert_eq!((etl.source.url.as_str(), etl.source.max_retries), ("https://example.com", 3));
    assert_eq!(etl.stages[0].kind, Kind::Clean);
    assert_eq!(etl.stages[1].kind, Kind::Enrich { columns: vec!["a".into(), "b".into()] });
    assert_eq!(etl.stages[1].name, "second");
}

#[test]
fn later_layers_override_earlier_ones() {
    let folder = Folder::with(
        "layers",
        "file: 1\nprofile: 1\nvariable: 1\nset: 1\nmap: {a: 1, b: 1}\nlist: [1, 2]\n",
    )
    .file(
        "etl/config.production.yaml",
        "profile: 2\nvariable: 2\nset: 2\nmap: {b: 2, c: 2}\nlist: [3]\n",
    );
    let loader = folder
        .loader()
        .defaults(json!({ "default": 0, "file": 0, "profile": 0, "map": { "d": 0 } }))
        .profile("production")
        .environment([("WORKFLOW_ETL__VARIABLE", "3"), ("WORKFLOW_ETL__SET", "3")])
        .set("set", 4)
        .set("map.c", json!(null));
    let expected = json!({
        "default": 0, "file": 1, "profile": 2, "variable": 3, "set": 4,
        "map": { "a": 1, "b": 2, "c": null, "d": 0 }, "list": [3],
    });
    assert_eq!(value(&folder, &loader), expected);
}

#[test]
fn a_profile_may_come_from_the_environment_or_have_no_file() {
    let folder = Folder::with("profile", "a: 1").file("etl/config.test.yaml", "a: 2");
    let with = |profile| folder.loader().environment([("WORKFLOW_PROFILE", profile)]);
    assert_eq!(value(&folder, &with("test")), json!({ "a": 2 }));
    assert_eq!(value(&folder, &with("")), json!({ "a": 1 }));
    assert_eq!(value(&folder, &with("staging")), json!({ "a": 1 }));
    assert_eq!(value(&folder, &with("test").profile("staging")), json!({ "a": 1 }));
    let wrong = with("../test").open("etl").expect_err("no profile");
    assert_snapshot!(wrong, @"the profile `../test` has an invalid name; use letters, digits, `_` and `-`");
}

#[test]
fn variables_of_the_environment_find_their_keys() {
    let folder = Folder::with(
        "keys",
        "Max-Retries: 1\nsource: plain\nstages: [{name: a}]\na_b: 1\na-b: 2\n",
    );
    let with = |name: &str, text: &str| folder.loader().environment([(name, text)]);
    let loader = with("WORKFLOW_ETL__MAX_RETRIES", "5");
    assert_eq!(value(&folder, &loader)["Max-Retries"], json!(5));
    let loader = with("WORKFLOW_ETL__SOURCE__NEW_KEY", "[1, x]");
    assert_eq!(value(&folder, &loader)["source"], json!({ "new_key": [1, "x"] }));
    let wrong = |name: &str| {
        let error = with(name, "x").open("etl").expect_err("no place");
        folder.text(&error)
    };
    assert_snapshot!(wrong("WORKFLOW_ETL__STAGES__0__NAME"), @"
    invalid configuration of `etl`

    error: `WORKFLOW_ETL__STAGES__0__NAME` cannot be set: `stages` is a list
    --> environment variable `WORKFLOW_ETL__STAGES__0__NAME`
     = help: set the whole list, as YAML: `[a, b]`
    ");
    assert_snapshot!(wrong("WORKFLOW_ETL____X"), @"
    invalid configuration of `etl`

    error: `WORKFLOW_ETL____X` cannot be set: one of its keys is empty
    --> environment variable `WORKFLOW_ETL____X`
     = help: name each level between the separators
    ");
    assert_eq!(value(&folder, &with("WORKFLOW_ETL__A_B", "7"))["a_b"], json!(7), "exact wins");
    let folder = Folder::with("keys", "A_b: 1\na-B: 2\n");
    let error = folder.loader().environment([("WORKFLOW_ETL__A_B", "x")]).open("etl");
    assert_snapshot!(folder.text(&error.expect_err("two")), @"
    invalid configuration of `etl`

    error: `WORKFLOW_ETL__A_B` cannot be set: it matches both `A_b` and `a-B`
    --> environment variable `WORKFLOW_ETL__A_B`
     = help: rename one of the keys
    ");
    let twice = folder.loader().environment([("WORKFLOW_ETL__C", "x"), ("WORKFLOW_ETL__c", "y")]);
    assert_snapshot!(folder.text(&twice.open("etl").expect_err("two")), @"
    invalid configuration of `etl`

    error: `WORKFLOW_ETL__C` and `WORKFLOW_ETL__c` set the same value
    --> environment variable `WORKFLOW_ETL__c`
     = help: unset one of them
    ");
}

#[test]
fn overrides_have_paths() {
    let folder = Folder::with("overrides", "stages: [a]\n");
    let wrong =
        folder.loader().set("stages.0", 1).set("a..b", 2).open("etl").expect_err("no place");
    assert_snapshot!(folder.text(&wrong), @"
    invalid configuration of `etl`

    error: `stages.0` cannot be set: `stages` is a list
    --> override `stages.0`
     = help: set the whole list, as YAML: `[a, b]`

    error: `a..b` cannot be set: one of its keys is empty
    --> override `a..b`
     = help: name each level between the separators
    ");
}
