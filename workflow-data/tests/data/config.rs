//! Both forms of the configuration, their agreement, and the places of mistakes.

use workflow_config::{Config, ConfigError, Loader};
use workflow_data::{PipelineConfig, Stages};

use crate::folder::Folder;

/// The configuration of the authoring guide; only its source is another one.
const GUIDE: &str = r#"
workflow:
  name: "My Workflow"
  description: "Extracts and processes data from Source X"
  schedule: "0 0 * * *" # Daily at midnight (cron format)

ingestion:
  source:
    type: "mock"
  parameters:
    batch_size: 30
    max_retries: 3

transformation:
  stages:
    - name: "cleaning"
      options:
        remove_duplicates: true
    - name: "enrichment"
      options:
        add_timestamps: true
"#;

#[test]
fn the_configuration_of_the_guide_acts() {
    let summary = Folder::new().run(GUIDE).unwrap();
    let metadata = serde_json::to_value(&summary.metadata).unwrap();
    let expected = serde_json::json!({
        "source": "mock",
        "record_count": 100,
        "timestamp": "2026-01-02T03:04:05Z",
        "transformation_stages": ["cleaning", "enrichment"],
    });
    assert_eq!(metadata, expected);
    assert_eq!((summary.read, summary.written, summary.batches), (100, 0, 4));
    assert_eq!(summary.largest_batch, 30);
}

#[test]
fn the_letter_r_is_no_number_of_retries() {
    let text = Folder::new().refusal(&GUIDE.replace("max_retries: 3", "max_retries: R"));
    assert!(text.contains("expected an integer, found a string"), "{text}");
    assert!(text.contains("config.yaml:12:18"), "{text}");
}

#[test]
fn both_forms_describe_one_source() {
    let by_section = "
source:
  name: made_up
  type: mock
  mock: {records: 7}
processing: {batch_size: 3}
schedule: {cron: '0 0 * * *', timezone: UTC}
output:
";
    let folder = Folder::new();
    let summary = folder.run(by_section).unwrap();
    assert_eq!(
        (summary.read, summary.batches, summary.metadata.source.as_str()),
        (7, 3, "made_up")
    );

    let both = format!("{by_section}ingestion: {{source: {{type: mock, records: 7}}}}\n");
    assert_eq!(folder.run(&both).unwrap().read, 7);
    let text = folder.refusal(&both.replace("records: 7}}", "records: 8}}"));
    assert!(text.contains("`ingestion.source` and `source` describe different sources"), "{text}");
    assert!(text.contains("config.yaml:"), "{text}");

    let sizes = format!("{by_section}ingestion: {{parameters: {{batch_size: 4}}}}\n");
    let text = folder.refusal(&sizes);
    assert!(text.contains("`ingestion.parameters.batch_size` has another value"), "{text}");
    assert!(text.contains("config.yaml:6:26"), "{text}");
}

#[test]
fn the_documented_configuration_is_valid() {
    let docs = include_str!("../../src/lib.rs");
    let block = |number| {
        let rest = docs.split("//! ```yaml\n").nth(number).unwrap();
        rest.split("//! ```").next().unwrap().replace("//! ", "")
    };
    let objects: PipelineConfig = Folder::new().config(&block(2)).read().unwrap();
    assert_eq!(objects.source().unwrap().label(), "sales");
    let api: PipelineConfig = Folder::new().config(&block(3)).read().unwrap();
    assert_eq!(api.max_retries(), 5);
    let database: PipelineConfig = Folder::new().config(&block(4)).read().unwrap();
    assert_eq!(database.source().unwrap().label(), "orders");
    let incremental: PipelineConfig = Folder::new().config(&block(5)).read().unwrap();
    assert_eq!(incremental.outputs().len(), 1);
    let yaml = block(1);
    let config: PipelineConfig = Folder::new().config(&yaml).read().unwrap();
    assert_eq!((config.stages().len(), config.outputs().len()), (3, 3));
    assert_eq!((config.batch_size(), config.max_retries(), config.cron()), (1000, 0, None));
}

