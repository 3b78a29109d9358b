//! `workflows`, `migrate`, `prune`, `stats`, `export` and `import` with the real binary.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use serde_json::{Value as Json, json};

use crate::support::{Outcome, folder, process_in, same, tables, workflow_in};

const ETL: &str = r#"
name: daily etl
project: data-warehouse
description: Daily load
metadata: '{"owner":"ada","stage":"test"}'
jobs:
  - { name: extract, command: 'true' }
  - { name: load, command: 'true', depends_on: [extract] }
"#;

/// Runs a command that must succeed.
fn says(folder: &Path, args: &[&str]) -> Outcome {
    let said = workflow_in(folder, args);
    assert_eq!(said.code, Some(0), "{args:?}: {}{}", said.out, said.err);
    said
}

/// The error of a command that must fail as a usage error.
fn refuses(folder: &Path, args: &[&str]) -> String {
    let said = workflow_in(folder, args);
    assert_eq!((said.code, &*said.out), (Some(2), ""), "{args:?}: {}", said.err);
    said.err
}

fn with_workflow(test: &str) -> std::path::PathBuf {
    let folder = folder(test, &[("etl.yaml", ETL)]);
    says(&folder, &["workflows", "create", "etl.yaml", "--user", "ada"]);
    folder
}

#[test]
fn a_workflow_is_found() {
    let folder = with_workflow("found");
    same().bind(|| {
        assert_snapshot!(says(&folder, &["workflows", "list"]).out, @r#"
        ID  NAME       PROJECT         USER  RUNS  LAST RUN  METADATA
        1   daily etl  data-warehouse  ada   0     -         {"owner":"ada","stage":"test"}
        "#);
        assert_snapshot!(says(&folder, &["workflows", "get", "daily-etl"]).out, @r#"
        daily etl
          id           1
          slug         daily-etl
          description  Daily load
          project      data-warehouse
          user         ada
          graph        2 jobs
          runs         0 runs
          state        active
          created      <when>
          updated      <when>
          metadata     {
                         "owner": "ada",
                         "stage": "test"
                       }
        "#);
    });
    let by_id = says(&folder, &["workflows", "get", "1", "-f", "json"]);
    let first: Vec<_> = by_id.out.lines().take(7).map(str::trim).collect();
    assert_eq!(
        first[..4],
        ["{", "\"id\": 1,", "\"name\": \"daily etl\",", "\"project\": \"data-warehouse\","]
    );
    let by_name = says(&folder, &["workflows", "get", "daily etl", "-f", "json"]).json();
    assert_eq!(by_id.json(), by_name);
    assert_eq!(by_name["metadata"], json!({ "owner": "ada", "stage": "test" }));
    assert_eq!(by_name["description"], "Daily load");
    assert_eq!(by_name["user"], "ada");
    assert_eq!(by_name["timestamp"], by_name["created_at"]);
    let names = |args: &[&str]| -> usize {
        let list = says(&folder, &[&["workflows", "list", "-f", "json"], args].concat()).json();
        list["items"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(names(&["--project", "data-warehouse", "--metadata", "owner=ada"]), 1);
    assert_eq!(names(&["--q", "dai load"]), 1);
    assert_eq!(names(&["--user", "bob"]), 0);
}

#[test]
fn torcs_flags_are_taken() {
    let folder = with_workflow("torc");
    for name in ["beta", "alpha", "gamma"] {
        let text = format!("name: {name}\njobs: [{{ name: a, command: 'true' }}]\n");
        std::fs::write(folder.join(format!("{name}.yaml")), text).expect("written");
        says(&folder, &["workflows", "create", &format!("{name}.yaml"), "--user", "bob"]);
    }
    let names = |args: &[&str]| -> Vec<String> {
        let list = says(&folder, &[&["workflows", "list", "-f", "json"], args].concat()).json();
        let items = list["items"].as_array().expect("a list").iter();
        items.map(|item| item["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names(&[]), ["alpha", "beta", "daily etl", "gamma"]);
    assert_eq!(names(&["-l", "2"]), ["alpha", "beta"]);
    assert_eq!(names(&["-l", "2", "--offset", "1"]), ["beta", "daily etl"]);
    assert_eq!(names(&["--sort-by", "id", "--reverse-sort", "-l", "2"]), ["gamma", "alpha"]);
    assert_eq!(names(&["--sort-by", "created"]), ["gamma", "alpha", "beta", "daily etl"]);
    assert_eq!(names(&["-u", "bob", "-l", "1"]), ["alpha"]);
    assert_eq!(names(&["-a"]).len(), 4);
    let renamed = ["-n", "delta", "-d", "Counts", "--owner-user", "ada", "-f", "json"];
    let changed = says(&folder, &[&["workflows", "update", "3"], &renamed[..]].concat()).json();
    let said = (&changed["name"], &changed["description"], &changed["user"]);
    assert_eq!(said, (&json!("delta"), &json!("Counts"), &json!("ada")));
    assert_eq!(names(&["--user", "bob"]), ["beta", "gamma"]);
    // A name is looked up among the workflows of the given user.
    let of = |user: &str| {
        let get = ["workflows", "get", "daily etl", "-f", "json", "-u", user];
        says(&folder, &get).json()["id"].clone()
    };
    says(&folder, &["workflows", "create", "etl.yaml", "--user", "bob"]);
    assert_eq!((of("ada"), of("bob")), (json!(1), json!(5)));
    says(&folder, &["workflows", "delete", "5"]);
    // Archived workflows are listed on request.
    says(&folder, &["workflows", "update", "gamma", "--is-active", "false"]);
    assert_eq!(names(&["--all-users"]), ["beta", "daily etl", "delta"]);
    assert_eq!(names(&["--include-archived"]), ["beta", "daily etl", "delta", "gamma"]);
    assert_eq!(names(&["--archived-only"]), ["gamma"]);
    let hint = "inactive workflows are hidden; use --include-archived to list them\n";
    assert_eq!(says(&folder, &["workflows", "list"]).err, hint);
    assert_eq!(says(&folder, &["workflows", "list", "--user", "ada"]).err, "");
    assert_eq!(says(&folder, &["workflows", "list", "--include-archived"]).err, "");
    for wrong in [
        &["--archived-only", "--include-archived"][..],
        &["--offset", "1", "--cursor", "name.1.a"],
        &["--user", "bob", "--all-users"],
    ] {
        let said = refuses(&folder, &[&["workflows", "list"], wrong].concat());
        assert!(said.contains("cannot be used with"), "{said}");
    }
    let said = refuses(&folder, &["workflows", "list", "--sort-by", "owner"]);
    assert!(said.contains("[possible values: name, id, created, executed]"), "{said}");
}

#[test]
fn metadata_is_replaced_merged_and_cleared() {
    let folder = with_workflow("metadata");
    let update = |args: &[&str]| -> Json {
        let args = [&["workflows", "update", "1", "-f", "json"], args].concat();
        says(&folder, &args).json()["metadata"].take()
    };
    let merged = update(&["--merge-metadata", r#"{"stage": null, "cost": {"center": 7}}"#]);
    assert_eq!(merged, json!({ "owner": "ada", "cost": { "center": 7 } }));
    let replaced = update(&["--metadata", r#"{"owner":"new-team","priority":"high"}"#]);
    assert_eq!(replaced, json!({ "owner": "new-team", "priority": "high" }));
    assert_eq!(update(&["--metadata", "null"]), json!({}));
    let project = ["workflows", "update", "1", "--project", "sales", "--is-active", "false"];
    let changed = says(&folder, &[&project[..], &["-f", "json"]].concat()).json();
    assert_eq!((&changed["project"], &changed["is_active"]), (&json!("sales"), &json!(false)));
}

#[test]
fn invalid_arguments_are_errors() {
    let folder = with_workflow("no-sense");
    says(&folder, &["workflows", "create", "etl.yaml", "--user", "bob"]);
    let wrong = |args: &[&str]| refuses(&folder, &[&["workflows"], args].concat());
    assert_snapshot!(wrong(&["create", "etl.yaml"]), @"error: the name `daily etl` is taken by workflow 1 of the same owner; change that one, or choose another name");
    let carol =
        process_in(&folder, &["workflows", "get", "daily etl"]).env("USER", "carol").output();
    let carol = Outcome::from(carol.expect("it starts"));
    assert_eq!((carol.code, &*carol.out), (Some(2), ""));
    assert_snapshot!(carol.err, @"error: you have no workflow named `daily etl`; choose one of another owner by its id: 1 (daily etl of ada in data-warehouse), 2 (daily etl of bob in data-warehouse)");
    assert_snapshot!(wrong(&["get", "nightly"]), @"error: no workflow `nightly`; see `workflows list`");
    assert_snapshot!(wrong(&["update", "1", "--metadata", "owner=ada"]), @r#"
    error: invalid value 'owner=ada' for '--metadata <JSON>': invalid JSON: `owner` is neither in double quotes nor a JSON value (line 1, column 1); expected an object, such as '{"owner": "ada"}'

    For more information, try '--help'.
    "#);
    assert_snapshot!(wrong(&["update", "1", "--metadata", "[1]"]), @r#"
    error: invalid value '[1]' for '--metadata <JSON>': expected an object, such as '{"owner": "ada"}', or null

    For more information, try '--help'.
    "#);
    assert_snapshot!(wrong(&["update", "1", "--metadata", r#"{"owner": 3}"#]), @"error: metadata `owner` is a number; it must be a string");
    assert_snapshot!(wrong(&["update", "1"]), @"
    error: the following required arguments were not provided:
      <FILE|--name <NAME>|--slug <SLUG>|--description <TEXT>|--project <PROJECT>|--project-id <NUMBER>|--project-name <NAME>|--app-name <NAME>|--domain <DOMAIN>|--metadata <JSON>|--merge-metadata <JSON>|--owner-user <USER>|--is-active <BOOL>>

    Usage: workflow workflows update <FILE|--name <NAME>|--slug <SLUG>|--description <TEXT>|--project <PROJECT>|--project-id <NUMBER>|--project-name <NAME>|--app-name <NAME>|--domain <DOMAIN>|--metadata <JSON>|--merge-metadata <JSON>|--owner-user <USER>|--is-active <BOOL>> <WORKFLOW>

    For more information, try '--help'.
    ");
    assert_snapshot!(wrong(&["update", "1", "--metadata", "{}", "--merge-metadata", "{}"]), @"
    error: the argument '--metadata <JSON>' cannot be used with '--merge-metadata <JSON>'

    Usage: workflow workflows update <FILE|--name <NAME>|--slug <SLUG>|--description <TEXT>|--project <PROJECT>|--project-id <NUMBER>|--project-name <NAME>|--app-name <NAME>|--domain <DOMAIN>|--metadata <JSON>|--merge-metadata <JSON>|--owner-user <USER>|--is-active <BOOL>> <WORKFLOW>

    For more information, try '--help'.
    ");
    assert_snapshot!(wrong(&["list", "--cursor", "elsewhere"]), @"error: the cursor is `elsewhere`, which is not a cursor of this list; use `next` of a page in the same order");
    assert_snapshot!(wrong(&["list", "--db", "none.db"]), @"error: no database at `none.db`; name another with --db or WORKFLOW_DB, save a run with `run --db`, or create an empty database with `migrate`");
    assert!(!folder.join("none.db").exists());
    assert_snapshot!(refuses(&folder, &["runs", "get", "17"]), @"error: the store has no runs; start one with `run`");
    assert_snapshot!(refuses(&folder, &["runs", "get", "etl"]), @"error: `etl` is not a run; use its number, its id, at least the first 8 characters of its id, or `latest`");
    assert_snapshot!(refuses(&folder, &["runs", "get", "01980000-0000-7000-8000-000000000000"]), @"error: the store has no run 01980000-0000-7000-8000-000000000000");
    assert_snapshot!(refuses(&folder, &["runs", "list", "--since", "yesterday"]), @"
    error: invalid value 'yesterday' for '--since <TIME>': expected an age such as 2h or 7d, or a time such as 2026-01-02T03:04:05Z

    For more information, try '--help'.
    ");
    assert_snapshot!(refuses(&folder, &["runs", "list", "--status", "done"]), @"
    error: invalid value 'done' for '--status <STATUS>': expected pending, running, completed, failed or cancelled

    For more information, try '--help'.
    ");
    assert_snapshot!(refuses(&folder, &["prune"]), @"
    error: the following required arguments were not provided:
      <--keep-for <DURATION>|--keep-last <N>>

    Usage: workflow prune <--keep-for <DURATION>|--keep-last <N>>

    For more information, try '--help'.
    ");
    let odd = workflow_in(&folder, &["stats", "--db", "mysql://localhost/runs"]);
    assert_eq!(odd.code, Some(2));
    assert_snapshot!(odd.err, @"error: unsupported store address `mysql://`; use the path of a file, or postgres://user@host/database");
    std::fs::write(folder.join("text.db"), "this is no database at all, it is a text")
        .expect("a file");
    assert_eq!(workflow_in(&folder, &["stats", "--db", "text.db"]).code, Some(1));
}

#[test]
fn replacing_a_file_keeps_its_history() {
    let text = |lines: &str, word: &str, code: u8| {
        format!(
            "name: etl\n{lines}\njobs: [{{ name: say, command: 'echo {word}; exit {code}' }}]\n"
        )
    };
    let first = text("schedule: '0 2 * * *'", "one", 3);
    let second = text("schedule: '30 4 * * *'\nproject: sales", "two", 0);
    let files =
        [("one.yaml", &*first), ("two.yaml", &*second), ("odd.yaml", "name: etl\njobs: 7\n")];
    let folder = folder("history", &files);
    says_to(&folder, Some("ada"), &["workflows", "create", "one.yaml", "--db", "w.db"]);
    let ran = says_to(&folder, Some("ada"), &["run", "etl", "--db", "w.db", "-f", "json", "-q"]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let update = |file: &str, more: &[&str]| {
        let args = [&["workflows", "update", "etl", file, "--db", "w.db", "-f", "json"], more];
        says_to(&folder, Some("ada"), &args.concat())
    };
    let changed = update("two.yaml", &[]).json();
    assert_eq!((&changed["version"], &changed["project"]), (&json!(2), &json!("sales")));
    assert_eq!(changed["metadata"], json!({ "schedule": "30 4 * * *" }));
    assert_eq!(update("two.yaml", &["--project", "other"]).json()["project"], "other");
    let odd = update("odd.yaml", &[]);
    assert_eq!(odd.code, Some(2));
    assert!(odd.err.contains("odd.yaml"), "{}", odd.err);
    let history = |more: &[&str]| {
        says(&folder, &[&["workflows", "history", "1", "--db", "w.db"], more].concat())
    };
    let listed = history(&["-f", "json"]).json();
    let items = listed["items"].as_array().expect("a list").iter();
    let seen: Vec<_> = items.map(|of| (of["version"].clone(), of["author"].clone())).collect();
    assert_eq!(seen, [(json!(2), json!("ada")), (json!(1), json!("ada"))]);
    assert_eq!(history(&["--version", "1"]).out, first);
    assert_eq!(history(&["--version", "2", "-f", "json"]).json()["yaml"], second);
    let page = history(&["-l", "1"]);
    assert_eq!(page.out.lines().count(), 2, "{}", page.out);
    assert!(page.err.contains("--cursor 'version.2.'"), "{}", page.err);
    let none = ["workflows", "history", "1", "--version", "3", "--db", "w.db"];
    assert_snapshot!(refuses(&folder, &none), @"error: workflow `1` has no version 3; list its versions to see their numbers");
    // A retry uses the old file, and a new run the new one.
    let run = |args: &[&str]| {
        let said =
            says_to(&folder, Some("ada"), &[args, &["--db", "w.db", "-f", "json", "-q"]].concat());
        (said.code, said.json()["workflow_version"].clone())
    };
    assert_eq!(run(&["runs", "retry", "1", "--failed-only"]).0, Some(1));
    assert_eq!(run(&["runs", "retry", "1"]).0, Some(1));
    assert_eq!(run(&["run", "etl"]).0, Some(0));
    let versions = (1..5).map(|number| {
        let details = ["runs", "get", &number.to_string(), "--db", "w.db", "-f", "json"];
        says(&folder, &details).json()["workflow_version"].clone()
    });
    assert_eq!(versions.collect::<Vec<_>>(), [json!(1), json!(1), json!(1), json!(2)]);
    let shown = says(&folder, &["workflows", "get", "1", "--db", "w.db", "-f", "json"]).json();
    assert_eq!(shown["version"], 2);
}

#[test]
fn watching_ends_when_the_run_is_deleted() {
    let file =
        "name: slow\njobs: [{ name: wait, command: 'until [ -e go ]; do sleep 0.05; done' }]\n";
    let folder = folder("deleted", &[("slow.yaml", file)]);
    let piped = std::process::Stdio::piped;
    let mut run = process_in(&folder, &["run", "slow.yaml", "--db", "w.db", "-f", "jsonl"]);
    let mut run = run.stdout(piped()).stderr(piped()).spawn().expect("it starts");
    first_line(&mut run);
    let mut watch = process_in(&folder, &["runs", "watch", "1", "--db", "w.db", "-f", "jsonl"]);
    let mut watch = watch.stdout(piped()).stderr(piped()).spawn().expect("it starts");
    assert!(first_line(&mut watch).contains("run_started"));
    let database = rusqlite::Connection::open(folder.join("w.db")).expect("a database");
    database.busy_timeout(std::time::Duration::from_secs(5)).expect("set");
    let delete = "PRAGMA foreign_keys = ON; DELETE FROM workflows_workflowrun";
    database.execute_batch(delete).expect("deleted");
    let said: Outcome = watch.wait_with_output().expect("it ends").into();
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(said.err.contains("was deleted while it was watched"), "{}", said.err);
    std::fs::write(folder.join("go"), "").expect("written");
    run.wait_with_output().expect("it ends");
}

/// The first line of output of a process.
fn first_line(child: &mut std::process::Child) -> String {
    use std::io::BufRead as _;

    let printed = child.stdout.take().expect("piped");
    let mut printed = std::io::BufReader::new(printed);
    let mut line = String::new();
    printed.read_line(&mut line).expect("readable");
    // Drains the rest, so that a full pipe does not block the process.
    std::thread::spawn(move || std::io::copy(&mut printed, &mut std::io::sink()));
    line
}

/// Runs the binary as this user, or without a user in the environment.
fn says_to(folder: &Path, user: Option<&str>, args: &[&str]) -> Outcome {
    let mut command = process_in(folder, args);
    match user {
        Some(user) => command.env("USER", user),
        None => command.env_remove("USER").env_remove("LOGNAME"),
    };
    command.output().expect("it starts").into()
}

const FLAG: &str = "name: payroll\njobs: [{ name: pay, command: touch paid-by-FLAG }]\n";

#[test]
fn a_file_belongs_to_the_user_who_ran_it() {
    let flag = |flag: &str| FLAG.replace("FLAG", flag);
    let folder = folder(
        "owners",
        &[
            ("payroll.yaml", &flag("ada")),
            ("theirs.yaml", &flag("mallory").replace("payroll", "Payroll")),
            (
                "said.yaml",
                &format!(
                    "description: Pays\nproject: hr\nmetadata: {{ stage: test }}\n{}",
                    flag("me").replace("payroll", "said")
                ),
            ),
        ],
    );
    let ran = |file: &str| folder.join(format!("paid-by-{file}")).exists();
    // In a store with accounts: another user's workflow, whose slug is the name of the operator's file.
    let mut account = process_in(&folder, &["user", "add", "root", "--staff", "--db", "w.db"]);
    let mut account =
        account.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let password = account.stdin.take().expect("it is piped").write_all(b"correct horse\n");
    assert!(password.is_ok() && account.wait().expect("it ends").success());
    let create = ["workflows", "create", "theirs.yaml", "--db", "w.db"];
    assert_eq!(says_to(&folder, Some("mallory"), &create).code, Some(0));
    let run = |user: Option<&str>, which: &str| {
        says_to(&folder, user, &["run", which, "--db", "w.db", "-q"])
    };
    let refused = run(Some("ada"), "payroll");
    assert_eq!(refused.code, Some(2));
    assert_snapshot!(refused.err, @"error: `payroll` is workflow 1 of mallory, and its commands would run as you; use `run 1` to run it anyway");
    assert!(!ran("mallory"));
    assert_eq!(run(Some("ada"), "payroll.yaml").code, Some(0));
    assert!(ran("ada"));
    let get = |user: Option<&str>, which: &str| {
        says_to(&folder, user, &["workflows", "get", which, "--db", "w.db", "-f", "json"]).json()
    };
    let own = get(Some("ada"), "payroll");
    assert_eq!(
        (&own["user"], &own["source"], &own["id"]),
        (&json!("ada"), &json!("stored"), &json!(2))
    );
    assert_eq!(get(None, "1")["execution_count"], 0);
    // It runs again by name from any directory, as the same workflow.
    std::fs::remove_file(folder.join("paid-by-ada")).expect("it ran");
    std::fs::remove_file(folder.join("payroll.yaml")).expect("it was there");
    assert_eq!(run(Some("ada"), "payroll").code, Some(0));
    assert!(ran("ada") && !ran("mallory"));
    assert_eq!(get(Some("ada"), "payroll")["execution_count"], 2);
    assert_eq!(run(Some("ada"), "1").code, Some(0));
    assert!(ran("mallory"));
    // In the background, and without a user in the environment.
    let detached = ["run", "said.yaml", "--db", "w.db", "--detach", "-f", "json"];
    let detached = says_to(&folder, None, &detached).json();
    let watch = ["runs", "watch", detached["run"].as_str().expect("an id"), "--db", "w.db", "-q"];
    assert_eq!(says_to(&folder, None, &watch).code, Some(0));
    let said = get(None, "said");
    assert_eq!((&said["user"], &said["source"]), (&Json::Null, &json!("stored")));
    assert_eq!((&said["description"], &said["project"]), (&json!("Pays"), &json!("hr")));
    assert_eq!(said["metadata"], json!({ "stage": "test" }));
    assert_eq!(run(None, "said").code, Some(0));
    assert_eq!(get(None, "said")["execution_count"], 2);
}

#[test]
fn an_inactive_workflow_does_not_run() {
    let folder = folder("not-active", &[("etl.yaml", ETL)]);
    let db = ["--db", "w.db", "-q"];
    let run = |which: &'static str| [&["run", which], &db[..]].concat();
    says(&folder, &run("etl.yaml"));
    let list = says(&folder, &["runs", "list", "--db", "w.db", "-f", "json"]).json();
    let id = list["items"][0]["id"].as_str().expect("an id").to_owned();
    // Creating a workflow that ran adopts it, once.
    let create = ["workflows", "create", "etl.yaml", "--db", "w.db", "-f", "json"];
    assert_eq!(says(&folder, &create).json()["id"], 1);
    assert!(refuses(&folder, &create).contains("is taken by workflow 1"));
    says(&folder, &["workflows", "update", "daily-etl", "--is-active", "false", "--db", "w.db"]);
    let retry = ["runs", "retry", &id];
    let wanted = "error: workflow `daily etl` is inactive; activate it with `workflows \
        update 1 --is-active true`\n";
    for args in [
        run("etl.yaml"),
        run("1"),
        run("daily etl"),
        run("daily-etl"),
        [&["run", "etl.yaml", "--detach"], &db[..]].concat(),
        [&retry[..], &db[..]].concat(),
        [&retry[..], &["--detach"], &db[..]].concat(),
        [&retry[..], &["--from", "load"], &db[..]].concat(),
    ] {
        assert_eq!(refuses(&folder, &args), wanted, "{args:?}");
    }
    let list = says(&folder, &["runs", "list", "--db", "w.db", "-f", "json"]).json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
    says(&folder, &["workflows", "update", "1", "--is-active", "true", "--db", "w.db"]);
    says(&folder, &run("daily etl"));
    // An invalid key is an error before the run starts.
    let keyed = [&["run", "1", "--idempotency-key", ""], &db[..]].concat();
    assert_snapshot!(refuses(&folder, &keyed), @"error: workflow `daily etl`: invalid idempotency key: it is empty; use 1 to 255 characters, or no key");
}

#[test]
fn a_used_key_returns_the_existing_run() {
    let folder = folder("used-keys", &[("etl.yaml", ETL)]);
    let db = ["--db", "w.db", "-f", "json"];
    let keyed = |more: &[&str]| {
        let args = [&["run", "etl.yaml", "--idempotency-key", "day 1"], more, &db[..]].concat();
        says(&folder, &args)
    };
    let first = keyed(&[]).json()["id"].as_str().expect("an id").to_owned();
    for more in [&["-q"][..], &["--detach"]] {
        let again = keyed(more);
        assert!(again.out.contains(&first), "{}", again.out);
        assert_eq!(
            again.err,
            format!("run {first} already exists for this idempotency key: completed\n")
        );
    }
    // Another user has separate keys.
    let other =
        ["run", "etl.yaml", "--idempotency-key", "day 1", "--db", "w.db", "-q", "-f", "json"];
    let other = says_to(&folder, Some("bob"), &other);
    assert!(!other.out.contains(&first) && other.code == Some(0), "{}{}", other.out, other.err);
    let retry = |more: &[&str]| {
        let args = ["runs", "retry", &first, "--from", "load", "--idempotency-key", "again", "-q"];
        says(&folder, &[&args[..], more, &db[..]].concat())
    };
    let once = retry(&[]).json()["id"].as_str().expect("an id").to_owned();
    let twice = retry(&[]);
    assert_eq!(twice.json()["id"], once.as_str());
    assert!(twice.err.contains(&format!("run {once} already exists for this idempotency key")));
}

#[test]
fn deleting_requires_confirmation() {
    let folder = with_workflow("delete");
    for _ in 0..2 {
        says(&folder, &["run", "etl.yaml", "--db", ".workflow/workflows.db", "-q"]);
    }
    assert_snapshot!(refuses(&folder, &["workflows", "delete", "daily-etl"]), @"error: cannot ask whether to delete workflow 1 (`daily etl`) and its 2 runs: standard input is not a terminal; use --yes");
    assert_snapshot!(says(&folder, &["workflows", "delete", "daily-etl", "--yes"]).err, @"deleted workflow 1 (`daily etl`) and its 2 runs");
    assert_eq!(says(&folder, &["runs", "list", "-f", "json"]).json()["items"], json!([]));
}

#[test]
fn lists_have_pages() {
    let folder = folder("pages", &[]);
    for name in ["a", "b", "c"] {
        let text = format!("name: {name}\njobs: [{{ name: one, command: 'true' }}]\n");
        std::fs::write(folder.join("one.yaml"), text).expect("a file");
        says(&folder, &["workflows", "create", "one.yaml", "--user", "ada"]);
    }
    let first = says(&folder, &["workflows", "list", "--limit", "2"]);
    assert_snapshot!(first.err, @"next page: --cursor 'name.2.b'");
    let cursor = first.err.split('\'').nth(1).expect("a cursor");
    let rest = says(&folder, &["workflows", "list", "--cursor", cursor, "-f", "json"]).json();
    assert_eq!((&rest["items"][0]["name"], &rest["next"]), (&json!("c"), &Json::Null));
}

#[test]
fn runs_are_counted_moved_and_pruned() {
    let folder = folder("figures", &[("etl.yaml", ETL)]);
    assert_snapshot!(says(&folder, &["migrate", "--db", "runs.db"]).err, @"`runs.db` is up to date");
    for _ in 0..3 {
        says(&folder, &["run", "etl.yaml", "--db", "runs.db", "-q"]);
    }
    tables().bind(|| {
        assert_snapshot!(says(&folder, &["stats", "--db", "runs.db", "--workflow", "1"]).out, @"
        WORKFLOW  REQUESTED  COMPLETED  FAILED  CANCELLED  SUCCESS  P50  P95  MAX
        daily etl  3  3  0  0  100.0% <time>  - <time>

        JOB  FINISHED  COMPLETED  FAILED  CANCELLED  SUCCESS  P50  P95  MAX
        extract  3  3  0  0  100.0% <time>  - <time>
        load  3  3  0  0  100.0% <time>  - <time>
        ");
    });
    let stats = says(&folder, &["stats", "--db", "runs.db", "-f", "json"]).json();
    assert_eq!((&stats[0]["requested"], &stats[0]["success_rate"]), (&json!(3), &json!(1.0)));
    says(&folder, &["runs", "export", "--db", "runs.db", "-o", "runs.jsonl"]);
    let import = ["runs", "import", "runs.jsonl", "--db", "other.db"];
    assert_snapshot!(says(&folder, &import).err, @"imported 1 workflow, 3 runs and 18 events; skipped 0 runs that already existed");
    assert_snapshot!(says(&folder, &import).err, @"imported 0 workflows, 0 runs and 0 events; skipped 3 runs that already existed");
    assert_snapshot!(says(&folder, &["prune", "--keep-last", "1", "--db", "runs.db"]).err, @"deleted 2 runs");
    let list = says(&folder, &["runs", "list", "--db", "runs.db", "-f", "json"]).json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
    let folders = std::fs::read_dir(folder.join(".workflow/runs")).expect("a folder");
    let names = folders.map(|entry| entry.expect("readable").file_name());
    assert_eq!(names.collect::<Vec<_>>(), [list["items"][0]["id"].as_str().expect("an id")]);
}

#[test]
fn a_worker_prunes_old_runs() {
    let folder = folder("serves", &[("etl.yaml", ETL)]);
    for _ in 0..3 {
        says(&folder, &["run", "etl.yaml", "--db", "runs.db", "-q"]);
    }
    let args = ["worker", "--db", "runs.db", "--prune-keep-last", "daily-etl=2"];
    let mut serving = process_in(&folder, &args).spawn().expect("it serves");
    let list = ["runs", "list", "--db", "runs.db", "-f", "json"];
    let count = || says(&folder, &list).json()["items"].as_array().map(Vec::len);
    let deadline = Instant::now() + Duration::from_secs(20);
    while count() != Some(2) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    serving.kill().and_then(|()| serving.wait()).expect("it ends");
    assert_eq!(count(), Some(2));
}

#[test]
fn a_schedule_that_never_runs_is_refused() {
    let folder = with_workflow("bad_schedule");
    for (schedule, cure) in [
        ("every monday", "write minute, hour, day of month"),
        ("*/90 * * * *", "write `0` for once an hour"),
        ("0 0 31 2 *", "there is no such date"),
    ] {
        let metadata = json!({ "schedule": schedule }).to_string();
        for option in ["--merge-metadata", "--metadata"] {
            let said = refuses(&folder, &["workflows", "update", "daily-etl", option, &metadata]);
            assert!(said.contains("schedule:") && said.contains(cure), "{said}");
        }
    }
    let metadata = json!({ "schedule": "0 9 * * FRI-SUN" }).to_string();
    says(&folder, &["workflows", "update", "daily-etl", "--merge-metadata", &metadata]);
}
