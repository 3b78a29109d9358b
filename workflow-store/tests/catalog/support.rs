//! Catalogs to ask, and runs to put into them.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use workflow_core::{Event, Metadata, NewRun, Owner, OwnerId, WorkflowSnapshot};
use workflow_store::Catalog;

pub(crate) struct Place {
    pub(crate) store: Arc<dyn Catalog>,
    pub(crate) other: Arc<dyn Catalog>,
    pub(crate) raw: Raw,
    _keep: Box<dyn Any>,
}

/// The database behind a store.
pub(crate) enum Raw {
    Sqlite(std::path::PathBuf),
    Postgres(Arc<crate::cluster::Database>),
}

impl Raw {
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    pub(crate) fn execute(&self, sql: &str) {
        match self {
            Self::Sqlite(path) => {
                rusqlite::Connection::open(path)
                    .and_then(|file| file.execute_batch(sql))
                    .expect(sql);
            }
            Self::Postgres(database) => database.execute(sql),
        }
    }

    /// Takes back the migrations from this one on, so that the database is one of an older version.
    pub(crate) fn undo(&self, first: u32) {
        let trigger = "DROP TRIGGER workflows_workflowrun_inserted;
            CREATE TRIGGER workflows_workflowrun_owner AFTER INSERT ON workflows_workflowrun
            BEGIN SELECT 1; END";
        let steps = [
            (12, "DROP TABLE workflows_unfolded"),
            (
                11,
                "DROP TABLE workflows_version;
                ALTER TABLE workflows_definition DROP COLUMN version",
            ),
            (10, if self.is_postgres() { "" } else { trigger }),
            (9, "ALTER TABLE workflows_workflowrun DROP COLUMN runs_dir"),
            (8, "DROP TABLE workflows_waiting"),
        ];
        for (_, step) in steps.iter().filter(|(version, _)| *version >= first) {
            self.execute(step);
        }
        self.execute(&format!("DELETE FROM refinery_schema_history WHERE version >= {first}"));
    }

    /// Opens a store on it, which brings its schema up to date.
    pub(crate) async fn open(&self) -> Arc<dyn Catalog> {
        let address = match self {
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
            Self::Postgres(database) => database.url().to_owned(),
        };
        workflow_store::open(&address).await.expect("a store")
    }

    /// The first column of what is found, as text.
    pub(crate) fn query(&self, sql: &str) -> Vec<String> {
        match self {
            Self::Postgres(database) => database.query(sql),
            Self::Sqlite(path) => {
                let file = rusqlite::Connection::open(path).expect("a database");
                let mut statement = file.prepare(sql).expect(sql);
                let text = |row: &rusqlite::Row<'_>| {
                    Ok(match row.get_ref(0)? {
                        rusqlite::types::ValueRef::Null => String::new(),
                        rusqlite::types::ValueRef::Integer(value) => value.to_string(),
                        other => other.as_str().map(str::to_owned).unwrap_or_default(),
                    })
                };
                let rows = statement.query_map([], text).expect(sql);
                rows.collect::<Result<_, _>>().expect(sql)
            }
        }
    }
}

pub(crate) async fn sqlite() -> Place {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("workflows.db");
    let url = format!("sqlite://{}", path.display());
    let store = workflow_store::open(&url).await.expect("a store");
    let other = workflow_store::open(&url).await.expect("the same");
    Place { store, other, raw: Raw::Sqlite(path), _keep: Box::new(folder) }
}

pub(crate) async fn postgres() -> Place {
    let database = Arc::new(crate::cluster::database());
    let store = workflow_store::open(database.url()).await.expect("a store");
    let other = workflow_store::open(database.url()).await.expect("the same");
    Place { store, other, raw: Raw::Postgres(database), _keep: Box::new(()) }
}

pub(crate) fn snapshot(name: &str, metadata: Json) -> WorkflowSnapshot {
    WorkflowSnapshot {
        name: name.to_owned(),
        metadata: Metadata::new(metadata).expect("fit"),
        fingerprint: "f1".into(),
        source: None,
        graph: Arc::new(json!({ "nodes": [{ "id": "load" }], "edges": [] })),
    }
}

pub(crate) fn new_run(name: &str) -> NewRun {
    NewRun {
        input: Some(json!({ "day": 1 })),
        owner: Some(Owner { id: OwnerId::random(), lifetime: Duration::from_secs(60) }),
        ..NewRun::new(snapshot(name, json!({ "project": "sales" })))
    }
}

/// A run of a file that keeps a folder for each of its runs in this one. Its folder is there, with
/// a log and what a command left.
pub(crate) fn run_of_file(name: &str, runs_dir: &std::path::Path) -> NewRun {
    let mut run = new_run(name);
    let source = json!({ "workflow_file": {
        "name": "etl.yaml", "folder": "/work", "runs_dir": runs_dir, "text": "name: etl",
    }});
    run.workflow.source = Some(Arc::new(source));
    let folder = runs_dir.join(run.id.to_string());
    std::fs::create_dir_all(folder.join("left")).expect("a folder");
    for file in ["output.log", "output.2.log", "left/rows.csv"] {
        std::fs::write(folder.join(file), "x").expect("a file");
    }
    run
}

/// The names of the folders in this one, in order.
pub(crate) fn folders_in(runs_dir: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(runs_dir).expect("a folder");
    let name = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut names: Vec<_> = entries.map(|entry| name(entry.expect("readable"))).collect();
    names.sort();
    names
}

/// An event that happens so many milliseconds after the run began.
pub(crate) fn event(sequence: u64, millis: u32, mut kind: Json) -> Event {
    kind["sequence"] = sequence.into();
    kind["at"] = format!(
        "2026-01-02T03:{:02}:{:02}.{:03}Z",
        millis / 60_000,
        millis / 1000 % 60,
        millis % 1000
    )
    .into();
    serde_json::from_value(kind).expect("an event")
}

/// A whole run with one job that takes so long.
pub(crate) fn whole_run(millis: u32, ends_well: bool) -> Vec<Event> {
    let failure = json!({ "kind": "retryable", "message": "no\0 rows", "error_type": "E" });
    let (job, run) = match ends_well {
        true => (
            json!({ "event": "job_completed", "job": "load", "attempt": 1, "output": 7 }),
            json!({ "event": "run_completed", "output": { "rows": 7 } }),
        ),
        false => (
            json!({ "event": "job_failed", "job": "load", "attempt": 1, "error": failure }),
            json!({ "event": "run_failed", "reason": "job `load` failed" }),
        ),
    };
    vec![
        event(0, 0, json!({ "event": "run_started" })),
        event(1, 0, json!({ "event": "job_started", "job": "load", "attempt": 1 })),
        event(2, millis, job),
        event(3, millis, run),
    ]
}

/// Asks until the answer is there.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(5));
    }
}