/// The source of the guide.
#[test]
fn an_api_needs_its_token_and_its_feature() {
    let folder = Folder::new();
    let api = GUIDE.replace(
        "type: \"mock\"",
        "type: \"api\"\n    url: \"https://api.example.com/data\"\n    auth_type: \"bearer_token\"",
    );
    let text = folder.refusal(&api);
    assert!(text.contains("`bearer_token` needs `token`; add `token:`"), "{text}");
    assert!(text.contains("config.yaml:11:16"), "{text}");
    if cfg!(not(feature = "api")) {
        let api = api.replace("auth_type: \"bearer_token\"", "auth_type: none");
        let text = folder.refusal(&api);
        assert!(text.contains("without the feature `api` of `workflow-data`"), "{text}");
        assert!(text.contains("config.yaml:9:11"), "{text}");
    }
}

#[test]
fn databases_have_mistakes_with_places_and_cures() {
    let folder = Folder::new();
    let cases = [
        (
            "url: 'mysql://ada:hunter2@a/b', query: SELECT 1",
            "must be `sqlite:FILE`, or `postgres://",
        ),
        ("url: 'sqlite:a.db', query: ' '", "must not be empty"),
        ("url: 'sqlite:a.db', query: SELECT 1, parameters: [[1]]", "must be a text, a number"),
    ];
    for (options, expected) in cases {
        let text = folder.refusal(&format!("source: {{type: database, database: {{{options}}}}}"));
        assert!(text.contains(expected), "{options}\n{text}");
        assert!(text.contains("config.yaml:1:"), "{options}\n{text}");
        let message = text.lines().next().unwrap_or_default();
        assert!(!message.contains("hunter2"), "{text}");
    }
}

#[cfg(not(feature = "postgres"))]
#[test]
fn postgres_needs_its_feature() {
    let database = "source: {type: database, database: {url: 'postgres://a', query: SELECT 1}}";
    let text = Folder::new().refusal(database);
    assert!(text.contains("without the feature `"), "{text}");
}

