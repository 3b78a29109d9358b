//! Loads of new records only: a second run, a run that fails, and outputs that disagree.

use crate::folder::Folder;

#[test]
fn files_are_filtered_by_the_cursor() {
    let folder = Folder::new();
    let yaml = "
source: {type: file, file: {path: '${DIR}/in*.csv', incremental: {cursor: day, initial: '2026-01-01'}}}
output: {type: file, path: '${DIR}/out.csv', mode: append}
";
    folder.write("in1.csv", "id,day\n1,2026-01-01\n2,2026-01-02\n3,2026-01-10\n");
    let summary = folder.run(yaml).unwrap();
    assert_eq!((summary.read, summary.left_out), (2, 1));
    assert_eq!(folder.read("out.csv"), "id,day\n2,2026-01-02\n3,2026-01-10\n");
    assert_eq!(folder.run(yaml).unwrap().read, 0);
    folder.write("in2.csv", "id,day\n5,2026-01-09\n6,2026-02-01\n");
    let summary = folder.run(yaml).unwrap();
    assert_eq!((summary.read, summary.left_out), (1, 4));
    assert_eq!(folder.read("out.csv"), "id,day\n2,2026-01-02\n3,2026-01-10\n6,2026-02-01\n");
    folder.write("in1.csv", "id,day\n1,10\n");
    std::fs::remove_file(folder.path("in2.csv")).unwrap();
    let text = folder.failure(yaml);
    let expected = "the column `day` of the cursor has the type integer, and had the type date at the last load, which ended at `2026-02-01`; give it that type with `columns`";
    assert!(text.contains(expected), "{text}");
}

/// Nobody knows whether they are new.
#[test]
fn records_without_a_cursor_are_rejected() {
    let folder = Folder::with("in.csv", "id,day\n1,2026-01-02\n2,\n");
    let yaml = |policy: &str| {
        format!(
            "
source: {{type: file, file: {{path: '${{DIR}}/in.csv', incremental: {{cursor: day}}}}}}
processing: {{on_failure: {policy}}}
output: {{type: file, path: '${{DIR}}/out.csv', mode: append}}
"
        )
    };
    let text = folder.failure(&yaml("fail"));
    assert_eq!(
        text,
        "in.csv: record 2, column `day`: the empty value does not say whether the record is new; \
         fill it in, or use outputs with `mode: merge`"
    );
    let summary = folder.run(&yaml("skip")).unwrap();
    assert_eq!((summary.read, summary.skipped, summary.written), (2, 1, 1));
    let summary = folder.run(&yaml("skip")).unwrap();
    assert_eq!((summary.read, summary.skipped, summary.left_out), (1, 1, 1));
    assert_eq!(folder.read("out.csv"), "id,day\n1,2026-01-02\n");
}

#[test]
fn the_first_value_fits_its_column() {
    let folder = Folder::with("in.csv", "id,day\n1,2026-01-02\n");
    let yaml = "
source: {type: file, file: {path: '${DIR}/in.csv', incremental: {cursor: day, initial: soon}}}
output: {type: file, path: '${DIR}/out.csv', mode: append}
";
    let text = folder.failure(yaml);
    assert!(
        text.ends_with(
            "`initial` of the cursor, `soon`, does not fit the column `day` of type date; correct \
             it, or give the column its type in `columns`"
        ),
        "{text}"
    );
}

const NEW_IDS: &str = "
source: {type: file, file: {path: '${DIR}/in.csv', incremental: {cursor: id}}}
output: {type: file, path: '${DIR}/out.csv', mode: append}
";

/// As texts, 10 comes before 9.
#[test]
fn a_cursor_of_another_type_is_refused() {
    let folder = Folder::with("in.csv", "id\n1\n9\n");
    assert_eq!(folder.run(NEW_IDS).unwrap().read, 2);
    let expected = r#"{"orders":{"file":"{\"type\":\"integer\",\"value\":\"9\"}"}}"#;
    assert_eq!(folder.read("out.csv.cursor.json"), expected);
    // A cursor of before may have no type.
    for cursor in [expected, r#"{"orders":{"file":"9"}}"#] {
        folder.write("out.csv.cursor.json", cursor);
        for new in ["10\n11\nA12\n", "10\n11\n!\n"] {
            folder.write("in.csv", format!("id\n1\n9\n{new}"));
            let text = folder.failure(NEW_IDS);
            assert!(
                text.contains("`id` of the cursor has the type text, and had the type "),
                "{text}"
            );
            assert!(text.contains("ended at `9`; give it that type with `columns`"), "{text}");
        }
    }
    // No value has no type.
    folder.write("in.csv", "id\n");
    assert_eq!(folder.run(NEW_IDS).unwrap().read, 0);
    folder.write("in.csv", "id\n9\n10\n");
    assert_eq!(folder.run(NEW_IDS).unwrap().read, 1);
    assert_eq!(folder.read("out.csv"), "id\n1\n9\n10\n");
}

