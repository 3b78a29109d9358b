//! Values that are never shown.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use serde::Deserialize;
use serde_json::json;
use workflow_config::{Config, ConfigError, Loader, Rules, Secret, Violations};

use crate::{Folder, Kind, value};

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
fn what_a_declared_type_reads_as_secret_is_never_shown() {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its type matters")]
    struct Account {
        port: u16,
        headers: BTreeMap<String, Secret>,
        pin: Secret<u32>,
        databases: Vec<WithSecrets>,
    }
    impl Rules for Account {}
    workflow_config::declare!("account", Account);
    fn shows_itself(config: &Config) -> Result<(), ConfigError> {
        config.read_part::<Secret>("checked")?;
        assert_ne!(config.value(), json!(null));
        Ok(())
    }
    workflow_config::check!("account", shows_itself);

    let text = "port: http\nheaders: {Accept: abc}\nextra: 1\npin: 1234\nchecked: hush\n\
                databases: [{token: hunter2, url: null}, {token: [swordfish], port: x}]\n";
    let folder = Folder::new("declared").file("account/config.yaml", text);
    let config = folder.loader().open("account").expect("fine");
    let masked = json!({
        "port": "http", "headers": { "Accept": "***" }, "extra": 1, "pin": "***",
        "checked": "***",
        "databases": [{ "token": "***", "url": null }, { "token": ["***"], "port": "x" }],
    });
    assert_eq!(config.value(), masked, "also with mistakes around the secrets");
    let with = config.with("headers.Other", "secret, too").expect("a copy");
    assert_eq!(with.value()["headers"], json!({ "Accept": "***", "Other": "***" }));
    let entry = config.entries().into_iter().find(|entry| entry.is_secret).expect("a secret");
    assert_eq!((&*entry.path, entry.value), ("headers.Accept", json!("***")));
    assert!(config.to_yaml().contains("pin: \"***\" # "), "{}", config.to_yaml());
    assert_eq!(config.exposed_value()["pin"], 1234);
}

#[test]
fn a_value_that_replaces_a_secret_is_secret() {
    let folder = Folder::with("replaced", "token: ${secret:TOKEN}\n");
    let loader = folder.loader().environment([("WORKFLOW_ETL__TOKEN", "[a, 77]")]);
    assert_eq!(value(&folder, &loader), json!({ "token": ["***", "***"] }));
}

#[test]
fn errors_do_not_show_secrets() {
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
    invalid configuration of `etl`

    error: `token`: expected an integer, found a string
    --> etl/config.yaml:1:8
     = note: the value of `TOKEN`

    invalid configuration of `etl`

    error: `token`: unknown choice `***`
    --> etl/config.yaml:1:8
     = note: the value of `TOKEN`
     = help: available: clean, enrich

    invalid configuration of `etl`

    error: `token`: the secret does not fit
    --> etl/config.yaml:1:8
     = note: the value of `TOKEN`

    invalid configuration of `etl`

    error: `token`: expected a character, found `***`
    --> etl/config.yaml:1:8
     = note: the value of `TOKEN`

    invalid configuration of `etl`

    error: {"token": "***"} will not do
     --> etl/config.yaml:1:1
      |
    1 | token: ${secret:TOKEN}
      | ^^^^^^^^^^^^^^^^^^^^^^

    invalid configuration of `etl`

    error: `token`: *** is weak
    --> etl/config.yaml:1:8
     = note: the value of `TOKEN`
    "#);

    let folder = Folder::with("literal", "token: [hunter2]\n");
    assert_snapshot!(folder.misfit::<WithSecrets>(), @"
    invalid configuration of `etl`

    error: `token`: expected a string, found a list
    --> etl/config.yaml:1:8
    ");
}

#[test]
fn a_secret_that_cannot_be_read() {
    let folder = Folder::with("folder", "a: ${secret:A}\n").file("secrets/A/b", "");
    let wrong = folder.wrong();
    assert!(wrong.contains("error: `a`: cannot read the secret `secrets/A`: "), "{wrong}");
}

#[test]
fn a_loader_does_not_print_values() {
    let loader = Loader::new().set("password", "hunter2");
    assert!(!format!("{loader:?}").contains("hunter2"));
}
