//! Where the table of an output is: what a run records, and what opens it again.
//!
//! Files and SQLite databases are found by their path. The URL of a server may have a password, so
//! a run records the configuration, the place of the output in it, and the database without its
//! credentials. Another machine may have another database under the same configuration.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use workflow_config::{Loader, Secret};
use workflow_core::table::TableRecord;

use crate::clock::RecordClock;
use crate::config::{FileFormat, FileSource, OutputConfig, PipelineConfig, Repeated, SinkKind};
use crate::source::{self, Reading, Source};

/// The name of the reader of these tables.
pub(crate) const READER: &str = "workflow-data";

/// How long the database may take for the rows of a preview.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the table of an output is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Location {
    /// A file.
    File { path: PathBuf, format: FileFormat },
    /// A table of a SQLite database.
    Sqlite { path: PathBuf, table: String },
    /// A table of a PostgreSQL database, whose URL the configuration has.
    Postgres { config: String, output: usize, database: String, table: String },
}

impl Location {
    /// The place of an output, the one at this index of this configuration.
    pub(crate) fn of(output: &OutputConfig, config: &str, index: usize) -> Self {
        // The server that reads it may have another working directory.
        let path = || std::path::absolute(&output.path).unwrap_or_else(|_| output.path.clone());
        let table = output.table.clone().unwrap_or_default();
        match output.kind {
            SinkKind::Parquet => Self::File { path: path(), format: FileFormat::Parquet },
            SinkKind::File => {
                let format = output.format.or_else(|| FileFormat::of(&output.path));
                Self::File { path: path(), format: format.unwrap_or(FileFormat::Csv) }
            }
            SinkKind::Sqlite => Self::Sqlite { path: path(), table },
            SinkKind::Postgres => {
                let database = output.url.as_ref().and_then(server).unwrap_or_default();
                Self::Postgres { config: config.to_owned(), output: index, database, table }
            }
        }
    }

    /// What a run records of this table.
    pub(crate) fn record(&self, place: &str, written: u64) -> TableRecord {
        let name = match self {
            Self::File { path, .. } => {
                path.file_stem().unwrap_or_default().to_string_lossy().into()
            }
            Self::Sqlite { table, .. } | Self::Postgres { table, .. } => table.clone(),
        };
        // Paths that are not UTF-8 have no JSON form, so they are found by no reader.
        let source = serde_json::to_value(self).unwrap_or_default();
        let mut record = TableRecord::new(name, place, READER, source);
        record.written = Some(written);
        record
    }

    /// Opens the table, to read its first rows. The loader finds the configuration of a server.
    pub(super) fn open(&self, loader: &Loader, most: u64) -> Result<Box<dyn Source>, String> {
        match self {
            Self::File { path, format } => {
                check_file(path)?;
                let path = path.to_str().ok_or("its path is not UTF-8")?.to_owned();
                let paths = vec![PathBuf::from(&path)];
                let options = FileSource {
                    path,
                    format: Some(*format),
                    columns: BTreeMap::new(),
                    incremental: None,
                    storage: BTreeMap::new(),
                };
                Ok(source::files(options, paths, reading()))
            }
            Self::Sqlite { path, table } => {
                check_file(path)?;
                database(Secret::from(format!("sqlite:{}", path.display())), table, most)
            }
            Self::Postgres { config, output, database: written, table } => {
                let url = url(loader, config, *output, table)?;
                if server(&url).is_some_and(|here| here != *written) {
                    return Err(format!(
                        "the configuration `{config}` names another database here; the run wrote \
                         to `{written}`"
                    ));
                }
                database(url, table, most)
            }
        }
    }

    /// How many rows the table has, if its format says so.
    pub(super) fn row_count(&self) -> Option<u64> {
        match self {
            #[cfg(feature = "parquet")]
            Self::File { path, format: FileFormat::Parquet } => source::parquet_rows(path),
            _ => None,
        }
    }
}

/// Checks that a file is there. Nothing is created, and no pipe is waited for.
fn check_file(path: &Path) -> Result<(), String> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err("it is not a file".to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(format!(
            "the file `{}` is not on this machine; it was removed, or the run was on another one",
            path.display()
        )),
        Err(error) => Err(crate::text::io_reason(&error)),
    }
}

fn reading() -> Reading {
    Reading {
        label: "preview".to_owned(),
        batch_size: BATCH_SIZE,
        max_retries: 0,
        statement_timeout: Some(PATIENCE),
        clock: RecordClock::system(),
        repeated: Repeated::Added,
    }
}

/// The rows that are read at a time.
const BATCH_SIZE: usize = 50;

