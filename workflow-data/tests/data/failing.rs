//! Records that fail: the text of the error, and the three policies.

use serde_json::{Value, json};

use crate::folder::Folder;

const ORDERS: &str = "id,price\n1,9.5\n2,abc\nx,y\n4,4\n5,5,5\n";

fn yaml(processing: &str) -> String {
    format!(
        "source: {{type: file, file: {{path: '${{DIR}}/orders.csv', columns: {{id: integer, price: number}}}}}}\nprocessing: {{batch_size: 2{processing}}}\noutput: {{type: file, path: '${{DIR}}/out.csv'}}"
    )
}

#[test]
fn a_failing_record_stops_the_run_with_its_place() {
    let folder = Folder::with("orders.csv", ORDERS);
    folder.write("out.csv", "old\n");
    let expected = "orders.csv: record 2, column `price`: `abc` is not a number";
    assert_eq!(folder.failure(&yaml("")), expected);
    assert_eq!(folder.read("out.csv"), "old\n");
    assert_eq!(folder.names(), ["config.yaml", "orders.csv", "out.csv"]);
}

#[test]
fn skipped_records_are_counted() {
    let folder = Folder::with("orders.csv", ORDERS);
    let summary = folder.run(&yaml(", on_failure: skip")).unwrap();
    assert_eq!((summary.read, summary.skipped, summary.written), (5, 3, 2));
    assert_eq!(folder.read("out.csv"), "id,price\n1,9.5\n4,4.0\n");
}

#[test]
fn quarantined_records_keep_their_values_and_reasons() {
    let folder = Folder::with("orders.csv", ORDERS);
    let yaml = yaml(", on_failure: quarantine, quarantine: '${DIR}/bad.jsonl'");
    let summary = folder.run(&yaml).unwrap();
    assert_eq!((summary.read, summary.quarantined, summary.written), (5, 3, 2));
    let lines = |text: String| -> Vec<Value> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let first = lines(folder.read("bad.jsonl"));
    let expected = [
        json!({
            "place": "orders.csv", "record": 2,
            "reasons": [{ "column": "price", "value": "abc", "message": "is not a number" }],
            "values": { "id": "2", "price": "abc" },
        }),
        json!({
            "place": "orders.csv", "record": 3,
            "reasons": [
                { "column": "id", "value": "x", "message": "is not an integer of 64 bits" },
                { "column": "price", "value": "y", "message": "is not a number" },
            ],
            "values": { "id": "x", "price": "y" },
        }),
        json!({
            "place": "orders.csv", "record": 5,
            "reasons": [{ "message": "the record has 3 values, the header 2" }],
            "values": {}, "raw": "5,5,5",
        }),
    ];
    assert_eq!(first, expected);
    // Somebody edited the file, and left out the last line break.
    folder.write("bad.jsonl", folder.read("bad.jsonl").trim_end());
    folder.run(&yaml).unwrap();
    assert_eq!(lines(folder.read("bad.jsonl")).len(), 6);
}

#[test]
fn records_keep_their_places_through_stages() {
    let folder = Folder::with("orders.csv", "id,price\n1,1\n1,1\n2,2\n,\n3,-3\n");
    let yaml = "
source: {type: file, file: {path: '${DIR}/orders.csv'}}
transformation:
  stages:
    - {name: cleaning, options: {remove_duplicates: true, drop_nulls: true}}
    - {name: validation, options: {rules: [{column: price, min: 0}]}}
";
    let expected = "stage `validation`: orders.csv: record 5, column `price`: `-3` is less than 0";
    assert_eq!(folder.failure(yaml), expected);
}

