//! All of it together: the program with its commands, its server, and the files of this folder.

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use support::{Place, api};

/// The program in a folder of its own, in which it also keeps its database.
fn dataflow(place: &Place, arguments: &[&str]) -> Command {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_dataflow"));
    command.args(arguments).current_dir(place.path("")).env_remove("WORKFLOW_DB");
    command.env("WORKFLOW_CONFIG_DIR", package.join("src")).env("DATA_DIR", place.path(""));
    command.env("INPUT_DIR", package.join("input")).env("WORKFLOW_MY_WORKFLOW__DASHBOARD", "off");
    command
}

fn succeed(mut command: Command) -> Output {
    let output = command.output().expect("it starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    output
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

#[test]
fn the_command_line_runs_the_workflow_from_each_source() {
    let api = api::Api::start(api::records(250), 1);
    for (source, loaded, rejected) in [("mock", 475, 5), ("file", 3, 1), ("api", 245, 5)] {
        let place = Place::new();
        let mut run = dataflow(&place, &["workflow", "run", "my_workflow", "-f", "json"]);
        run.env("WORKFLOW_MY_WORKFLOW__SOURCE__TYPE", source).env("API_URL", api.url());
        let output = succeed(run);
        let report: Value = serde_json::from_slice(&output.stdout).expect("a report in JSON");
        assert_eq!(report["output"]["written"], loaded, "{source}");
        let shown = succeed(dataflow(&place, &["data", "my_workflow", "--limit", "1"]));
        assert!(text(&shown).contains("processed_at"), "{}", text(&shown));
        for table in ["my_workflow.parquet", "my_workflow.db"] {
            assert!(place.path(table).is_file(), "{source}: {table}");
        }
        let set_aside = place.read("my_workflow.rejected.jsonl").lines().count();
        assert_eq!(set_aside, rejected, "{source}");
    }
}

#[test]
fn the_command_line_shows_and_checks_the_configuration() {
    let place = Place::new();
    let shown = text(&succeed(dataflow(&place, &["config", "show", "my_workflow"])));
    assert!(shown.contains("config.yaml") && !shown.contains("example-token"), "{shown}");
    succeed(dataflow(&place, &["config", "validate", "my_workflow"]));
    assert!(text(&succeed(dataflow(&place, &["config", "list"]))).contains("my_workflow"));

    let mut wrong = dataflow(&place, &["workflow", "run", "my_workflow"]);
    wrong.env("WORKFLOW_MY_WORKFLOW__SOURCE__TYPE", "paper");
    let output = wrong.output().expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("WORKFLOW_MY_WORKFLOW__SOURCE__TYPE"), "{error}");
}

/// A server, which ends with its test.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(place: &Place) -> Self {
        let mut command = dataflow(place, &["serve", "--address", "127.0.0.1:0"]);
        let mut process = command.stderr(Stdio::piped()).spawn().expect("it starts");
        let said = process.stderr.take().expect("a pipe");
        let mut lines = BufReader::new(said).lines().map_while(Result::ok);
        let address =
            lines.find_map(|line| Some(line.split_once("serving http://")?.1.trim().to_owned()));
        let address = address.expect("it says where it is");
        // Its log must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address }
    }

    fn request(&self, method: &str, path: &str) -> Value {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let address = &self.address;
        let head =
            format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("it reads");
        let mut response = String::new();
        stream.read_to_string(&mut response).expect("it answers");
        let (_, body) = response.split_once("\r\n\r\n").expect("a response");
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {response}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }
}

#[test]
fn the_server_runs_the_workflow_and_shows_its_tables_and_schedule() {
    let place = Place::new();
    let server = Server::start(&place);
    let run = server.request("POST", "/api/v1/workflows/my_workflow/run?wait=60s");
    assert_eq!(run["status"], "completed", "{run}");
    let id = run["run_id"].as_str().expect("an ID");
    let tables = server.request("GET", &format!("/api/v1/runs/{id}/tables"));
    let names: Vec<_> = tables["items"].as_array().expect("tables").iter().collect();
    assert_eq!(names.len(), 4, "{tables}");
    let schedules = server.request("GET", "/api/v1/schedules");
    assert!(schedules.to_string().contains("my_workflow"), "{schedules}");
    let config = server.request("GET", "/api/v1/configs/my_workflow");
    assert!(!config.to_string().contains("example-token"), "{config}");
}

