//! `evidence` and `dbt`: the programs that they run, and what is missing. The programs are stand-ins
//! that write down how they are called.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::{Outcome, process_in, workflow_in};

/// Installs when it is told to, and fails in the step that the file `failing` names.
const NPM: &str = r#"#!/bin/sh
echo "$*" >> calls
case "$1" in install) mkdir -p node_modules/.bin && touch node_modules/.bin/evidence;; esac
if [ -e failing ] && [ "$2" = "$(cat failing)" ]; then exit 7; fi
"#;

/// Serves until it is stopped, in a process of its own, as npm does.
const SERVING: &str = r#"#!/bin/sh
case "$1" in exec) sh -c 'trap "echo stopped > stopped; exit 0" TERM; echo > serving; while :; do sleep 0.05; done' & wait;; esac
"#;

/// Serves for 30 s, whatever Ctrl-C says, and then prints a line.
const STUBBORN: &str = r#"#!/bin/sh
if [ "$1" != exec ]; then exit; fi
trap 'echo > ignored' INT; echo > serving
i=0; while [ $i -lt 600 ]; do i=$((i+1)); sleep 0.05; done
echo survived
"#;

/// dbt-core, as far as its version.
const DBT: &str = r#"#!/bin/sh
if [ "$1" = --version ]; then printf 'Core:\n  - installed: 1.11.2\n'; exit; fi
echo "$* in $(basename "$PWD") with $DATA_DIR" > calls
exit 3
"#;

/// Makes a virtual environment with the dbt that is beside it.
const PYTHON: &str = r#"#!/bin/sh
mkdir -p "$3/bin" && cp "$(dirname "$0")/dbt" "$3/bin/dbt"
printf '#!/bin/sh\n' > "$3/bin/python" && chmod +x "$3/bin/python"
"#;

fn write(path: &Path, text: &str, mode: u32) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
    fs::write(path, text).expect("it can be written");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it can be changed");
}

/// A workflow `sales` with a configuration, and with this program in a folder `bin`.
fn sales(program: &str, text: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |path: &str| folder.path().join(path);
    write(&at("workflows/sales/config.yaml"), "a: 1\n", 0o644);
    if !program.is_empty() {
        write(&at("bin").join(program), text, 0o755);
    }
    folder
}

fn with_dashboard(npm: &str) -> TempDir {
    let folder = sales("npm", npm);
    write(&folder.path().join("workflows/sales/evidence/package.json"), "{}\n", 0o644);
    write(&folder.path().join("bin/node"), "#!/bin/sh\n", 0o755);
    folder
}

/// Runs a command with the programs of `bin` before those of the system.
fn call(folder: &Path, args: &[&str]) -> Outcome {
    let path = format!("{}:/usr/bin:/bin", folder.join("bin").display());
    process_in(folder, args).env("PATH", path).output().expect("it starts").into()
}

fn calls(folder: &Path) -> String {
    fs::read_to_string(folder.join("workflows/sales/evidence/calls")).expect("npm was called")
}

#[test]
fn what_a_dashboard_lacks_is_named_with_the_cure() {
    let folder = with_dashboard(NPM);
    let folder = folder.path();
    let installed = call(folder, &["evidence", "dev", "sales"]);
    assert_eq!(installed.code, Some(2), "{}", installed.err);
    assert!(installed.err.contains("run `workflow evidence new sales`"), "{}", installed.err);

    let unknown = call(folder, &["evidence", "build", "prices"]);
    assert_eq!(unknown.code, Some(2), "{}", unknown.err);
    assert!(unknown.err.contains("no package is named `prices`"), "{}", unknown.err);

    let nowhere = call(folder, &["evidence", "new", "prices"]);
    assert_eq!(nowhere.code, Some(2), "{}", nowhere.err);
    assert!(nowhere.err.contains("no package is named `prices`"), "{}", nowhere.err);

    let mut bare = process_in(folder, &["evidence", "build", "sales"]);
    let bare: Outcome =
        bare.env("PATH", folder.join("workflows")).output().expect("it starts").into();
    assert_eq!(bare.code, Some(2), "{}", bare.err);
    assert!(bare.err.contains("there is no program `npm`; install Node 18"), "{}", bare.err);

    fs::remove_file(folder.join("workflows/sales/evidence/package.json")).expect("it is there");
    let other = call(folder, &["evidence", "build", "sales"]);
    assert_eq!(other.code, Some(2), "{}", other.err);
    assert!(other.err.contains("has no `package.json`"), "{}", other.err);

    fs::remove_dir_all(folder.join("workflows/sales/evidence")).expect("it is there");
    for command in ["new", "dev"] {
        let configured = call(folder, &["evidence", command, "sales"]);
        assert_eq!(configured.code, Some(2), "{}", configured.err);
        let cure = "`sales` is no package; copy an `evidence` folder beside its `config.yaml`";
        assert!(configured.err.contains(cure), "{}", configured.err);
    }
}

