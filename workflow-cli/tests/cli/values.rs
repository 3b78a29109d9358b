//! Values on the command line that are refused: what is said of them, and how much of an input is
//! read.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Stdio;

use crate::support::{folder, host, process_in, workflow, workflow_in};

/// The first line of the error about these arguments.
fn refuses(args: &[&str]) -> String {
    let outcome = workflow(args);
    assert_eq!(outcome.code, Some(2), "{args:?}: {}{}", outcome.out, outcome.err);
    outcome.err.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_number_is_refused_with_its_range() {
    let positive = "expected an integer of at least 1";
    for (args, expected) in [
        (&["run", "x.yaml", "--max-parallel", "abc"] as &[&str], positive),
        (&["run", "x.yaml", "--max-parallel", "0"], positive),
        (&["run", "x.yaml", "--max-parallel", "99999999999"], "expected a smaller integer"),
        (&["recover", "--max-parallel", "1.5"], positive),
        (&["worker", "--max-concurrent-activities", ""], positive),
        (
            &["trigger", "x", "--priority", "x"],
            "expected an integer from -2147483648 to 2147483647",
        ),
        (&["token", "revoke", "x"], positive),
        (&["runs", "list", "-l", "abc"], "expected an integer from 1 to 1000"),
        (&["runs", "list", "-l", "1001"], "expected an integer from 1 to 1000"),
        (&["runs", "watch", "1", "--from", "abc"], "expected an integer of at least 0"),
        (&["runs", "logs", "1", "--job", "a", "--attempt", "0"], positive),
        (&["prune", "--keep-last", "x"], "expected an integer of at least 0"),
        (&["worker", "--prune-keep-last", "etl=x"], "expected an integer of at least 0"),
        (&["workflows", "list", "--project-id", "x"], "expected an integer from 0 to 2147483647"),
        (&["workflows", "list", "--offset", "x"], "expected an integer of at least 0"),
        (&["workflows", "history", "x", "--version", "x"], positive),
        (&["schedules", "list", "--next", "0"], "expected an integer from 1 to 1000"),
        (&["data", "x", "--limit", "0"], "expected an integer from 1 to 100"),
    ] {
        let said = refuses(args);
        assert!(said.ends_with(&format!(">': {expected}")), "{args:?}: {said}");
    }
}

#[test]
fn a_value_is_named_once() {
    let duration = "expected a duration such as 90s, 30m, 2h or 7d";
    for (args, expected) in [
        (&["prune", "--keep-for", "soon"] as &[&str], duration),
        (&["serve", "--grace", "soon"], duration),
        (&["token", "create", "ada", "--expires-in", "soon"], "90s, 30m, 2h or 7d, or `never`"),
        (&["workflows", "list", "--metadata", "x"], "': expected PATH=VALUE, such as owner=ada"),
        (
            &["runs", "list", "--status", "skipped"],
            "': expected pending, running, completed, failed or cancelled",
        ),
    ] {
        let said = refuses(args);
        assert!(said.ends_with(expected), "{args:?}: {said}");
    }
}

#[test]
fn an_input_without_end_is_refused() {
    let zeros = || Stdio::from(File::open("/dev/zero").expect("it exists"));
    let folder =
        folder("endless", &[("x.yaml", "name: x\njobs:\n  - name: a\n    command: 'true'\n")]);
    for (args, expected) in [
        (
            &["run", "x.yaml", "-i", "@/dev/zero"] as &[&str],
            "error: cannot read the input file `/dev/zero`: it is a device or a pipe; name a file, or \
             `/dev/stdin`\n",
        ),
        (
            &["run", "x.yaml", "-i", "@-"],
            "error: cannot read the input from standard input: it has more than 67108864 bytes, the \
             limit\n",
        ),
        (
            &["run", "-"],
            "error: cannot read standard input: it has more than 67108864 bytes, the limit\n",
        ),
        (
            &["user", "add", "ada"],
            "error: the password must have at most 1024 bytes; choose another\n",
        ),
    ] {
        let mut command = process_in(&folder, args);
        let output = command.stdin(zeros()).output().expect("it starts");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), expected, "{args:?}");
    }
}

