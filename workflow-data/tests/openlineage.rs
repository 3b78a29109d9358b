//! Events about assets, in a file and on a server.
#![cfg(feature = "openlineage")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use workflow_core::asset::{self, All, Assets, Partition, Request, asset};
use workflow_core::store::{MemoryStore, Store};
use workflow_core::{Engine, JobError, RunError};
use workflow_data::OpenLineage;

#[derive(Serialize, Deserialize)]
struct Row {
    id: u64,
    region: String,
}

#[derive(Serialize, Deserialize)]
struct Rows(Vec<Row>);

#[derive(Serialize, Deserialize)]
struct Count(usize);

#[derive(Serialize, Deserialize)]
struct Never(u8);

#[asset(partitions = ["eu", "us"])]
fn rows(region: Partition) -> Rows {
    Rows(vec![Row { id: 1, region: region.key().to_owned() }])
}

#[asset]
fn count(rows: All<Rows>) -> Count {
    Count(rows.values().map(|rows| rows.0.len()).sum())
}

#[asset(retry(maximum_attempts = 2, initial_interval = "1ms"))]
fn never(_count: &Count) -> Result<Never, JobError> {
    Err(JobError::from("the shop is closed"))
}

/// Makes the assets.
fn make(folder: &std::path::Path, lineage: OpenLineage) {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let assets = Assets::new(Arc::clone(&store), folder).expect("records");
    let assets = assets.observer(Arc::new(lineage));
    let engine = Engine::builder().store(store).state(assets.clone()).build();
    let graph = asset::graph().expect("assets that fit");
    let request = Request::everything(graph, SystemTime::now());
    let plan = futures_lite(assets.plan(&request)).expect("a plan");
    let ended = engine.run(asset::WORKFLOW).input(plan.to_input().expect("small")).wait();
    assert!(matches!(ended, Err(RunError::Failed(_))));
}

/// Waits for a future.
fn futures_lite<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

fn kinds(events: &[Json], job: &str) -> Vec<String> {
    let of_job = events.iter().filter(|event| event["job"]["name"] == job);
    of_job.map(|event| event["eventType"].as_str().expect("a kind").to_owned()).collect()
}

#[test]
fn a_file_has_a_line_for_each_event() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("lineage.jsonl");
    make(&folder.path().join("assets"), OpenLineage::to_file(&path, "shop"));
    let text = std::fs::read_to_string(path).expect("events");
    let events: Vec<Json> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(events.len(), 10);
    assert_eq!(kinds(&events, "count"), ["START", "COMPLETE"]);
    // Each attempt is a run.
    assert_eq!(kinds(&events, "never"), ["START", "FAIL", "START", "FAIL"]);
    let of_never = events.iter().filter(|event| event["job"]["name"] == "never");
    let attempts: Vec<&Json> = of_never.map(|event| &event["run"]["runId"]).collect();
    assert!(attempts[0] == attempts[1] && attempts[2] == attempts[3], "{attempts:?}");
    assert_ne!(attempts[0], attempts[2]);
    let complete = events
        .iter()
        .find(|event| event["job"]["name"] == "count" && event["eventType"] == "COMPLETE")
        .expect("it was made");
    assert!(complete["producer"].as_str().is_some_and(|uri| uri.starts_with("urn:workflow-data:")));
    // Both events are of one run.
    let runs = events.iter().filter(|event| event["job"]["name"] == "count");
    assert!(runs.clone().all(|event| event["run"]["runId"] == complete["run"]["runId"]));
    assert_eq!(
        complete["schemaURL"],
        "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
    );
    assert_eq!(complete["job"]["namespace"], "shop");
    let inputs = complete["inputs"].as_array().expect("inputs");
    assert_eq!((inputs.len(), &inputs[0]["name"]), (1, &"rows".into()));
    let version = inputs[0]["facets"]["version"]["datasetVersion"].as_str().expect("a version");
    assert!(version.starts_with("eu=") && version.contains(",us="), "{version}");
    let rows = events
        .iter()
        .find(|event| event["job"]["name"] == "rows" && event["eventType"] == "COMPLETE");
    let output = &rows.expect("it was made")["outputs"][0];
    assert_eq!(output["outputFacets"]["outputStatistics"]["rowCount"], 1);
    assert_eq!(output["facets"]["schema"]["fields"][1]["name"], "region");
    let failed = events.last().expect("events");
    assert_eq!(failed["run"]["facets"]["errorMessage"]["message"], "the shop is closed");
    assert!(
        events.iter().all(|event| event["eventTime"].as_str().is_some_and(|at| at.ends_with('Z')))
    );
}

