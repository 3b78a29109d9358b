//! Variables inside of files, and everything that can be wrong with them.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::{Folder, value};

#[test]
fn variables_are_replaced_in_files() {
    let text = r#"
whole: ${PORT}
quoted: "${PORT}"
part: "port ${PORT}!"
list: ${LIST}
map: ${MAP}
default: ${NONE:-80}
empty: "${EMPTY:-x}"
kept: "${EMPTY}"
nested: "${NONE:-http://${HOST}:${NONE:-1}/}"
escaped: "$${PORT} $PORT"
again: ${TEMPLATE}
odd: ${ODD}
zip: ${ZIP}
${PORT}: key
"#;
    let folder = Folder::with("variables", text);
    let loader = folder.loader().environment([
        ("PORT", "8080"),
        ("LIST", "[1, b]"),
        ("MAP", "{a: 1}"),
        ("EMPTY", ""),
        ("HOST", "h"),
        ("TEMPLATE", "${PORT}"),
        ("ODD", "*no: [yaml"),
        ("ZIP", "00501"),
    ]);
    assert_snapshot!(format!("{:#}", value(&folder, &loader)), @r#"
    {
      "${PORT}": "key",
      "again": "${PORT}",
      "default": 80,
      "empty": "x",
      "escaped": "${PORT} $PORT",
      "kept": null,
      "list": [
        1,
        "b"
      ],
      "map": {
        "a": 1
      },
      "nested": "http://h:1/",
      "odd": "*no: [yaml",
      "part": "port 8080!",
      "quoted": 8080,
      "whole": 8080,
      "zip": 501
    }
    "#);

    let text: BTreeMap<String, Json> =
        loader.open("etl").expect("fine").read_without_rules().expect("fits");
    assert_eq!(text["zip"], json!(501), "as YAML");
    #[derive(Deserialize)]
    struct Zip {
        zip: String,
        list: String,
    }
    let zip: Zip = loader.open("etl").expect("fine").read_without_rules().expect("fits");
    assert_eq!((zip.zip.as_str(), zip.list.as_str()), ("00501", "[1, b]"), "as it is written");
}

#[test]
fn a_key_on_several_lines_is_not_folded() {
    let folder = Folder::with("pem", "key: ${PEM}\n");
    let pem = "-----BEGIN KEY-----\nabc\ndef # 1\n-----END KEY-----\n";
    let loader = folder.loader().environment([("PEM", pem)]);
    assert_eq!(value(&folder, &loader), json!({ "key": pem }));
}

#[test]
fn all_mistakes_in_variables_are_reported_at_once() {
    let text = "\
url: http://${HOST}/${PATH_:?say where}
token: ${secret:TOKEN}
quoted: \"a ${B}\"
text: |
  line
  and ${C}
nested: ${D:-${E}}
open: a ${F
name: ${2}
way: ${secret:../../etc/passwd}
operator: ${G:+x}
";
    assert_snapshot!(Folder::with("unset", text).wrong(), @r#"
    invalid configuration of `etl`

    error: `url`: the environment variable `HOST` is not set
     --> etl/config.yaml:1:13
      |
    1 | url: http://${HOST}/${PATH_:?say where}
      |             ^^^^^^^
      |
      = help: set it, or give it a default: `${HOST:-..}`

    error: `url`: the environment variable `PATH_` is unset or empty:  say where
     --> etl/config.yaml:1:21
      |
    1 | url: http://${HOST}/${PATH_:?say where}
      |                     ^^^^^^^^^^^^^^^^^^^

    error: `token`: the secret `TOKEN` is not set
     --> etl/config.yaml:2:8
      |
    2 | token: ${secret:TOKEN}
      |        ^^^^^^^^^^^^^^^
      |
      = help: write it to the file `secrets/TOKEN`, or set the environment variable `TOKEN`

    error: `quoted`: the environment variable `B` is not set
     --> etl/config.yaml:3:12
      |
    3 | quoted: "a ${B}"
      |            ^^^^
      |
      = help: set it, or give it a default: `${B:-..}`

    error: `text`: the environment variable `C` is not set
     --> etl/config.yaml:6:7
      |
    6 |   and ${C}
      |       ^^^^
      |
      = help: set it, or give it a default: `${C:-..}`

    error: `nested`: the environment variable `E` is not set
     --> etl/config.yaml:7:14
      |
    7 | nested: ${D:-${E}}
      |              ^^^^
      |
      = help: set it, or give it a default: `${E:-..}`

    error: `open`: this `${` is not closed
     --> etl/config.yaml:8:9
      |
    8 | open: a ${F
      |         ^^^
      |
      = help: add a `}`, or write `$${` for a literal `${`

    error: `name`: `2` is not a valid variable name
     --> etl/config.yaml:9:7
      |
    9 | name: ${2}
      |       ^^^^
      |
      = help: use letters, digits and `_`, or write `$${` for a literal `${`

    error: `way`: `../../etc/passwd` is not a valid secret name
      --> etl/config.yaml:10:6
       |
    10 | way: ${secret:../../etc/passwd}
       |      ^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: use letters, digits, `_`, `-` and `.`, but do not start with `.`

    error: `operator`: `:+x` is not valid after a variable name
      --> etl/config.yaml:11:11
       |
    11 | operator: ${G:+x}
       |           ^^^^^^^
       |
       = help: write `${NAME}`, `${NAME:-default}` or `${NAME:?message}`
    "#);
}

#[test]
fn a_flood_of_errors_is_cut_short() {
    let text: String = (0..300).map(|index| format!("k{index}: ${{A}}\n")).collect();
    let error = Folder::with("flood", &text).loader().open("etl").expect_err("unset");
    let problems = error.problems().expect("problems");
    assert_eq!((problems.errors(), problems.iter().len()), (300, 200));
    assert!(error.to_string().ends_with("and 100 more errors"));
}

#[cfg(unix)]
#[test]
fn variables_that_are_not_utf8_are_reported() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let folder = Folder::with("bytes", "a: ${A}\n");
    let bytes = OsString::from_vec(vec![0xff]);
    let loader = folder.loader().environment([("A", bytes.clone()), ("WORKFLOW_ETL__B", bytes)]);
    assert_snapshot!(folder.text(&loader.open("etl").expect_err("no text")), @"
    invalid configuration of `etl`

    error: `WORKFLOW_ETL__B` is not UTF-8 text
    --> environment variable `WORKFLOW_ETL__B`

    error: `a`: the environment variable `A` is not UTF-8 text
     --> etl/config.yaml:1:4
      |
    1 | a: ${A}
      |    ^^^^
    ");
}
