//! Sources of type `database`: what a query becomes, and what it fails with.

use workflow_data::Summary;

use crate::folder::Folder;

fn yaml(url: &str, query: &str, more: &str) -> String {
    format!(
        "source: {{type: database, name: shop, database: {{url: \"{url}\", query: {query:?}{more}}}}}\nprocessing: {{batch_size: 2}}\noutput: {{type: file, path: '${{DIR}}/out.ndjson'}}"
    )
}

fn read(folder: &Folder, url: &str, query: &str, more: &str) -> (Summary, String) {
    let summary = folder.run(&yaml(url, query, more)).unwrap();
    (summary, folder.read("out.ndjson"))
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use rusqlite::Connection;

    use super::{Folder, read, yaml};

    const URL: &str = "sqlite:${DIR}/shop.db";

    fn shop(sql: &str) -> Folder {
        let folder = Folder::new();
        let connection = Connection::open(folder.path("shop.db")).unwrap();
        connection.execute_batch(sql).unwrap();
        folder
    }

    #[test]
    fn values_keep_their_types() {
        let folder = shop(
            "CREATE TABLE orders (id INTEGER, code TEXT, price REAL, total DECIMAL(10,2), day DATE);
             INSERT INTO orders VALUES (1, '007', 1.5, 3, '2026-01-31'), (9007199254740993, NULL, 0.1, 2.5, NULL), (3, 8, 2, NULL, '2026-02-01')",
        );
        let query = "SELECT *, id + 1 AS next FROM orders";
        let (summary, lines) = read(&folder, URL, query, ", columns: {day: date}");
        let expected = r#"{"id":1,"code":"007","price":1.5,"total":3.0,"day":"2026-01-31","next":2}
{"id":9007199254740993,"code":null,"price":0.1,"total":2.5,"day":null,"next":9007199254740994}
{"id":3,"code":"8","price":2.0,"total":null,"day":"2026-02-01","next":4}
"#;
        assert_eq!(lines, expected);
        assert_eq!((summary.read, summary.batches, summary.largest_batch), (3, 2, 2));
    }

    #[test]
    fn parameters_are_values_and_no_sql() {
        let folder = shop(
            "CREATE TABLE t (a TEXT, b INTEGER); INSERT INTO t VALUES ('x', 1), ('''; DROP TABLE t; --', 2)",
        );
        let query = "SELECT a, $2 AS c FROM t WHERE b > $1 AND a <> $3";
        let (_, lines) = read(&folder, URL, query, ", parameters: [0, null, x]");
        assert_eq!(lines, "{\"a\":\"'; DROP TABLE t; --\",\"c\":null}\n");
        let (_, lines) = read(
            &folder,
            URL,
            "SELECT a FROM t WHERE a = ?",
            ", parameters: [\"'; DROP TABLE t; --\"]",
        );
        assert_eq!(lines.lines().count(), 1);
        let failure = |query: &str, more: &str| folder.failure(&yaml(URL, query, more));
        let text = failure("SELECT a FROM t WHERE b = $2", ", parameters: [1]");
        assert_eq!(text, "cannot read `shop`: the query uses parameter 2, and `parameters` has 1");
        let text = failure("SELECT a FROM t", ", parameters: [1]");
        assert_eq!(text, "cannot read `shop`: the query uses 0 parameters, and `parameters` has 1");
        let text = failure("SELECT a FROM t WHERE b = :b", "");
        assert!(text.ends_with("has the parameter `:b`; write `$1` for the first one"), "{text}");
    }

    #[test]
    fn a_query_without_records_is_a_table_without_records() {
        let folder = shop("CREATE TABLE t (a INTEGER)");
        let csv = "source: {type: database, database: {url: 'sqlite://${DIR}/shop.db', query: SELECT a FROM t}}\noutput: {type: file, path: '${DIR}/out.csv'}";
        assert_eq!(folder.run(csv).unwrap().written, 0);
        assert_eq!(folder.read("out.csv"), "a\n");
    }

    #[test]
    fn queries_that_fail_say_why() {
        let folder = shop(
            "CREATE TABLE t (a INTEGER, b BLOB); INSERT INTO t VALUES (1, NULL), ('x', NULL), (3, x'ff')",
        );
        let cases = [
            ("SELECT a FRM t", "the query fails: near \"t\": syntax error, at byte 13 of `query`"),
            ("SELECT a FROM u", "the query fails: no such table: u"),
            ("DELETE FROM t", "the query changes data; write a `SELECT`"),
            ("SELECT 1 AS a, 2 AS a", "the query names `a` twice; rename one of them with `AS`"),
            ("", "must not be empty"),
            ("-- nothing", "the query returns no columns; write a `SELECT`"),
            ("SELECT a FROM t", "shop: record 2, column `a`: `x` is not an integer of 64 bits"),
            (
                "SELECT b FROM t",
                "shop: record 3, column `b`: `blob` has 1 bytes; select `hex(b)` to read them",
            ),
        ];
        for (query, expected) in cases {
            let text = folder.failure(&yaml(URL, query, ""));
            assert!(text.contains(expected), "{query}: {text}");
        }
        let text = folder.failure(&yaml(URL, "SELECT a FROM t", ", columns: {c: text}"));
        assert_eq!(text, "cannot read `shop`: no column `c`; its columns are `a`");
        let text = folder.failure(&yaml("sqlite:${DIR}/none.db", "SELECT 1 AS a", ""));
        assert_eq!(text, "cannot read `shop`: the database `DIR/none.db` does not exist");
        assert!(!folder.names().contains(&"none.db".to_owned()));
        folder.write("text.db", "this is a text and not a database, whatever its name says");
        let text = folder.failure(&yaml("sqlite:${DIR}/text.db", "SELECT 1 AS a FROM t", ""));
        assert!(text.ends_with("file is not a database"), "{text}");
    }

    #[test]
    fn a_cancelled_run_ends_the_query() {
        let folder = shop("CREATE TABLE t (a INTEGER)");
        let query =
            "WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n) SELECT a FROM n";
        let mut batches = 0;
        let cancelled = folder.build(&yaml(URL, query, "")).unwrap().run_until(|| {
            batches += 1;
            batches == 3
        });
        assert!(cancelled.unwrap_err().to_string().starts_with("cancelled after 6 records"));
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use super::{Folder, read, yaml};

    #[test]
    fn values_keep_their_types() {
        let database = test_postgres::database();
        database.execute(
            r"CREATE TABLE orders (id bigint, code text, price float8, total numeric(30,10),
                ok boolean, day date, at timestamptz, local timestamp, tags int[], raw bytea);
            INSERT INTO orders VALUES (9223372036854775807, '007', 0.1,
                12345678901234567890.0123456789, true, '2026-01-31',
                '2026-01-31 10:30:00.123456+01', '2026-01-31 09:30:00', '{1,2}', '\xff');
            INSERT INTO orders (id, total) VALUES (2, 1.5), (3, NULL);",
        );
        let query = "SELECT * FROM orders ORDER BY id DESC; -- all";
        let (summary, lines) = read(&Folder::new(), database.url(), query, "");
        let first = r#"{"id":9223372036854775807,"code":"007","price":0.1,"total":"12345678901234567890.0123456789","ok":true,"day":"2026-01-31","at":"2026-01-31T09:30:00.123456Z","local":"2026-01-31 09:30:00","tags":"{1,2}","raw":"\\xff"}"#;
        assert_eq!(lines.lines().next(), Some(first));
        assert_eq!((summary.read, summary.batches, summary.largest_batch), (3, 2, 2));
        let query = "SELECT id, total FROM orders WHERE id < 9";
        let (_, lines) = read(&Folder::new(), database.url(), query, ", columns: {total: number}");
        assert_eq!(lines, "{\"id\":2,\"total\":1.5}\n{\"id\":3,\"total\":null}\n");
    }

    #[test]
    fn parameters_have_the_types_of_the_query() {
        let database = test_postgres::database();
        database.execute("CREATE TABLE t (a int, \"b \"\"q\" date)");
        database.execute("INSERT INTO t VALUES (1, '2026-01-31'), (2, '2026-02-28')");
        let query =
            "SELECT a, \"b \"\"q\", $3::text AS c FROM t WHERE a >= $1 AND \"b \"\"q\" > $2";
        let parameters = ", parameters: [1, 2026-01-31, null]";
        let (_, lines) = read(&Folder::new(), database.url(), query, parameters);
        assert_eq!(lines, "{\"a\":2,\"b \\\"q\":\"2026-02-28\",\"c\":null}\n");
        let failure = |more: &str| Folder::new().failure(&yaml(database.url(), query, more));
        let text = failure(", parameters: [1]");
        assert!(text.ends_with("the query uses 3 parameters, and `parameters` has 1"), "{text}");
        let text = failure(", parameters: ['1; DROP TABLE t', 2026-01-31, null]");
        let expected =
            "the query fails: invalid input syntax for type integer: \"1; DROP TABLE t\"";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn queries_that_fail_say_why() {
        let database = test_postgres::database();
        database.execute("CREATE TABLE t (a float8)");
        database.execute("INSERT INTO t SELECT 1 FROM generate_series(1, 4)");
        database.execute("INSERT INTO t VALUES ('NaN')");
        let cases = [
            (
                "SELECT a FRM t",
                "the query fails: syntax error at or near \"t\", at character 14 of `query`",
            ),
            ("SELECT 1 AS a; DROP TABLE t", "the query fails: cannot insert multiple commands"),
            ("DELETE FROM t RETURNING a", "the query fails: "),
            ("SELECT 1 AS a) AS q; --", "the query fails: syntax error"),
            ("SELECT 1", "column 1 of the query has no name; add `AS name`"),
            ("SELECT 1 AS a, 2 AS a", "the query names `a` twice; rename one of them with `AS`"),
            ("LISTEN a", "the query returns no columns; write a `SELECT`"),
            ("SELECT a FROM t", "shop: record 5, column `a`: `NaN` is not a number"),
            ("SELECT 1 / (a::int - 1) AS a FROM t", "the query fails: division by zero"),
        ];
        for (query, expected) in cases {
            let text = Folder::new().failure(&yaml(database.url(), query, ""));
            assert!(text.contains(expected), "{query}: {text}");
        }
        assert_eq!(database.query("SELECT count(*) FROM t"), ["5"]);
    }

    /// A large table does not have to fit into memory, and what others write is not seen.
    #[test]
    fn batches_are_of_one_state_of_the_database() {
        let database = test_postgres::database();
        database.execute("CREATE TABLE t AS SELECT generate_series(1, 9) AS a");
        let query = "SELECT a FROM t ORDER BY a";
        let (folder, mut batches) = (Folder::new(), 0);
        let pipeline = folder.build(&yaml(database.url(), query, "")).unwrap();
        let summary = pipeline.run_until(|| {
            if batches == 0 {
                database.execute("INSERT INTO t SELECT generate_series(10, 99)");
            }
            batches += 1;
            false
        });
        assert_eq!(summary.unwrap().read, 9);
        let endless = "SELECT generate_series(1, 9000000000) AS a";
        let pipeline = folder.build(&yaml(database.url(), endless, "")).unwrap();
        let cancelled = pipeline.run_until(|| true).unwrap_err().to_string();
        assert_eq!(cancelled, "cancelled after 2 records; nothing is written");
    }

    #[test]
    fn no_error_shows_the_password() {
        let folder = Folder::new();
        let run = |url: &str| {
            let yaml = yaml(url, "SELECT 1 AS a", "");
            let error = folder.build(&yaml).and_then(workflow_data::Pipeline::run);
            let text = error.unwrap_err().to_string();
            // The excerpt of the configuration is the user's own.
            text.lines().filter(|line| !line.contains("source:")).collect::<String>()
        };
        let text = run("postgres://ada:hunter2@127.0.0.1:1/shop");
        assert!(
            text.contains("cannot connect to 127.0.0.1, port 1: connection refused")
                && !text.contains("hunter2"),
            "{text}"
        );
        let text = run("postgres://ada:hunter2@127.0.0.1:hunter2/shop");
        assert!(text.contains("is not a valid PostgreSQL URL"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        let text = run("postgres://ada:hunter2@127.0.0.1:1/shop?sslmode=always");
        assert!(text.contains("unknown sslmode `always`; use disable, prefer"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
