//! What each stage does, alone and one after the other.

use serde_json::json;
use workflow_data::{Batch, Rejects, Stage, StageError, Stages};

use crate::folder::{Folder, through};

#[test]
fn cleaning_trims_converts_and_drops() {
    let options = json!({ "trim": true, "types": { "day": "date" }, "drop_nulls": ["name"] });
    let stages = json!([{ "name": "cleaning", "options": options }]);
    let csv = "name,day\n Ada ,2026-01-31 \nBob,\n,2026-02-01\n";
    assert_eq!(through(stages, csv).unwrap(), "name,day\nAda,2026-01-31\nBob,\n");
}

#[test]
fn blank_texts_are_missing_after_they_were_trimmed() {
    let cleaning = |options| json!([{ "name": "cleaning", "options": options }]);
    let dropped = cleaning(json!({ "trim": true, "drop_nulls": ["n"] }));
    assert_eq!(through(dropped, "id,n\n1,\" \"\n2,\"\"\n3,\n4,x\n").unwrap(), "id,n\n4,x\n");
    let alike = cleaning(json!({ "trim": true, "remove_duplicates": ["n"] }));
    assert_eq!(through(alike, "id,n\n1,\" \"\n2,\n3,x\n").unwrap(), "id,n\n1,\n3,x\n");
    let typed = cleaning(json!({ "trim": true, "types": { "n": "integer" } }));
    assert_eq!(through(typed, "id,n\n1,\" \"\n2, 7 \n").unwrap(), "id,n\n1,\n2,7\n");
}

#[test]
fn lists_of_values_fit_columns_of_numbers() {
    let rule = |values| {
        let rules = json!([{ "column": "code", "one_of": values }]);
        json!([{ "name": "validation", "options": { "rules": rules } }])
    };
    for values in [json!(["1", "2"]), json!([1, 2.0])] {
        assert_eq!(through(rule(values), "code\n1\n2\n").unwrap(), "code\n1\n2\n");
    }
    assert_eq!(
        through(rule(json!(["1", "two"])), "code\n1\n2\n").unwrap_err(),
        "stage `validation`: the column `code` does not fit its rule: the column has numbers, and \
         `two` is none; convert it with `types` of the stage `cleaning`"
    );
}

#[test]
fn cleaning_renames_columns() {
    let stages = |options| json!([{ "name": "cleaning", "options": options }]);
    let csv = "id,Unit Price\n1, 2.5 \n";
    let options = json!({ "rename": { "Unit Price": "price", "id": "Nr" }, "trim": true, "types": { "price": "number" } });
    assert_eq!(through(stages(options), csv).unwrap(), "Nr,price\n1,2.5\n");
    let swapped = json!({ "rename": { "Unit Price": "id", "id": "Unit Price" } });
    assert_eq!(through(stages(swapped), "id,Unit Price\n1,2\n").unwrap(), "Unit Price,id\n1,2\n");
    let failure = |rename| through(stages(json!({ "rename": rename })), csv).unwrap_err();
    assert_eq!(
        failure(json!({ "Unit Prise": "price" })),
        "stage `cleaning`: the table has no column `Unit Prise`; did you mean `Unit Price`?; its \
         columns are `id`, `Unit Price`"
    );
    assert_eq!(
        failure(json!({ "Unit Price": "id" })),
        "stage `cleaning`: the column `Unit Price` cannot be renamed to `id`: the table has that \
         column, too"
    );
    let twice = failure(json!({ "Unit Price": "x", "id": "x" }));
    assert!(twice.contains("two columns would be named `x`; choose another name"), "{twice}");
}

#[test]
fn duplicates_are_the_same_numbers() {
    let all = json!([{ "name": "cleaning", "options": { "remove_duplicates": true } }]);
    assert_eq!(through(all, "n\n0.0\n-0.0\n1.5\n").unwrap().lines().count(), 3);
}

#[test]
fn expressions_read_columns_of_any_name() {
    let stages = |expression| {
        let options = json!({ "expressions": { "gross": expression } });
        json!([{ "name": "enrichment", "options": options }])
    };
    let csv = "id,Unit Price,größe\n1,2.5,3\n2,,3\n";
    assert_eq!(
        through(
            stages("record['Unit Price'] * record['größe'] if record['Unit Price'] else id"),
            csv
        )
        .unwrap(),
        "id,Unit Price,größe,gross\n1,2.5,3,7.5\n2,,3,2.0\n"
    );
    let text = through(stages("record['Unit Prise']"), csv).unwrap_err();
    assert!(text.contains("`record['Unit Prise']` has no value: nothing has that name"), "{text}");
    // A column of this name is no record.
    assert_eq!(through(stages("record + 1"), "record\n1\n").unwrap(), "record,gross\n1,2\n");
}

