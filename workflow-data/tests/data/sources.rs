//! What each source reads.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use parquet::arrow::ArrowWriter;
use workflow_data::Summary;

use crate::folder::Folder;

/// Reads files by a path in the folder, and returns the table as JSON lines.
fn read(folder: &Folder, path: &str, more: &str) -> (Summary, Vec<String>) {
    let yaml = format!(
        "source: {{type: file, file: {{path: '${{DIR}}/{path}'{more}}}}}\nprocessing: {{batch_size: 2}}\noutput: {{type: file, path: '${{DIR}}/out.ndjson'}}"
    );
    let summary = folder.run(&yaml).unwrap();
    (summary, folder.read("out.ndjson").lines().map(str::to_owned).collect())
}

#[test]
fn csv_has_types_from_its_records() {
    let text = "\u{feff}id,code,price,ok,day,at,note\n\
        1,007,1.5,true,2026-01-31,2026-01-31T09:30:00Z,\"a, b\"\n\
        2,010,2,false,,2026-01-31T11:30:00+02:00,\n";
    let folder = Folder::with("in.csv", text);
    let (summary, lines) = read(&folder, "in.csv", "");
    assert_eq!(
        lines,
        [
            r#"{"id":1,"code":"007","price":1.5,"ok":true,"day":"2026-01-31","at":"2026-01-31T09:30:00Z","note":"a, b"}"#,
            r#"{"id":2,"code":"010","price":2.0,"ok":false,"day":null,"at":"2026-01-31T09:30:00Z","note":null}"#,
        ]
    );
    assert_eq!((summary.read, summary.metadata.source.as_str()), (2, "file"));
}

