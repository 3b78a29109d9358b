//! Types of columns: what is found from values, what Parquet files have, and what keeps its digits.

use serde_json::json;

use crate::folder::{Folder, through};

#[test]
fn integers_with_many_digits_and_fractions_are_texts() {
    let stages = json!([{ "name": "cleaning", "options": { "remove_duplicates": ["id"] } }]);
    let csv = "id\n9007199254740993\n9007199254740992\n1.5\n";
    assert_eq!(through(stages, csv).unwrap(), csv);
    let folder = Folder::with("in.jsonl", "{\"id\": -9007199254740993}\n{\"id\": 1.5}\n");
    let yaml = "source: {type: file, file: {path: '${DIR}/in.jsonl'}}\noutput: {type: file, path: '${DIR}/out.csv'}";
    folder.run(yaml).unwrap();
    assert_eq!(folder.read("out.csv"), "id\n-9007199254740993\n1.5\n");
    // A type that is given, or found from records before, does not fit.
    folder.write("in.jsonl", "{\"id\": 9007199254740992}\n{\"id\": 9007199254740993}\n");
    let text = folder.failure(&yaml.replace("'}}\n", "', columns: {id: number}}}\n"));
    let expected = "in.jsonl: record 2, column `id`: `9007199254740993` has more digits than a number of 64 bits keeps; use the type `integer` or `text`";
    assert_eq!(text, expected);
}

#[test]
fn no_conversion_drops_digits() {
    let stages = |kind| json!([{ "name": "cleaning", "options": { "types": { "a": kind } } }]);
    let long = through(stages("number"), "a\n123456789012345678901\n").unwrap_err();
    assert!(long.contains("`123456789012345678901` has more digits than a number"), "{long}");
    let fine = through(stages("timestamp"), "a\n2026-01-31T09:30:00.1234567Z\n").unwrap_err();
    assert!(fine.contains("`2026-01-31T09:30:00.1234567Z` is finer than microseconds"), "{fine}");
    let kept = through(stages("timestamp"), "a\n2026-01-31T09:30:00.123456000Z\n");
    assert_eq!(kept.unwrap(), "a\n2026-01-31T09:30:00.123456Z\n");
}

#[test]
fn the_largest_integer_does_not_become_a_number() {
    let enrich = |expression| json!([{ "name": "enrichment", "options": { "expressions": { "b": expression } } }]);
    let csv = "a\n9223372036854775807\n";
    for expression in ["a + 1", "a * 10"] {
        let text = through(enrich(json!(expression)), csv).unwrap_err();
        assert!(text.starts_with("stage `enrichment`: in.csv: record 1: column `b`: "), "{text}");
    }
    let as_number = json!([{ "name": "cleaning", "options": { "types": { "a": "number" } } }]);
    let text = through(as_number, csv).unwrap_err();
    assert!(text.contains("`9223372036854775807` has more digits than a number"), "{text}");
    let halved = enrich(json!({ "expression": "a / 2", "type": "integer" }));
    assert_eq!(through(halved.clone(), "a\n2\n").unwrap(), "a,b\n2,1\n");
    let text = through(halved, "a\n3\n").unwrap_err();
    assert!(text.ends_with("column `b`: `1.5` is not an integer of 64 bits"), "{text}");
}

#[cfg(feature = "parquet")]
mod parquet {
    use std::fs::File;
    use std::sync::Arc;

    use arrow_array::types::Int8Type;
    use arrow_array::{
        ArrayRef, Date64Array, Decimal128Array, DictionaryArray, Float32Array, Int16Array,
        Int32Array, LargeStringArray, RecordBatch, Time32SecondArray, TimestampMillisecondArray,
        TimestampNanosecondArray, UInt64Array,
    };
    use parquet::arrow::ArrowWriter;

    use crate::folder::Folder;

    const YAML: &str = "
source: {type: file, file: {path: '${DIR}/in.parquet'}}
processing: {on_failure: quarantine, quarantine: '${DIR}/bad.jsonl'}
transformation:
  stages:
    - name: validation
      options:
        rules:
          - {column: id, min: 2}
          - {column: price, min: 0, max: 10}
          - {column: at, one_of: ['2026-01-02T03:04:05Z']}
    - {name: enrichment, options: {expressions: {next: id + 1, gross: price * 2}}}
output:
  - {type: file, path: '${DIR}/out.csv'}
  - {type: file, path: '${DIR}/out.jsonl'}
";