#[test]
fn a_dashboard_is_installed_and_built() {
    let folder = with_dashboard(NPM);
    let folder = folder.path();
    let built = call(folder, &["evidence", "build", "sales"]);
    assert_eq!(built.code, Some(0), "{}", built.err);
    assert!(
        built.err.contains("installing the packages of workflows/sales/evidence"),
        "{}",
        built.err
    );
    let steps = "install --no-audit --no-fund\nrun sources -- --strict\nrun build\n";
    assert_eq!(calls(folder), steps);

    // It is installed now. The exit code is that of npm, and a failed step is the last one.
    write(&folder.join("workflows/sales/evidence/failing"), "sources", 0o644);
    let failed = call(folder, &["evidence", "build", "sales"]);
    assert_eq!(failed.code, Some(7), "{}", failed.err);
    assert_eq!(calls(folder), format!("{steps}run sources -- --strict\n"));

    let again = call(folder, &["evidence", "new", "sales"]);
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert!(again.err.contains("are installed"), "{}", again.err);

    fs::remove_file(folder.join("workflows/sales/evidence/failing")).expect("it is there");
    let served = call(folder, &["evidence", "dev", "sales", "--no-sources"]);
    assert_eq!(served.code, Some(0), "{}", served.err);
    let last = calls(folder).lines().last().map(str::to_owned);
    let expected = "exec -- evidence dev --host 127.0.0.1 --port 9000";
    assert_eq!(last.as_deref(), Some(expected));
}

/// DuckDB-WASM, as far as its release.
const DUCKDB: &str = "\
exports.VoidLogger = class {};
exports.createDuckDB = async () => ({ instantiate: async () => {}, open() {}, connect: () => ({ query }) });
const query = (sql) => ({ toArray: () => [{ toJSON: () => ({ it: answer(sql) }) }] });
const answer = (sql) => (sql.includes('version') ? 'v9.8.7' : 'wasm_eh');
";

#[test]
fn the_parquet_extension_is_fetched_once_and_a_failure_names_the_cure() {
    let folder = with_dashboard(NPM);
    let folder = folder.path();
    // The real one.
    fs::remove_file(folder.join("bin/node")).expect("it is there");
    let packages = folder.join("workflows/sales/evidence/node_modules");
    write(&packages.join(".bin/evidence"), "", 0o755);
    write(&packages.join("@evidence-dev/universal-sql/index.js"), "", 0o644);
    write(&packages.join("@duckdb/duckdb-wasm/index.js"), "", 0o644);
    write(&packages.join("@duckdb/duckdb-wasm/dist/duckdb-node-blocking.js"), DUCKDB, 0o644);

    let build = |mirror: &str| -> Outcome {
        let path = std::env::var("PATH").expect("a path");
        let mut build = process_in(folder, &["evidence", "build", "sales"]);
        build.env("PATH", format!("{}:{path}", folder.join("bin").display()));
        build.env("HOME", folder).env("DUCKDB_EXTENSIONS_URL", mirror);
        build.output().expect("it starts").into()
    };
    let away = build("http://127.0.0.1:1");
    assert_eq!(away.code, Some(2), "{}", away.err);
    let url = "http://127.0.0.1:1/v9.8.7/wasm_eh/parquet.duckdb_extension.wasm cannot be fetched";
    assert!(away.err.contains(url) && away.err.contains("to a mirror"), "{}", away.err);
    assert!(!packages.with_file_name("calls").exists(), "nothing is read");

    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mirror = format!("http://{}/", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a request");
        let mut request = [0; 4096];
        let _read = stream.read(&mut request).expect("a request");
        let response = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nwasm";
        stream.write_all(response.as_bytes()).expect("it is read");
    });
    let there = build(&mirror);
    assert_eq!(there.code, Some(0), "{}", there.err);
    let extensions = folder.join(".duckdb/extensions/extensions.duckdb.org/v9.8.7/wasm_eh");
    let names: Vec<_> = fs::read_dir(&extensions).expect("a folder").collect();
    assert_eq!(names.len(), 1);
    let file = extensions.join("parquet.duckdb_extension.wasm");
    assert_eq!(fs::read_to_string(file).expect("it is fetched"), "wasm");

    assert_eq!(build("http://127.0.0.1:1").code, Some(0), "it is there already");
    assert_eq!(calls(folder).matches("run sources").count(), 2);
}

#[test]
fn a_signal_stops_the_whole_dashboard() {
    let folder = with_dashboard(SERVING);
    let (mut dev, place) = serve(folder.path(), Stdio::null());
    kill_process(Pid::from_child(&dev), Signal::TERM).expect("it runs");
    let status = dev.wait().expect("it ends");
    // npm is ended by the signal, and what it has started ends, too.
    assert_eq!(status.code(), Some(143));
    until_exists(&mut dev, &place.join("stopped"));
}