#[test]
fn types_of_the_configuration_win() {
    let folder = Folder::with("in.csv", "id,price\n1,2\n");
    let (_, lines) = read(&folder, "in.csv", ", columns: {id: text, price: number}");
    assert_eq!(lines, [r#"{"id":"1","price":2.0}"#]);
    let yaml = "source: {type: file, file: {path: '${DIR}/in.csv', columns: {prise: number}}}";
    let expected = "cannot read `DIR/in.csv`: no column `prise`; did you mean `price`?; its columns are `id`, `price`";
    assert_eq!(folder.failure(yaml), expected);
}

#[test]
fn patterns_read_files_in_order_of_their_names() {
    let folder = Folder::with("b.csv", "name,id\nb,2\n");
    folder.write("a.csv", "id,name\n1,a\n");
    folder.write("c.csv", "id,name\n");
    let (summary, lines) = read(&folder, "*.csv", "");
    assert_eq!(lines, [r#"{"id":1,"name":"a"}"#, r#"{"id":2,"name":"b"}"#]);
    assert_eq!(summary.batches, 2);
    folder.write("d.csv", "id\n1\n");
    let yaml = "source: {type: file, file: {path: '${DIR}/*.csv'}}";
    let expected = "cannot read `DIR/d.csv`: the column `name` of the first file is missing; all files need the same columns";
    assert_eq!(folder.failure(yaml), expected);
}

#[test]
fn parquet_files_of_a_pattern_are_one_table_by_the_names_of_their_columns() {
    let column = |name: &str, column: ArrayRef| (name.to_owned(), column, true);
    let integers = |values: &[i64]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
    let numbers = |values: &[f64]| Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
    let folder = Folder::new();
    let write = |name: &str, columns: Vec<(String, ArrayRef, bool)>| {
        let records = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), records.schema(), None).unwrap();
        writer.write(&records).unwrap();
        folder.write(name, writer.into_inner().unwrap());
    };
    write("a.parquet", vec![column("id", integers(&[1])), column("v", integers(&[10]))]);
    write(
        "b.parquet",
        vec![("v".to_owned(), integers(&[20]), false), column("id", integers(&[2]))],
    );
    let (_, lines) = read(&folder, "*.parquet", "");
    assert_eq!(lines, [r#"{"id":1,"v":10}"#, r#"{"id":2,"v":20}"#]);

    let yaml = "source: {type: file, file: {path: '${DIR}/*.parquet'}}";
    write("c.parquet", vec![column("id", integers(&[3])), column("v", numbers(&[1.5]))]);
    let expected = "cannot read `DIR/c.parquet`: the type of its column `v` is number, and in the first file integer; add `v: number` to `columns` of the source";
    assert_eq!(folder.failure(yaml), expected);
    let (_, lines) = read(&folder, "*.parquet", ", columns: {v: number}");
    assert_eq!(lines[2], r#"{"id":3,"v":1.5}"#);
    let three = [("id", &[3]), ("v", &[30]), ("w", &[0])];
    write("c.parquet", three.map(|(name, values)| column(name, integers(values))).into());
    let expected = "cannot read `DIR/c.parquet`: the column `w` is not in the first file; all files need the same columns";
    assert_eq!(folder.failure(yaml), expected);
    write("c.parquet", vec![column("id", integers(&[3]))]);
    let expected = "cannot read `DIR/c.parquet`: the column `v` of the first file is missing; all files need the same columns";
    assert_eq!(folder.failure(yaml), expected);
}

#[test]
fn a_header_without_records_is_a_table_without_records() {
    let folder = Folder::with("in.csv", "id,name\n");
    let yaml = "source: {type: file, file: {path: '${DIR}/in.csv'}}\noutput: {type: file, path: '${DIR}/out.csv'}";
    assert_eq!(folder.run(yaml).unwrap().written, 0);
    assert_eq!(folder.read("out.csv"), "id,name\n");
    folder.write("in.csv", "");
    assert!(folder.failure(yaml).contains("the file is empty; a CSV file begins with a header"));
    folder.write("in.csv", "id,id\n");
    assert!(folder.failure(yaml).contains("the header names `id` twice"));
}

/// The records after such a quote would be one value, or a record that fails alone.
#[test]
fn a_quote_that_is_not_closed_is_an_error_of_the_file() {
    let rows = |from, to| (from..to).map(|id| format!("{id},\"ä\"\n")).collect::<String>();
    for (rest, policy) in
        [(rows(2000, 2100), "skip"), ("2000,a\n".to_owned(), "skip"), (rows(1, 9), "fail")]
    {
        let folder =
            Folder::with("in.csv", format!("id,name\n{}1500,\"bad\n{rest}", rows(0, 1500)));
        let yaml = format!(
            "source: {{type: file, file: {{path: '${{DIR}}/in.csv'}}}}\nprocessing: {{on_failure: {policy}}}"
        );
        let expected = "in.csv`: the value that begins with the quote at line 1502, column 6 does not end with a quote; add it, and double the quotes within the value";
        let text = folder.failure(&yaml);
        assert!(text.ends_with(expected), "{text}");
    }
}

#[test]
fn json_lines_and_arrays_are_read_alike() {
    let expected = [
        r#"{"id":1,"name":"a","tags":"[1,2]","new":null}"#,
        r#"{"id":2,"name":"","tags":null,"new":true}"#,
        r#"{"id":3,"name":null,"tags":null,"new":null}"#,
    ];
    let objects = [
        r#"{"id": 1, "name": "a", "tags": [1, 2]}"#,
        r#"{"name": "", "id": 2, "new": true}"#,
        r#"{"id": 3}"#,
    ];
    let folder = Folder::with("in.jsonl", objects.join("\n\n"));
    folder.write("in.json", format!(" [{}\n]", objects.join(" ,\n")));
    for path in ["in.jsonl", "in.json"] {
        let (summary, lines) = read(&folder, path, "");
        assert_eq!((lines, summary.batches), (expected.map(str::to_owned).to_vec(), 2));
    }
    folder.write("empty.json", "[]");
    assert_eq!(read(&folder, "empty.json", "").1.len(), 0);
}

#[test]
fn fields_may_appear_late() {
    let text = format!("{}{{\"id\": 9, \"late\": 1.5}}\n", "{\"id\": 1}\n".repeat(1000));
    let folder = Folder::with("in.jsonl", text);
    let (summary, lines) = read(&folder, "in.jsonl", ", columns: {late: number}");
    assert_eq!((summary.read, lines[1000].as_str()), (1001, r#"{"id":9,"late":1.5}"#));
    let text = folder.failure("source: {type: file, file: {path: '${DIR}/in.jsonl'}}");
    let expected = "in.jsonl: record 1001, column `late`: `1.5` is in none of the first 1000 records, so its column is unknown; add its type to `columns` of the source";
    assert_eq!(text, expected);
}

#[test]
fn objects_without_fields_are_no_table() {
    let folder = Folder::with("a.jsonl", "[1]\n\nx\n{\n");
    let yaml = |policy: &str| {
        format!(
            "source: {{type: file, file: {{path: '${{DIR}}/*.jsonl'}}}}\nprocessing: {{on_failure: {policy}, batch_size: 2}}\noutput: {{type: file, path: '${{DIR}}/out.csv'}}"
        )
    };
    let text = folder.failure(&yaml("fail"));
    assert!(text.starts_with("a.jsonl: record 1: the line cannot be read: "), "{text}");
    let summary = folder.run(&yaml("skip")).unwrap();
    assert_eq!((summary.read, summary.skipped), (3, 3));
    assert!(!folder.path("out.csv").exists(), "nothing says the columns of a table");
    // The first file with fields has the columns.
    folder.write("b.jsonl", "{\"id\": 1}\n");
    let summary = folder.run(&yaml("skip")).unwrap();
    assert_eq!((summary.read, summary.written), (4, 1));
    assert_eq!(folder.read("out.csv"), "id\n1\n");
    folder.write("b.jsonl", "{}\n");
    let expected = "cannot read `DIR/b.jsonl`: record 1 has no fields, as all records before it, so there is no table; add the names and types of its columns to `columns` of the source";
    assert_eq!(folder.failure(&yaml("skip")), expected);
    let given = yaml("skip").replace("*.jsonl'", "*.jsonl', columns: {id: integer}");
    assert_eq!(folder.run(&given).unwrap().written, 1);
    assert_eq!(folder.read("out.csv"), "id\n\"\"\n");
}

#[test]
fn broken_arrays_name_the_record() {
    let folder = Folder::new();
    let yaml = "source: {type: file, file: {path: '${DIR}/in.json'}}";
    let cases = [
        (
            r#"{"id": 1}"#,
            "1, column 1: the file is not a JSON array; use `format: jsonl` for JSON lines",
        ),
        ("[{\"id\": 1}\n {\"id\": 2}]", "2, column 2: expected `,` or `]` after record 1"),
        (r#"[{"id": 1}, 2]"#, "1, column 13: record 2 is not an object"),
        ("[{\"id\": 1},\n{\"id\": ]", "2, column 9: record 2 is not valid JSON"),
        (
            "[{\"id\": 1}]\n[{\"id\": 2}]",
            "2, column 1: more text follows the array; write one array, or use `format: jsonl` and one object in each line",
        ),
        (
            "[] x",
            "1, column 4: more text follows the array; write one array, or use `format: jsonl` and one object in each line",
        ),
    ];
    for (text, expected) in cases {
        folder.write("in.json", text);
        assert_eq!(folder.failure(yaml), format!("cannot read `DIR/in.json`: line {expected}"));
    }
}

/// A number that no 64 bits hold would be another one afterwards.
#[test]
fn numbers_that_would_change_fail_their_record() {
    let folder = Folder::new();
    folder.write("in.json", r#"[{"id": 1}, {"id": 123456789012345678901}]"#);
    folder.write("in.jsonl", "{\"id\": 1}\n{\"id\": 123456789012345678901}\n");
    for file in ["in.json", "in.jsonl"] {
        let yaml = format!("source: {{type: file, file: {{path: '${{DIR}}/{file}'}}}}");
        let failure = folder.failure(&yaml);
        assert!(failure.starts_with(&format!("{file}: record 2: ")), "{failure}");
        assert!(failure.contains("64 bits"), "{failure}");
        let skipping = folder.run(&format!("{yaml}\nprocessing: {{on_failure: skip}}")).unwrap();
        assert_eq!((skipping.read, skipping.skipped), (2, 1));
    }
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_is_read_as_it_was_written() {
    let folder = Folder::new();
    let write = "source: {type: mock, mock: {records: 5, nulls: 1}}\noutput: [{type: parquet, path: '${DIR}/in.parquet'}, {type: file, path: '${DIR}/mock.ndjson'}]";
    folder.run(write).unwrap();
    let (summary, lines) = read(&folder, "in.parquet", "");
    assert_eq!(lines, folder.read("mock.ndjson").lines().collect::<Vec<_>>());
    assert_eq!((summary.read, summary.batches, summary.largest_batch), (5, 3, 2));
    folder.write("in.parquet", "id\n1\n");
    let yaml = "source: {type: file, file: {path: '${DIR}/in.parquet'}}";
    assert_eq!(folder.failure(yaml), "cannot read `DIR/in.parquet`: the file is not valid Parquet");
}

#[test]
fn mock_data_is_the_same_each_time() {
    let folder = Folder::new();
    let yaml = "source: {type: mock, mock: {records: 4, duplicates: 1, nulls: 1}}\nprocessing: {batch_size: 3}\noutput: {type: file, path: '${DIR}/out.csv'}";
    let summary = folder.run(yaml).unwrap();
    let expected = "id,name,amount,created_at\n\
        1,Ada,,2026-01-01T00:00:00Z\n\
        2,Blaise,80.19,2026-01-01T00:01:00Z\n\
        3,Carl,159.38,2026-01-01T00:02:00Z\n\
        1,Ada,,2026-01-01T00:00:00Z\n";
    assert_eq!(folder.read("out.csv"), expected);
    assert_eq!((summary.batches, summary.largest_batch), (2, 3));
}