#[test]
fn a_server_gets_each_event_and_its_absence_fails_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/api/v1/lineage", listener.local_addr().expect("an address"));
    let server = std::thread::spawn(move || {
        let mut seen = Vec::new();
        while seen.len() < 10 {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).expect("a line");
                let lower = line.to_ascii_lowercase();
                if let Some(text) = lower.strip_prefix("content-length:") {
                    length = text.trim().parse().expect("a length");
                }
                if line.trim().is_empty() {
                    break;
                }
                head += &line;
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            seen.push((head, serde_json::from_slice::<Json>(&body).expect("JSON")));
            let answer = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(answer.as_bytes()).expect("an answer");
        }
        seen
    });
    let folder = tempfile::tempdir().expect("a folder");
    let lineage = OpenLineage::to_url(&url, "shop").expect("a URL").api_key("secret");
    make(&folder.path().join("assets"), lineage);
    let seen = server.join().expect("10 events");
    let (head, _) = &seen[0];
    assert!(head.starts_with("POST /api/v1/lineage HTTP/1.1"), "{head}");
    assert!(head.to_ascii_lowercase().contains("authorization: bearer secret"), "{head}");
    let events: Vec<Json> = seen.into_iter().map(|(_, event)| event).collect();
    assert_eq!(kinds(&events, "count"), ["START", "COMPLETE"]);

    // Nobody listens any more. The run ends as before.
    let lineage = OpenLineage::to_url(&url, "shop").expect("a URL");
    make(&folder.path().join("others"), lineage);
    for wrong in ["lineage", "ftp://host/lineage", "http://"] {
        let refused = OpenLineage::to_url(wrong, "shop").map(drop).expect_err("refused");
        assert!(refused.to_string().contains("https://host/api/v1/lineage"), "{refused}");
    }
}

#[test]
fn the_environment_names_the_place() {
    let of = |variables: &[(&str, &str)]| {
        OpenLineage::from_environment(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    };
    let is_some = |variables: &[(&str, &str)]| of(variables).expect("a place").is_some();
    let url = ("OPENLINEAGE_URL", "http://127.0.0.1:9/");
    assert!(!is_some(&[]));
    assert!(!is_some(&[("OPENLINEAGE_URL", ""), ("OPENLINEAGE_NAMESPACE", "shop")]));
    for yes in ["True", "1", "yes", "on"] {
        assert!(!is_some(&[url, ("OPENLINEAGE_DISABLED", yes)]), "{yes}");
    }
    assert!(is_some(&[url, ("OPENLINEAGE_DISABLED", "0")]));
    assert!(is_some(&[url, ("OPENLINEAGE_API_KEY", "k"), ("OPENLINEAGE_ENDPOINT", "/lineage")]));
    let file = ("OPENLINEAGE__TRANSPORT__TYPE", "file");
    assert!(is_some(&[file, ("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", "events.jsonl")]));
    for (variables, said) in [
        (&[("OPENLINEAGE_URL", "lineage")][..], "`lineage/api/v1/lineage` is not an address"),
        (&[file][..], "`OPENLINEAGE__TRANSPORT__LOG_FILE_PATH` is missing; set it"),
        (&[("OPENLINEAGE__TRANSPORT__TYPE", "http")][..], "`OPENLINEAGE_URL` is missing"),
        (&[("OPENLINEAGE__TRANSPORT__TYPE", "kafka")][..], "is `kafka`; write `http` or `file`"),
    ] {
        let Err(error) = of(variables) else { panic!("a place: {variables:?}") };
        assert!(error.to_string().contains(said), "{error}");
    }
}
