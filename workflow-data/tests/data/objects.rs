//! Sources of type `file` whose files are objects of a store: a real server with the API of S3.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use crate::folder::Folder;
use crate::s3::Bucket;
use crate::server::{Server, response};

fn yaml(path: &str, storage: &str) -> String {
    format!(
        "source:\n  name: sales\n  type: file\n  file:\n    path: '{path}'\n    storage: {storage}\n\
         processing: {{batch_size: 2, max_retries: 0}}\n\
         output: {{type: file, path: '${{DIR}}/out.csv'}}\n"
    )
}

fn read(bucket: &Bucket, key: &str) -> String {
    let folder = Folder::new();
    let path = format!("s3://{}/{key}", bucket.name);
    folder.run(&yaml(&path, &bucket.storage())).unwrap();
    folder.read("out.csv")
}

fn failure(path: &str, storage: &str) -> String {
    Folder::new().failure(&yaml(path, storage))
}

#[test]
fn patterns_match_as_those_of_files_do() {
    let bucket = Bucket::new();
    for (key, id) in [
        ("sales/2026-02.csv", 2),
        ("sales/2026-01.csv", 1),
        ("sales/2025-12.csv", 12),
        ("sales/.2026-hidden.csv", 90),
        ("sales/north/2026-03.csv", 3),
        ("sales/north/a b ü.csv", 4),
        ("sales2/2026-05.csv", 5),
        ("2026-06.csv", 6),
    ] {
        bucket.put(key, format!("id\n{id}\n"));
    }
    assert_eq!(read(&bucket, "sales/2026-*.csv"), "id\n1\n2\n");
    assert_eq!(read(&bucket, "sales/**/2026-*.csv"), "id\n1\n2\n3\n");
    assert_eq!(read(&bucket, "*/2026-0[25].csv"), "id\n2\n5\n");
    assert_eq!(read(&bucket, "2026-0?.csv"), "id\n6\n");
    assert_eq!(read(&bucket, "sales/north/a b ü.csv"), "id\n4\n");
    let text = failure(&format!("s3://{}/sales/*.json", bucket.name), &bucket.storage());
    let path = format!("s3://{}/sales/*.json", bucket.name);
    assert_eq!(text, format!("cannot read `{path}`: no object matches `{path}`"));
}

/// Larger than what one request reads.
#[test]
fn large_objects_are_read_in_parts() {
    let bucket = Bucket::new();
    let line = |id: u64| format!("{{\"id\":{id},\"text\":\"{}\"}}\n", "x".repeat(1_000_000));
    let lines: String = (1..=9).map(line).collect();
    bucket.put("large.jsonl", &lines);
    let folder = Folder::new();
    let path = format!("s3://{}/large.jsonl", bucket.name);
    let summary = folder.run(&yaml(&path, &bucket.storage())).unwrap();
    assert_eq!((summary.read, summary.batches), (9, 5));
    let last = format!("9,{}\n", "x".repeat(1_000_000));
    assert!(folder.read("out.csv").ends_with(&last));
}

#[test]
fn an_object_that_changes_is_not_mixed_with_its_new_state() {
    let bucket = Bucket::new();
    let line = format!("{{\"text\":\"{}\"}}\n", "x".repeat(1_000_000));
    bucket.put("large.jsonl", line.repeat(24));
    let folder = Folder::new();
    let path = format!("s3://{}/large.jsonl", bucket.name);
    // moto answers 500 to a request for an object that it is replacing.
    let config = yaml(&path, &bucket.storage()).replace("max_retries: 0", "max_retries: 5");
    let pipeline = folder.build(&config).unwrap();
    let mut batches = 0;
    let error = pipeline.run_until(|| {
        if batches == 0 {
            bucket.put("large.jsonl", line.repeat(25));
        }
        batches += 1;
        false
    });
    let text = error.unwrap_err().to_string();
    assert!(text.starts_with("cannot read `large.jsonl`: at byte "), "{text}");
    assert!(text.contains("the server answers 412"), "{text}");
    assert!(text.ends_with("the object was changed while it was read, so run again"), "{text}");
}

