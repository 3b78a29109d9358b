//! Configuration as a host and its author of files meet it: layers, variables, secrets, and the
//! text of every diagnostic.
#![cfg(feature = "yaml")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use insta::assert_snapshot;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use workflow_core::config::{Config, ConfigError, Loader, Origin, Rules, Secret, Violations};
use workflow_core::prelude::*;

/// A folder of configurations that belongs to one test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("config").join(test);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
            _ => fs::create_dir_all(&path).expect("a folder"),
        }
        Self(path)
    }

    /// A folder with the `config.yaml` of `etl`.
    fn with(test: &str, text: &str) -> Self {
        Self::new(test).file("etl/config.yaml", text)
    }

    /// The folder with one more file.
    fn file(self, path: &str, text: &str) -> Self {
        self.write(path, text);
        self
    }

    /// Writes a file that was last changed long ago, which is how most files are.
    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).expect("a file");
        self.age(&path, Duration::from_secs(3600));
    }

    fn age(&self, path: &Path, age: Duration) {
        let file = File::options().write(true).open(path).expect("the file");
        file.set_modified(SystemTime::now() - age).expect("its time can be set");
    }

    /// A loader that sees this folder and no environment.
    fn loader(&self) -> Loader {
        let none: [(&str, &str); 0] = [];
        Loader::new().dir(&self.0).secrets_dir(self.0.join("secrets")).environment(none)
    }

    fn open(&self) -> Config {
        self.loader().open("etl").unwrap_or_else(|error| panic!("{error}"))
    }

    /// The error's text, without the place of the folder.
    fn text(&self, error: &ConfigError) -> String {
        error.to_string().replace(&format!("{}/", self.0.display()), "")
    }

    fn wrong(&self) -> String {
        self.text(&self.loader().open("etl").expect_err("no configuration"))
    }

    fn misfit<T: DeserializeOwned>(&self) -> String {
        let wrong = self.open().read_without_rules::<T>().err().expect("no such type");
        self.text(&wrong)
    }
}