#[test]
fn mistakes_have_places_and_cures() {
    let folder = Folder::with("a.csv", "id\n1\n");
    let cases = [
        ("{}", "no source; add `ingestion:`"),
        ("source: {type: mokc}", "did you mean `mock`?"),
        ("source: {type: file}", "`type: file` needs its options; add `file:`"),
        ("ingestion: {source: {type: file}}", "`type: file` needs `path`; add `path:`"),
        ("ingestion: {source: {type: mock, path: a}}", "`type: mock` has no such option"),
        (
            "source: {type: file, file: {path: a.txt}}",
            "the file extension does not determine the format",
        ),
        (
            "source: {type: file, file: {path: '${DIR}/b.csv'}}",
            "the file `DIR/b.csv` does not exist",
        ),
        ("source: {type: file, file: {path: '${DIR}/*.json'}}", "no file matches `DIR/*.json`"),
        ("source: {type: mock, mock: {records: 3, duplicates: 2}}", "at most half of `records`"),
        ("source: {type: mock}\nprocessing: {batch_size: 0}", "must be from 1 to 1000000"),
        ("source: {type: mock}\nprocessing: {on_failure: quarantine}", "`quarantine` needs a file"),
        ("source: {type: mock}\nschedule: {cron: '61 * * * *'}", "config.yaml:2:"),
        ("source: {type: mock}\nschedule: {timezone: Europe/Berln}", "Europe/Berlin"),
        ("source: {type: mock}\nsurce: 1", "did you mean `source`?"),
        ("source: {type: mock}\noutput: {type: file, path: a.txt}", "add `format: csv`"),
        ("source: {type: mock}\noutput: [{type: files, path: a}]", "did you mean `file`?"),
        (
            "source: {type: mock}\noutput: [{type: file, path: a.csv}, {type: file, path: a.csv}]",
            "another output, or the quarantine, has this path",
        ),
        (
            "source: {type: mock}\noutput: [{type: file, path: a.csv}, {type: parquet, path: a.csv}]",
            "another output, or the quarantine, has this path",
        ),
        ("source: {type: mock}\noutput: 3", "expected a map or a list of maps"),
        (
            "source: {type: mock}\noutput: {type: file, path: a.csv, mode: merge}",
            "files have no keys",
        ),
        ("source: {type: mock}\noutput: {type: parquet, path: a, mode: append}", "cannot grow"),
        ("source: {type: mock}\noutput: {type: sqlite, path: a}", "needs a table; add `table:`"),
        ("source: {type: mock}\noutput: {type: file}", "`type: file` needs a file; add `path:`"),
        ("source: {type: mock}\noutput: {type: postgres, table: t}", "add `url:`"),
        (
            "source: {type: mock}\noutput: {type: postgres, table: t, url: 'sqlite:a'}",
            "must be `postgres://user:password@host:5432/database`",
        ),
        (
            "source: {type: mock}\noutput: {type: file, path: a.csv, url: 'postgres://a'}",
            "only `type: postgres` has a URL",
        ),
        (
            "source: {type: mock}\noutput: [{type: postgres, table: t, url: 'postgres://a'}, {type: postgres, table: t, url: 'postgres://a'}]",
            "another output has this table",
        ),
        (
            "source: {type: mock}\noutput: {type: file, path: 's3://b/x.csv'}",
            "files are written on this machine only, not to `s3://`; write a path",
        ),
        (
            "source: {type: mock}\nprocessing: {quarantine: 's3://b/x.jsonl'}",
            "files are written on this machine only",
        ),
        (
            "source: {type: mock}\noutput: {type: postgres, table: a.t, url: 'postgres://a'}",
            "write `table: t`, and add `?options=-csearch_path%3Da` to `url`",
        ),
        (
            "source: {type: mock}\noutput: {type: postgres, table: äaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, url: 'postgres://a'}",
            "has 64 bytes; names of PostgreSQL have at most 63",
        ),
        (
            "source: {type: mock}\noutput: {type: sqlite, path: a, table: Workflow_Cursors}",
            "outputs keep their own data in `Workflow_Cursors`; choose another name",
        ),
        (
            "source: {type: mock}\noutput: {type: sqlite, path: a, table: t, mode: merge}",
            "add `key: [id]`",
        ),
    ];
    for (yaml, expected) in cases {
        let text = folder.refusal(yaml);
        assert!(text.contains(expected), "{yaml}\n{text}");
        assert!(text.contains("config.yaml:"), "{yaml}\n{text}");
    }
}

#[test]
fn one_file_is_not_written_twice() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("data")).unwrap();
    let output = |path: &str| format!("{{type: file, path: '${{DIR}}/{path}'}}");
    let one = output("data/o.csv");
    for other in ["data/./o.csv", "data/../data/o.csv", "new/../data/o.csv"] {
        let other = output(other);
        let text = folder.refusal(&format!("source: {{type: mock}}\noutput:\n- {one}\n- {other}"));
        assert!(text.contains("another output, or the quarantine, has this path"), "{text}");
        assert!(text.contains("config.yaml:4:22"), "{text}");
    }
    let text = folder.refusal(&format!("source: {{type: mock}}\nprocessing: {{quarantine: '${{DIR}}/data/../data/o.csv'}}\noutput: {one}"));
    assert!(text.contains("another output, or the quarantine, has this path"), "{text}");
}

