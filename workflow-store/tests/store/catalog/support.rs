//! Catalogs to ask, and runs to put into them.

use std::any::Any;
use std::sync::Arc;

use workflow_store::Catalog;
pub(crate) use workflow_store::testing::catalog::fixtures::*;

pub(crate) struct Place {
    pub(crate) store: Arc<dyn Catalog>,
    pub(crate) other: Arc<dyn Catalog>,
    pub(crate) raw: Raw,
    _keep: Box<dyn Any>,
}

/// The database behind a store.
pub(crate) enum Raw {
    Sqlite(std::path::PathBuf),
    Postgres(Arc<test_postgres::Database>),
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
        let announcing = "DROP TRIGGER workflows_queue_added ON workflows_queue;
            DROP FUNCTION workflows_announce_queued CASCADE; DROP TABLE workflows_worker";
        let tasks = "DROP TABLE workflows_task_output; DROP TABLE workflows_task";
        let tasks_announced = "DROP TABLE workflows_task_output; DROP TABLE workflows_task;
            DROP FUNCTION workflows_announce_task";
        let links = "DROP TRIGGER workflows_workflowrun_ended;
            DROP TRIGGER workflows_workflowrun_inserted_ended;
            DROP TABLE workflows_ended; DROP TABLE workflows_link";
        let links_of_postgres = "DROP FUNCTION workflows_leave_ended CASCADE;
            DROP TABLE workflows_ended; DROP TABLE workflows_link";
        let made = "DROP TRIGGER workflows_workflowrun_made;
            DROP TRIGGER workflows_workflowrun_inserted_made";
        // The columns of the queue go with it.
        let steps = [
            (22, "DROP TABLE workflows_file"),
            (
                21,
                if self.is_postgres() {
                    "DROP FUNCTION workflows_leave_made CASCADE"
                } else {
                    made
                },
            ),
            (20, if self.is_postgres() { links_of_postgres } else { links }),
            (19, "DROP TABLE workflows_materialization"),
            (
                18,
                "ALTER TABLE workflows_workflowrun DROP COLUMN scheduled_for;
                ALTER TABLE workflows_schedule DROP COLUMN skipped_at;
                ALTER TABLE workflows_schedule DROP COLUMN skip_reason",
            ),
            (17, if self.is_postgres() { tasks_announced } else { tasks }),
            (16, "DROP TABLE workflows_evicted"),
            (
                15,
                "DROP TABLE workflows_rate; DROP TABLE workflows_limited;
                DROP TABLE workflows_served;
                ALTER TABLE workflows_workflowrun DROP COLUMN flow_control",
            ),
            (14, if self.is_postgres() { announcing } else { "DROP TABLE workflows_worker" }),
            (
                13,
                "DROP INDEX workflows_workflowrun_open_child_idx;
                DROP TABLE workflows_queue;
                ALTER TABLE workflows_owner DROP COLUMN requeued;
                ALTER TABLE workflows_workflowrun DROP COLUMN task_queue;
                ALTER TABLE workflows_workflowrun DROP COLUMN priority",
            ),
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
    let database = Arc::new(crate::MIGRATED.copy());
    let store = workflow_store::open(database.url()).await.expect("a store");
    let other = workflow_store::open(database.url()).await.expect("the same");
    Place { store, other, raw: Raw::Postgres(database), _keep: Box::new(()) }
}