#[test]
fn texts_whose_order_is_another_one_are_refused() {
    let folder = Folder::with("in.csv", "id\n9.1.2026\n10.1.2026\n");
    let text = folder.failure(NEW_IDS);
    assert!(
        text.ends_with(
            "`id` of the cursor has dates as texts, which have no order; write them as 2026-01-31"
        ),
        "{text}"
    );
    folder.write("in.csv", "id\nA8\nA9\n");
    folder.run(NEW_IDS).unwrap();
    folder.write("in.csv", "id\nA8\nA9\nA10\n");
    let text = folder.failure(NEW_IDS);
    assert!(text.ends_with("`id` of the cursor has texts without an order, such as `A10` and `A9`; use a column of numbers or times"), "{text}");
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use rusqlite::Connection;

    use super::Folder;

    fn execute(folder: &Folder, file: &str, sql: &str) {
        Connection::open(folder.path(file)).unwrap().execute_batch(sql).unwrap();
    }

    fn values(folder: &Folder, file: &str, sql: &str) -> Vec<String> {
        let connection = Connection::open(folder.path(file)).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    fn yaml(query: &str, more: &str, mode: &str) -> String {
        format!(
            "source: {{type: database, name: shop, database: {{url: 'sqlite:${{DIR}}/in.db', query: '{query}', {more}}}}}
processing: {{batch_size: 2}}
transformation: {{stages: [{{name: validation, options: {{rules: [{{column: id, min: 0}}]}}}}]}}
output: {{type: sqlite, path: '${{DIR}}/out.db', table: t, mode: {mode}}}"
        )
    }

    const CURSOR: &str = "SELECT value ->> '$.value' FROM workflow_cursors";

    const IDS: &str = "SELECT CAST(id AS TEXT) FROM t ORDER BY id";

    #[test]
    fn a_second_run_loads_new_records() {
        let folder = Folder::new();
        execute(
            &folder,
            "in.db",
            "CREATE TABLE s (id INTEGER); INSERT INTO s VALUES (10), (9), (2)",
        );
        let query = "SELECT id FROM s WHERE id % $1 = 0 OR id > $2";
        let yaml =
            yaml(query, "parameters: [1000], incremental: {cursor: id, initial: 0}", "append");
        assert_eq!(folder.run(&yaml).unwrap().read, 3);
        assert_eq!(folder.run(&yaml).unwrap().read, 0);
        execute(&folder, "in.db", "INSERT INTO s VALUES (11), (3)");
        assert_eq!(folder.run(&yaml).unwrap().read, 1);
        assert_eq!(values(&folder, "out.db", IDS), ["2", "9", "10", "11"]);
        let cursors =
            "SELECT concat_ws('|', pipeline, source, output, value) FROM workflow_cursors";
        assert_eq!(
            values(&folder, "out.db", cursors),
            [r#"orders|shop|t|{"type":"integer","value":"11"}"#]
        );
        // Without the table, all records are new.
        execute(&folder, "out.db", "DROP TABLE t");
        assert_eq!(folder.run(&yaml).unwrap().read, 5);
    }

    /// Others with the value of the last load may be new, and some have none.
    #[test]
    fn files_that_are_merged_lose_no_record() {
        let folder = Folder::with("in.csv", "id,day\n1,2026-01-01\n2,2026-01-02\n3,\n");
        let yaml = "
source: {type: file, file: {path: '${DIR}/in.csv', incremental: {cursor: day, initial: '2026-01-01'}}}
output: {type: sqlite, path: '${DIR}/out.db', table: t, mode: merge, key: [id]}
";
        let summary = folder.run(yaml).unwrap();
        assert_eq!((summary.read, summary.left_out), (2, 1));
        folder.write("in.csv", "id,day\n1,2026-01-01\n2,2026-01-02\n4,2026-01-02\n5,\n");
        let summary = folder.run(yaml).unwrap();
        assert_eq!((summary.read, summary.left_out), (3, 1));
        assert_eq!(values(&folder, "out.db", IDS), ["2", "3", "4", "5"]);
    }

    #[test]
    fn a_cursor_is_not_taken_back() {
        let folder = Folder::new();
        execute(&folder, "in.db", "CREATE TABLE s (id INTEGER); INSERT INTO s VALUES (10)");
        let query = "SELECT id FROM s WHERE id <> $1";
        let yaml = yaml(query, "incremental: {cursor: id, initial: 0}", "append");
        folder.run(&yaml).unwrap();
        execute(&folder, "in.db", "INSERT INTO s VALUES (9)");
        assert_eq!(folder.run(&yaml).unwrap().read, 1);
        assert_eq!(values(&folder, "out.db", CURSOR), ["10"]);
    }

    #[test]
    fn a_run_that_fails_keeps_the_old_cursor() {
        let folder = Folder::new();
        execute(
            &folder,
            "in.db",
            "CREATE TABLE s (id INTEGER, at TEXT); INSERT INTO s VALUES (1, '2026-01-01')",
        );
        let more = "incremental: {cursor: at, initial: \"\"}";
        let yaml = yaml("SELECT id, at FROM s WHERE at > $1 ORDER BY at", more, "merge, key: [id]");
        assert_eq!(folder.run(&yaml).unwrap().read, 1);
        execute(
            &folder,
            "in.db",
            "INSERT INTO s VALUES (2, '2026-01-02'), (3, '2026-01-03'), (-4, '2026-01-04')",
        );
        assert!(folder.failure(&yaml).contains("`-4` is less than 0"));
        assert_eq!(values(&folder, "out.db", CURSOR), ["2026-01-01"]);
        execute(&folder, "in.db", "UPDATE s SET id = 1 WHERE id < 0");
        assert_eq!(folder.run(&yaml).unwrap().read, 3);
        assert_eq!(
            values(&folder, "out.db", "SELECT at FROM t ORDER BY id"),
            ["2026-01-04", "2026-01-02", "2026-01-03"]
        );
    }

    /// As after a crash between the commits of two outputs: the last one is behind.
    #[test]
    fn the_last_output_says_where_to_go_on() {
        let folder = Folder::new();
        execute(&folder, "in.db", "CREATE TABLE s (id INTEGER); INSERT INTO s VALUES (1), (2)");
        let yaml = "
source: {type: database, database: {url: 'sqlite:${DIR}/in.db', query: SELECT id FROM s WHERE id > $1, incremental: {cursor: id, initial: 0}}}
output:
  - {type: sqlite, path: '${DIR}/out.db', table: t, mode: merge, key: [id]}
  - {type: file, path: '${DIR}/out.csv', mode: append}
";
        folder.run(yaml).unwrap();
        assert_eq!(
            folder.read("out.csv.cursor.json"),
            r#"{"orders":{"database":"{\"type\":\"integer\",\"value\":\"2\"}"}}"#
        );
        folder.write("out.csv.cursor.json", r#"{"orders":{"database":"1"}}"#);
        assert_eq!(folder.run(yaml).unwrap().read, 1);
        assert_eq!(folder.read("out.csv"), "id\n1\n2\n2\n");
        assert_eq!(values(&folder, "out.db", IDS), ["1", "2"]);
        folder.write("out.csv.cursor.json", "broken");
        let text = folder.failure(yaml);
        assert_eq!(
            text,
            "cannot write `DIR/out.csv.cursor.json`: the file of cursors is damaged; remove it to load all records again"
        );
    }

    /// The new output is the first one, so the last one has a cursor.
    #[test]
    fn an_output_without_a_cursor_gets_all_records() {
        let folder = Folder::new();
        execute(&folder, "in.db", "CREATE TABLE s (id INTEGER); INSERT INTO s VALUES (1), (2)");
        let source = "source: {type: database, database: {url: 'sqlite:${DIR}/in.db', query: SELECT id FROM s WHERE id > $1, incremental: {cursor: id, initial: 0}}}";
        let copy = "{type: sqlite, path: '${DIR}/out.db', table: t, mode: merge, key: [id]}";
        folder.run(&format!("{source}\noutput: {copy}")).unwrap();
        execute(&folder, "in.db", "INSERT INTO s VALUES (3)");
        let both = format!(
            "{source}\noutput: [{{type: file, path: '${{DIR}}/out.csv', mode: append}}, {copy}]"
        );
        assert_eq!(folder.run(&both).unwrap().read, 3);
        assert_eq!(folder.read("out.csv"), "id\n1\n2\n3\n");
        assert_eq!(values(&folder, "out.db", IDS), ["1", "2", "3"]);
        assert_eq!(folder.run(&both).unwrap().read, 0);
        std::fs::remove_file(folder.path("out.csv")).unwrap();
        assert_eq!(folder.run(&both).unwrap().read, 3);
    }

    #[test]
    fn cursors_need_an_order() {
        let folder = Folder::new();
        execute(
            &folder,
            "in.db",
            "CREATE TABLE s (id INTEGER, n TEXT); INSERT INTO s VALUES (1, '10'), (2, '9')",
        );
        let failure = |cursor: &str| {
            let more = format!("incremental: {{cursor: {cursor}, initial: 0}}");
            folder.failure(&yaml("SELECT id, n FROM s WHERE n > $1", &more, "append"))
        };
        let text = failure("n");
        assert_eq!(
            text,
            "cannot read `shop`: the column `n` of the cursor has numbers as texts, which have no order; convert it to numbers"
        );
        let text = failure("m");
        assert_eq!(
            text,
            "cannot read `shop`: the column `m` of the cursor is not there; the columns are `id`, `n`"
        );
        assert!(!folder.names().contains(&"out.csv".to_owned()));
    }
}

#[cfg(feature = "postgres")]
#[test]
fn tables_of_postgres_keep_their_cursor() {
    let database = test_postgres::database();
    database.execute("CREATE TABLE s (id bigint, at timestamptz); INSERT INTO s VALUES (1, '2026-01-01 00:00:00.000001+00'), (2, '2026-01-02 00:00:00+02')");
    let url = database.url();
    let yaml = format!(
        "
source: {{type: database, name: shop, database: {{url: '{url}', query: 'SELECT id, at FROM s WHERE at > $1', incremental: {{cursor: at, initial: -infinity}}}}}}
transformation: {{stages: [{{name: validation, options: {{rules: [{{column: id, min: 0}}]}}}}]}}
output: {{type: postgres, url: '{url}', table: t, mode: append}}
"
    );
    let folder = Folder::new();
    assert_eq!(folder.run(&yaml).unwrap().read, 2);
    assert_eq!(folder.run(&yaml).unwrap().read, 0);
    database.execute("INSERT INTO s VALUES (3, '2026-01-03'), (-4, '2026-01-04')");
    assert!(folder.failure(&yaml).contains("`-4` is less than 0"));
    assert_eq!(
        database.query("SELECT value FROM workflow_cursors"),
        [r#"{"type":"timestamp","value":"2026-01-01T22:00:00Z"}"#]
    );
    database.execute("UPDATE s SET id = 4 WHERE id < 0");
    assert_eq!(folder.run(&yaml).unwrap().read, 2);
    assert_eq!(database.query("SELECT id FROM t ORDER BY id"), ["1", "2", "3", "4"]);
    database.execute("DROP TABLE t");
    assert_eq!(folder.run(&yaml).unwrap().read, 4);
}

/// A role that must not create tables, once somebody else has created them.
#[cfg(feature = "postgres")]
#[test]
fn a_table_of_cursors_that_is_there_is_not_created() {
    let database = test_postgres::database();
    database.execute("CREATE TABLE s (id bigint); INSERT INTO s VALUES (1)");
    let yaml = |user: &str| {
        let url = database.url().replace("tester@", &format!("{user}@"));
        format!(
            "
source: {{type: database, name: shop, database: {{url: '{url}', query: 'SELECT id FROM s WHERE id > $1', incremental: {{cursor: id, initial: 0}}}}}}
output: {{type: postgres, url: '{url}', table: t, mode: append}}
"
        )
    };
    let folder = Folder::new();
    folder.run(&yaml("tester")).unwrap();
    database.execute(
        "INSERT INTO s VALUES (2); CREATE ROLE keeper LOGIN; GRANT SELECT ON s TO keeper;
         GRANT INSERT ON t TO keeper; GRANT SELECT, INSERT, UPDATE ON workflow_cursors TO keeper;
         REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    );
    assert_eq!(folder.run(&yaml("keeper")).unwrap().read, 1);
    assert_eq!(database.query("SELECT id FROM t ORDER BY id"), ["1", "2"]);
    assert_eq!(
        database.query("SELECT value FROM workflow_cursors"),
        [r#"{"type":"integer","value":"2"}"#]
    );
}

/// An output has no `query`, so its errors have no place in one.
#[cfg(feature = "postgres")]
#[test]
fn errors_of_outputs_have_no_place_in_the_query() {
    let database = test_postgres::database();
    database.execute("CREATE TABLE s (id int); CREATE TABLE t (id int)");
    database.execute("CREATE TABLE workflow_cursors (id int)");
    let url = database.url();
    let yaml = format!(
        "
source: {{type: database, database: {{url: '{url}', query: 'SELECT id FROM s WHERE id > $1', incremental: {{cursor: id, initial: 0}}}}}}
output: {{type: postgres, url: '{url}', table: t, mode: append}}
"
    );
    let text = Folder::new().failure(&yaml);
    assert!(text.starts_with("cannot write `"), "{text}");
    assert!(text.ends_with("column \"value\" does not exist"), "{text}");
}

#[cfg(feature = "api")]
#[test]
fn apis_get_the_cursor_as_a_parameter() {
    use crate::server::{Server, page};

    let server = Server::start(vec![
        page(r#"[{"id": 1, "at": "2026-01-02"}, {"id": 2, "at": "2026-01-01"}]"#),
        page("[]"),
        page("[]"),
        page(r#"[{"id": 3, "at": "2026-01-03"}]"#),
        page("[]"),
        page("[]"),
    ]);
    let url = server.url();
    let yaml = format!(
        "
source: {{type: api, api: {{url: '{url}', pagination: {{type: page}}, incremental: {{cursor: at, parameter: since}}}}}}
output: {{type: file, path: '${{DIR}}/out.jsonl', mode: append}}
"
    );
    let folder = Folder::new();
    // The second run finds nothing, and not even columns.
    let read: Vec<_> = (0..3).map(|_| folder.run(&yaml).unwrap().read).collect();
    assert_eq!(read, [2, 0, 1]);
    assert_eq!(folder.read("out.jsonl").lines().count(), 3);
    std::fs::remove_file(folder.path("out.jsonl")).unwrap();
    folder.run(&yaml).unwrap();
    let expected = [
        "/?page=1",
        "/?page=2",
        "/?since=2026-01-02&page=1",
        "/?since=2026-01-02&page=1",
        "/?since=2026-01-02&page=2",
        "/?page=1",
    ];
    assert_eq!(server.targets(), expected);
}

#[test]
fn mistakes_have_places_and_cures() {
    let folder = Folder::new();
    let output = "output: {type: file, path: a.csv, mode: append}";
    let database = |more: &str| {
        format!(
            "source: {{type: database, database: {{url: 'sqlite:a', query: SELECT 1 AS a, {more}}}}}\n{output}"
        )
    };
    let cases = [
        (database("incremental: {cursor: a}"), "add `initial: 0`"),
        (database("incremental: {cursor: a, initial: [1]}"), "must be a text or a number"),
        (database("incremental: {cursor: a, initial: 1, parameter: b}"), "remove this"),
        (database("incremental: {cursor: '', initial: 1}"), "must be the name of a column"),
        (
            database("columns: {a: date}, incremental: {cursor: a, initial: 1}"),
            "is the cursor, which keeps its type; cast it in the query",
        ),
        (
            database("incremental: {cursor: a, initial: 1}").replace("append", "replace"),
            "`replace` would remove the records of earlier loads",
        ),
        (
            database("incremental: {cursor: a, initial: 1}").replace(output, ""),
            "an output keeps the cursor; add `output:`",
        ),
        (
            format!(
                "ingestion: {{source: {{type: api, url: http://a, incremental: {{cursor: a}}}}}}\n{output}"
            ),
            "add `parameter: since`",
        ),
    ];
    for (yaml, expected) in cases {
        let text = folder.refusal(&yaml);
        assert!(text.contains(expected), "{yaml}\n{text}");
        assert!(text.contains("config.yaml:"), "{yaml}\n{text}");
    }
}