/// npm, which writes down how it is called, and fails if it is told to.
const NPM: &str =
    "#!/bin/sh\necho \"$*\" >> calls\n[ ! -e broken ] || { echo the table is away >&2; exit 7; }\n";

#[cfg(unix)]
#[test]
fn a_run_ends_by_updating_the_dashboard() {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    let place = Place::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/my_workflow");
    let workflow = place.path("workflows/my_workflow");
    let program = |path: &str, text: &str| {
        let path = workflow.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        std::fs::write(&path, text).expect("it can be written");
        std::fs::set_permissions(path, Permissions::from_mode(0o755)).expect("it can be changed");
    };
    program("evidence/package.json", "{}");
    program("bin/npm", NPM);
    program("bin/node", "#!/bin/sh\n");
    std::fs::copy(folder.join("config.yaml"), workflow.join("config.yaml")).expect("it is copied");
    let run = |wanted: &str| {
        let mut run = dataflow(&place, &["run", "my_workflow", "-f", "json"]);
        run.env("WORKFLOW_CONFIG_DIR", place.path("workflows"));
        run.env("WORKFLOW_MY_WORKFLOW__DASHBOARD", wanted);
        run.env("PATH", format!("{}:/usr/bin:/bin", workflow.join("bin").display()));
        run.output().expect("it starts")
    };
    let calls = || std::fs::read_to_string(workflow.join("evidence/calls")).unwrap_or_default();

    // Its packages are not installed.
    assert!(run("refresh").status.success() && calls().is_empty());
    program("evidence/node_modules/.bin/evidence", "");
    assert!(run("off").status.success() && calls().is_empty());
    assert!(run("refresh").status.success());
    assert_eq!(calls(), "run sources -- --strict\n");
    assert!(run("build").status.success());
    assert_eq!(calls(), "run sources -- --strict\nrun sources -- --strict\nrun build\n");

    program("evidence/broken", "");
    let broken = run("build");
    let error = String::from_utf8_lossy(&broken.stderr);
    assert!(broken.status.success(), "the tables are written: {error}");
    assert!(error.contains("the dashboard is not updated"), "{error}");
    assert!(error.contains("`npm` failed: the table is away"), "{error}");

    let wrong = run("sometimes");
    let error = String::from_utf8_lossy(&wrong.stderr);
    assert_eq!(wrong.status.code(), Some(2), "{error}");
    assert!(error.contains("WORKFLOW_MY_WORKFLOW__DASHBOARD"), "{error}");
}

#[test]
fn the_folder_has_what_compose_and_the_dashboard_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(folder.join(path)).expect(path);
    let compose: Value = serde_yaml::from_str(&read("compose.yaml")).expect("it is YAML");
    for (service, port) in [("dagster", "3000:3000"), ("evidence", "9000:9000")] {
        let service = &compose["services"][service];
        let ports = service["ports"].as_array().expect("ports");
        assert!(
            ports.iter().any(|it| it.as_str().is_some_and(|it| it.ends_with(port))),
            "{ports:?}"
        );
        let dockerfile = service["build"]["dockerfile"].as_str().expect("a file");
        let stage = service["build"]["target"].as_str().expect("a stage");
        let context = service["build"]["context"].as_str().expect("a folder");
        let text = read(&format!("{context}/{dockerfile}"));
        assert!(text.contains(&format!(" AS {stage}\n")), "{stage}");
    }
    let source = read("src/my_workflow/evidence/sources/tables/my_workflow.sql");
    assert!(source.contains("my_workflow.parquet"), "{source}");
}