#[test]
fn parquet_is_read_by_its_row_groups() {
    let bucket = Bucket::new();
    let table = |ids: Vec<i64>| {
        let names = ids.iter().map(|id| format!("n{id}")).collect::<Vec<_>>();
        let ids: ArrayRef = Arc::new(Int64Array::from(ids));
        let names: ArrayRef = Arc::new(StringArray::from(names));
        RecordBatch::try_from_iter([("id", ids), ("name", names)]).unwrap()
    };
    let write = |key: &str, ids: Vec<i64>| {
        let records = table(ids);
        let groups = WriterProperties::builder().set_max_row_group_row_count(Some(3)).build();
        let mut writer = ArrowWriter::try_new(Vec::new(), records.schema(), Some(groups)).unwrap();
        writer.write(&records).unwrap();
        bucket.put(key, writer.into_inner().unwrap());
    };
    write("a.parquet", (1..=7).collect());
    write("b.parquet", vec![8]);
    write("empty.parquet", vec![]);
    let expected: String = (1..=8).map(|id| format!("{id},n{id}\n")).collect();
    assert_eq!(read(&bucket, "[ab].parquet"), format!("id,name\n{expected}"));
    assert_eq!(read(&bucket, "empty.parquet"), "id,name\n");
    for (key, bytes) in [("none", &b""[..]), ("short", b"PAR1"), ("wrong", b"\xff\xff\xff\x7fPAR1")]
    {
        let key = format!("{key}.parquet");
        bucket.put(&key, bytes);
        let text = failure(&format!("s3://{}/{key}", bucket.name), &bucket.storage());
        assert!(text.ends_with(&format!("/{key}`: the file is not valid Parquet")), "{text}");
    }
}

#[test]
fn a_plain_server_has_single_objects() {
    let bucket = Bucket::new();
    bucket.put_as("public-read", "public/a b.csv", "id\n1\n");
    let url = bucket.http_url("public/a%20b.csv");
    let folder = Folder::new();
    folder.run(&yaml(&url, "{allow_http: 'true'}")).unwrap();
    assert_eq!(folder.read("out.csv"), "id\n1\n");
    let text = failure(&url, "{}");
    assert!(text.contains("`http` is not encrypted; use `https`, or add `allow_http"), "{text}");
}

#[test]
fn records_that_fail_have_their_object_and_number() {
    let bucket = Bucket::new();
    bucket.put("sales.csv", "id,price\n1,2\n2,x\n");
    let folder = Folder::new();
    let path = format!("s3://{}/sales.csv", bucket.name);
    let yaml = yaml(&path, &bucket.storage())
        .replace("    storage", "    columns: {price: number}\n    storage");
    let text = folder.failure(&yaml);
    assert!(text.contains("sales.csv: record 2, column `price`: `x` is not a number"), "{text}");
}

#[test]
fn new_records_only_are_loaded() {
    let (bucket, folder) = (Bucket::new(), Folder::new());
    let path = format!("s3://{}/*.csv", bucket.name);
    let yaml = yaml(&path, &bucket.storage())
        .replace("    storage", "    incremental: {cursor: id}\n    storage")
        .replace("out.csv'", "out.csv', mode: append");
    bucket.put("a.csv", "id\n1\n2\n");
    folder.run(&yaml).unwrap();
    bucket.put("b.csv", "id\n2\n3\n");
    folder.run(&yaml).unwrap();
    assert_eq!(folder.read("out.csv"), "id\n1\n2\n3\n");
}

