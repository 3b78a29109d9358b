//! Rules beyond types: those of the types themselves, those of `garde`, those of declared types.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use serde::Deserialize;
use workflow_config::Rules;

use crate::{ETL, Etl, Folder};

#[test]
fn every_violated_rule_is_listed() {
    let text = "\
source:
  url: http://example.com
  max_retries: 11
stages:
  - name: a
    kind: clean
  - name: ''
    kind: clean
";
    let folder = Folder::with("rules", text);
    let loader = folder.loader().environment([("WORKFLOW_ETL__SOURCE__MAX_RETRIES", "12")]);
    let error = loader.load::<Etl>("etl").expect_err("violated");
    assert_snapshot!(folder.text(&error), @"
    invalid configuration of `etl`

    error: `source.url`: must begin with `https://`
     --> etl/config.yaml:2:8
      |
    2 |   url: http://example.com
      |        ^^^^^^^^^^^^^^^^^^

    error: `source.max_retries`: must be at most 10, is 12
    --> environment variable `WORKFLOW_ETL__SOURCE__MAX_RETRIES`

    error: `stages[1].name`: must not be empty
     --> etl/config.yaml:7:11
      |
    7 |   - name: ''
      |           ^^
    ");
    let paths: Vec<_> = error.problems().expect("problems").iter().map(|one| one.path()).collect();
    assert_eq!(paths, [Some("source.url"), Some("source.max_retries"), Some("stages[1].name")]);
    loader.open("etl").expect("fine").read_without_rules::<Etl>().expect("the types fit");
}

#[cfg(feature = "garde")]
mod garde_rules {
    use garde::Validate;

    use super::*;

    #[derive(Debug, Deserialize, Validate)]
    #[serde(rename_all = "camelCase")]
    struct Job {
        #[garde(range(min = 1, max = 10))]
        max_retries: u32,
        #[garde(dive)]
        stages: Vec<Step>,
    }

    #[derive(Debug, Deserialize, Validate)]
    struct Step {
        #[garde(ascii, length(min = 1))]
        name: String,
    }

    #[test]
    fn violations_are_shown_at_renamed_fields() {
        let folder = Folder::with("garde", "maxRetries: 0\nstages:\n  - name: a\n  - name: é\n");
        let error = folder.loader().load::<Job>("etl").expect_err("violated");
        assert_snapshot!(folder.text(&error), @"
        invalid configuration of `etl`

        error: `max_retries`: lower than 1
         --> etl/config.yaml:1:13
          |
        1 | maxRetries: 0
          |             ^

        error: `stages[1].name`: not ascii
         --> etl/config.yaml:4:11
          |
        4 |   - name: é
          |           ^
        ");
    }

    #[test]
    fn rules_may_be_implemented_by_hand() {
        let folder = Folder::with("by_hand", ETL);
        assert!(folder.loader().load::<Etl>("etl").is_ok());
    }
}

#[test]
fn declared_types_are_validated() {
    let folder = Folder::new("declared")
        .file("config_is_declared/config.yaml", "source: {url: 'http://a', max_retries: 11}");
    workflow_config::declare::<Etl>("config_is_declared");
    workflow_config::declare::<Lists>("config_is_declared");
    let error = folder.loader().validate("config_is_declared").expect_err("violated");
    let problems = error.problems().expect("problems");
    assert_eq!((problems.errors(), problems.iter().len()), (3, 3), "{error}");
}

#[derive(Deserialize)]
struct Lists(#[expect(dead_code, reason = "only its type matters")] BTreeMap<String, Vec<u8>>);

impl Rules for Lists {}

workflow_config::declare!("config_is_declared_where_linked", Lists);

#[test]
fn types_that_are_declared_where_they_are_linked_are_validated() {
    let name = "config_is_declared_where_linked";
    let problems = Folder::new("declared_where_linked").loader().validate_declared();
    let texts: Vec<_> = problems.expect_err("no file").iter().map(ToString::to_string).collect();
    assert!(texts.iter().any(|text| text.contains(name)), "{texts:?}");

    let folder = Folder::new("declared_where_linked")
        .file(&format!("{name}/config.yaml"), "a: [1]\nb: [300]\n");
    let error = folder.loader().validate(name).expect_err("no byte");
    assert!(error.to_string().contains("config.yaml:2:5"), "{error}");
}