    fn write(folder: &Folder) {
        let time = 1_767_323_045_000;
        let (utc, berlin) = ("UTC", "Europe/Berlin");
        let codes: DictionaryArray<Int8Type> = ["a", "b"].into_iter().collect();
        let prices = Decimal128Array::from(vec![150, 250]).with_precision_and_scale(10, 2).unwrap();
        let seen = TimestampNanosecondArray::from(vec![time * 1_000_000 + 1, 0]);
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("id", Arc::new(Int32Array::from(vec![1, 2]))),
            ("at", Arc::new(TimestampMillisecondArray::from(vec![0, time]).with_timezone(utc))),
            ("seen", Arc::new(seen.with_timezone(berlin))),
            ("price", Arc::new(prices)),
            ("code", Arc::new(codes)),
            ("rate", Arc::new(Float32Array::from(vec![0.5, 1.5]))),
            ("count", Arc::new(UInt64Array::from(vec![1, 2]))),
            ("name", Arc::new(LargeStringArray::from(vec!["x", "y"]))),
            ("day", Arc::new(Date64Array::from(vec![0, 86_400_000]))),
            ("hour", Arc::new(Time32SecondArray::from(vec![60, 3600]))),
            ("small", Arc::new(Int16Array::from(vec![None, Some(7)]))),
        ];
        let records = RecordBatch::try_from_iter(columns).unwrap();
        let file = File::create(folder.path("in.parquet")).unwrap();
        let mut writer = ArrowWriter::try_new(file, records.schema(), None).unwrap();
        writer.write(&records).unwrap();
        writer.close().unwrap();
    }

    #[test]
    fn its_types_are_those_of_other_sources() {
        let folder = Folder::new();
        write(&folder);
        let summary = folder.run(YAML).unwrap();
        assert_eq!((summary.quarantined, summary.written), (1, 1));
        let expected = "id,at,seen,price,code,rate,count,name,day,hour,small,gross,next\n\
            2,2026-01-02T03:04:05Z,1970-01-01T00:00:00Z,2.50,b,1.5,2,y,1970-01-02,01:00:00,7,5.0,3\n";
        assert_eq!(folder.read("out.csv"), expected);
        let lines = folder.read("out.jsonl");
        assert!(lines.contains(r#""at":"2026-01-02T03:04:05Z","#), "{lines}");
        let bad = folder.read("bad.jsonl");
        assert!(bad.contains(r#""message":"is less than 2""#), "{bad}");
        let at = r#"{"column":"at","value":"1970-01-01T00:00:00Z","message":"is not one of"#;
        assert!(bad.contains(at), "{bad}");
        assert!(bad.contains(r#""seen":"2026-01-02T03:04:05.000000001Z""#), "{bad}");
    }

    #[test]
    fn its_columns_get_the_types_of_the_configuration() {
        let folder = Folder::new();
        write(&folder);
        let columns = "id: text, price: number, at: text, count: text";
        let yaml = |columns: &str| {
            format!(
                "source: {{type: file, file: {{path: '${{DIR}}/in.parquet', columns: {{{columns}}}}}}}\noutput: {{type: file, path: '${{DIR}}/out.jsonl'}}"
            )
        };
        folder.run(&yaml(columns)).unwrap();
        let lines = folder.read("out.jsonl");
        assert!(lines.starts_with(r#"{"id":"1","at":"1970-01-01T00:00:00Z","#), "{lines}");
        assert!(lines.contains(r#""price":1.5,"#) && lines.contains(r#""count":"1""#), "{lines}");
        let text = folder.failure(&yaml("prise: number"));
        assert!(text.contains("no column `prise`; did you mean `price`?"), "{text}");
        let text = folder.failure(&yaml("seen: timestamp"));
        assert!(
            text.contains("record 1, column `seen`: `2026-01-02T03:04:05.000000001Z` is finer"),
            "{text}"
        );
        let text = folder.failure(&yaml("rate: integer"));
        assert!(
            text.ends_with("record 1, column `rate`: `0.5` is not an integer of 64 bits"),
            "{text}"
        );
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn tables_have_its_types() {
        let folder = Folder::new();
        write(&folder);
        let yaml = "
source: {type: file, file: {path: '${DIR}/in.parquet'}}
output: {type: sqlite, path: '${DIR}/out.db', table: t}
";
        folder.run(yaml).unwrap();
        let connection = rusqlite::Connection::open(folder.path("out.db")).unwrap();
        let types = "SELECT group_concat(type) FROM pragma_table_info('t')";
        let types: String = connection.query_row(types, [], |row| row.get(0)).unwrap();
        let expected = "INTEGER,TEXT,TEXT,REAL,TEXT,REAL,INTEGER,TEXT,TEXT,TEXT,INTEGER";
        assert_eq!(types, expected);
        let row = "SELECT at || ' ' || (price * 2) || ' ' || hour FROM t WHERE id = 2";
        let row: String = connection.query_row(row, [], |row| row.get(0)).unwrap();
        assert_eq!(row, "2026-01-02T03:04:05Z 5.0 01:00:00");
    }
}