#[test]
fn a_second_signal_ends_a_dashboard_that_ignores_the_first() {
    let folder = with_dashboard(STUBBORN);
    let (mut dev, place) = serve(folder.path(), Stdio::piped());
    kill_process(Pid::from_child(&dev), Signal::INT).expect("it runs");
    until_exists(&mut dev, &place.join("ignored"));
    kill_process(Pid::from_child(&dev), Signal::INT).expect("it runs");
    // The output ends with the last process that can write to it.
    let ended = dev.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(130));
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "");
}

/// Starts the dashboard, and waits until npm serves it. Returns its folder, too.
fn serve(folder: &Path, output: Stdio) -> (Child, PathBuf) {
    let place = folder.join("workflows/sales/evidence");
    write(&place.join("node_modules/.bin/evidence"), "", 0o755);
    let path = format!("{}:/usr/bin:/bin", folder.join("bin").display());
    let mut dev = process_in(folder, &["evidence", "dev", "sales"]);
    dev.env("PATH", path).stdout(output).stderr(Stdio::null());
    let mut dev = dev.spawn().expect("it starts");
    until_exists(&mut dev, &place.join("serving"));
    (dev, place)
}

/// Waits for a file; what should make it must not have ended without it for long.
fn until_exists(process: &mut Child, file: &Path) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !file.exists() {
        if Instant::now() > deadline {
            let _ended = process.kill();
            panic!("{} is not written", file.display());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_missing_dashboard_is_made_from_the_template() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let made = workflow_in(folder, &["new", "sales"]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    let sales = folder.join("sales");
    let page = sales.join("evidence/pages/index.md");
    let before = fs::read_to_string(&page).expect("a page");
    fs::remove_dir_all(sales.join("evidence")).expect("it is there");
    write(&sales.join("bin/npm"), NPM, 0o755);

    let path = format!("{}:/usr/bin:/bin", sales.join("bin").display());
    let mut new = process_in(&sales, &["evidence", "new", "sales"]);
    let new: Outcome =
        new.env("PATH", path).env("CARGO", env!("CARGO")).output().expect("it starts").into();
    assert_eq!(new.code, Some(0), "{}", new.err);
    assert!(
        new.err.starts_with("made evidence\ninstalling the packages of evidence"),
        "{}",
        new.err
    );
    assert_eq!(fs::read_to_string(&page).expect("a page"), before);
    assert!(sales.join("evidence/node_modules").is_dir());
    let source = fs::read_to_string(sales.join("evidence/sources/tables/sales.sql")).expect("SQL");
    assert_eq!(source, "select * from read_parquet('../data/sales.parquet')\n");
}

#[test]
fn dbt_is_installed_for_the_project_although_another_one_is_on_path() {
    let folder = sales("dbt", DBT);
    let folder = folder.path();
    write(&folder.join("bin/python3"), PYTHON, 0o755);
    let project = folder.join("workflows/sales/dbt");
    write(&project.join("dbt_project.yml"), "name: sales\n", 0o644);
    let installed = call(folder, &["dbt", "setup", "sales"]);
    assert_eq!(installed.code, Some(0), "{}", installed.err);
    assert!(installed.err.starts_with("installing dbt-core"), "{}", installed.err);
    assert!(project.join(".venv/bin/dbt").is_file());
}

#[test]
fn dbt_is_found_and_called() {
    let folder = sales("", "");
    let folder = folder.path();
    let none = call(folder, &["dbt", "build", "sales"]);
    assert_eq!(none.code, Some(2), "{}", none.err);
    assert!(none.err.contains("`sales` has no dbt project"), "{}", none.err);

    let project = folder.join("workflows/sales/dbt");
    write(&project.join("dbt_project.yml"), "name: sales\n", 0o644);
    let missing = call(folder, &["dbt", "build", "sales"]);
    assert_eq!(missing.code, Some(2), "{}", missing.err);
    assert!(missing.err.contains("`workflow dbt setup sales`"), "{}", missing.err);

    write(&project.join(".venv/bin/dbt"), DBT, 0o755);
    let there = call(folder, &["dbt", "setup", "sales"]);
    assert_eq!(there.code, Some(0), "{}", there.err);
    assert!(there.err.starts_with("dbt-core 1.11.2 is at "), "{}", there.err);

    let mut build = process_in(folder, &["dbt", "build", "sales", "--", "--select", "a b"]);
    let build: Outcome = build.env("DATA_DIR", "data").output().expect("it starts").into();
    assert_eq!(build.code, Some(3), "{}", build.err);
    let called = fs::read_to_string(project.join("calls")).expect("dbt was called");
    let data = folder.canonicalize().expect("a folder").join("data");
    assert_eq!(called, format!("build --select a b in dbt with {}\n", data.display()));

    assert_eq!(call(folder, &["dbt", "list", "sales"]).code, Some(3));
    let called = fs::read_to_string(project.join("calls")).expect("dbt was called");
    assert!(called.starts_with("ls in dbt"), "{called}");
}
