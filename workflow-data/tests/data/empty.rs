//! Runs without records: no stage fails, and outputs keep their columns.

use crate::folder::Folder;

const STAGES: &str = "
transformation:
  stages:
    - {name: cleaning, options: {types: {id: integer}, drop_nulls: [id], remove_duplicates: [id]}}
    - {name: validation, options: {rules: [{column: id, min: 0}, {column: name, pattern: a}]}}
    - {name: enrichment, options: {expressions: {next: id + 1}}}
";

#[test]
fn stages_accept_a_header_alone_and_columns_without_values() {
    let folder = Folder::with("in.csv", "id,name\n");
    let yaml = format!(
        "source: {{type: file, file: {{path: '${{DIR}}/in.csv'}}}}{STAGES}output: {{type: file, path: '${{DIR}}/out.csv'}}"
    );
    assert_eq!(folder.run(&yaml).unwrap().written, 0);
    assert_eq!(folder.read("out.csv"), "id,name,next\n");
    // No value has no type, so the rule for numbers accepts it.
    folder.write("in.csv", "id,name\n,a\n");
    let rule = "
transformation: {stages: [{name: validation, options: {rules: [{column: id, min: 0}]}}]}
";
    assert_eq!(folder.run(&yaml.replace(STAGES, rule)).unwrap().written, 1);
}

#[cfg(feature = "api")]
#[test]
fn stages_accept_a_page_without_records() {
    use crate::server::{Server, page};

    for columns in ["", ", columns: {name: text}"] {
        let server = Server::start(vec![page(r#"{"data": []}"#)]);
        let url = server.url();
        let yaml = format!(
            "source: {{type: api, api: {{url: '{url}', records_path: data{columns}}}}}{STAGES}output: [{{type: file, path: '${{DIR}}/out.csv'}}, {{type: file, path: '${{DIR}}/out.jsonl'}}]"
        );
        let folder = Folder::new();
        let summary = folder.run(&yaml).unwrap();
        assert_eq!((summary.read, summary.written), (0, 0));
        let has_table = folder.names().contains(&"out.csv".to_owned());
        assert_eq!(has_table, !columns.is_empty());
        assert_eq!(folder.read("out.jsonl"), "");
    }
}

/// A source that knows its columns and their types on one day, and nothing on the next one.
fn first_and_empty(output: &str) -> Folder {
    let folder = Folder::with("in.jsonl", "{\"id\": 1, \"price\": 1.5}\n");
    let yaml =
        format!("source: {{type: file, file: {{path: '${{DIR}}/in.jsonl'}}}}\noutput: {output}");
    assert_eq!(folder.run(&yaml).unwrap().written, 1);
    folder.write("in.jsonl", "");
    assert_eq!(folder.run(&yaml).unwrap().written, 0);
    folder
}

#[test]
fn files_keep_their_columns() {
    let out = |more: &str| format!("{{type: file, path: '${{DIR}}/out.csv'{more}}}");
    assert_eq!(first_and_empty(&out("")).read("out.csv"), "id,price\n");
    assert_eq!(first_and_empty(&out(", mode: append")).read("out.csv"), "id,price\n1,1.5\n");
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_keeps_its_columns() {
    let folder = first_and_empty("{type: parquet, path: '${DIR}/out.parquet'}");
    let read = "source: {type: file, file: {path: '${DIR}/out.parquet'}}\noutput: {type: file, path: '${DIR}/read.csv'}";
    assert_eq!(folder.run(read).unwrap().read, 0);
    assert_eq!(folder.read("read.csv"), "id,price\n");
}

#[cfg(feature = "sqlite")]
#[test]
fn tables_of_sqlite_keep_their_columns() {
    for (mode, rows) in [("replace", 0), ("append", 1), ("merge, key: [id]", 1)] {
        let output = format!("{{type: sqlite, path: '${{DIR}}/out.db', table: t, mode: {mode}}}");
        let folder = first_and_empty(&output);
        let connection = rusqlite::Connection::open(folder.path("out.db")).unwrap();
        let types =
            "SELECT group_concat(type) || (SELECT count(*) FROM t) FROM pragma_table_info('t')";
        let types: String = connection.query_row(types, [], |row| row.get(0)).unwrap();
        assert_eq!(types, format!("INTEGER,REAL{rows}"), "{mode}");
        // A header without values does not know the types.
        let csv = "source: {type: file, file: {path: '${DIR}/in.csv'}}\noutput: {type: sqlite, path: '${DIR}/out.db', table: t}";
        folder.write("in.csv", "id,price\n");
        folder.run(csv).unwrap();
        let types = "SELECT group_concat(type) FROM pragma_table_info('t')";
        let types: String = connection.query_row(types, [], |row| row.get(0)).unwrap();
        assert_eq!(types, "INTEGER,REAL");
    }
}

#[cfg(feature = "postgres")]
#[test]
fn tables_of_postgres_keep_their_columns() {
    let database = test_postgres::database();
    let url = database.url();
    for (mode, rows) in [("replace", "0"), ("append", "1"), ("merge, key: [id]", "1")] {
        database.execute("DROP TABLE IF EXISTS t");
        first_and_empty(&format!("{{type: postgres, url: '{url}', table: t, mode: {mode}}}"));
        let types = "SELECT string_agg(pg_typeof(id)::text || pg_typeof(price)::text, '') FROM t";
        assert_eq!(database.query("SELECT count(*) FROM t"), [rows], "{mode}");
        database.execute("INSERT INTO t VALUES (2, 0.5)");
        assert!(database.query(types)[0].starts_with("bigintdouble precision"), "{mode}");
    }
    // Nothing says which columns it has.
    let folder = Folder::with("in.jsonl", "");
    let yaml = format!(
        "source: {{type: file, file: {{path: '${{DIR}}/in.jsonl'}}}}\noutput: {{type: postgres, url: '{url}', table: nothing}}"
    );
    assert_eq!(folder.run(&yaml).unwrap().written, 0);
    assert_eq!(database.query("SELECT count(*) FROM pg_tables WHERE tablename = 'nothing'"), ["0"]);
}
