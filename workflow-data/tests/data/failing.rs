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
            "values": { "id": null, "price": null },
        }),
    ];
    assert_eq!(first, expected);
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
