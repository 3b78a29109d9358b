//! dbt for tests, and a copy of the test project.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use workflow_core::asset::Assets;
use workflow_core::{Engine, Workflow};
use workflow_dbt::{DbtProject, DbtWorkflow, Program};
use workflow_store::SqliteStore;

/// The environment variable with the path of another dbt.
const PLACE: &str = "TEST_DBT";

/// dbt of the environment, or else fetched by pip into the target folder, once for all processes.
pub(crate) fn dbt() -> Program {
    static DBT: OnceLock<Program> = OnceLock::new();
    DBT.get_or_init(|| {
        if let Some(place) = std::env::var_os(PLACE) {
            return Program::at(Path::new(&place))
                .unwrap_or_else(|error| panic!("{PLACE}: {error}"));
        }
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("dbt");
        fs::create_dir_all(&home).expect("a folder in the target folder");
        let lock = File::create(home.join("lock")).expect("a file in the target folder");
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).expect("a lock");
        let installed = home.join(".venv/bin/dbt");
        let found =
            if installed.is_file() { Program::at(&installed) } else { Program::setup(&home) };
        found.unwrap_or_else(|error| {
            panic!("the tests need dbt-core with dbt-duckdb: {error}; or set {PLACE} to its `dbt`")
        })
    })
    .clone()
}

/// A copy of the test project.
pub(crate) struct Shop {
    folder: PathBuf,
    /// Removed with the shop; `None` for one that another process removes.
    _folder: Option<tempfile::TempDir>,
}

impl Shop {
    pub(crate) fn copy() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/project"), folder.path());
        Self { folder: folder.path().to_owned(), _folder: Some(folder) }
    }

    pub(crate) fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), _folder: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn project(&self) -> DbtProject {
        DbtProject::open_with(&self.folder, dbt()).expect("a project")
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.folder.join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder of the project");
        fs::write(path, text).expect("a file of the project");
    }

    /// The store of the project's runs.
    pub(crate) async fn store(&self) -> SqliteStore {
        SqliteStore::open(self.folder.join("runs.db")).await.expect("a store")
    }

    /// The records of assets.
    pub(crate) fn assets(store: &SqliteStore) -> Assets {
        Assets::new(Arc::new(store.clone()), "unused").expect("the store keeps records")
    }

    /// An engine that knows this workflow, and records assets.
    pub(crate) fn engine(store: &SqliteStore, workflow: &Arc<DbtWorkflow>) -> Engine {
        let known: Arc<dyn Workflow> = workflow.clone();
        let builder = Engine::builder().store(store.clone()).lease(Duration::from_secs(2));
        let builder = builder.state(Self::assets(store));
        builder.resolver(move |_: &_| Ok(Arc::clone(&known))).build()
    }

    /// The log of a process of a run.
    pub(crate) fn log(&self, run: impl std::fmt::Display, process: usize) -> Log {
        Log(self.folder.join(format!(".workflow/runs/{run}/dbt/{process}/dbt.log")))
    }

    pub(crate) fn processes(&self, run: impl std::fmt::Display) -> usize {
        let folder = self.folder.join(format!(".workflow/runs/{run}/dbt"));
        fs::read_dir(folder).map_or(0, Iterator::count)
    }
}

/// The log of a process of dbt.
pub(crate) struct Log(PathBuf);

impl Log {
    /// The complete lines so far.
    pub(crate) fn events(&self) -> Vec<Json> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        lines.map(|line| serde_json::from_str(line).expect("an event")).collect()
    }

    /// The nodes that dbt started, in the order of their IDs.
    pub(crate) fn started(&self) -> Vec<String> {
        let starts = |event: &&Json| event["info"]["name"] == "NodeStart";
        let events = self.events();
        let mut nodes: Vec<String> = events.iter().filter(starts).map(node).collect();
        nodes.sort();
        nodes
    }

    /// The status of each node that ended.
    pub(crate) fn finished(&self) -> BTreeMap<String, String> {
        let ends = |event: &&Json| event["info"]["name"] == "NodeFinished";
        let status = |event: &Json| {
            let status = event["data"]["run_result"]["status"].as_str();
            (node(event), status.expect("a status").to_owned())
        };
        self.events().iter().filter(ends).map(status).collect()
    }

    /// The process that writes it.
    pub(crate) fn pid(&self) -> u64 {
        self.events().first().and_then(|event| event["info"]["pid"].as_u64()).expect("a process")
    }
}

fn node(event: &Json) -> String {
    event["data"]["node_info"]["unique_id"].as_str().expect("a node").to_owned()
}

/// Writes a program. Another process writes it: a program that this one has open for writing cannot
/// be run by those that it starts meanwhile.
pub(crate) fn write_program(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "printf %s \"$2\" >\"$1\" && chmod 755 \"$1\"", "sh"]).arg(path).arg(text);
    assert!(shell.status().expect("a shell").success(), "{} is written", path.display());
}

/// Waits until something is true.
pub(crate) fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(90);
    while !is_true() {
        assert!(Instant::now() < deadline, "timed out: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a process runs, and is not a zombie.
pub(crate) fn is_alive(pid: u64) -> bool {
    let mut ps = std::process::Command::new("ps");
    let output = ps.args(["-o", "stat=", "-p", &pid.to_string()]).output().expect("ps");
    let state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}
