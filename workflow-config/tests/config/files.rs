//! Which files are found, and what they must be.

use std::path::Path;
use std::time::Duration;

use insta::assert_snapshot;
use serde_json::json;
use workflow_config::{ConfigError, Loader};
use workflow_core::prelude::*;

use crate::Folder;

#[test]
fn files_that_are_no_configuration() {
    assert_snapshot!(Folder::with("scalar", "just text\n").wrong(), @"
    invalid configuration of `etl`

    error: expected a map, found a string
     --> etl/config.yaml:1:1
      |
    1 | just text
      | ^^^^^^^^^
      |
      = help: give each value a name: `name: value`
    ");
    assert_snapshot!(Folder::with("yaml", "a: [1\nb: 2\n").wrong(), @"
    invalid configuration of `etl`

    error: invalid YAML: `[` is not closed
     --> etl/config.yaml:1:4
      |
    1 | a: [1
      |    ^
      |
      = help: close it with `]`; if it is text, put it in quotes, or write it below `a: |`
    ");
    let folder = Folder::with("both", "a: 1\na: 2\n").file("etl/config.test.yaml", "- 1\n");
    let error = folder.loader().profile("test").open("etl").expect_err("two errors");
    assert_snapshot!(folder.text(&error), @"
    invalid configuration of `etl`

    error: the key `a` is given twice
     --> etl/config.yaml:2:1
      |
    1 | a: 1
      | - first here
    2 | a: 2
      | ^ duplicate
      |
      = help: remove one of them, or rename it

    error: expected a map, found a list
     --> etl/config.test.yaml:1:1
      |
    1 | - 1
      | ^^^
      |
      = help: give each value a name: `name: value`
    ");
    assert_eq!(Folder::with("empty", "# nothing\n").open().value(), json!({}));
    let file = Folder::new("nowhere").0.join("x.yaml");
    let error = Loader::new().file(&file).open("etl").expect_err("no file").to_string();
    assert!(error.contains("cannot read `") && error.contains("x.yaml`: "), "{error}");
}

#[test]
fn files_are_found_in_order() {
    let folder = Folder::new("order")
        .file("one/etl/config.json", r#"{ "from": "one" }"#)
        .file("two/etl/config.yaml", "from: two")
        .file("three/etl/config.yml", "from: three")
        .file("three/other/config.yaml", "from: three");
    let (one, two, three) = (folder.0.join("one"), folder.0.join("two"), folder.0.join("three"));
    let many = std::env::join_paths([&two, &three]).expect("paths");
    let loader = Loader::new().environment([("WORKFLOW_CONFIG_DIR", many)]);
    let from = |loader: &Loader| loader.open("etl").expect("a file").value()["from"].clone();
    assert_eq!(from(&loader), json!("two"));
    assert_eq!(from(&loader.clone().dir(&one)), json!("one"));
    assert_eq!(from(&loader.clone().file(three.join("other/config.yaml"))), json!("three"));
    let listed = loader.clone().dir(&three).list().expect("a list");
    let listed: Vec<_> = listed
        .iter()
        .filter(|found| found.file.starts_with(&folder.0))
        .map(|found| (found.name.as_str(), found.file.strip_prefix(&folder.0).expect("inside")))
        .collect();
    let expected = [
        ("etl", Path::new("three/etl/config.yml")),
        ("other", Path::new("three/other/config.yaml")),
    ];
    assert_eq!(listed, expected);
}

#[test]
fn list_names_profiles_and_raw_returns_the_text() {
    let folder = Folder::with("raw", "a: ${B}\n")
        .file("etl/config.production.yaml", "a: 1 # one\n")
        .file("etl/config.test.json", "{}")
        .file("etl/config.test.txt", "")
        .file("etl/configuration.yaml", "");
    let found = folder.loader().list().expect("a list");
    let etl = found.iter().find(|found| found.name == "etl").expect("it is found");
    assert_eq!(etl.profiles, ["production", "test"]);
    let raw = folder.loader().profile("production").raw("etl").expect("files");
    let texts: Vec<_> = raw.iter().map(|file| file.text.as_str()).collect();
    assert_eq!(texts, ["a: ${B}\n", "a: 1 # one\n"]);
}

#[test]
fn names_do_not_leave_the_folder() {
    let folder = Folder::new("inside/dir").file("../outside/config.yaml", "a: 1");
    let wrong = |name: &str| folder.text(&folder.loader().open(name).expect_err("no such name"));
    assert_snapshot!(wrong("../outside"), @"`../outside` cannot be the name of a folder, so its configuration cannot be found; rename the workflow, or load the file by its path");
    assert_snapshot!(wrong(".."), @"`..` cannot be the name of a folder, so its configuration cannot be found; rename the workflow, or load the file by its path");
    assert_snapshot!(wrong("/etc"), @"`/etc` cannot be the name of a folder, so its configuration cannot be found; rename the workflow, or load the file by its path");
    assert_snapshot!(wrong(""), @"invalid workflow name: a name is empty; give it 1 to 200 characters");
    let file = folder.0.join("../outside/config.yaml");
    assert!(folder.loader().file(file).open("daily / etl").is_ok(), "a file that is given is read");
}

#[test]
fn a_missing_configuration_is_reported_with_a_suggestion() {
    let folder = Folder::with("absent", "a: 1");
    let wrong = folder.loader().open("elt").expect_err("not there");
    assert_snapshot!(folder.text(&wrong), @"`elt` has no configuration (did you mean `etl`?); searched for `config.yaml` in `elt`, `workflows/elt`; create `workflows/elt/config.yaml`, or set `WORKFLOW_CONFIG_DIR` to the folder with `elt/config.yaml`");
    folder.write("etl/config.json", "{}");
    assert_snapshot!(folder.text(&folder.loader().open("etl").expect_err("two")), @"both `etl/config.yaml` and `etl/config.json` are possible configurations; remove one of them");
}

#[register_workflow(name = "config_beside_its_source")]
fn beside() {}

#[test]
fn a_file_beside_the_source_is_found() {
    let none: [(&str, &str); 0] = [];
    let loader = Loader::new().environment(none);
    // There is none beside this test; but it is looked for.
    let wrong = loader.open("config_beside_its_source").expect_err("not there");
    let ConfigError::NotFound { searched, .. } = wrong else { panic!("{wrong}") };
    assert!(
        searched.iter().any(|folder| folder.ends_with("workflow-config/tests/config")),
        "{searched:?}"
    );
}

#[test]
fn a_change_of_a_file_is_seen() {
    let folder = Folder::with("cache", "a: ${A}\nb: ${secret:B}\n").file("secrets/B", "1");
    let loader = folder.loader().environment([("A", "1")]);
    let exposed = || loader.open("etl").expect("fine").exposed_value();
    assert_eq!(exposed(), json!({ "a": 1, "b": "1" }));

    folder.write("etl/config.yaml", "a: 2 # and longer\n");
    assert_eq!(exposed(), json!({ "a": 2 }), "another length");
    folder.write("etl/config.yaml", "a: 3 # and longer\n");
    folder.age(&folder.0.join("etl/config.yaml"), Duration::from_secs(60));
    assert_eq!(exposed(), json!({ "a": 3 }), "another time");
    folder.write("etl/config.yaml", "a: ${secret:B}\n");
    folder.write("secrets/B", "2");
    assert_eq!(exposed(), json!({ "a": "2" }));
    folder.write("secrets/B", "three");
    assert_eq!(exposed(), json!({ "a": "three" }), "a secret");
}
