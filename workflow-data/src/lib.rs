//! Tables from a source through stages to sinks, batch by batch, driven by configuration.
//!
//! A [`Pipeline`] reads a configuration, checks all of it before it reads any data, and then
//! streams Arrow record batches. One job of a workflow runs the whole pipeline:
//!
//! ```
//! use serde_json::json;
//! use workflow_config::Config;
//! use workflow_core::prelude::*;
//! use workflow_data::{Pipeline, PipelineError, Summary};
//!
//! // Most programs have a file instead, and call `workflow_config::open("orders")`.
//! fn config(folder: &str) -> serde_json::Value {
//!     json!({
//!         "workflow": { "name": "Orders", "schedule": "0 0 * * *" },
//!         "ingestion": {
//!             "source": { "type": "mock", "records": 1000, "duplicates": 50, "nulls": 20 },
//!             "parameters": { "batch_size": 100 },
//!         },
//!         "transformation": {
//!             "stages": [
//!                 { "name": "cleaning", "options": { "remove_duplicates": ["id"] } },
//!                 { "name": "validation", "options": {
//!                     "rules": [{ "column": "amount", "not_null": true, "min": 0 }],
//!                     "on_failure": "skip",
//!                 } },
//!                 { "name": "enrichment", "options": { "add_timestamps": true } },
//!             ],
//!         },
//!         "output": { "type": "file", "path": format!("{folder}/orders.csv") },
//!     })
//! }
//!
//! #[job]
//! fn load(ctx: &JobContext, folder: &str) -> Result<Summary, PipelineError> {
//!     let config = Config::from_json("orders", config(folder))?;
//!     Pipeline::open(&config)?.run_in(ctx)
//! }
//!
//! #[register_workflow(name = "orders")]
//! fn orders(flow: &mut Flow, folder: Handle<String>) -> Handle<Summary> {
//!     flow.job(load(folder))
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().display().to_string();
//! let report = registry::run("orders").input(&path).wait()?;
//!
//! let summary = report.output::<Summary>()?;
//! assert_eq!((summary.read, summary.skipped, summary.written), (1000, 20, 930));
//! assert_eq!(summary.metadata.transformation_stages, ["cleaning", "validation", "enrichment"]);
//! let table = std::fs::read_to_string(folder.path().join("orders.csv"))?;
//! assert!(table.starts_with("id,name,amount,created_at,processed_at\n"));
//! # Ok(())
//! # }
//! ```
//!
//! # Configuration
//!
//! ```yaml
//! ingestion:                  # or `source:` with `name`, `type` and a section named as the type
//!   source:
//!     name: orders
//!     type: file              # or `mock`, `api` or `database`
//!     path: data/*.csv        # CSV, JSON lines (.jsonl), a JSON array (.json) or Parquet
//!     columns: {price: number}  # the types of the others are found from the first 1,000 records
//!   parameters:
//!     batch_size: 1000        # or in `processing`
//! processing:
//!   on_failure: quarantine    # or `fail`, which is the default, or `skip`
//!   quarantine: data/quarantine.jsonl
//! transformation:
//!   stages:
//!     - name: cleaning
//!       options: {trim: true, types: {sold: date}, drop_nulls: [id], remove_duplicates: true}
//!     - name: validation
//!       options:
//!         rules:
//!           - {column: price, not_null: true, min: 0}
//!           - {column: state, one_of: [open, paid]}
//!           - {column: email, pattern: ".+@.+"}
//!     - name: enrichment
//!       options: {add_timestamps: true, constants: {region: north}}
//! output:                     # one sink, or a list
//!   - {type: parquet, path: data/orders.parquet}
//!   - {type: sqlite, path: data/shop.db, table: orders, mode: merge, key: [id]}
//!   - {type: postgres, url: "${secret:SHOP_URL:-postgres://host/shop}", table: orders, mode: append}
//! ```
//!
//! Types of columns are `text`, `integer`, `number`, `boolean`, `date` and `timestamp`. Empty cells
//! of a CSV file are null, and so are texts that `trim` leaves empty. `cleaning` renames columns first
//! (`rename: {Unit Price: price}`), then trims, converts types, drops nulls and removes duplicates.
//! Expressions read columns by their names, and the whole record as `record`:
//! `record['Unit Price'] * quantity`. The values of `one_of` may be in quotes for a
//! column of numbers. Texts of JSON stay texts; lists and objects become JSON texts. A column
//! of integers and fractions is `number`; if one of the integers has more digits than that keeps,
//! it is `text`. Columns of JSON that `columns` names may be missing from the first records.
//!
//! Files of one pattern need the same columns, in any order. Of Parquet files, integers of all sizes are `integer`, and one above 2^63 fails its record.
//! Decimals keep all digits; rules, expressions and SQLite read them as numbers, and one of more
//! than 15 digits is a text for expressions, and fails its record for SQLite. Times of day are
//! texts, and times with a zone are in UTC. Other types pass through.
//!
//! A run without records succeeds. Outputs that are replaced keep their columns and have no records
//! then. If neither the source nor the output that is there says the columns, no table is made.
//!
//! # Objects
//!
//! With the feature `object-store`, the `path` of a source of `type: file` may be a URL, with the
//! formats, patterns and order of local files:
//!
//! ```yaml
//! source:
//!   name: sales
//!   type: file
//!   file:
//!     path: s3://bucket/sales/2026-*.parquet
//!     storage:
//!       region: eu-central-1
//!       access_key_id: ${secret:AWS_KEY:-none}
//!       secret_access_key: ${secret:AWS_SECRET:-none}
//! ```
//!
//! | URL | options of `storage`, among others | the environment |
//! |---|---|---|
//! | `s3://bucket/key` | `region`, `endpoint`, `access_key_id`, `secret_access_key`, `session_token` | `AWS_*` |
//! | `gs://bucket/key` | `service_account`, `service_account_key` | `GOOGLE_*` |
//! | `az://container/key`, `abfss://container@account.dfs.core.windows.net/key` | `account_name`, `account_key`, `sas_token` | `AZURE_*` |
//! | `https://server/key` | | |
//!
//! All options are texts, and those of the crate `object_store` work, too: `allow_http: "true"` for
//! servers without TLS, `skip_signature: "true"` for public objects, and `connect_timeout: 5s` and
//! `timeout: 30s` of a request. A failed request is tried again `max_retries` times (default: 0),
//! within three minutes.
//!
//! Nothing is copied to the disk. Text formats keep at most three parts of 4 MiB in memory, Parquet
//! keeps one row group. An object that changes while it is read is an error. The server must send
//! parts of objects (`Range`).
//!
//! # Failing records
//!
//! With `on_failure: quarantine`, each failing record becomes a line of JSON in the file `quarantine`:
//!
//! ```json
//! {"place":"orders.csv","record":2,"reasons":[{"column":"price","value":"abc","message":"is not a number"}],"values":{"id":"2","price":"abc"}}
//! {"place":"orders.csv","record":5,"reasons":[{"message":"the record has 3 values, the header 2"}],"values":{},"raw":"5,5,5"}
//! ```
//!
//! `values` are those that the source has read. A record that cannot be split into values has none. It
//! is in `raw` as it is in the source: the lines of a CSV file, a line of JSON, or an object of an
//! array or an API, and at most 4,096 characters of it. Of a row of a database, the cells that cannot
//! be read are null in `values`, and `reasons` tell about them.
//!
//! Where the next record cannot be found, the file as a whole fails, whatever the policy is: at a
//! quote of a CSV file that is not closed, and at a mistake between the objects of a JSON array.
//!
//! # APIs
//!
//! A source of `type: api` (feature `api`) gets JSON with `GET`:
//!
//! ```yaml
//! source:
//!   name: orders
//!   type: api
//!   api:
//!     url: https://api.example.com/orders
//!     auth_type: bearer_token   # or `basic` (username, password), `header` (header, token)
//!     token: ${secret:API_TOKEN:-none}
//!     query_parameters: {state: open}
//!     records_path: data.items  # default: the response is the list
//!     pagination: {type: cursor, next_path: meta.next, limit: 100}
//!     columns: {note: text}     # of columns that the first page lacks, or with other types
//!     requests_per_second: 5
//! processing: {max_retries: 5}
//! ```
//!
//! | `pagination.type` | the next page | the last page |
//! |---|---|---|
//! | `link` | the header `Link` with `rel="next"`, or the URL at `next_path` | has no next one |
//! | `cursor` | the parameter `cursor` with the value at `next_path` | has no cursor |
//! | `offset` | the parameter `offset` counts records; `limit` is 100 | is empty |
//! | `page` | the parameter `page` counts pages from `first_page`, 1 | is empty |
//!
//! `parameter` and `limit_parameter` are the names of the parameters. More than `max_pages` (10,000)
//! pages, and pages that repeat, are errors.
//!
//! A failed connection and the status 408, 425, 429 or 5xx are tried again `max_retries` times:
//! after the time of `Retry-After`, which is 5 minutes at most, or after a random part of 0.5 s,
//! 1 s, 2 s, up to a minute. `connect_timeout` (10) and `timeout` (60) of a request are in seconds.
//! A response has at most `max_response_mib` (32).
//!
//! Requests go to the server of `url` only. Redirects and pages on other servers are errors. A proxy
//! is taken from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`.
//!
//! No error and no log line of this crate shows a secret or the value of a parameter. At the level
//! `trace`, the libraries `ureq` and `ureq_proto` log requests with their URLs and headers: a program
//! that writes such lines leaves them out, as with the filter `trace,ureq=info,ureq_proto=info`.
//!
//! # Databases
//!
//! A source of `type: database` reads one `SELECT` from SQLite (feature `sqlite`) or PostgreSQL
//! (feature `postgres`), batch by batch:
//!
//! ```yaml
//! source:
//!   name: orders
//!   type: database
//!   database:
//!     url: ${secret:SHOP_URL:-sqlite:data/shop.db}   # or postgres://user:password@host/database
//!     query: SELECT id, total FROM orders WHERE state = $1 AND id > $2
//!     parameters: [open, 100]
//!     columns: {total: number}
//! ```
//!
//! Columns have the types of the database. SQLite keeps a type for each value, so a column without
//! a declared type has the type of the values of its first batch. `numeric` of PostgreSQL is text,
//! with all of its digits, and so is a `timestamp` without a time zone; `columns` makes them numbers
//! and times. All records are of one state of the database. No error shows the URL.
//!
//! `sslmode` and `sslrootcert` in a URL of PostgreSQL, also in that of an output, mean what they
//! mean in libpq. The default, `prefer`, encrypts where the server can, and verifies nothing. Use
//! `verify-full` over a network: `postgres://host/shop?sslmode=verify-full&sslrootcert=ca.crt`.
//! Without `sslrootcert`, the certificates of the system are trusted.
//!
//! # New records only
//!
//! ```yaml
//! source:
//!   name: orders
//!   type: database
//!   database:
//!     url: sqlite:data/shop.db
//!     query: SELECT * FROM orders WHERE updated_at >= $1
//!     incremental: {cursor: updated_at, initial: "2026-01-01"}
//! output: {type: sqlite, path: data/copy.db, table: orders, mode: merge, key: [id]}
//! ```
//!
//! The largest value of the column `cursor` is kept with the load. The next run hands it to the
//! query as its last parameter, or to an API as `parameter`. The first run has `initial`; an API
//! without it gets no parameter. The column needs an order, and keeps its type: texts with numbers, dates such as
//! `31.1.2026`, and a column whose type is another one than at the last load are refused. Then
//! `columns`, or a cast in the query, gives the type.
//!
//! A table of a database keeps the cursor in the same transaction, in the table
//! `workflow_cursors`. A file `orders.csv` keeps it in `orders.csv.cursor.json`, which is renamed
//! right after the file. A run that fails keeps the old cursor. If a process is killed between the
//! two files, or between two outputs, the next run reads some records again: `merge` writes
//! nothing twice, `append` does. Whoever removes the table or the file gets all records again, and
//! so does a new output. The other outputs of the pipeline get them again, too.
//!
//! With `>`, a record is missed that is written later with the value of the cursor. `>=` with
//! `merge` reads the last records again, and misses none. Records that a stage leaves out count as
//! read.
//!
//! Files are read as a whole, and filtered. If all outputs have `mode: merge`, records with the value
//! of the last load are read again, and so are those without a value. With `append`, only larger
//! values are new, and a record without a value fails. [`Summary::left_out`] counts what the last
//! load had.
//!
//! # Failing records
//!
//! A record that does not fit its columns, breaks a rule or cannot be written stops the pipeline, or is left out, or
//! is added to a file of JSON lines with its place, all its reasons and its values. An error has
//! the place, the column and the value: ``orders.csv: record 1204, column `price`: `abc` is not a
//! number``.
//!
//! A record cannot be written without a value in the key, with the character NUL in a text for
//! PostgreSQL, or with a value that does not fit its column of integers or floating-point numbers in
//! a table that is there. Then no output gets it. What the server refuses for another reason stops
//! the run, whatever the policy.
//!
//! # Looking at tables
//!
//! [`Pipeline::run_in`] records the tables of a run, without credentials. The server's page and the
//! command `data` show their columns, their first 100 rows, and small charts of the first 10,000.
//! They read the files and databases, and PostgreSQL by the URL in the configuration, which must be
//! in a file. Tables are shown as they are now, to whoever may see the run.
//!
//! # Crashes
//!
//! Files are written beside their final name and renamed at the end; a table of a database is
//! written in one transaction. A killed process leaves the old data, and at most hidden files that end
//! in `.partial` or `.lock`. The next run of the output removes those that end in `.partial`, on Unix.
//! Sinks are committed one after the other: a crash between two of them
//! leaves the second one old.
//!
//! Runs that append to one file at the same time, or to one quarantine, keep the records of both. On
//! systems other than Unix they must not overlap. The path of an output is that of a regular file,
//! which may be missing, or of a link to one: the link stays. Devices and pipes are refused.
//!
//! # Limits
//!
//! - `max_retries` has no effect on local files, databases and mock data.
//! - A run is cancelled between two pages of an API, and not while it waits for another attempt.
//! - `schedule` and `workflow` change the metadata of the workflow when its program calls
//!   [`describe_registered`](workflow_config::describe_registered), as the command line does.
//! - Each output has a path of its own, so a pipeline writes one table of a SQLite database.
//! - A query reads a batch ahead, in a thread. A cancelled run does not wait for its end.
//! - A table of PostgreSQL is found by the `search_path` of its user. `mode: replace` creates it
//!   anew, without its indexes and permissions, and fails at the commit if views depend on it. Others
//!   read the old table until then. For SQLite, it drops the table, and with it its indexes, triggers
//!   and constraints.
//! - Two runs of an incremental pipeline at a time may append the same records.
//! - Files are read twice: types are found first. They must not be pipes.
//! - Objects are read and not written. An object over HTTP has no credentials and no parameters.

