//! The commands of the server with the real binary: messages, access, and shutdown.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process};

fn workflow(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workflow"));
    command.current_dir(folder).env("WORKFLOW_DB", folder.join("w.db")).env_remove("RUST_LOG");
    command
}

/// Runs a command with this standard input. Returns its output, its messages and its exit code.
fn output_of(mut command: Command, input: &str) -> (String, String, Option<i32>) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("started");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("read");
    let output = child.wait_with_output().expect("ended");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (text(output.stdout), text(output.stderr), output.status.code())
}

struct Server {
    child: Child,
    address: String,
    said: Vec<String>,
    rest: BufReader<std::process::ChildStderr>,
}

impl Server {
    fn start(folder: &Path, open: bool) -> Self {
        Self::by(workflow(folder), open)
    }

    /// Starts the server with a command that executes the binary.
    fn by(command: Command, open: bool) -> Self {
        Self::with(command, &[], open)
    }

    /// Starts the server with more arguments.
    fn with(mut command: Command, arguments: &[&str], open: bool) -> Self {
        let mut child = command
            .args(["serve", "--address", "127.0.0.1:0"])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let mut rest = BufReader::new(child.stderr.take().expect("piped"));
        let mut said = Vec::new();
        for _ in 0..if open { 2 } else { 1 } {
            let mut line = String::new();
            rest.read_line(&mut line).expect("a line");
            said.push(line);
        }
        let address = said[0].trim().strip_prefix("serving http://").expect("where it is");
        Self { address: address.to_owned(), child, said, rest }
    }

    fn ask(&self, request: &str, headers: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("connected");
        let length = body.len();
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {length}\r\n\
             Content-Type: application/json\r\n{headers}\r\n{body}",
            self.address
        )
        .expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status.expect("a status"), body.to_owned())
    }

    fn id(&self) -> Pid {
        let id = i32::try_from(self.child.id()).expect("an id");
        Pid::from_raw(id).expect("an id")
    }

    /// Stops the server, and asserts that it ends without messages.
    fn end(mut self) {
        kill_process(self.id(), Signal::TERM).expect("signalled");
        assert_eq!(self.child.wait().expect("ended").code(), Some(0));
        let mut rest = String::new();
        self.rest.read_to_string(&mut rest).expect("read");
        assert_eq!(rest, "");
    }
}

#[test]
fn a_server_without_accounts_is_open_and_warns() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), true);
    assert!(server.said[1].starts_with("warning: no accounts"), "{:?}", server.said);
    let (status, body) = server.ask("GET /api/v1/workflows", "", "");
    assert_eq!((status, body.as_str()), (200, r#"{"items":[],"next":null}"#));
    let (status, body) = server.ask(
        "POST /api/v1/workflows",
        "",
        r#"{"yaml": "name: a\njobs: [{name: b, command: 'true'}]"}"#,
    );
    assert_eq!(status, 403, "{body}");
    assert!(body.contains("--allow-commands"), "{body}");
    server.end();
}

#[test]
fn an_account_requires_callers_to_send_a_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut add = workflow(folder.path());
    add.args(["user", "add", "ada"]);
    assert_eq!(output_of(add, "short\n").2, Some(2));
    let mut add = workflow(folder.path());
    add.args(["user", "add", "ada", "--staff"]);
    let (_, said, code) = output_of(add, "correct horse\n");
    assert_eq!((said.as_str(), code), ("added user `ada`\n", Some(0)));
    let mut create = workflow(folder.path());
    create.args(["token", "create", "ada", "--scope", "run", "--name", "nightly"]);
    let (token, ..) = output_of(create, "");
    let server = Server::start(folder.path(), false);
    assert_eq!(server.ask("GET /api/v1/runs", "", "").0, 401);
    let header = format!("Authorization: Bearer {}\r\n", token.trim());
    assert_eq!(server.ask("GET /api/v1/runs", &header, "").0, 200);
    assert_eq!(server.ask("GET /api/v1/users", &header, "").0, 403);
    let mut revoke = workflow(folder.path());
    revoke.args(["token", "revoke", "1"]);
    assert_eq!(output_of(revoke, "").2, Some(0));
    assert_eq!(server.ask("GET /api/v1/runs", &header, "").0, 401);
    server.end();
}

#[test]
fn a_public_address_is_refused_without_accounts() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut serve = workflow(folder.path());
    serve.args(["serve", "--address", "0.0.0.0:0"]);
    let (_, said, code) = output_of(serve, "");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("there are no accounts") && said.contains("user add"), "{said}");
}

/// A file at its size limit fails like a full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_reported_and_loses_no_acknowledged_workflow() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("sh");
    // In blocks of 512 bytes.
    let bound = "trap '' XFSZ; ulimit -S -f 3072; exec \"$0\" \"$@\"";
    command.args(["-c", bound, env!("CARGO_BIN_EXE_workflow")]);
    command.current_dir(folder.path()).env("WORKFLOW_DB", folder.path().join("w.db"));
    let server = Server::by(command, true);
    let create = |number: usize| {
        let text = "d".repeat(50_000);
        let body = format!(r#"{{"name": "w{number}", "description": "{text}"}}"#);
        server.ask("POST /api/v1/workflows", "", &body)
    };
    let refused = (0..100).map(|number| (number, create(number))).find(|(_, it)| it.0 != 201);
    let (kept, (status, problem)) = refused.expect("no room at some time");
    assert!(kept > 5, "{kept}");
    assert_eq!(status, 503, "{problem}");
    assert!(problem.contains("store_unavailable") && problem.contains("disk"), "{problem}");
    // Existing workflows can still be listed.
    let (status, listed) = server.ask("GET /api/v1/workflows?limit=1000", "", "");
    assert_eq!((status, listed.matches("\"slug\":").count()), (200, kept));
    let limit = Rlimit { current: None, maximum: None };
    rustix::process::prlimit(Some(server.id()), Resource::Fsize, limit).expect("room");
    let (status, answer) = create(kept);
    assert_eq!(status, 201, "{answer}");
    let (_, listed) = server.ask("GET /api/v1/workflows?limit=1000", "", "");
    assert_eq!(listed.matches("\"slug\":").count(), kept + 1);
    let mut child = server.child;
    child.kill().expect("killed");
    child.wait().expect("ended");
}