#[cfg(any(feature = "sqlite", feature = "postgres"))]
fn database(url: Secret, table: &str, most: u64) -> Result<Box<dyn Source>, String> {
    let query = format!("SELECT * FROM {} LIMIT {most}", crate::sink::quoted(table));
    let options = crate::config::DatabaseSource {
        url,
        query,
        parameters: Vec::new(),
        incremental: None,
        columns: BTreeMap::new(),
    };
    source::database(options, reading()).map_err(|(_, reason)| reason)
}

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
fn database(_: Secret, _: &str, _: u64) -> Result<Box<dyn Source>, String> {
    Err(crate::text::missing_feature("sqlite` or `postgres"))
}

/// The URL of a server, from the configuration that the run had.
fn url(loader: &Loader, config: &str, output: usize, table: &str) -> Result<Secret, String> {
    let sections = loader.open(config).and_then(|config| config.read::<PipelineConfig>());
    let sections = sections.map_err(|error| error.to_string())?;
    let outputs = sections.outputs().get(output);
    let same =
        outputs.filter(|it| it.kind == SinkKind::Postgres && it.table.as_deref() == Some(table));
    same.and_then(|output| output.url.clone())
        .ok_or_else(|| format!("the configuration `{config}` does not write this table any more"))
}

/// The database of a URL, without credentials. `None` if the URL is invalid.
#[cfg(feature = "postgres")]
fn server(url: &Secret) -> Option<String> {
    crate::postgres::database(url)
}

#[cfg(not(feature = "postgres"))]
fn server(_: &Secret) -> Option<String> {
    None
}

#[cfg(all(test, feature = "postgres"))]
mod tests {
    use super::*;

    /// The password stays in the configuration.
    #[test]
    fn a_table_of_a_server_is_found_by_its_configuration() {
        let database = test_postgres::database();
        database.execute("CREATE TABLE \"a \"\"b\" AS SELECT generate_series(1, 3) AS n");
        let folder = tempfile::tempdir().expect("a folder");
        let (url, table) = (database.url(), r#"a "b"#);
        let yaml = format!(
            "source: {{type: mock}}\noutput: [{{type: postgres, url: '{url}', table: '{table}'}}]\n"
        );
        let place = folder.path().join("orders");
        std::fs::create_dir(&place).expect("a folder");
        std::fs::write(place.join("config.yaml"), &yaml).expect("it can be written");
        let loader = Loader::new().dir(folder.path());
        let sections: PipelineConfig =
            loader.open("orders").and_then(|config| config.read()).expect("a configuration");
        let location = Location::of(&sections.outputs()[0], "orders", 0);
        let record = location.record("table", 3);
        let expected = serde_json::json!({
            "kind": "postgres", "config": "orders", "output": 0, "table": table,
            "database": server(&Secret::from(url.to_owned())),
        });
        assert_eq!((record.name.as_str(), record.source), (table, expected));

        let mut source = location.open(&loader, 2).expect("it opens");
        let found = super::super::sample(source.as_mut()).expect("it can be read");
        assert_eq!((found.columns[0].kind.as_str(), found.rows.len()), ("integer", 2));

        std::fs::write(place.join("config.yaml"), yaml.replace(table, "other")).expect("written");
        let error = location.open(&loader, 2).map(drop).expect_err("another table");
        assert_eq!(error, "the configuration `orders` does not write this table any more");
    }

    #[test]
    fn another_database_under_the_same_configuration_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("orders/config.yaml");
        std::fs::create_dir(folder.path().join("orders")).expect("a folder");
        let write = |url: &str| {
            let output = format!("{{type: postgres, url: '{url}', table: orders}}");
            let yaml = format!("source: {{type: mock}}\noutput: [{output}]\n");
            std::fs::write(&file, yaml).expect("it can be written");
        };
        let loader = Loader::new().dir(folder.path());
        write("postgres://ada:secret@db.example.com/shop");
        let sections: PipelineConfig =
            loader.open("orders").and_then(|config| config.read()).expect("a configuration");
        let location = Location::of(&sections.outputs()[0], "orders", 0);
        let record = location.record("table orders", 3);
        assert_eq!(record.source["database"], "shop at db.example.com:5432");

        write("postgres://bob:other@db.example.com:5432/shop");
        assert!(location.open(&loader, 2).is_ok(), "another user of the same database");
        for other in ["db.example.com/test", "test.example.com/shop", "db.example.com:5433/shop"] {
            write(&format!("postgres://ada:secret@{other}"));
            let error = location.open(&loader, 2).map(drop).expect_err("another database");
            let expected = "the configuration `orders` names another database here; the run wrote \
                            to `shop at db.example.com:5432`";
            assert_eq!(error, expected, "{other}");
        }
    }
}