fn value(folder: &Folder, loader: &Loader) -> Json {
    loader.open("etl").unwrap_or_else(|error| panic!("{}", folder.text(&error))).value()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Etl {
    source: Source,
    #[serde(default)]
    stages: Vec<Stage>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    url: String,
    #[serde(default)]
    max_retries: u32,
}

#[derive(Debug, Deserialize)]
struct Stage {
    name: String,
    kind: Kind,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Clean,
    Enrich { columns: Vec<String> },
}

impl Rules for Etl {
    fn check(&self, violations: &mut Violations) {
        violations.field("source", &self.source);
        for (index, stage) in self.stages.iter().enumerate() {
            if stage.name.is_empty() {
                violations.add(format!("stages[{index}].name"), "must not be empty");
            }
        }
    }
}

impl Rules for Source {
    fn check(&self, violations: &mut Violations) {
        if !self.url.starts_with("https://") {
            violations.add("url", "must begin with `https://`");
        }
        if self.max_retries > 10 {
            violations.add("max_retries", format!("must be at most 10, is {}", self.max_retries));
        }
    }
}

const ETL: &str = "\
source:
  url: https://example.com
  max_retries: 3
stages:
  - name: first
    kind: clean
  - name: second
    kind:
      enrich:
        columns: [a, b]
";

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
fn layers_lie_over_each_other() {
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
    assert_snapshot!(wrong, @"the profile `../test` is not well named; use letters, digits, `_` and `-`");
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
    the configuration of `etl` is not valid

    error: `WORKFLOW_ETL__STAGES__0__NAME` cannot be set: `stages` is a list
    --> environment variable `WORKFLOW_ETL__STAGES__0__NAME`
     = help: set the whole list, as YAML: `[a, b]`
    ");
    assert_snapshot!(wrong("WORKFLOW_ETL____X"), @"
    the configuration of `etl` is not valid

    error: `WORKFLOW_ETL____X` cannot be set: a key in it is empty
    --> environment variable `WORKFLOW_ETL____X`
     = help: name each level between the separators
    ");
    assert_eq!(value(&folder, &with("WORKFLOW_ETL__A_B", "7"))["a_b"], json!(7), "exact wins");
    let folder = Folder::with("keys", "A_b: 1\na-B: 2\n");
    let error = folder.loader().environment([("WORKFLOW_ETL__A_B", "x")]).open("etl");
    assert_snapshot!(folder.text(&error.expect_err("two")), @"
    the configuration of `etl` is not valid

    error: `WORKFLOW_ETL__A_B` cannot be set: it could mean `A_b` or `a-B`
    --> environment variable `WORKFLOW_ETL__A_B`
     = help: rename one of the keys
    ");
    let twice = folder.loader().environment([("WORKFLOW_ETL__C", "x"), ("WORKFLOW_ETL__c", "y")]);
    assert_snapshot!(folder.text(&twice.open("etl").expect_err("two")), @"
    the configuration of `etl` is not valid

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
    the configuration of `etl` is not valid

    error: `stages.0` cannot be set: `stages` is a list
    --> override `stages.0`
     = help: set the whole list, as YAML: `[a, b]`

    error: `a..b` cannot be set: a key in it is empty
    --> override `a..b`
     = help: name each level between the separators
    ");
}

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
fn what_is_wrong_with_variables_is_said_all_at_once() {
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
    the configuration of `etl` is not valid

    error: `url`: the environment variable `HOST` is not set
     --> etl/config.yaml:1:13
      |
    1 | url: http://${HOST}/${PATH_:?say where}
      |             ^^^^^^^
      |
      = help: set it, or give it a default: `${HOST:-..}`

    error: `url`: the environment variable `PATH_` is not set, or empty: say where
     --> etl/config.yaml:1:21
      |
    1 | url: http://${HOST}/${PATH_:?say where}
      |                     ^^^^^^^^^^^^^^^^^^^

    error: `token`: there is no secret `TOKEN`
     --> etl/config.yaml:2:8
      |
    2 | token: ${secret:TOKEN}
      |        ^^^^^^^^^^^^^^^
      |
      = help: put it into the file `secrets/TOKEN`, or into the environment variable `TOKEN`

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

    error: `open`: this `${` is never closed
     --> etl/config.yaml:8:9
      |
    8 | open: a ${F
      |         ^^^
      |
      = help: add a `}`, or write `$${` if it is meant as text

    error: `name`: `2` is no name of a variable
     --> etl/config.yaml:9:7
      |
    9 | name: ${2}
      |       ^^^^
      |
      = help: use letters, digits and `_`, or write `$${` if it is meant as text

    error: `way`: `../../etc/passwd` is no name of a secret
      --> etl/config.yaml:10:6
       |
    10 | way: ${secret:../../etc/passwd}
       |      ^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: use letters, digits, `_`, `-` and `.`, which does not come first

    error: `operator`: `:+x` means nothing after the name of a variable
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
fn variables_that_are_no_text() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let folder = Folder::with("bytes", "a: ${A}\n");
    let bytes = OsString::from_vec(vec![0xff]);
    let loader = folder.loader().environment([("A", bytes.clone()), ("WORKFLOW_ETL__B", bytes)]);
    assert_snapshot!(folder.text(&loader.open("etl").expect_err("no text")), @"
    the configuration of `etl` is not valid

    error: `WORKFLOW_ETL__B` is not UTF-8 text
    --> environment variable `WORKFLOW_ETL__B`

    error: `a`: the environment variable `A` is not UTF-8 text
     --> etl/config.yaml:1:4
      |
    1 | a: ${A}
      |    ^^^^
    ");
}

#[test]
fn a_value_of_another_type() {
    let text = "source:\n  url: https://example.com\n  max_retries: R\n";
    assert_snapshot!(Folder::with("integer", text).misfit::<Etl>(), @"
    the configuration of `etl` is not valid

    error: `source.max_retries`: expected an integer, found a string
     --> etl/config.yaml:3:16
      |
    3 |   max_retries: R
      |                ^
    ");
    let text = "source:\n  url: 8080\n";
    assert_snapshot!(Folder::with("string", text).misfit::<Etl>(), @"
    the configuration of `etl` is not valid

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
    the configuration of `etl` is not valid

    error: `source.max_retries`: expected an integer from 0 to 4294967295, found -1
     --> etl/config.yaml:3:16
      |
    3 |   max_retries: -1
      |                ^^
    ");
    let text = "source:\n  url: a\n  max_retries: 1.5\n";
    assert_snapshot!(Folder::with("float", text).misfit::<Etl>(), @"
    the configuration of `etl` is not valid

    error: `source.max_retries`: expected an integer, found a number
     --> etl/config.yaml:3:16
      |
    3 |   max_retries: 1.5
      |                ^^^
    ");
    assert_snapshot!(Folder::with("list", "source: [a]\n").misfit::<Etl>(), @"
    the configuration of `etl` is not valid

    error: `source`: expected a map, found a list
     --> etl/config.yaml:1:9
      |
    1 | source: [a]
      |         ^^^
    ");
    let text = "source: {url: a}\nstages:\n  - name: a\n    kind: clear\n";
    assert_snapshot!(Folder::with("choice", text).misfit::<Etl>(), @"
    the configuration of `etl` is not valid

    error: `stages[0].kind`: `clear` is no choice here
     --> etl/config.yaml:4:11
      |
    4 |     kind: clear
      |           ^^^^^
      |
      = help: did you mean `clean`?
    ");
    let text = "source: {url: a}\nstages:\n  - name: a\n    kind: [clean]\n";
    assert_snapshot!(Folder::with("enum", text).misfit::<Etl>(), @"
    the configuration of `etl` is not valid

    error: `stages[0].kind`: expected `clean` or `enrich`, found a list
     --> etl/config.yaml:4:11
      |
    4 |     kind: [clean]
      |           ^^^^^^^
    ");
    let text = "source: {url: a}\nstages:\n  - name: a\n    kind: {clean: , enrich: }\n";
    assert_snapshot!(Folder::with("enum2", text).misfit::<Etl>(), @"
    the configuration of `etl` is not valid

    error: `stages[0].kind`: expected a map with one key, `clean` or `enrich`, found a map with 2 keys
     --> etl/config.yaml:4:11
      |
    4 |     kind: {clean: , enrich: }
      |           ^^^^^^^^^^^^^^^^^^^
    ");
    assert_snapshot!(Folder::with("tuple", "a: [1, 2, 3]\n").misfit::<BTreeMap<String, (u8, u8)>>(), @"
    the configuration of `etl` is not valid

    error: `a`: expected a list of 2 items, found one of 3
     --> etl/config.yaml:1:4
      |
    1 | a: [1, 2, 3]
      |    ^^^^^^^^^
    ");
    assert_snapshot!(Folder::with("short", "a: [1]\n").misfit::<BTreeMap<String, (u8, u8)>>(), @"
    the configuration of `etl` is not valid

    error: `a`: expected a list of 2 items, found 1 item
     --> etl/config.yaml:1:4
      |
    1 | a: [1]
      |    ^^^
    ");
    assert_snapshot!(Folder::with("char", "a: bc\n").misfit::<BTreeMap<String, char>>(), @"
    the configuration of `etl` is not valid

    error: `a`: expected a character, found `bc`
     --> etl/config.yaml:1:4
      |
    1 | a: bc
      |    ^^
    ");
    assert_snapshot!(Folder::with("key", "a: 1\n").misfit::<BTreeMap<u32, u32>>(), @"
    the configuration of `etl` is not valid

    error: `a`: expected an integer, found a string
     --> etl/config.yaml:1:1
      |
    1 | a: 1
      | ^
    ");
    assert_snapshot!(Folder::with("bool", "a: yes\n").misfit::<BTreeMap<String, bool>>(), @"
    the configuration of `etl` is not valid

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
    the configuration of `etl` is not valid

    error: `source.max_retrys`: `max_retrys` is no field here
     --> etl/config.yaml:3:3
      |
    3 |   max_retrys: 3
      |   ^^^^^^^^^^
      |
      = help: did you mean `max_retries`?
    ");
    let text = "source:\n  zzz: a\n";
    assert_snapshot!(Folder::with("unknown2", text).misfit::<Etl>(), @"
    the configuration of `etl` is not valid

    error: `source.zzz`: `zzz` is no field here
     --> etl/config.yaml:2:3
      |
    2 |   zzz: a
      |   ^^^
      |
      = help: there are: url, max_retries
    ");
    let text = "source:\n  max_retries: 3\nstages: []\n";
    assert_snapshot!(Folder::with("missing", text).misfit::<Etl>(), @"
    the configuration of `etl` is not valid

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
    the configuration of `etl` is not valid

    error: `source.max_retries`: expected an integer, found a string
     --> etl/config.yaml:3:16
      |
    3 |   max_retries: ${RETRIES:-3}
      |                ^^^^^^^^^^^^^ the value of `RETRIES`
    ");
    assert_snapshot!(wrong(folder.loader().profile("production")), @"
    the configuration of `etl` is not valid

    error: `source.max_retries`: expected an integer, found a string
     --> etl/config.production.yaml:2:16
      |
    2 |   max_retries: many
      |                ^^^^
    ");
    let variable = [("WORKFLOW_ETL__SOURCE__MAX_RETRIES", "few")];
    assert_snapshot!(wrong(folder.loader().environment(variable)), @"
    the configuration of `etl` is not valid

    error: `source.max_retries`: expected an integer, found a string
    --> environment variable `WORKFLOW_ETL__SOURCE__MAX_RETRIES`
    ");
    assert_snapshot!(wrong(folder.loader().set("source.max_retries", "none")), @"
    the configuration of `etl` is not valid

    error: `source.max_retries`: expected an integer, found a string
    --> override `source.max_retries`
    ");
}

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
    the configuration of `etl` is not valid

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
        the configuration of `etl` is not valid

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
    fn rules_written_by_hand_stay_possible() {
        let folder = Folder::with("by_hand", ETL);
        assert!(folder.loader().load::<Etl>("etl").is_ok());
    }
}

#[derive(Debug, Deserialize)]
struct WithSecrets {
    token: Secret,
    #[serde(default)]
    url: Option<Secret<String>>,
    #[serde(default)]
    #[expect(dead_code, reason = "only its type matters")]
    port: Option<u16>,
}

#[test]
fn secrets_are_read_and_never_shown() {
    let folder = Folder::with(
        "secrets",
        "token: ${secret:TOKEN}\nurl: https://u:${secret:PASSWORD}@host\nplain: 1\n",
    )
    .file("secrets/TOKEN", "12345\n");
    let loader = folder.loader().environment([("PASSWORD", "p@ss"), ("TOKEN", "weaker")]);
    let config = loader.open("etl").expect("fine");
    assert_eq!(config.value(), json!({ "token": "***", "url": "***", "plain": 1 }));
    let exposed = json!({ "token": "12345", "url": "https://u:p@ss@host", "plain": 1 });
    assert_eq!(config.exposed_value(), exposed);
    let typed: WithSecrets = config.read_without_rules().expect("it fits");
    assert_eq!(typed.token.expose(), "12345");
    assert_eq!(typed.url.as_ref().map(|url| url.expose().as_str()), Some("https://u:p@ss@host"));
    assert_eq!(format!("{typed:?}"), "WithSecrets { token: ***, url: Some(***), port: None }");
    assert_eq!(serde_json::to_value(&typed.token).expect("JSON"), json!("***"));
}

#[test]
fn what_replaces_a_secret_is_one() {
    let folder = Folder::with("replaced", "token: ${secret:TOKEN}\n");
    let loader = folder.loader().environment([("WORKFLOW_ETL__TOKEN", "[a, 77]")]);
    assert_eq!(value(&folder, &loader), json!({ "token": ["***", "***"] }));
}

#[test]
fn errors_do_not_tell_secrets() {
    #[derive(Debug, Deserialize)]
    #[serde(try_from = "String")]
    #[expect(dead_code, reason = "it is never made")]
    struct Picky(String);
    impl TryFrom<String> for Picky {
        type Error = String;
        fn try_from(text: String) -> Result<Self, String> {
            Err(format!("{text} will not do"))
        }
    }
    #[derive(Debug, Deserialize)]
    #[serde(try_from = "BTreeMap<String, String>")]
    #[expect(dead_code, reason = "it is never made")]
    struct Whole(BTreeMap<String, String>);
    impl TryFrom<BTreeMap<String, String>> for Whole {
        type Error = String;
        fn try_from(map: BTreeMap<String, String>) -> Result<Self, String> {
            Err(format!("{map:?} will not do"))
        }
    }
    struct Chatty;
    impl<'de> Deserialize<'de> for Chatty {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            BTreeMap::<String, String>::deserialize(deserializer).map(|_| Self)
        }
    }
    impl Rules for Chatty {
        fn check(&self, violations: &mut Violations) {
            violations.add("token", "hunter\"2 is weak");
        }
    }

    let folder =
        Folder::with("silent", "token: ${secret:TOKEN}\n").file("secrets/TOKEN", "hunter\"2");
    let texts = [
        folder.misfit::<BTreeMap<String, u32>>(),
        folder.misfit::<BTreeMap<String, Kind>>(),
        folder.misfit::<BTreeMap<String, Picky>>(),
        folder.misfit::<BTreeMap<String, char>>(),
        folder.misfit::<Whole>(),
        folder.text(&folder.open().read::<Chatty>().err().expect("a violation")),
    ];
    let text = texts.join("\n\n");
    assert!(!text.contains("hunter"), "{text}");
    assert_snapshot!(text, @r#"
    the configuration of `etl` is not valid

    error: `token`: expected an integer, found a string
    --> etl/config.yaml:1:8
     = note: the value of `TOKEN`

    the configuration of `etl` is not valid

    error: `token`: `***` is no choice here
    --> etl/config.yaml:1:8
     = note: the value of `TOKEN`
     = help: there are: clean, enrich

    the configuration of `etl` is not valid

    error: `token`: the secret does not fit
    --> etl/config.yaml:1:8
     = note: the value of `TOKEN`

    the configuration of `etl` is not valid

    error: `token`: expected a character, found `***`
    --> etl/config.yaml:1:8
     = note: the value of `TOKEN`

    the configuration of `etl` is not valid

    error: {"token": "***"} will not do
     --> etl/config.yaml:1:1
      |
    1 | token: ${secret:TOKEN}
      | ^^^^^^^^^^^^^^^^^^^^^^

    the configuration of `etl` is not valid

    error: `token`: *** is weak
    --> etl/config.yaml:1:8
     = note: the value of `TOKEN`
    "#);

    let folder = Folder::with("literal", "token: [hunter2]\n");
    assert_snapshot!(folder.misfit::<WithSecrets>(), @"
    the configuration of `etl` is not valid

    error: `token`: expected a string, found a list
    --> etl/config.yaml:1:8
    ");
}

#[test]
fn a_secret_that_cannot_be_read() {
    let folder = Folder::with("folder", "a: ${secret:A}\n").file("secrets/A/b", "");
    let wrong = folder.wrong();
    assert!(wrong.contains("error: `a`: the secret `secrets/A` cannot be read: "), "{wrong}");
}

#[test]
fn every_value_has_an_origin() {
    let folder =
        Folder::with("origins", "a: 1\nb: [x, 'port ${PORT}']\nc: {}\nd: ${secret:PORT}\n");
    let loader = folder
        .loader()
        .environment([("PORT", "1"), ("WORKFLOW_ETL__E", "5")])
        .defaults(json!({ "f": null }))
        .set("g.h", true);
    let config = loader.open("etl").expect("fine");
    let lines = config.entries().into_iter().map(|entry| {
        let variables = entry.variables.map(|names| format!(" ({names})")).unwrap_or_default();
        let origin = entry.origin.to_string().replace(&format!("{}/", folder.0.display()), "");
        format!("{} = {} at {origin}{variables}", entry.path, entry.value)
    });
    assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r#"
    f = null at default
    a = 1 at etl/config.yaml:1:4
    b[0] = "x" at etl/config.yaml:2:5
    b[1] = "port 1" at etl/config.yaml:2:8 (PORT)
    c = {} at etl/config.yaml:3:4
    d = "***" at etl/config.yaml:4:4 (PORT)
    e = 5 at environment variable `WORKFLOW_ETL__E`
    g.h = true at override `g.h`
    "#);
    let yaml = config.to_yaml().replace(&format!("{}/", folder.0.display()), "");
    assert_snapshot!(yaml, @r#"
    f: null # default
    a: 1 # etl/config.yaml:1:4
    b:
      - x # etl/config.yaml:2:5
      - "port 1" # etl/config.yaml:2:8
    c: {} # etl/config.yaml:3:4
    d: "***" # etl/config.yaml:4:4
    e: 5 # environment variable `WORKFLOW_ETL__E`
    g:
      h: true # override `g.h`
    "#);
    let e = config.entries().into_iter().find(|entry| entry.path == "e").expect("an entry");
    assert_eq!(e.origin, Origin::Environment("WORKFLOW_ETL__E".to_owned()));
}

#[test]
fn files_that_are_no_configuration() {
    assert_snapshot!(Folder::with("scalar", "just text\n").wrong(), @"
    the configuration of `etl` is not valid

    error: expected a map, found a string
     --> etl/config.yaml:1:1
      |
    1 | just text
      | ^^^^^^^^^
      |
      = help: give each value a name: `name: value`
    ");
    assert_snapshot!(Folder::with("yaml", "a: [1\nb: 2\n").wrong(), @"
    the configuration of `etl` is not valid

    error: this is no YAML: illegal placement of ':' indicator
     --> etl/config.yaml:2:2
      |
    2 | b: 2
      |  ^
    ");
    let folder = Folder::with("both", "a: 1\na: 2\n").file("etl/config.test.yaml", "- 1\n");
    let error = folder.loader().profile("test").open("etl").expect_err("two errors");
    assert_snapshot!(folder.text(&error), @"
    the configuration of `etl` is not valid

    error: the key `a` is given twice
     --> etl/config.yaml:2:1
      |
    1 | a: 1
      | - first here
    2 | a: 2
      | ^ here again
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
    assert!(error.contains("x.yaml` cannot be read: "), "{error}");
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
fn a_list_names_profiles_and_raw_gives_the_text() {
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
    assert_snapshot!(wrong("../outside"), @"`../outside` cannot be the name of a folder, so no configuration is looked for; rename the workflow, or let the program load the file by its path");
    assert_snapshot!(wrong(".."), @"`..` cannot be the name of a folder, so no configuration is looked for; rename the workflow, or let the program load the file by its path");
    assert_snapshot!(wrong("/etc"), @"`/etc` cannot be the name of a folder, so no configuration is looked for; rename the workflow, or let the program load the file by its path");
    assert_snapshot!(wrong(""), @"no configuration can have this name: a name is empty; give it 1 to 200 characters");
    let file = folder.0.join("../outside/config.yaml");
    assert!(folder.loader().file(file).open("daily / etl").is_ok(), "a file that is given is read");
}

#[test]
fn a_configuration_that_is_not_there() {
    let folder = Folder::with("absent", "a: 1");
    let wrong = folder.loader().open("elt").expect_err("not there");
    assert_snapshot!(folder.text(&wrong), @"`elt` has no configuration (did you mean `etl`?); looked for `config.yaml` in `elt`, `workflows/elt`; make `workflows/elt/config.yaml`, or set `WORKFLOW_CONFIG_DIR` to the folder that holds `elt/config.yaml`");
    folder.write("etl/config.json", "{}");
    assert_snapshot!(folder.text(&folder.loader().open("etl").expect_err("two")), @"both `etl/config.yaml` and `etl/config.json` could be the configuration; remove one of them");
}

#[test]
fn declared_types_are_validated() {
    let folder = Folder::new("declared")
        .file("config_is_declared/config.yaml", "source: {url: 'http://a', max_retries: 11}");
    workflow_core::config::declare::<Etl>("config_is_declared");
    workflow_core::config::declare::<Lists>("config_is_declared");
    let error = folder.loader().validate("config_is_declared").expect_err("violated");
    let problems = error.problems().expect("problems");
    assert_eq!((problems.errors(), problems.iter().len()), (3, 3), "{error}");
}

#[derive(Deserialize)]
struct Lists(#[expect(dead_code, reason = "only its type matters")] BTreeMap<String, Vec<u8>>);

impl Rules for Lists {}

#[test]
fn a_loader_does_not_print_values() {
    let loader = Loader::new().set("password", "hunter2");
    assert!(!format!("{loader:?}").contains("hunter2"));
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
    assert!(searched.iter().any(|folder| folder.ends_with("workflow-core/tests")), "{searched:?}");
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