#[test]
fn refusals_of_the_server_say_why() {
    let bucket = Bucket::new();
    bucket.put("a.csv", "id\n1\n");
    let (name, storage) = (&bucket.name, bucket.storage());
    let path = format!("s3://{name}/none.csv");
    assert_eq!(
        failure(&path, &storage),
        format!(
            "cannot read `{path}`: the server answers 404 Not Found; \
             the object of `path` does not exist"
        )
    );
    let path = "s3://no-such-bucket/*.csv";
    assert_eq!(
        failure(path, &storage),
        format!(
            "cannot read `{path}`: the server answers 404 Not Found \
             (`NoSuchBucket: The specified bucket does not exist`); \
             the bucket of `path` does not exist"
        )
    );
    let unsigned = storage.replace('{', "{skip_signature: 'true', ");
    let path = format!("s3://{name}/a.csv");
    let text = failure(&path, &unsigned);
    assert_eq!(
        text,
        format!(
            "cannot read `{path}`: the server answers 403 Forbidden; check the credentials in \
             `storage` or the environment, and what they may read"
        )
    );
    let nobody = "{endpoint: 'http://127.0.0.1:1', allow_http: 'true', access_key_id: a, secret_access_key: 'the secret of tests'}";
    let text = failure(&path, nobody);
    assert_eq!(text, format!("cannot read `{path}`: connection refused"));
}

#[test]
fn failed_requests_are_tried_again() {
    let head = response("200 OK", "Content-Length: 5\nETag: \"1\"", "");
    let headers = "Content-Length: 5\nContent-Range: bytes 0-4/5\nETag: \"1\"";
    let part = response("206 Partial Content", headers, "id\n1\n");
    let busy = response("503 Service Unavailable", "Content-Length: 4", "busy");
    let script = vec![busy.clone(), head.clone(), busy.clone(), part.clone(), part, head];
    let server = Server::start([script, vec![busy; 3]].concat());
    let path = format!("{}/a.csv", server.url());
    let yaml = yaml(&path, "{allow_http: 'true'}").replace("max_retries: 0", "max_retries: 2");
    let folder = Folder::new();
    folder.run(&yaml).unwrap();
    assert_eq!(folder.read("out.csv"), "id\n1\n");
    let requests = server.requests();
    assert!(requests[0].starts_with("HEAD /a.csv ") && requests[4].starts_with("GET /a.csv "));
    assert!(requests[4].contains("range: bytes=0-4") && requests[4].contains("if-match: \"1\""));
    // Another run finds the object, and then no attempt succeeds.
    let expected = format!(
        "cannot read `{path}`: at byte 0: the server answers 503 Service Unavailable (`busy`); \
         run again later"
    );
    assert_eq!(folder.failure(&yaml), expected);
    assert_eq!(server.requests().len(), 9);
}

/// Before anything is read, with their lines.
#[test]
fn mistakes_in_the_configuration_have_places() {
    let secret = "{access_key_id: a, secret_access_key: 'the secret of tests'}";
    let cases = [
        ("ftp://shop/a.csv", "{}", "has the unknown scheme `ftp`; use a path, or a URL with", 5),
        ("s3://sh*p/a.csv", "{}", "has a pattern in the bucket `sh*p`; name one bucket", 5),
        ("s3:///a.csv", "{}", "names no bucket; write `s3://bucket/", 5),
        ("s3://shop", "{}", "the file extension does not determine the format", 5),
        ("s3://shop/a//b.csv", "{}", "has an invalid key `a//b.csv`", 5),
        ("https://host/*.csv", "{}", "names one object over HTTP, without patterns", 5),
        ("https://ada:pw@host/a.csv", "{}", "has a user; credentials over HTTP", 5),
        ("a.csv", secret, "only URLs of object stores have it", 6),
        (
            "s3://shop/a.csv",
            "{access_key_ids: 'the secret of tests'}",
            "the store has no such option; did you mean `access_key_id`?",
            6,
        ),
        ("s3://shop/a.csv", "{allow_http: true}", "put it in quotes", 6),
        ("az://shop/a.csv", "{}", "Account must be specified", 6),
    ];
    for (path, storage, expected, line) in cases {
        let text = Folder::new().refusal(&yaml(path, storage));
        assert!(text.contains(expected), "{path}: {text}");
        assert!(text.contains(&format!("config.yaml:{line}:")), "{path}: {text}");
        assert!(!text.contains("the secret of tests"), "{path}: {text}");
    }
    let without = yaml("az://shop/a.csv", "{}").replace("    storage: {}\n", "");
    let text = Folder::new().refusal(&without);
    assert!(text.contains("Account must be specified") && text.contains("config.yaml:"), "{text}");
}
