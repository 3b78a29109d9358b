//! Untrusted text on a terminal cannot move the cursor, set the title, or reorder other text, even with
//! colours enabled.

use std::path::Path;

use crate::support::{Outcome, folder, workflow_in};

const CODES: &str =
    "\u{1b}]0;title\u{7}\u{1b}[2J\u{1b}[31mred\u{1b}[8m\u{9b}2J\u{8}\r\u{202e}\u{7f}";

const FILE: &str = r#"
name: noisy
jobs:
  - name: say
    command: printf '\033]0;title\007\033[2J\033[31mred\033[8m\n'
  - name: fail
    command: printf '\033]0;title\007\033[2Jbad\n' >&2; exit 3
"#;

/// The output of a command with colours, which must contain no other control codes.
fn says(folder: &Path, args: &[&str]) -> Outcome {
    let said = workflow_in(folder, &[args, &["--color", "always"]].concat());
    for text in [&said.out, &said.err] {
        let rest = without_styles(text);
        let odd = |letter: &char| letter.is_control() && !matches!(letter, '\n' | '\t');
        let found: Vec<char> = rest.chars().filter(|c| odd(c) || *c == '\u{202e}').collect();
        assert!(found.is_empty(), "{args:?}: {found:?} in {text:?}");
    }
    said
}

/// The text without the command line's own styles.
fn without_styles(text: &str) -> String {
    ["0", "1", "2", "31", "32", "33", "91", "94", "1;91", "1;94"]
        .iter()
        .fold(text.to_owned(), |text, code| text.replace(&format!("\u{1b}[{code}m"), ""))
}

/// A store in which all untrusted texts contain control codes.
fn noisy(test: &str) -> std::path::PathBuf {
    let folder = folder(test, &[("noisy.yaml", FILE)]);
    let made = workflow_in(&folder, &["workflows", "create", "noisy.yaml"]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    let ran = workflow_in(&folder, &["run", "noisy.yaml", "--idempotency-key", "key"]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    for args in [
        &["user", "add", "ada", "--staff"] as &[&str],
        &["token", "create", "ada", "--name", "name"],
    ] {
        let said = crate::support::workflow_reads_in(&folder, args, "correct horse battery\n");
        assert_eq!(said.code, Some(0), "{args:?}: {}", said.err);
    }
    let database = rusqlite::Connection::open(folder.join(".workflow/workflows.db"));
    let database = database.expect("the database");
    for set in [
        "workflows_workflow SET description = ?1, project = ?1, domain = ?1, app_name = ?1, \
         metadata = json_object('owner', ?1)",
        "workflows_workflow SET name = 'noisy' || ?1 WHERE source = 'stored'",
        "workflows_workflowrun SET idempotency_key = ?1 WHERE idempotency_key IS NOT NULL",
        "accounts_user SET username = 'ada' || ?1",
        "accounts_token SET name = ?1",
    ] {
        database.execute(&format!("UPDATE {set}"), [CODES]).expect(set);
    }
    folder
}

#[test]
fn lists_and_details_escape_control_codes() {
    let folder = noisy("noisy");
    let id = "1";
    let runs = says(&folder, &["runs", "list", "-f", "json"]).json();
    let run = runs["items"][0]["id"].as_str().expect("a run").to_owned();
    for args in [
        &["workflows", "list"] as &[&str],
        &["workflows", "get", id],
        &["runs", "list"],
        &["runs", "get", &run],
        &["runs", "logs", &run],
        &["runs", "watch", &run],
        &["token", "list"],
        &["user", "list"],
        &["stats"],
    ] {
        let said = says(&folder, args);
        assert!(!said.out.is_empty(), "{args:?}: {}", said.err);
    }
    let list = says(&folder, &["workflows", "list"]).out;
    assert!(list.contains("\\u001b]0;title\\u0007\\u001b[2Jred"), "{list}");
    let logs = says(&folder, &["runs", "logs", &run]).out;
    assert!(logs.contains("red"), "{logs}");
    // JSON escapes control codes itself.
    for args in
        [&["workflows", "get", id, "-f", "json"] as &[&str], &["workflows", "list", "-f", "json"]]
    {
        let json = says(&folder, args).json();
        let workflow = if json["items"].is_array() { &json["items"][0] } else { &json };
        assert_eq!(workflow["description"], CODES);
    }
    let said = says(&folder, &["workflows", "get", CODES]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("\\u001b[2J"), "{}", said.err);
}

#[test]
fn a_run_escapes_control_codes() {
    let folder = folder("noisy_run", &[("noisy.yaml", FILE), ("wrong.yaml", WRONG)]);
    let said = says(&folder, &["run", "noisy.yaml"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("say |"), "{}", said.err);
    let said = says(&folder, &["validate", "wrong.yaml"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("wrong.yaml:3:"), "{}", said.err);
}

/// A file with an error whose line is quoted.
const WRONG: &str = "name: w\njobs:\n  - {name: a, commandd: \"\u{9b}2J\u{202e}\\e[2J\"}\n";

#[test]
fn a_pipe_receives_the_log_unchanged() {
    let folder = noisy("noisy_pipe");
    let runs = says(&folder, &["runs", "list", "-f", "json"]).json();
    let run = runs["items"][0]["id"].as_str().expect("a run").to_owned();
    let said = workflow_in(&folder, &["runs", "logs", &run, "--job", "say"]);
    assert_eq!(said.out, "\u{1b}]0;title\u{7}\u{1b}[2J\u{1b}[31mred\u{1b}[8m\n");
}

/// Only the module `output` uses the standard streams.
#[test]
fn only_output_writes_to_the_standard_streams() {
    let mut left = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut wrong = Vec::new();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).expect("a folder");
            left.extend(entries.map(|entry| entry.expect("an entry").path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a source file");
        let streams =
            ["anstream::stdout", "anstream::stderr", "io::stdout().lock", "stdout().write"];
        if !path.ends_with("src/output.rs") && streams.iter().any(|stream| text.contains(stream)) {
            wrong.push(path);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