#[test]
fn a_folder_whose_name_is_not_text_is_refused() {
    let folder = folder("bytes", &[]).join(OsStr::from_bytes(b"\xff"));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = "name: x\njobs:\n  - name: a\n    command: 'true'\n";
    std::fs::write(folder.join("x.yaml"), file).expect("a file");
    let says = |args: &[&str]| process_in(&folder, args).output().expect("it starts");
    assert_eq!(says(&["run", "x.yaml"]).status.code(), Some(0));
    for args in [
        &["run", "x.yaml", "--db", "runs.db"] as &[&str],
        &["workflows", "create", "x.yaml"],
        &["serve", "--address", "127.0.0.1:0"],
    ] {
        let output = says(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(r#"/bytes/\xFF""#) && said.contains("UTF-8; rename"), "{said}");
    }
}

#[test]
fn a_key_that_is_given_twice_is_refused() {
    for input in
        [&["-i", r#"{"day": "mon", "day": "tue"}"#] as &[&str], &["-p", r#"day={"a": 1, "a": 2}"#]]
    {
        let outcome = host(&[&["run", "orders/report"], input].concat());
        assert_eq!(outcome.code, Some(2), "{}", outcome.err);
        assert!(outcome.err.contains("is given twice (line 1, column "), "{}", outcome.err);
    }
}

#[test]
fn an_address_that_is_not_that_of_a_store_is_refused() {
    for (address, expected) in [
        ("mysql://x", "error: unsupported store address `mysql://`"),
        ("postgres://ada@host/runs?sslmode=zz", "error: unknown sslmode `zz`"),
        ("postgres://", "error: invalid database URL (it has no host)"),
    ] {
        let said = refuses(&["runs", "list", "--db", address]);
        assert!(said.starts_with(expected), "{address}: {said}");
    }
}

#[test]
fn a_database_that_cannot_be_opened_is_named_with_the_reason() {
    let folder = folder("unopened", &[("text.db", "not a database, but a text of some length\n")]);
    for (address, expected) in [
        ("text.db", "error: `text.db` is not a SQLite database; use the path of another file\n"),
        (".", "error: cannot open the database `.`: it is a folder; name a file\n"),
        (
            "postgres://ada@127.0.0.1:1/runs",
            "error: cannot connect to database `runs` at 127.0.0.1:1: connection refused; check that \
             PostgreSQL is running\n",
        ),
    ] {
        let outcome = workflow_in(&folder, &["runs", "list", "--db", address]);
        assert_eq!((outcome.code, outcome.err.as_str()), (Some(1), expected), "{address}");
    }
}

#[test]
fn a_name_that_a_store_does_not_have_is_refused() {
    let file = "name: x\njobs:\n  - name: a\n    command: echo hi\n";
    let folder = folder("unknown_names", &[("x.yaml", file)]);
    let says = |args: &[&str]| workflow_in(&folder, args);
    assert_eq!(says(&["migrate"]).code, Some(0));
    let none = says(&["runs", "get", "latest"]);
    assert_eq!(none.err, "error: the store has no runs; start one with `run`\n");
    assert_eq!(says(&["run", "x.yaml", "-q", "--idempotency-key", "k"]).code, Some(0));
    for (args, expected) in [
        (
            &["runs", "logs", "latest", "--job", "a", "--attempt", "9"] as &[&str],
            "job `a` has no attempt 9; it has 1",
        ),
        (&["runs", "unblock", "latest"], "is not blocked; see `runs why "),
        (&["runs", "cancel", "latest"], ": it has already completed"),
        (&["runs", "signal", "latest", "go"], "cannot send a signal to run "),
        (&["token", "list", "zz"], "no user `zz`; see `user list`"),
        (&["workflows", "get", "zz"], "no workflow `zz`; see `workflows list`"),
        (
            &["runs", "import", "none"],
            "no such file or folder; name a file that `runs export` wrote",
        ),
    ] {
        let outcome = says(args);
        assert_eq!(outcome.code, Some(2), "{args:?}: {}{}", outcome.out, outcome.err);
        assert!(outcome.err.contains(expected), "{args:?}: {}", outcome.err);
    }
}