#[test]
fn a_pipeline_does_not_read_what_it_writes() {
    let folder = Folder::with("a.csv", "id\n1\n");
    let source = "source: {type: file, file: {path: '${DIR}/*.csv', format: csv}}\n";
    for written in [
        "output: {type: file, path: '${DIR}/clean.csv'}",
        "output: {type: file, path: '${DIR}/./a.csv', mode: append}",
        "processing: {quarantine: '${DIR}/bad.csv'}",
    ] {
        let text = folder.refusal(&format!("{source}{written}"));
        assert!(text.contains("the source reads `DIR/"), "{text}");
        assert!(text.contains("because its path is `DIR/*.csv`; choose another path"), "{text}");
        assert!(text.contains("config.yaml:2:"), "{text}");
    }
    let cursor = "source: {type: file, file: {path: '${DIR}/*.json', incremental: {cursor: id}}}\noutput: {type: file, path: '${DIR}/o.jsonl', mode: append}";
    let text = folder.refusal(cursor);
    assert!(text.contains("the source reads `DIR/o.jsonl.cursor.json`"), "{text}");
    // Hidden files and files of inner folders do not match.
    folder.run(&format!("{source}output: {{type: file, path: '${{DIR}}/.clean.csv'}}")).unwrap();
    folder.run(&format!("{source}output: {{type: file, path: '${{DIR}}/out/clean.csv'}}")).unwrap();
}

#[cfg(feature = "sqlite")]
#[test]
fn a_query_does_not_select_from_a_table_that_grows() {
    let folder = Folder::new();
    let yaml = |mode: &str| {
        format!(
            "source: {{type: database, database: {{url: 'sqlite:${{DIR}}/a.db', query: SELECT * FROM items}}}}\noutput: {{type: sqlite, path: '${{DIR}}/./a.db', table: items, mode: {mode}}}"
        )
    };
    let text = folder.refusal(&yaml("append"));
    assert!(text.contains("the query of the source selects from this table"), "{text}");
    assert!(text.contains("config.yaml:2:"), "{text}");
    folder.build(&yaml("merge, key: [id]")).unwrap();
    let (source, _) =
        yaml("append").split_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let text =
        folder.refusal(&format!("{source}\noutput: {{type: parquet, path: '${{DIR}}/a.db'}}"));
    assert!(text.contains("is the database of the source; choose another path"), "{text}");
}

#[test]
fn patterns_and_addresses_are_checked_with_the_configuration() {
    let folder = Folder::new();
    for (options, expected) in [
        ("type: file, file: {path: 'data/[.csv'}", "invalid pattern `data/[.csv`: "),
        (
            "type: api, api: {url: 'http://x:99999/a'}",
            "is not a valid URL; write `https://host/path`",
        ),
    ] {
        let text = folder.refusal(&format!("source: {{{options}}}"));
        assert!(text.contains(expected) && text.contains("config.yaml:1:"), "{text}");
    }
}

#[test]
fn mistakes_in_stages_have_places_and_cures() {
    let folder = Folder::new();
    let cases = [
        ("{name: cleening}", "no stage is named `cleening`; did you mean `cleaning`?"),
        ("{name: cleaning, options: {trimm: true}}", "unknown field `trimm`"),
        ("{name: cleaning, options: {trimm: true}}", "did you mean `trim`?"),
        ("{name: cleaning, options: {trim: 3}}", "expected `true` or `false`"),
        ("{name: cleaning, options: {types: {id: int}}}", "unknown choice `int`"),
        ("{name: cleaning, options: {drop_nulls: []}}", "the list names no column"),
        ("{name: cleaning, options: {drop_nulls: 3}}", "`true`, `false` or a list of columns"),
        ("{name: enrichment, options: {constants: {a: [1]}}}", "a constant is a text, a number"),
        ("{name: enrichment, options: {expressions: {a: 'b +'}}}", "is not a valid expression"),
        (
            "{name: enrichment, options: {expressions: {a: 3}}}",
            "an expression, or `expression` and",
        ),
        (
            "{name: enrichment, options: {constants: {a: 1}, expressions: {a: b}}}",
            "another option of the stage sets this column",
        ),
        ("{name: validation}", "no rules; add `rules:"),
        ("{name: validation, options: {rules: [{column: id}]}}", "the rule checks nothing"),
        (
            "{name: validation, options: {rules: [{column: id, min: 3, max: 2}]}}",
            "is less than `min`, 3, so no value passes",
        ),
        (
            "{name: validation, options: {rules: [{column: id, pattern: '('}]}}",
            "is not a valid regular expression",
        ),
        (
            "{name: validation, options: {rules: [{column: id, pattern: 'a)|(b'}]}}",
            "is not a valid regular expression",
        ),
        (
            "{name: validation, options: {rules: [{column: id, pattern: '(?x) a # b'}]}}",
            "ends in a comment; add a line break after it",
        ),
        (
            "{name: validation, options: {on_failure: quarantine, rules: [{column: id, min: 3}]}}",
            "`quarantine` needs a file",
        ),
    ];
    for (stage, expected) in cases {
        let yaml = format!("source: {{type: mock}}\ntransformation:\n  stages:\n  - {stage}\n");
        let text = folder.refusal(&yaml);
        assert!(text.contains(expected), "{stage}\n{text}");
        assert!(text.contains("config.yaml:4:"), "{stage}\n{text}");
    }
}

