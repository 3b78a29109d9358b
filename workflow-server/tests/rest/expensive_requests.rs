//! Small requests with a high cost: each is rejected or ends early.

use reqwest::Method;
use serde_json::{Value as Json, json};
use workflow_store::TokenScope;

use crate::support::{Answer, Kind, Site, until, with_both};

with_both!(
    expressions_that_nest,
    queries_of_many_words,
    names_of_megabytes,
    files_that_multiply,
    files_with_too_many_jobs,
    signals_of_megabytes,
    values_that_nest,
    descriptions_of_many_words,
);

/// The messages of a problem.
fn messages(problem: &Json) -> String {
    let errors = problem["errors"].as_array().into_iter().flatten();
    errors.map(|error| error["message"].to_string()).collect()
}

async fn expressions_that_nest(kind: Kind) {
    let site = Site::with(kind, |server| server.allow_commands(true)).await;
    let client = site.nobody();
    for (open, close) in [
        ("-----..", ""),
        ("not ", ""),
        ("(", ")"),
        ("[", "]"),
        ("", ".b"),
        ("", "+1"),
        ("", "|int"),
        ("", " and 1"),
        ("1 if 0 else ", ""),
    ] {
        let when = open.repeat(5_000) + "1" + &close.repeat(5_000);
        let job = json!({ "name": "a", "command": "true", "when": when });
        let file = json!({ "name": "w", "jobs": [job] });
        for body in [json!({ "definition": file }), json!({ "yaml": file.to_string() })] {
            let problem = client.post("workflows", body).await.is_problem(422, "invalid");
            let said = messages(&problem);
            assert!(said.contains("at most"), "{said}");
            assert!(said.contains("compute the value in a job"), "{said}");
        }
    }
    client.get("health/ready").await.is(200);
}

async fn queries_of_many_words(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let words = |count: usize| (0..count).map(|n| format!("w{n}")).collect::<Vec<_>>().join("+");
    let conditions = |count: usize| vec!["metadata=a%3D1"; count].join("&");
    client.get(&format!("workflows?q={}", words(20))).await.is(200);
    client.get(&format!("workflows?q={}&{}", words(10), conditions(10))).await.is(200);
    for query in [
        format!("q={}", words(21)),
        format!("q={}", words(400)),
        conditions(21),
        format!("q={}&{}", words(10), conditions(11)),
        format!("q={}&project=a", words(20)),
    ] {
        let problem = client.get(&format!("workflows?{query}")).await.is_problem(422, "invalid");
        assert!(messages(&problem).contains("more than 20 words and conditions"), "{problem}");
    }
}

async fn names_of_megabytes(kind: Kind) {
    let site = Site::closed(kind).await;
    let client = site.nobody();
    let sign_in = async |name: String, password: &str| {
        client.post("session", json!({ "username": name, "password": password })).await
    };
    sign_in("x".repeat(20_000), "p").await.is_problem(413, "too_large");
    let problem = sign_in("x".repeat(1_000), "p").await.is_problem(422, "invalid");
    assert_eq!(problem["errors"][0]["field"], "username");
    let problem = sign_in("ada".to_owned(), &"p".repeat(2_000)).await.is_problem(422, "invalid");
    assert_eq!(problem["errors"][0]["field"], "password");
    // Neither counts as a failed sign-in.
    for _ in 0..10 {
        sign_in("ada".to_owned(), &"p".repeat(2_000)).await.is_problem(422, "invalid");
    }
    sign_in("ada".to_owned(), crate::support::PASSWORD).await.is(200);

    let long = "x".repeat(1 << 20);
    let root = site.user("root", TokenScope::Admin).await;
    let ada = site.user("ada", TokenScope::Write).await;
    let run = |key: &str| json!({ "input": "a", "idempotency_key": key });
    for answer in [
        root.post("users", json!({ "username": long, "password": "correct horse battery" })).await,
        root.post("tokens", json!({ "name": long, "scope": "read" })).await,
        ada.post("workflows", json!({ "name": long })).await,
        ada.post("workflows", json!({ "name": "w", "slug": long })).await,
        ada.post("workflows", json!({ "name": "w", "app_name": long })).await,
        ada.post("workflows/greet/run", run(&long)).await,
    ] {
        answer.is_problem(422, "invalid");
        assert!(answer.text.len() < 2_000, "{} bytes", answer.text.len());
    }
}

async fn files_that_multiply(kind: Kind) {
    let site = Site::with(kind, |server| server.allow_commands(true)).await;
    let client = site.nobody();
    let mut bomb = String::from("name: w\njobs: [{name: a, command: 'true'}]\nmetadata:\n");
    bomb += "  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for level in 1..9 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += &format!("  a{level}: &a{level} [{aliases}]\n");
    }
    let copies = (0..20).fold("name: w\njobs:\n".to_owned(), |text, n| {
        text + &format!(
            "  - {{name: 'a{n}_{{i}}', command: 'true', parameters: {{i: '1:900000'}}}}\n"
        )
    });
    for (text, said) in [(bomb, "copy more than 200000 values"), (copies, "more than 10000 jobs")] {
        let problem = client.post("workflows", json!({ "yaml": text })).await;
        let problem = problem.is_problem(422, "invalid");
        assert!(messages(&problem).contains(said), "{problem}");
    }
}