#[test]
fn lines_that_are_no_objects_fail_one_by_one() {
    let text = "{\"id\": 1}\n{\"id\": \n{\"id\": 2, \"late\": 1}\n[3]\n{\"id\": \"x\"}\n";
    let folder = Folder::with("in.jsonl", text);
    let yaml = "source: {type: file, file: {path: '${DIR}/in.jsonl', columns: {id: integer}}}\nprocessing: {on_failure: quarantine, quarantine: '${DIR}/bad.jsonl'}";
    let summary = folder.run(yaml).unwrap();
    assert_eq!((summary.read, summary.quarantined), (5, 3));
    let bad = folder.read("bad.jsonl");
    assert!(bad.contains("the line cannot be read: "), "{bad}");
    assert!(bad.contains(r#""record":5,"reasons":[{"column":"id","value":"x""#), "{bad}");
}

/// What was quarantined, as pairs of the raw record and the values.
fn quarantined(folder: &Folder, source: &str) -> Vec<(Value, Value)> {
    let processing = "processing: {on_failure: quarantine, quarantine: '${DIR}/bad.jsonl'}";
    folder.run(&format!("{source}\n{processing}")).unwrap();
    let text = folder.read("bad.jsonl");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| (line["raw"].clone(), line["values"].clone())).collect()
}

#[test]
fn records_that_cannot_be_read_are_quarantined_as_they_are() {
    let long = "x".repeat(10_000);
    let csv = format!("id,name\r\n1,a\r\n\r\n2,\"a\"b\r\n3,\"c\r\nd\",5\r\n4,{long},6\r\n5,e");
    let json =
        format!("{{\"id\": 1}}\n{{\"id\": }}\n {{\"id\": 2, \"late\": \"ä\"}}\n[\"{long}\"]\n");
    let cases = [
        ("in.csv", csv.clone().into_bytes(), vec!["2,\"a\"b", "3,\"c\r\nd\",5", "4,xx"]),
        ("in.jsonl", json.into_bytes(), vec!["{\"id\": }", "[\"xx"]),
        ("in.json", b"[{\"id\": 1},\n {\"id\": 1e999} ]".to_vec(), vec!["{\"id\": 1e999}"]),
        ("latin.csv", b"id\n\xff\n".to_vec(), vec!["\u{fffd}"]),
    ];
    for (name, text, expected) in cases {
        let folder = Folder::with(name, text);
        let source = format!("source: {{type: file, file: {{path: '${{DIR}}/{name}'}}}}");
        let found = quarantined(&folder, &source);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((raw, values), expected) in found.iter().zip(expected) {
            let raw = raw.as_str().unwrap();
            assert!(raw == expected || raw.starts_with(expected) && raw.ends_with("x…"), "{raw}");
            assert!(raw.chars().count() <= 4097 && *values == json!({}), "{raw}, {values}");
        }
    }
    let folder = Folder::with("in.csv", csv);
    let text = folder.failure("source: {type: file, file: {path: '${DIR}/in.csv'}}");
    let expected = "in.csv: record 2: text follows the closing quote of a value; double the quotes within values";
    assert_eq!(text, expected);
}

#[cfg(feature = "sqlite")]
#[test]
fn the_readable_values_of_a_row_are_quarantined() {
    let folder = Folder::new();
    let connection = rusqlite::Connection::open(folder.path("shop.db")).unwrap();
    let rows = "CREATE TABLE items (id INTEGER, name TEXT, photo);
        INSERT INTO items VALUES (1, 'a', NULL), (2, 'b', x'ff'), (3, CAST(x'ff' AS TEXT), x'00')";
    connection.execute_batch(rows).unwrap();
    let source = "source: {type: database, database: {url: 'sqlite:${DIR}/shop.db', query: SELECT * FROM items}}";
    let found: Vec<_> =
        quarantined(&folder, source).into_iter().map(|(_, values)| values).collect();
    let expected = [
        json!({"id": "2", "name": "b", "photo": null}),
        json!({"id": "3", "name": null, "photo": null}),
    ];
    assert_eq!(found, expected);
    let line = folder.read("bad.jsonl").lines().last().unwrap().to_owned();
    assert!(line.contains(r#""column":"photo","value":"blob","message":"has 1 bytes; "#), "{line}");
    assert!(line.contains("is not UTF-8") && !line.contains("raw"), "{line}");
}

/// An object with a number that would change is an object all the same.
#[test]
fn numbers_that_would_change_are_failing_records() {
    let folder = Folder::with("in.jsonl", "{\"id\": 1}\n{\"id\": 12345678901234567890123}\n");
    let text = folder.failure("source: {type: file, file: {path: '${DIR}/in.jsonl'}}");
    let expected =
        "in.jsonl: record 2: the line cannot be read: `id`: the number 12345678901234567890123 ";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn text_that_is_not_utf_8_is_a_failing_record() {
    let folder = Folder::with("orders.csv", b"id,price\n1,1\n2,\xff\n");
    let text = folder.failure("source: {type: file, file: {path: '${DIR}/orders.csv'}}");
    assert!(text.starts_with("orders.csv: record 2, column `price`: `"), "{text}");
    assert!(text.ends_with("` is not UTF-8; convert the file to UTF-8"), "{text}");
}

#[test]
fn a_field_of_json_has_one_value() {
    let folder = Folder::with("in.jsonl", "{\"id\":1,\"a\":null,\"a\":2}\n{\"id\":2,\"a\":3}\n");
    let text = folder.failure("source: {type: file, file: {path: '${DIR}/in.jsonl'}}");
    assert_eq!(
        text,
        "in.jsonl: record 1: the line cannot be read: the field `a` is given twice (line 1, column 20)"
    );
}

#[test]
fn a_missing_value_is_a_reason_that_stands_alone() {
    let folder = Folder::with("in.csv", "id,a\n1,\n");
    let yaml = "source: {type: file, file: {path: '${DIR}/in.csv'}}
processing: {on_failure: quarantine, quarantine: '${DIR}/bad.jsonl'}
transformation: {stages: [{name: validation, options: {rules: [{column: a, not_null: true}]}}]}
";
    folder.run(yaml).unwrap();
    let line: Value = serde_json::from_str(&folder.read("bad.jsonl")).unwrap();
    let expected = json!([{ "column": "a", "message": "the empty value is not allowed" }]);
    assert_eq!(line["reasons"], expected);
}
