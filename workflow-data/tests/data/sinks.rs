//! What each sink writes in each mode, and what a failure leaves behind.

use crate::folder::Folder;

const MOCK: &str = "source: {type: mock, mock: {records: 2}}\n";

#[test]
fn replacing_creates_folders_and_removes_old_records() {
    let folder = Folder::new();
    let yaml = format!("{MOCK}output: {{type: file, path: '${{DIR}}/a/b/out.csv'}}");
    folder.run(&yaml).unwrap();
    let summary = folder.run(&yaml).unwrap();
    assert_eq!(folder.read("a/b/out.csv").lines().count(), 3);
    assert_eq!((summary.written, summary.sinks[0].records), (2, 2));
}

#[test]
fn appending_keeps_old_records() {
    let folder = Folder::new();
    for name in ["out.csv", "out.jsonl"] {
        let yaml = format!("{MOCK}output: {{type: file, path: '${{DIR}}/{name}', mode: append}}");
        folder.run(&yaml).unwrap();
        // Somebody edited the file, and left out the last line break.
        folder.write(name, folder.read(name).trim_end());
        folder.run(&yaml).unwrap();
        let (header, lines) = (usize::from(name == "out.csv"), folder.read(name));
        assert_eq!(lines.lines().count(), header + 4, "{lines}");
    }
    folder.write("out.csv", "id,title\n1,a\n");
    let yaml = format!("{MOCK}output: {{type: file, path: '${{DIR}}/out.csv', mode: append}}");
    let expected = "cannot write `DIR/out.csv`: the file has the columns `id`, `title`, the records `id`, `name`, `amount`, `created_at`; use `mode: replace` or another `path`";
    assert_eq!(folder.failure(&yaml), expected);
    assert_eq!(folder.read("out.csv"), "id,title\n1,a\n");
}

#[test]
fn a_failing_run_leaves_all_sinks_as_they_were() {
    let folder = Folder::with("in.csv", "id\n1\n2\n3\n4\n-5\n");
    folder.write("out.csv", "old\n");
    let yaml = "
source: {type: file, file: {path: '${DIR}/in.csv'}}
processing: {batch_size: 2, quarantine: '${DIR}/bad.jsonl'}
transformation:
  stages:
    - {name: validation, options: {on_failure: quarantine, rules: [{column: id, max: 3}]}}
    - {name: validation, options: {rules: [{column: id, min: 0}]}}
output:
  - {type: file, path: '${DIR}/out.csv'}
  - {type: file, path: '${DIR}/out.jsonl', mode: append}
";
    assert!(folder.failure(yaml).contains("record 5, column `id`: `-5` is less than 0"));
    assert_eq!(folder.read("out.csv"), "old\n");
    assert_eq!(folder.names(), ["config.yaml", "in.csv", "out.csv"]);
}

/// A run ends while another one has begun to write the same files.
#[test]
fn runs_that_append_at_once_keep_the_records_of_both() {
    let folder = Folder::new();
    let yaml = "
source: {type: mock, mock: {records: 4, nulls: 1}}
processing: {batch_size: 1, quarantine: '${DIR}/bad.jsonl'}
transformation:
  stages: [{name: validation, options: {on_failure: quarantine, rules: [{column: amount, not_null: true}]}}]
output:
  - {type: file, path: '${DIR}/out.csv', mode: append}
  - {type: file, path: '${DIR}/out.jsonl', mode: append}
";
    let mut batches = 0;
    let run = folder.build(yaml).unwrap().run_until(|| {
        batches += 1;
        if batches == 4 {
            folder.run(yaml).unwrap();
        }
        false
    });
    assert_eq!(run.unwrap().written, 3);
    let lines = ["out.csv", "out.jsonl", "bad.jsonl"].map(|name| folder.read(name).lines().count());
    assert_eq!(lines, [7, 6, 2]);
    let text = folder.read("out.csv");
    assert_eq!(text.matches("id,name").count(), 1, "{text}");
    assert_eq!(folder.names(), ["bad.jsonl", "config.yaml", "out.csv", "out.jsonl"]);
}

