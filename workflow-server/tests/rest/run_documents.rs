//! Documents of runs: waits, pending jobs, retries, errors and logs.

use serde_json::{Value as Json, json};

use crate::support::{Client, Kind, Site, until, with_both};

with_both!(
    a_waiting_run_is_shown_in_list_and_document,
    pending_jobs_are_listed,
    a_retry_names_the_original_run,
    errors_have_a_decisive_line,
    runs_are_found_by_a_part_of_a_name,
    a_log_is_downloaded,
);

/// The run in the list of runs.
async fn listed(client: &Client, run: &str) -> Json {
    let list = client.get("runs").await.is(200);
    let runs = list["items"].as_array().expect("a list").iter();
    runs.into_iter().find(|of| of["id"] == run).expect("it is listed").clone()
}

async fn a_waiting_run_is_shown_in_list_and_document(kind: Kind) {
    let site = Site::open(kind).await;
    let client = &site.nobody();
    let run = &client.start("gated").await;
    let path = &format!("runs/{run}");
    until("it waits", async || listed(client, run).await["stall"]["state"] == "waiting").await;
    let shown = client.get(path).await.is(200);
    let stall = &shown["stall"];
    assert_eq!(stall["detail"], "job `gate` waits for signal `go`");
    assert_eq!((&stall["reason"], &stall["waiting"]["signal"]), (&json!("signal"), &json!("go")));
    assert_eq!(shown["waiting"], json!([stall["waiting"]]));
    assert_eq!(&listed(client, run).await["stall"], stall, "a list says what the run says");
    let running = client.get("overview").await.is(200)["running"].clone();
    assert_eq!(&running[0]["stall"], stall);
    client.post(&format!("{path}/signal"), json!({ "name": "go", "payload": 7 })).await.is(202);
    until("it ends", async || client.get(path).await.is(200)["status"] == "completed").await;
    assert_eq!(client.get(path).await.is(200)["waiting"], json!([]));
    assert_eq!(listed(client, run).await["stall"], Json::Null);
}

/// A workflow of commands; the second one fails until a file exists.
fn flaky(site: &Site) -> String {
    let flag = site.folder.path().join("flag");
    format!(
        "name: flaky\njobs:\n  - name: first\n    command: sleep 0.2\n  - name: second\n    \
         command: |\n      echo 'Traceback' >&2\n      cat '{}'\n    depends_on: [first]\n  - \
         name: third\n    command: 'true'\n    depends_on: [second]\n",
        flag.display()
    )
}

async fn commands(kind: Kind) -> Site {
    Site::with(kind, |server| server.allow_commands(true)).await
}

async fn pending_jobs_are_listed(kind: Kind) {
    let site = commands(kind).await;
    let client = &site.nobody();
    client.create(&flaky(&site)).await;
    let run = client.start("flaky").await;
    let shown = client.get(&format!("runs/{run}")).await.is(200);
    let names: Vec<_> = shown["jobs"].as_array().expect("jobs").iter().collect();
    assert_eq!(names.len(), 3, "{shown}");
    assert_eq!((&names[2]["name"], &names[2]["status"]), (&json!("third"), &json!("pending")));
    let pending = client.get(&format!("runs/{run}/jobs/third")).await.is(200);
    assert_eq!((&pending["status"], &pending["attempts"]), (&json!("pending"), &json!([])));
}