// Here and not in `examples`, so that those build without Arrow.
#[cfg(all(doctest, feature = "parquet"))]
#[doc = include_str!("../README.md")]
struct Readme;

mod batch;
mod build;
mod clock;
mod config;
mod cursor;
mod normalize;
#[cfg(feature = "openlineage")]
mod openlineage;
mod pipeline;
mod policy;
#[cfg(feature = "postgres")]
mod postgres;
mod preview;
mod row;
mod sink;
mod source;
mod stage;
mod staged;
mod summary;
mod table_file;
mod text;
mod value;

pub use batch::{Batch, BatchMetadata};
pub use build::PipelineBuilder;
pub use clock::RecordClock;
pub use config::{
    ApiSource, AuthType, DatabaseSource, FailurePolicy, FileFormat, FileSource, Incremental,
    Ingestion, IngestionSource, MockSource, OutputConfig, Pagination, PagingKind, Parameters,
    PipelineConfig, Processing, ScheduleSection, SinkKind, SourceConfig, SourceKind, SourceSection,
    StageConfig, Transformation, WorkflowSection, WriteMode,
};
pub use cursor::Cursor;
#[cfg(feature = "openlineage")]
pub use openlineage::{OpenLineage, OpenLineageError};
pub use pipeline::{Pipeline, PipelineError};
pub use policy::{RejectError, Rejects};
pub use row::{FailedRow, Position, RowError, RowReason};
pub use sink::SinkError;
pub use source::{Source, SourceError};
pub use stage::{Options, Stage, StageError, Stages};
pub use summary::{SinkSummary, StageSummary, Summary};
pub use table_file::TableFile;
pub use value::ColumnType;