fn check_secrets(config: &Config) -> Result<(), ConfigError> {
    Stages::new().check(config)
}

workflow_config::check!("data_secrets", check_secrets);

/// Also if the configuration has mistakes, and the secrets are written in clear.
#[test]
fn secrets_of_a_declared_pipeline_are_never_shown() {
    let yaml = "
ingestion:
  source:
    type: api
    url: https://example.com
    token: hunter2
    password: hunter2
    headers: {X-Key: hunter2}
    query_parameters: {key: hunter2}
    retries: many
output: [{type: postgres, url: 'postgres://etl:hunter2@host/shop', table: t}]
";
    let folder = Folder::with("config.yaml", yaml);
    let config = Loader::new().file(folder.path("config.yaml")).open("data_secrets").unwrap();
    let shown = format!("{}\n{}\n{:?}", config.value(), config.to_yaml(), config.entries());
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("token: \"***\" # "), "{shown}");
}

/// What can be read is checked, and nothing is told twice.
#[test]
fn mistakes_of_all_levels_are_told_at_once() {
    let yaml = "
source: {type: mock, mock: {records: many}}
processing: {batch_size: 0}
transformation:
  stages:
    - {name: clean}
    - {name: validation, options: {rules: [{column: id}, {column: a, one_of: []}]}}
    - {name: [enrichment]}
    - {name: enrichment, options: {expressions: {a: b|uper}}}
    - {name: validation, options: {on_failure: quarantine, rules: [{column: id, min: 1}]}}
output: {type: file, path: 1.csv, mode: merged}
schedule: {cron: 0 25 * * *, timezone: Berlin}
";
    let folder = Folder::with("config.yaml", yaml);
    let config = Loader::new().file(folder.path("config.yaml")).open("orders").unwrap();
    let text = Stages::new().check(&config).unwrap_err().to_string();
    for expected in [
        "`source.mock.records`: expected an integer",
        "`processing.batch_size`: must be from 1 to 1000000",
        "`transformation.stages[0].name`: no stage is named `clean`",
        "`transformation.stages[1].options.rules[0]`: the rule checks nothing",
        "`transformation.stages[1].options.rules[1].one_of`: the list is empty",
        "`transformation.stages[2].name`: expected a string",
        "`transformation.stages[3].options.expressions.a`: there is no filter `uper`",
        "`transformation.stages[4].options.on_failure`: `quarantine` needs a file",
        "`output.mode`: unknown choice `merged`",
        "`schedule.cron`: ",
        "`schedule.timezone`: ",
    ] {
        assert_eq!(text.matches(expected).count(), 1, "{expected}\n{text}");
    }
    assert_eq!(text.matches("error: ").count(), 11, "{text}");
}