/// The next event with this message in a log of JSON lines. Panics at an error event.
fn logged(log: &mut impl std::io::BufRead, message: &str) -> serde_json::Value {
    loop {
        let mut line = String::new();
        log.read_line(&mut line).expect("the log continues");
        let event: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
        assert_ne!(event["level"], "ERROR", "{line}");
        if event["message"] == message {
            return event;
        }
    }
}

#[test]
fn the_log_shows_failed_runs_and_no_error_for_a_used_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = ["--log-format", "json", "--allow-commands"];
    let mut server = Server::with(workflow(folder.path()), &arguments, true);
    let retry = "retry: { maximum_attempts: 2, initial_interval: 0 }";
    let file = format!("name: bad\njobs: [{{ name: boil, command: exit 3, {retry} }}]");
    let file = serde_json::json!({ "yaml": file }).to_string();
    let (status, body) = server.ask("POST /api/v1/workflows", "", &file);
    assert_eq!(status, 201, "{body}");
    let run = |server: &Server| {
        server.ask("POST /api/v1/workflows/bad/run", "", r#"{"idempotency_key": "monday"}"#)
    };
    let (status, body) = run(&server);
    assert_eq!(status, 202, "{body}");
    let retried = logged(&mut server.rest, "attempt failed, retrying");
    assert_eq!((&retried["job"], &retried["attempt"]), (&"boil".into(), &1.into()));
    let failed = logged(&mut server.rest, "job failed");
    assert_eq!((&failed["level"], &failed["attempt"]), (&"WARN".into(), &2.into()));
    let failed = logged(&mut server.rest, "run failed");
    assert_eq!((&failed["level"], &failed["workflow"]), (&"WARN".into(), &"bad".into()));
    assert!(failed["reason"].to_string().contains("job `boil` failed"), "{failed}");
    let (status, body) = run(&server);
    assert!(status < 300 && body.contains("same idempotency key"), "{status} {body}");
    let existing = logged(&mut server.rest, "a run stands for the request");
    assert_eq!(existing["level"], "INFO");
    kill_process(server.id(), Signal::TERM).expect("signalled");
    assert_eq!(server.child.wait().expect("ended").code(), Some(0));
}

#[test]
fn rust_log_filters_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(
        folder.path().join("w.yaml"),
        "name: bad\njobs: [{ name: a, command: exit 3 }]\n",
    )
    .expect("a file");
    let run = |level: Option<&str>, more: &[&str]| {
        let mut command = workflow(folder.path());
        command.env_remove("WORKFLOW_DB").args(["run", "w.yaml", "-q"]).args(more);
        level.map(|level| command.env("RUST_LOG", level));
        output_of(command, "")
    };
    // The report already shows the failure.
    let (out, err, code) = run(None, &[]);
    assert_eq!((&*err, code), ("", Some(1)), "{out}");
    let (_, err, _) = run(Some("warn"), &[]);
    assert!(err.contains(" WARN ") && err.contains("run failed"), "{err}");
    assert!(!err.contains('\u{1b}'), "{err}");
    let (_, err, _) = run(Some("workflow_core=debug"), &["--log-format", "json"]);
    let events = err.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let events: Vec<serde_json::Value> = events.collect();
    assert!(events.iter().any(|event| event["message"] == "attempt started"), "{err}");
    let (_, err, code) = run(Some("=x="), &[]);
    assert_eq!(code, Some(2));
    assert!(err.starts_with("error: invalid RUST_LOG `"), "{err}");
}

#[test]
fn a_deleted_database_makes_the_server_unavailable() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("runs.db");
    let mut command = workflow(folder.path());
    command.env_remove("WORKFLOW_DB");
    let db = path.to_str().expect("text").to_owned();
    let mut server = Server::with(command, &["--db", &db], true);
    let (status, body) = server.ask("POST /api/v1/workflows", "", r#"{"name": "kept"}"#);
    assert_eq!(status, 201, "{body}");
    assert_eq!(server.ask("GET /health/ready", "", "").0, 200);
    std::fs::remove_file(&path).expect("deleted");
    for request in ["POST /api/v1/workflows", "GET /api/v1/workflows", "GET /health/ready"] {
        let (status, body) = server.ask(request, "", r#"{"name": "lost"}"#);
        assert_eq!(status, 503, "{request}: {body}");
        for part in ["store_unavailable", "runs.db", "deleted or moved", "restart the process"] {
            assert!(body.contains(part), "{request}: {part}: {body}");
        }
    }
    assert_eq!(server.ask("GET /health/live", "", "").0, 200);
    kill_process(server.id(), Signal::TERM).expect("signalled");
    // It ends in time, although it cannot release its runs.
    server.child.wait().expect("ended");
    assert!(!path.exists(), "no file is made in its place");
    let server = Server::with(workflow(folder.path()), &["--db", &db], true);
    let (_, body) = server.ask("GET /api/v1/workflows", "", "");
    assert_eq!(body, r#"{"items":[],"next":null}"#, "a new file");
    server.end();
}
