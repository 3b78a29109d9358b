//! Tables that a run records, and the start of each.

use std::sync::Arc;

use serde_json::json;
use workflow_config::Loader;
use workflow_core::prelude::*;
use workflow_core::store::MemoryStore;
use workflow_core::table::{self, ColumnChart, RunTable, TablePreview, TableRecord};
use workflow_data::{Pipeline, PipelineError, Summary};

use crate::folder::Folder;

#[job]
fn load_in(ctx: &JobContext, folder: &str) -> Result<Summary, PipelineError> {
    let file = format!("{folder}/config.yaml");
    let loader = Loader::new().file(file).environment([("DIR", folder)]);
    Pipeline::open(&loader.open("orders")?)?.run_in(ctx)
}

#[register_workflow(name = "load_in_folder")]
fn load_in_folder(flow: &mut Flow, folder: Handle<String>) -> Handle<Summary> {
    flow.job(load_in(folder))
}

/// Runs a pipeline in a job, and returns the tables of the run.
fn tables(folder: &Folder, yaml: &str) -> Vec<RunTable> {
    folder.write("config.yaml", yaml);
    let store = Arc::new(MemoryStore::new());
    let engine = Engine::builder().store(store.clone()).build();
    let file = folder.path("config.yaml");
    let input = file.parent().unwrap().display().to_string();
    let report = engine.run("load_in_folder").input(&input).wait().unwrap();
    pollster::block_on(table::of_run(&*store, report.id())).unwrap()
}

/// Runs a pipeline in a job, and reads the start of its only table.
fn preview(folder: &Folder, yaml: &str) -> TablePreview {
    let tables = tables(folder, yaml);
    assert_eq!(tables.len(), 1, "{tables:?}");
    table::preview(&tables[0].record).unwrap()
}

/// Writes the records of a CSV file to this output, and reads the start of it.
fn through(folder: &Folder, csv: &str, output: &str) -> TablePreview {
    folder.write("in.csv", csv);
    let source = "source: {type: file, name: orders, file: {path: '${DIR}/in.csv'}}";
    preview(folder, &format!("{source}\noutput: {{{output}}}"))
}

const ORDERS: &str = "id,price,state,day\n1,9.5,open,2026-01-31\n2,,paid,2026-02-01\n3,0.5,open,\n";

#[cfg(all(feature = "parquet", feature = "sqlite"))]
#[test]
fn every_kind_of_output_can_be_read() {
    let outputs = [
        ("type: file, path: '${DIR}/out.csv'", "date"),
        ("type: file, path: '${DIR}/out.ndjson'", "text"),
        ("type: parquet, path: '${DIR}/out.parquet'", "date"),
        ("type: sqlite, path: '${DIR}/out.db', table: 'the \"orders\"'", "text"),
    ];
    for (output, day) in outputs {
        let found = through(&Folder::new(), ORDERS, output);
        let columns = found.columns.iter();
        let columns: Vec<_> =
            columns.map(|it| (it.name.as_str(), it.kind.as_str(), it.nulls)).collect();
        let expected =
            [("id", "integer", 0), ("price", "number", 1), ("state", "text", 0), ("day", day, 1)];
        assert_eq!(columns, expected, "{output}");
        let row = |cells: [Option<&str>; 4]| cells.map(|cell| cell.map(str::to_owned)).to_vec();
        let rows = [
            row([Some("1"), Some("9.5"), Some("open"), Some("2026-01-31")]),
            row([Some("2"), None, Some("paid"), Some("2026-02-01")]),
            row([Some("3"), Some("0.5"), Some("open"), None]),
        ];
        assert_eq!(found.rows, rows, "{output}");
        assert_eq!((found.row_count, found.sampled, found.unreadable), (Some(3), 3, 0), "{output}");
    }
}

#[test]
fn a_run_records_its_outputs_without_their_options() {
    let folder = Folder::with("in.csv", ORDERS);
    let yaml = "
source: {type: file, file: {path: '${DIR}/in.csv'}}
output:
  - {type: file, path: '${DIR}/orders.csv'}
  - {type: file, path: '${DIR}/more/orders.jsonl'}
";
    let tables = tables(&folder, yaml);
    let names: Vec<_> = tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["orders", "orders-2"]);
    let record = &tables[0].record;
    assert_eq!((tables[0].job.as_str(), record.written), ("load_in", Some(3)));
    let path = folder.path("orders.csv");
    assert_eq!(record.source, json!({ "kind": "file", "path": path, "format": "csv" }));
}

#[test]
fn charts_count_the_values() {
    let csv: String = (0..40).map(|at| format!("{at},{}\n", at % 3)).collect();
    let found = through(&Folder::new(), &format!("n,text\n{}", csv.replace(",2\n", ",x\n")), OUT);
    let Some(ColumnChart::Histogram { buckets }) = &found.columns[0].chart else {
        panic!("{found:?}")
    };
    assert_eq!(buckets.len(), 20);
    assert!(buckets.iter().all(|bucket| bucket.count == 2), "{buckets:?}");
    assert_eq!((buckets[19].from.as_str(), buckets[19].to.as_str()), ("38", "39"));
    let Some(ColumnChart::Frequent { values, distinct }) = &found.columns[1].chart else {
        panic!("{found:?}")
    };
    let values: Vec<_> = values.iter().map(|it| (it.value.as_str(), it.count)).collect();
    assert_eq!((values, *distinct), (vec![("0", 14), ("1", 13), ("x", 13)], 3));
}