async fn files_with_too_many_jobs(kind: Kind) {
    let site = Site::with(kind, |server| server.allow_commands(true).max_jobs(12)).await;
    let client = site.nobody();
    let file = |last: u32| {
        format!(
            "name: w\njobs:\n  - {{name: 'a{{i}}', command: 'true', parameters: {{i: '0:{last}'}}}}\n  \
             - {{name: z, command: 'true', depends_on_regexes: ['.']}}\n"
        )
    };
    client.create(&file(10)).await;
    for answer in [
        client.post("workflows", json!({ "yaml": file(11) })).await,
        client.post("workflows", json!({ "yaml": file(899_999) })).await,
        client.patch("workflows/w", json!({ "yaml": file(11) })).await,
    ] {
        let problem = answer.is_problem(422, "invalid");
        let said = messages(&problem);
        assert!(said.contains("the file expands to more than 12 jobs"), "{said}");
        assert!(said.contains("use fewer values") && said.contains("(line "), "{said}");
    }
}

async fn signals_of_megabytes(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let waits = json!({ "input": { "wait": true } });
    let run = client.post("workflows/echo_numbers/run", waits).await.is(202);
    let path = format!("runs/{}/signal", run["run_id"].as_str().expect("an ID"));
    for name in ["", &"x".repeat(100_000), "a\0", "a\u{1b}[2K"] {
        let problem = client.post(&path, json!({ "name": name })).await.is_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], "name");
    }
    let large = |size: usize| json!({ "name": "other", "payload": "x".repeat(size) });
    let problem = client.post(&path, large(256 << 10)).await.is_problem(422, "invalid");
    assert!(messages(&problem).contains("the limit is 262144"), "{problem}");
    client.post(&path, large((256 << 10) - 2)).await.is(202);
}

async fn values_that_nest(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let send = async |path: &str, body: String| {
        let request = client.request(Method::POST, path);
        Answer::of(request.header("content-type", "application/json").body(body)).await
    };
    for depth in [64, 100, 127, 100_000] {
        for body in [
            format!("{{\"input\": {}}}", nested(depth)),
            format!("{{\"metadata\": {{\"a\": {}}}}}", nested(depth)),
        ] {
            for path in ["workflows/greet/run", "workflows"] {
                let problem = send(path, body.clone()).await.is_problem(422, "invalid");
                assert!(messages(&problem).contains("more than 64 levels"), "{problem}");
            }
        }
    }
    // An accepted value can be read again inside its stored envelope.
    let deep = format!("{{\"name\": \"deep\", \"metadata\": {{\"a\": {}}}}}", nested(62));
    send("workflows", deep).await.is(201);
    client.get("workflows/deep").await.is(200);
    client.get("workflows").await.is(200);
}

async fn descriptions_of_many_words(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let many = |count: usize| (0..count).map(|n| format!("w{n} ")).collect::<String>();
    let new = |count| json!({ "name": "wordy", "description": many(count) });
    let problem = client.post("workflows", new(5_001)).await.is_problem(422, "invalid");
    assert!(messages(&problem).contains("more than 5000 words"), "{problem}");
    let keyed = json!({ "x".repeat(1 << 20): (0..50).map(|n| json!(n)).collect::<Vec<_>>() });
    let problem = client.post("workflows", json!({ "name": "keyed", "metadata": keyed })).await;
    problem.is_problem(422, "invalid");
    assert_eq!(client.get("workflows?q=w9").await.is(200)["items"], json!([]));
    client.post("workflows", new(4_000)).await.is(201);
    let found = client.get("workflows?q=w3999").await.is(200);
    assert_eq!(found["items"][0]["name"], "wordy");
}

/// Simulates busy readers by readers that wait for a lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_readers_do_not_block_health_checks() {
    let database = tokio::task::spawn_blocking(|| crate::MIGRATED.copy()).await;
    let database = database.expect("a database");
    let store = workflow_store::open(database.url()).await.expect("a store");
    let folder = tempfile::tempdir().expect("a folder");
    let site = Site::serve(store, folder, |server| server).await;
    let client = site.nobody();
    client.get("workflows").await.is(200);
    let (holder, watcher) = (connected(database.url()).await, connected(database.url()).await);
    let lock = "BEGIN; LOCK TABLE workflows_workflow IN ACCESS EXCLUSIVE MODE";
    holder.batch_execute(lock).await.expect("locked");
    let waiting = async || {
        let sql = "SELECT count(*) FROM pg_stat_activity \
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        watcher.query_one(sql, &[]).await.expect("a row").get::<_, i64>(0)
    };
    let asked: Vec<_> = (0..4)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.get("workflows").await })
        })
        .collect();
    until("both readers wait", async || waiting().await == 2).await;
    client.get("health/ready").await.is(200);
    // When the clients disconnect, their queries end, although the lock is still held.
    asked.iter().for_each(tokio::task::JoinHandle::abort);
    until("nobody waits", async || waiting().await == 0).await;
    client.get("health/ready").await.is(200);
    holder.batch_execute("ROLLBACK").await.expect("unlocked");
    client.get("workflows").await.is(200);
}

async fn connected(url: &str) -> tokio_postgres::Client {
    let connected = tokio_postgres::connect(url, tokio_postgres::NoTls).await;
    let (client, connection) = connected.expect("connected");
    tokio::spawn(connection);
    client
}