#[test]
fn names_in_expressions_are_checked_before_the_run() {
    let folder = Folder::with("in.csv", "id,name\n1,a\n");
    let text = folder.refusal(
        "source: {type: file, file: {path: '${DIR}/in.csv'}}
processing: {on_failure: skip}
transformation:
  stages:
    - name: enrichment
      options:
        expressions:
          a: name|uper
          b: {expression: id is nosuchtest}
          c: now() ~ id
",
    );
    for expected in [
        "stages[0].options.expressions.a`: there is no filter `uper`; did you mean `upper`?",
        "config.yaml:8:14",
        "expressions.b`: there is no test `nosuchtest`; available: ",
        "expressions.c`: there is no function `now`; use a filter",
        "config.yaml:10:14",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
}

#[test]
fn cleaning_removes_duplicates_across_batches() {
    let all = json!([{ "name": "cleaning", "options": { "remove_duplicates": true } }]);
    let csv = "id,name\n1,a\n2,\n1,b\n2,\n1,a\n,\n,\n";
    assert_eq!(through(all, csv).unwrap(), "id,name\n1,a\n2,\n1,b\n,\n");
    let key = json!([{ "name": "cleaning", "options": { "remove_duplicates": ["id"] } }]);
    assert_eq!(through(key, csv).unwrap(), "id,name\n1,a\n2,\n,\n");
}

#[test]
fn cleaning_refuses_values_that_would_change() {
    let stages = json!([{ "name": "cleaning", "options": { "types": { "price": "integer" } } }]);
    assert_eq!(through(stages.clone(), "price\n1.0\n2\n").unwrap(), "price\n1\n2\n");
    assert_eq!(
        through(stages, "price\n1.0\n2.0\n1.5\n").unwrap_err(),
        "stage `cleaning`: in.csv: record 3, column `price`: `1.5` is not an integer of 64 bits"
    );
    let missing = json!([{ "name": "cleaning", "options": { "drop_nulls": ["prise"] } }]);
    assert_eq!(
        through(missing, "price\n1\n").unwrap_err(),
        "stage `cleaning`: the table has no column `prise`; did you mean `price`?; its columns are `price`"
    );
}

#[test]
fn enrichment_adds_and_replaces_columns() {
    let options = json!({ "add_timestamps": true, "constants": { "region": "north", "id": 0 } });
    let stages = json!([{ "name": "enrichment", "options": options }]);
    let expected = "id,region,processed_at\n0,north,2026-01-02T03:04:05Z\n";
    assert_eq!(through(stages, "id\n7\n").unwrap(), expected);
}

#[test]
fn enrichment_computes_columns() {
    let stages = |expressions| {
        let options = json!({ "constants": { "tax": 0.5 }, "expressions": expressions });
        json!([{ "name": "enrichment", "options": options }])
    };
    let csv = "id,price,city\n1,2.5,Bonn\n2,,Kiel\n";
    let computed = json!({
        "label": "city|upper ~ '-' ~ id",
        "gross": "price * (1 + tax) if price is not none else none",
        "is_far": "city == 'Kiel'",
        "id": { "expression": "id + 1", "type": "text" },
    });
    let expected = "id,price,city,tax,gross,is_far,label\n\
        2,2.5,Bonn,0.5,3.75,false,BONN-1\n\
        3,,Kiel,0.5,,true,KIEL-2\n";
    assert_eq!(through(stages(computed), csv).unwrap(), expected);

    assert_eq!(
        through(stages(json!({ "gross": "price * 2" })), csv).unwrap_err(),
        "stage `enrichment`: in.csv: record 2: column `gross`: `price * 2` has no value: \
         tried to use * operator on unsupported types none and number"
    );
    assert_eq!(
        through(stages(json!({ "gross": "prise * 2" })), csv).unwrap_err(),
        "stage `enrichment`: the expression of `gross`: the table has no column `prise`; \
         did you mean `price`?; its columns are `id`, `price`, `city`, `tax`"
    );
    // A value that does not have the given type fails.
    let typed = json!({ "next": { "expression": "city", "type": "integer" } });
    assert_eq!(
        through(stages(typed), csv).unwrap_err(),
        "stage `enrichment`: in.csv: record 1, column `next`: `Bonn` is not an integer of 64 bits"
    );
}

#[test]
fn validation_checks_each_rule() {
    let rule = |rule| json!([{ "name": "validation", "options": { "rules": [rule] } }]);
    let csv = "id,price,state\n1,2.5,open\n,,\n";
    let passes = [
        json!({ "column": "price", "min": 2.5, "max": 3 }),
        json!({ "column": "state", "one_of": ["open", "paid"] }),
        json!({ "column": "id", "one_of": [1.0] }),
        json!({ "column": "state", "pattern": "o.*n" }),
    ];
    for passing in passes {
        assert_eq!(through(rule(passing), csv).unwrap(), csv);
    }
    let fails = [
        (
            json!({ "column": "id", "not_null": true }),
            "record 2, column `id`: the empty value is not allowed",
        ),
        (json!({ "column": "price", "max": 2 }), "record 1, column `price`: `2.5` is more than 2"),
        (json!({ "column": "id", "min": 2 }), "record 1, column `id`: `1` is less than 2"),
        (
            json!({ "column": "state", "one_of": ["paid"] }),
            "record 1, column `state`: `open` is not one of `paid`",
        ),
        (
            json!({ "column": "state", "pattern": "pe" }),
            "record 1, column `state`: `open` does not match `pe`",
        ),
        (
            json!({ "column": "state", "pattern": "o|n" }),
            "record 1, column `state`: `open` does not match `o|n`",
        ),
        (
            json!({ "column": "state", "min": 1 }),
            "the column `state` does not fit its rule: `min` and `max` need a column of numbers; convert it with `types` of the stage `cleaning`",
        ),
    ];
    for (failing, expected) in fails {
        let text = through(rule(failing), csv).unwrap_err();
        assert!(text.ends_with(expected), "{text}");
    }
}

#[test]
fn validation_has_a_policy_of_its_own() {
    let folder = Folder::with("in.csv", "id,price\n1,-1\n,-2\n3,3\n");
    let yaml = "
source: {type: file, file: {path: '${DIR}/in.csv'}}
processing: {quarantine: '${DIR}/bad.jsonl'}
transformation:
  stages:
    - name: validation
      options: {on_failure: quarantine, rules: [{column: id, not_null: true}, {column: price, min: 0}]}
";
    let summary = folder.run(yaml).unwrap();
    assert_eq!((summary.quarantined, summary.metadata.record_count), (2, 1));
    let bad = folder.read("bad.jsonl");
    let second = r#""reasons":[{"column":"id","message":"the empty value is not allowed"},{"column":"price","value":"-2","message":"is less than 0"}],"values":{"id":null,"price":-2}}"#;
    assert!(bad.lines().nth(1).unwrap().ends_with(second), "{bad}");
}

/// Holds all batches back, and counts nothing else.
struct Last(Option<Batch>);

impl Stage for Last {
    fn apply(&mut self, batch: Batch, _: &mut Rejects) -> Result<Batch, StageError> {
        let nothing = batch.records().slice(0, 0);
        let keep = vec![false; batch.len()].into();
        self.0 = Some(batch.clone());
        let empty = batch.filter(&keep)?;
        Ok(empty.with_records(nothing)?)
    }

    fn finish(&mut self, _: &mut Rejects) -> Result<Option<Batch>, StageError> {
        Ok(self.0.take())
    }
}

#[test]
fn stages_of_the_host_run_by_name() {
    let folder = Folder::new();
    let yaml = "
source: {type: mock, mock: {records: 5}}
processing: {batch_size: 2}
transformation: {stages: [{name: last}, {name: enrichment, options: {constants: {a: 1}}}]}
output: {type: file, path: '${DIR}/out.csv'}
";
    let stages = Stages::new().with("last", |_| Ok(Last(None)));
    let summary = folder.build_with(yaml, stages).unwrap().run().unwrap();
    assert_eq!((summary.read, summary.written), (5, 1));
    let passed: Vec<_> =
        summary.stages.iter().map(|stage| (stage.received, stage.passed)).collect();
    assert_eq!(passed, [(5, 1), (1, 1)]);
    assert_eq!(
        folder.read("out.csv").lines().nth(1).unwrap(),
        "5,Emmy,317.76,2026-01-01T00:04:00Z,1"
    );
}

#[test]
fn a_stage_that_changes_columns_midway_is_an_error() {
    let yaml = "
source: {type: mock, mock: {records: 3}}
processing: {batch_size: 2}
transformation: {stages: [{name: unsteady}]}
output: {type: file, path: '${DIR}/out.csv'}
";
    let stages = Stages::new().with("unsteady", |_| {
        let mut count = 0;
        Ok(move |batch: Batch| {
            count += 1;
            let records = batch.records().project(&(0..count).collect::<Vec<_>>())?;
            Ok(batch.with_records(records)?)
        })
    });
    let folder = Folder::new();
    let error = folder.build_with(yaml, stages).unwrap().run().unwrap_err();
    let expected = "the columns change at mock: record 3: they were `id` (Int64), and are `id` (Int64), `name` (Utf8); every stage must give all batches the same columns and types";
    assert_eq!(error.to_string(), expected);
    assert_eq!(folder.names(), ["config.yaml"]);
}