const OUT: &str = "type: file, path: '${DIR}/out.csv'";

#[test]
fn a_large_table_is_cut() {
    let names: Vec<_> = (0..130).map(|at| format!("c{at}")).collect();
    let long = "ä".repeat(300);
    let row = format!("{long}{}\n", ",1".repeat(129));
    let csv = format!("{}\n{}", names.join(","), row.repeat(150));
    let found = through(&Folder::new(), &csv, OUT);
    assert_eq!((found.columns.len(), found.column_count), (100, 130));
    assert_eq!((found.rows.len(), found.row_count), (100, Some(150)));
    assert_eq!(found.rows[0].len(), 100);
    assert_eq!(found.rows[0][0], Some(format!("{}…", "ä".repeat(200))));

    let csv = format!("n\n{}", "1\n".repeat(10_400));
    let found = through(&Folder::new(), &csv, OUT);
    assert_eq!((found.sampled, found.row_count), (10_000, None));

    let csv = format!("n\n{}", format!("{}\n", "x".repeat(1 << 16)).repeat(200));
    let found = through(&Folder::new(), &csv, OUT);
    assert_eq!((found.sampled, found.row_count), (128, None), "8 MiB of cells");
}

#[test]
fn rows_that_do_not_fit_count_as_read() {
    let folder = Folder::with("in.csv", "n\n1\n");
    let source = "source: {type: file, file: {path: '${DIR}/in.csv'}}";
    let tables = tables(&folder, &format!("{source}\noutput: {{{OUT}}}"));
    folder.write("out.csv", format!("n\n{}{}", "1\n".repeat(2_000), "x\n".repeat(20_000)));
    let found = table::preview(&tables[0].record).unwrap();
    assert_eq!((found.sampled, found.unreadable, found.row_count), (2_000, 8_000, None));
}

#[cfg(feature = "sqlite")]
#[test]
fn the_rows_of_a_large_database_are_not_counted() {
    let folder = Folder::with("in.csv", "n\n1\n");
    let source = "source: {type: file, file: {path: '${DIR}/in.csv'}}";
    let output = "type: sqlite, path: '${DIR}/out.db', table: orders";
    let tables = tables(&folder, &format!("{source}\noutput: {{{output}}}"));
    let database = rusqlite::Connection::open(folder.path("out.db")).unwrap();
    let more = "WITH RECURSIVE more(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM more LIMIT 10400)
                INSERT INTO orders SELECT CASE n WHEN 7 THEN 'x' ELSE n END FROM more";
    database.execute_batch(more).unwrap();
    let found = table::preview(&tables[0].record).unwrap();
    assert_eq!((found.sampled, found.unreadable, found.row_count), (9_999, 1, None));
}

/// Text is text: what it would be elsewhere is for those who show it.
#[test]
fn cells_are_texts() {
    let hostile = "<script>alert(1)</script>\u{1b}[2J\u{0}";
    let found = through(&Folder::new(), &format!("a\n\"{hostile}\"\n"), OUT);
    assert_eq!(found.rows, [[Some(hostile.to_owned())]]);
}

#[test]
fn the_table_is_shown_as_it_is_now() {
    let folder = Folder::with("in.csv", ORDERS);
    let source = "source: {type: file, file: {path: '${DIR}/in.csv'}}";
    let tables = tables(&folder, &format!("{source}\noutput: {{{OUT}}}"));
    let record = &tables[0].record;
    let read = || table::preview(record).map_err(|error| folder.shown(error));

    // The types are found from the first 1,000 records.
    folder.write("out.csv", format!("n\n{}x\n", "1\n".repeat(1_000)));
    let found = read().unwrap();
    assert_eq!((found.sampled, found.unreadable, found.row_count), (1_000, 1, Some(1_001)));

    folder.write("out.csv", "");
    let text = read().unwrap_err();
    let reason = "the file is empty; a CSV file begins with a header";
    assert_eq!(text, format!("cannot read `DIR/out.csv`: {reason}"));

    std::fs::remove_file(folder.path("out.csv")).unwrap();
    let text = read().unwrap_err();
    assert!(text.contains("the file `DIR/out.csv` is not on this machine"), "{text}");
    std::fs::create_dir(folder.path("out.csv")).unwrap();
    assert_eq!(read().unwrap_err(), "cannot read `DIR/out.csv`: it is not a file");
}

#[test]
fn a_record_of_another_version_is_refused() {
    let source = json!({ "kind": "tape" });
    let record = TableRecord::new("orders", "reel 7", "workflow-data", source);
    let text = table::preview(&record).unwrap_err().to_string();
    assert_eq!(text, "cannot read `reel 7`: it was recorded by another version of this program");
}