async fn a_retry_names_the_original_run(kind: Kind) {
    let site = commands(kind).await;
    let client = &site.nobody();
    client.create(&flaky(&site)).await;
    let failed = client.run("flaky", json!(null)).await;
    assert_eq!(failed["status"], "failed", "{failed}");
    std::fs::write(site.folder.path().join("flag"), "now").expect("it can be written");
    let old = failed["id"].as_str().expect("an id");
    for (body, reused) in [(json!({ "failed_only": true }), true), (json!({}), false)] {
        let retry = client.post(&format!("runs/{old}/retry"), body).await.is(202);
        let path = &format!("runs/{}", retry["run_id"].as_str().expect("an id"));
        until("it ends", async || client.get(path).await.is(200)["status"] == "completed").await;
        let shown = client.get(path).await.is(200);
        assert_eq!(shown["retry_of"], old);
        let (first, before) = (&shown["jobs"][0], &failed["jobs"][0]);
        assert_eq!((&first["name"], &first["is_reused"]), (&json!("first"), &json!(reused)));
        assert_eq!(first["started_at"] == before["started_at"], reused);
        assert!(first["duration_seconds"].as_f64().expect("a time") > 0.15, "{first}");
        assert_eq!(shown["jobs"][1]["is_reused"], false);
    }
    assert_eq!(failed["retry_of"], Json::Null);
}

async fn errors_have_a_decisive_line(kind: Kind) {
    let site = commands(kind).await;
    let client = &site.nobody();
    client.create(&flaky(&site)).await;
    let failed = client.run("flaky", json!(null)).await;
    let line = failed["error_line"].as_str().expect("a line");
    assert!(line.starts_with("job `second` failed: cat: "), "{line}");
    assert!(line.ends_with("No such file or directory"), "{line}");
    let path = format!("runs/{}/jobs/second", failed["id"].as_str().expect("an id"));
    let job = client.get(&path).await.is(200);
    let error = &job["attempts"][0]["error"];
    assert_eq!(error["line"], failed["jobs"][1]["error_line"]);
    assert_eq!(error["kind"], "retryable");
    let list = listed(client, failed["id"].as_str().expect("an id")).await;
    assert_eq!(list["error_line"], failed["error_line"]);
}

async fn runs_are_found_by_a_part_of_a_name(kind: Kind) {
    let site = commands(kind).await;
    let client = &site.nobody();
    for name in ["daily_etl", "daily%etl", "Nightly"] {
        client
            .create(&format!("name: '{name}'\njobs:\n  - {{ name: a, command: 'true' }}\n"))
            .await;
        let id = client.get("workflows").await.is(200)["items"].as_array().expect("a list").clone();
        let id = id.iter().find(|of| of["name"] == name).expect("it is there")["id"].clone();
        client.run(&id.to_string(), json!(null)).await;
    }
    let found = async |q: &str| {
        let list = client.get(&format!("runs?q={q}")).await.is(200);
        let runs = list["items"].as_array().expect("a list").iter();
        runs.map(|run| run["workflow"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("night").await, ["Nightly"]);
    assert_eq!(found("ETL").await, ["daily%etl", "daily_etl"]);
    assert_eq!(found("y%25e").await, ["daily%etl"], "nothing stands for something else");
    assert_eq!(found("y_e").await, ["daily_etl"]);
    assert!(found("weekly").await.is_empty());
    client.get(&format!("runs?q={}", "x".repeat(256))).await.is_problem(422, "invalid");
}

async fn a_log_is_downloaded(kind: Kind) {
    let site = commands(kind).await;
    let client = &site.nobody();
    let yaml = "name: chatty\njobs:\n  - { name: a, command: 'seq 1 3000' }\n  - { name: b, \
                command: 'echo done', depends_on: [a] }\n";
    client.create(yaml).await;
    let run = client.run("chatty", json!(null)).await["id"].as_str().expect("an id").to_owned();
    let whole = client.get(&format!("runs/{run}/logs?format=text")).await;
    assert_eq!(whole.status, 200);
    assert_eq!(whole.header("content-type"), "text/plain; charset=utf-8");
    let name = format!("attachment; filename=\"run-{run}.log\"");
    assert_eq!(whole.header("content-disposition"), name);
    let lines: Vec<_> = whole.text.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[3000]), (3001, "a | 1", "b | done"));
    let job = client.get(&format!("runs/{run}/logs?format=text&job=b")).await;
    assert_eq!(job.text, "done\n");
    client.get(&format!("runs/{run}/logs?format=pdf")).await.is_problem(422, "invalid");
}