#[test]
fn a_folder_is_not_a_file() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("out.csv")).unwrap();
    let text = folder.refusal(&format!("{MOCK}output: {{type: file, path: '${{DIR}}/out.csv'}}"));
    let expected = "cannot write `DIR/out.csv`: a folder has this name; choose the path of a file";
    assert!(text.contains(expected) && text.contains("config.yaml:2:"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_a_file() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    let folder = Folder::new();
    let pipe = || {
        let _ = std::fs::remove_file(folder.path("pipe.csv"));
        mknodat(CWD, folder.path("pipe.csv"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    };
    let cases = [
        "output: {type: file, path: '${DIR}/pipe.csv'}",
        "output: {type: file, path: '${DIR}/pipe.csv', mode: append}",
        "processing: {on_failure: quarantine, quarantine: '${DIR}/pipe.csv'}\ntransformation: {stages: [{name: validation, options: {rules: [{column: id, max: 1}]}}]}",
    ];
    let expected = "cannot write `DIR/pipe.csv`: a device, a pipe or a socket has this name; choose the path of a file";
    for case in cases {
        pipe();
        let yaml = format!("{MOCK}{case}");
        let text = folder.refusal(&yaml);
        assert!(text.contains(expected) && text.contains("config.yaml:2:"), "{text}");
        // Nor is it replaced when it comes later.
        std::fs::remove_file(folder.path("pipe.csv")).unwrap();
        let late = folder.build(&yaml).unwrap();
        pipe();
        let text = folder.shown(late.run().expect_err("it is no file"));
        assert!(
            text.ends_with("a device, a pipe or a socket has this name; choose the path of a file"),
            "{text}"
        );
        assert_eq!(folder.names(), ["config.yaml", "pipe.csv"]);
    }
}

#[cfg(not(feature = "parquet"))]
#[test]
fn parquet_needs_its_feature() {
    let text = Folder::new().refusal(&format!("{MOCK}output: {{type: parquet, path: a.parquet}}"));
    assert!(text.contains("without the feature `parquet` of `workflow-data`"), "{text}");
}

#[cfg(not(feature = "sqlite"))]
#[test]
fn sqlite_needs_its_feature() {
    let yaml = format!("{MOCK}output: {{type: sqlite, path: a.db, table: a}}");
    let text = Folder::new().refusal(&yaml);
    assert!(text.contains("without the feature `sqlite` of `workflow-data`"), "{text}");
}

#[cfg(feature = "parquet")]
#[test]
fn a_file_that_is_not_parquet_stays_without_columns() {
    let folder = Folder::with("in.jsonl", "");
    folder.write("out.parquet", "old");
    let yaml = "source: {type: file, file: {path: '${DIR}/in.jsonl'}}\noutput: {type: parquet, path: '${DIR}/out.parquet'}";
    assert_eq!(folder.run(yaml).unwrap().written, 0);
    assert_eq!(folder.read("out.parquet"), "old");
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use rusqlite::Connection;

    use crate::folder::Folder;

    fn yaml(mode: &str) -> String {
        format!(
            "source: {{type: file, file: {{path: '${{DIR}}/in.csv'}}}}\noutput: {{type: sqlite, path: '${{DIR}}/shop.db', table: the orders, mode: {mode}}}"
        )
    }

    fn rows(folder: &Folder) -> Vec<(i64, Option<f64>)> {
        let connection = Connection::open(folder.path("shop.db")).unwrap();
        let query = r#"SELECT id, price FROM "the orders" ORDER BY id, price"#;
        let mut statement = connection.prepare(query).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn tables_are_replaced_appended_and_merged() {
        let folder = Folder::with("in.csv", "id,price\n1,1.5\n2,\n");
        folder.run(&yaml("replace")).unwrap();
        assert_eq!(rows(&folder), [(1, Some(1.5)), (2, None)]);
        folder.write("in.csv", "id,price\n2,2.5\n3,3.5\n");
        folder.run(&yaml("merge, key: [id]")).unwrap();
        assert_eq!(rows(&folder), [(1, Some(1.5)), (2, Some(2.5)), (3, Some(3.5))]);
        folder.write("in.csv", "id,price\n4,4.5\n");
        folder.run(&yaml("append")).unwrap();
        assert_eq!(rows(&folder).len(), 4);
        folder.run(&yaml("replace")).unwrap();
        assert_eq!(rows(&folder), [(4, Some(4.5))]);
    }

    #[test]
    fn a_failing_run_leaves_the_table_as_it_was() {
        let folder = Folder::with("in.csv", "id,price\n1,1.5\n");
        folder.run(&yaml("replace")).unwrap();
        folder.write("in.csv", "id,price\n5,5.5\n,6.5\n");
        let expected = "in.csv: record 2, column `id`: the empty value has no place in a key; drop such records with the stage `cleaning`";
        assert_eq!(folder.failure(&yaml("merge, key: [id]")), expected);
        assert_eq!(rows(&folder), [(1, Some(1.5))]);
    }

    /// The first output would take all of them.
    #[test]
    fn the_policy_decides_about_records_that_an_output_cannot_take() {
        let folder = Folder::with("in.csv", "id,price\n1,1.5\n");
        folder.run(&yaml("replace")).unwrap();
        folder.write("in.csv", "ID,price\n2,abc\n3,2026-01-31\nx,1\n,2\n4,4.5\n");
        let processing = "\nprocessing: {on_failure: quarantine, quarantine: '${DIR}/bad.jsonl'}\noutput:\n  - {type: file, path: '${DIR}/out.csv'}\n  - ";
        let merge = yaml("merge, key: [ID]").replace("\noutput: ", processing);
        let summary = folder.run(&merge).unwrap();
        assert_eq!((summary.read, summary.quarantined, summary.written), (5, 4, 1));
        assert_eq!(folder.read("out.csv"), "ID,price\n4,4.5\n");
        assert_eq!(rows(&folder), [(1, Some(1.5)), (4, Some(4.5))]);
        let bad = folder.read("bad.jsonl");
        let expected = r#"{"column":"price","value":"abc","message":"is not a number, as the column of the output is declared"}"#;
        assert!(bad.contains(expected), "{bad}");
        let key = r#"{"column":"ID","message":"the empty value has no place in a key;"#;
        assert!(bad.contains(key.trim_end_matches(';')), "{bad}");
        let text = folder.failure(&yaml("append"));
        assert!(
            text.starts_with("in.csv: record 1, column `price`: `abc` is not a number, as"),
            "{text}"
        );
        assert_eq!(rows(&folder).len(), 2);
    }

    #[test]
    fn keys_and_columns_must_fit_the_table() {
        let folder = Folder::with("in.csv", "id,price\n1,1.5\n1,2.5\n");
        folder.run(&yaml("replace")).unwrap();
        let text = folder.failure(&yaml("merge, key: [id]"));
        assert!(
            text.contains("its key `id` is not unique in the records that are there"),
            "{text}"
        );
        let text = folder.failure(&yaml("merge, key: [ident, id]"));
        assert!(text.contains("no column `ident` for the key"), "{text}");
        folder.write("in.csv", "id,cost\n1,1.5\n");
        let text = folder.failure(&yaml("append"));
        assert!(
            text.contains("the table has no column `cost`; add it, or use `mode: replace`"),
            "{text}"
        );
        assert_eq!(rows(&folder).len(), 2);
    }

    /// The index of the former key would refuse records.
    #[test]
    fn the_key_of_a_merge_may_change() {
        let folder = Folder::with("in.csv", "id,price\n1,1.5\n2,2.5\n");
        folder.run(&yaml("merge, key: [id]")).unwrap();
        folder.write("in.csv", "id,price\n1,9.5\n");
        let text = folder.failure(&yaml("append"));
        assert!(
            text.ends_with("; use `mode: merge` with this key, or drop the unique index, which earlier loads with `mode: merge` may have left"),
            "{text}"
        );
        folder.run(&yaml("merge, key: [price]")).unwrap();
        folder.run(&yaml("merge, key: [price, id]")).unwrap();
        assert_eq!(rows(&folder), [(1, Some(1.5)), (1, Some(9.5)), (2, Some(2.5))]);
        let text = folder.failure(&yaml("merge, key: [id]"));
        assert!(
            text.contains("its key `id` is not unique in the records that are there; choose another `key`, or remove the records that repeat it"),
            "{text}"
        );
        // The index of the last load stays.
        folder.run(&yaml("merge, key: [price, id]")).unwrap();
        assert_eq!(rows(&folder).len(), 3);
    }

    /// SQLite makes no index for a view.
    #[test]
    fn the_cause_of_a_missing_index_is_reported() {
        let folder = Folder::with("in.csv", "id,price\n1,1.5\n");
        let view = r#"CREATE VIEW "the orders" AS SELECT 1 AS id, 1.5 AS price"#;
        Connection::open(folder.path("shop.db")).unwrap().execute_batch(view).unwrap();
        let text = folder.failure(&yaml("merge, key: [id]"));
        assert!(text.contains("views may not be indexed"), "{text}");
        assert!(!text.contains("unique"), "{text}");
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use test_postgres::Database;

    use crate::folder::Folder;

    /// Writes `in.csv` to a table whose name breaks SQL that does not quote it.
    fn yaml(database: &Database, more: &str) -> String {
        let url = database.url();
        format!(
            "source: {{type: file, file: {{path: '${{DIR}}/in.csv'}}}}\nprocessing: {{batch_size: 2}}\noutput: {{type: postgres, url: '{url}', table: 'the \"orders\"; DROP TABLE x', {more}}}"
        )
    }

    const TABLE: &str = r#""the ""orders""; DROP TABLE x""#;

    fn rows(database: &Database, columns: &str) -> Vec<String> {
        database.query(&format!("SELECT concat_ws('|', {columns}) FROM {TABLE} ORDER BY 1"))
    }

    #[test]
    fn tables_are_replaced_appended_and_merged() {
        let (database, folder) = (test_postgres::database(), Folder::new());
        let write = |csv: &str, mode: &str| {
            folder.write("in.csv", csv);
            folder.run(&yaml(&database, &format!("mode: {mode}"))).unwrap()
        };
        write("id,price\n1,1.5\n2,\n", "replace");
        assert_eq!(rows(&database, "id, price"), ["1|1.5", "2"]);
        // In two batches, and the last record of a key counts.
        write("id,price\n2,0.5\n3,3.5\n2,2.5\n", "merge, key: [id]");
        assert_eq!(rows(&database, "id, price"), ["1|1.5", "2|2.5", "3|3.5"]);
        write("id,price\n3,4.5\n", "merge, key: [id]");
        assert_eq!(rows(&database, "id, price"), ["1|1.5", "2|2.5", "3|4.5"]);
        let summary = write("id,price\n9,9.5\n", "append");
        assert_eq!(summary.sinks[0].path, "table the \"orders\"; DROP TABLE x");
        assert_eq!(rows(&database, "id, price").len(), 4);
        write("id\n4\n", "replace");
        assert_eq!(rows(&database, "id"), ["4"]);
    }

    /// The index of the former key would refuse records.
    #[test]
    fn the_key_of_a_merge_may_change() {
        let (database, folder) = (test_postgres::database(), Folder::new());
        let write = |csv: &str, mode: &str| {
            folder.write("in.csv", csv);
            folder.run(&yaml(&database, &format!("mode: {mode}")))
        };
        write("id,price\n1,1.5\n2,2.5\n", "merge, key: [id]").unwrap();
        let text = write("id,price\n1,9.5\n", "append").unwrap_err().to_string();
        assert!(
            text.contains("use `mode: merge` with this key, or drop the unique index"),
            "{text}"
        );
        write("id,price\n1,9.5\n", "merge, key: [price]").unwrap();
        assert_eq!(rows(&database, "id, price"), ["1|1.5", "1|9.5", "2|2.5"]);
        let text = write("id,price\n1,9.5\n", "merge, key: [id]").unwrap_err().to_string();
        assert!(text.contains("its key `id` is not unique in the records"), "{text}");
        let indexes = "SELECT count(*)::text FROM pg_indexes WHERE schemaname = 'public'";
        assert_eq!(database.query(indexes), ["1"]);
    }

    #[test]
    fn values_keep_their_types() {
        let (database, folder) = (test_postgres::database(), Folder::new());
        let csv = "id,code,price,ok,day,at,\"a \"\"b\nc\"\n9223372036854775807,007,0.1,true,2026-01-31,2026-01-31T09:30:00.123456Z,\"\\N\ttab\nline \\\"\n-1,,,,,,\\N\n";
        folder.write("in.csv", csv);
        folder.run(&yaml(&database, "mode: replace")).unwrap();
        let types = "SELECT data_type FROM information_schema.columns ORDER BY ordinal_position DESC LIMIT 7";
        let types =
            database.query(&types.replace("columns ", "columns WHERE table_schema = 'public' "));
        assert_eq!(
            types,
            [
                "text",
                "timestamp with time zone",
                "date",
                "boolean",
                "double precision",
                "text",
                "bigint"
            ]
        );
        let expected = [
            "-1|\\N",
            "9223372036854775807|007|0.1|t|2026-01-31|2026-01-31 09:30:00.123456|\\N\ttab\nline \\",
        ];
        let columns = "id, code, price, ok, day, at AT TIME ZONE 'UTC', \"a \"\"b\nc\"";
        assert_eq!(rows(&database, columns), expected);
    }

    #[test]
    fn a_failing_run_leaves_the_table_as_it_was() {
        let (database, folder) =
            (test_postgres::database(), Folder::with("in.csv", "id,name\n1,a\n"));
        folder.run(&yaml(&database, "mode: replace")).unwrap();
        let failure = |csv: &str, more: &str| {
            folder.write("in.csv", csv);
            folder.failure(&yaml(&database, more))
        };
        let text = failure("id,name\n5,b\n6,b\n7,b\n,b\n", "mode: merge, key: [id]");
        assert!(
            text.starts_with(
                "in.csv: record 4, column `id`: the empty value has no place in a key"
            ),
            "{text}"
        );
        let text = failure("id,name\n5,b\n6,b\n7,b\nx,b\n", "mode: append");
        let expected = "in.csv: record 4, column `id`: `x` is not an integer of 64 bits, as the column of the output is declared";
        assert_eq!(text, expected);
        database.execute(&format!("ALTER TABLE {TABLE} ADD CONSTRAINT few CHECK (id < 8)"));
        let text = failure("id,name\n5,b\n6,b\n7,b\n8,b\n", "mode: append");
        assert!(text.contains("in.csv: record 4: new row for relation"), "{text}");
        database.execute(&format!("ALTER TABLE {TABLE} DROP CONSTRAINT few"));
        let text = failure("id,name\n5,b\n6,b\n7,b\n8,\"a\0b\"\n", "mode: replace");
        assert!(text.ends_with("has the character NUL, which PostgreSQL does not keep"), "{text}");
        let text = failure("id,nam\n5,b\n", "mode: append");
        assert!(
            text.contains("the table has no column `nam`; add it, or use `mode: replace`"),
            "{text}"
        );
        let text = failure("id,name\n5,b\n", "mode: merge, key: [ident]");
        assert!(text.contains("no column `ident` for the key; did you mean `id`?"), "{text}");
        assert_eq!(rows(&database, "id, name"), ["1|a"]);
        database.execute(&format!("INSERT INTO {TABLE} VALUES (1, 'b')"));
        let text = failure("id,name\n5,b\n", "mode: merge, key: [id]");
        assert!(
            text.contains("its key `id` is not unique in the records that are there"),
            "{text}"
        );
        assert_eq!(rows(&database, "id, name"), ["1|a", "1|b"]);
    }

    #[test]
    fn the_policy_decides_about_records_that_an_output_cannot_take() {
        let (database, folder) =
            (test_postgres::database(), Folder::with("in.csv", "id,name\n1,\"a\0b\"\n,b\n3,c\n"));
        let skip = "processing: {on_failure: skip, ";
        let yaml = yaml(&database, "mode: merge, key: [id]").replace("processing: {", skip);
        let summary = folder.run(&yaml).unwrap();
        assert_eq!((summary.skipped, summary.written), (2, 1));
        assert_eq!(rows(&database, "id, name"), ["3|c"]);
    }

    /// A role with `INSERT` only, as long as the table is there.
    #[test]
    fn a_table_that_is_there_needs_no_right_to_create_one() {
        let (database, folder) = (test_postgres::database(), Folder::with("in.csv", "id\n1\n"));
        database.execute(&format!(
            "CREATE TABLE {TABLE} (id bigint); CREATE ROLE loader LOGIN;
             GRANT INSERT ON {TABLE} TO loader; REVOKE CREATE ON SCHEMA public FROM PUBLIC"
        ));
        let yaml = yaml(&database, "mode: append").replace("tester@", "loader@");
        folder.run(&yaml).unwrap();
        assert_eq!(rows(&database, "id"), ["1"]);
        database.execute(&format!("DROP TABLE {TABLE}"));
        let text = folder.failure(&yaml);
        assert!(text.ends_with("permission denied for schema public"), "{text}");
    }

    #[test]
    fn a_table_is_found_by_the_search_path() {
        let (database, folder) = (test_postgres::database(), Folder::with("in.csv", "id\n1\n"));
        database.execute(
            "CREATE TABLE orders (id bigint); CREATE SCHEMA etl;
             CREATE ROLE searcher LOGIN SUPERUSER; ALTER ROLE searcher SET search_path = etl, public",
        );
        let run = |mode: &str| {
            let yaml = yaml(&database, &format!("mode: {mode}")).replace("tester@", "searcher@");
            let (start, rest) = yaml.split_once("table: ").unwrap();
            let (_, more) = rest.split_once("x', ").unwrap();
            folder.run(&format!("{start}table: orders, {more}")).unwrap();
        };
        let tables = || {
            let sql = "SELECT schemaname || '.' || tablename FROM pg_tables \
                WHERE tablename IN ('orders', 'workflow_cursors') ORDER BY 1";
            database.query(sql)
        };
        run("append");
        assert_eq!(tables(), ["public.orders"]);
        assert_eq!(database.query("SELECT id FROM orders"), ["1"]);
        // The table that is replaced is not taken for the one behind it.
        database.execute("CREATE TABLE etl.orders (id bigint)");
        run("replace");
        assert_eq!(tables(), ["etl.orders", "public.orders"]);
        assert_eq!(database.query("SELECT id FROM etl.orders"), ["1"]);
        assert_eq!(database.query("SELECT id FROM public.orders"), ["1"]);
    }

    #[test]
    fn the_url_names_the_schema() {
        let (database, folder) = (test_postgres::database(), Folder::with("in.csv", "id\n1\n"));
        database.execute("CREATE SCHEMA etl");
        let url = database.url();
        let sign = if url.contains('?') { '&' } else { '?' };
        let output = |table: &str| {
            let url = format!("{url}{sign}options=-csearch_path%3Detl");
            format!(
                "source: {{type: file, file: {{path: '${{DIR}}/in.csv'}}}}\noutput: {{type: postgres, url: '{url}', table: {table}}}"
            )
        };
        folder.run(&output("orders")).unwrap();
        assert_eq!(database.query("SELECT id FROM etl.orders"), ["1"]);
        let text = folder.refusal(&output("etl.orders"));
        assert!(text.contains("add `?options=-csearch_path%3Detl` to `url`"), "{text}");
    }

    #[test]
    fn others_read_a_table_until_it_is_replaced() {
        let (database, folder) =
            (test_postgres::database(), Folder::with("in.csv", "id\n1\n2\n3\n"));
        database.execute(&format!("CREATE TABLE {TABLE} (id bigint)"));
        database.execute(&format!("INSERT INTO {TABLE} VALUES (7)"));
        let pipeline = folder.build(&yaml(&database, "mode: replace")).unwrap();
        let mut seen = Vec::new();
        let summary = pipeline.run_until(|| {
            let sql = format!("SET lock_timeout = '9s'; SELECT id FROM {TABLE}");
            seen.push(database.query(&sql));
            false
        });
        assert_eq!(summary.unwrap().batches, 2);
        assert_eq!(seen, [["7"], ["7"]]);
        assert_eq!(rows(&database, "id"), ["1", "2", "3"]);
        assert_eq!(
            database.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"),
            ["1"]
        );
    }

    #[test]
    fn a_primary_key_serves_as_the_key() {
        let (database, folder) =
            (test_postgres::database(), Folder::with("in.csv", "b,a,n\nx,1,2\n"));
        database.execute(&format!("CREATE TABLE {TABLE} (a int, b text, n int, PRIMARY KEY (a, b)); INSERT INTO {TABLE} VALUES (1, 'x', 1)"));
        folder.run(&yaml(&database, "mode: merge, key: [b, a]")).unwrap();
        assert_eq!(rows(&database, "a, b, n"), ["1|x|2"]);
        assert_eq!(
            database.query("SELECT count(*) FROM pg_indexes WHERE schemaname = 'public'"),
            ["1"]
        );
    }

    #[test]
    fn no_error_shows_the_password() {
        let folder = Folder::with("in.csv", "id\n1\n");
        let yaml = "source: {type: file, file: {path: '${DIR}/in.csv'}}\noutput: {type: postgres, table: t, url: 'postgres://ada:hunter2@127.0.0.1:1/shop'}";
        let expected = "cannot write `127.0.0.1, port 1, table t`: cannot connect to 127.0.0.1, port 1: connection refused";
        assert_eq!(folder.failure(yaml), expected);
    }
}
