//! Schedules: a valid one runs, and any other has a reason.

use serde_json::{Value as Json, json};
use workflow_core::store::{ScheduleId, ScheduleState, ScheduledWorkflow};
use workflow_core::{Engine, register_workflow};
use workflow_server::Server;
use workflow_store::{Catalog, RunQuery};

use crate::support::{Client, Kind, Site, store, until, with_both};

with_both!(
    bad_schedules,
    runs_before_the_first_request,
    commands_are_not_allowed,
    times_are_left_to_the_server_that_can_run_them,
    without_scheduler,
    engines_scheduler,
);

const FILE: &str =
    "name: hourly\nschedule: '0 * * * *'\njobs: [{name: a, workflow: greet, with: ada}]\n";

async fn bad_schedules(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let made = client.post("workflows", json!({ "name": "plain" })).await.is(201);
    let path = format!("workflows/{}", made["id"]);
    for (change, field, said) in [
        (json!({ "schedule": "every monday" }), "metadata.schedule", "write minute, hour"),
        (json!({ "schedule": "*/90 * * * *" }), "metadata.schedule", "write `0` for once an hour"),
        (json!({ "schedule": "0 0 31 2 *" }), "metadata.schedule", "is never due"),
        (
            json!({ "schedule": "0 3 * * *", "timezone": "Berlin" }),
            "metadata.timezone",
            "did you mean `Europe/Berlin`",
        ),
        (json!({ "schedule": "0 3 * * *", "timezone": 2 }), "metadata.timezone", "Europe/Berlin"),
    ] {
        for answer in [
            client.patch(&path, json!({ "merge_metadata": change })).await,
            client.patch(&path, json!({ "metadata": change })).await,
            client.post("workflows", json!({ "name": "other", "metadata": change })).await,
        ] {
            let problem = answer.is_problem(422, "invalid");
            assert_eq!(problem["errors"][0]["field"], field);
            let message = problem["errors"][0]["message"].as_str().unwrap_or_default();
            assert!(message.contains(said), "{problem}");
        }
    }
    assert_eq!(client.get(&path).await.is(200)["metadata"], json!({}));
    for cron in ["*,30 * * * * *", "0 0 * * FRI-SUN"] {
        let changed = client.patch(&path, json!({ "merge_metadata": { "schedule": cron } })).await;
        assert!(changed.is(200)["next_run_at"].is_string(), "{cron}");
    }
}

async fn runs_before_the_first_request(kind: Kind) {
    let site = Site::open(kind).await;
    // Read the store directly instead of sending a request: the scheduler needs the row.
    let is_known = async || site.store.workflow("greet").await.is_ok();
    until("the store has what the program registers", is_known).await;
}

/// The schedule of a workflow, which is the same in the list and the document.
async fn schedule(client: &Client, path: &str) -> Json {
    let one = client.get(path).await.is(200);
    let list = client.get("workflows").await.is(200);
    let items = list["items"].as_array().expect("items");
    let same = items.iter().find(|item| item["id"] == one["id"]).expect("the workflow");
    assert_eq!(
        (&same["schedule"], &same["next_run_at"].is_null()),
        (&one["schedule"], &one["next_run_at"].is_null())
    );
    assert_eq!(one["schedule"]["blocked"].is_null(), one["next_run_at"].is_string(), "{one}");
    one["schedule"]["blocked"].clone()
}

async fn commands_are_not_allowed(kind: Kind) {
    let allowed = Site::with(kind, |server| server.allow_commands(true)).await;
    let file = FILE.replace("workflow: greet, with: ada", "command: 'true'");
    let id = allowed.nobody().create(&file).await;
    let folder = tempfile::tempdir().expect("a folder");
    let site = Site::serve(allowed.store.clone(), folder, |server| server).await;
    let client = site.nobody();
    let path = format!("workflows/{id}");
    let said = async || {
        let one = client.get(&path).await.is(200);
        one["schedule"]["blocked"].as_str().is_some_and(|said| said.contains("--allow-commands"))
    };
    until("the reason is known", said).await;
    assert!(schedule(&client, &path).await.is_string());
    // The other server on the same store runs it.
    assert_eq!(schedule(&allowed.nobody(), &path).await, Json::Null);
    client.patch(&path, json!({ "is_active": false })).await.is(200);
    let blocked = schedule(&client, &path).await;
    assert!(blocked.as_str().is_some_and(|said| said.contains("inactive")), "{blocked}");
}

/// The number of runs of a workflow.
async fn runs_of(store: &dyn Catalog, workflow: i64) -> usize {
    let query = RunQuery { workflow_id: Some(workflow), ..RunQuery::default() };
    store.runs(query).await.expect("readable").items.len()
}

async fn times_are_left_to_the_server_that_can_run_them(kind: Kind) {
    let (store, folder) = store(kind).await;
    let engine = Engine::builder().runs_dir(folder.path().join("runs"));
    let able = Server::new(engine, store.clone()).folder(folder.path()).allow_commands(true);
    let (router, scheduler) = able.router_and_scheduler();
    let listener = tokio::net::TcpListener::bind(crate::support::any_port()).await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let client = Client { http: reqwest::Client::new(), base, token: None };
    let file = FILE.replace("'0 * * * *'", "{ cron: '* * * * * *', catch_up: 1h }");
    let simple = client.create(&file).await;
    let command = file.replace("workflow: greet, with: ada", "command: 'true'");
    let command = client.create(&command.replace("hourly", "by command")).await;
    // The scheduler of this server does not allow commands. It loads both, and checks them in turn.
    let _site = Site::serve(store.clone(), folder, |server| server).await;
    let has_runs = async || runs_of(&*store, simple).await > 2;
    until("the workflow without commands runs", has_runs).await;
    let id = ScheduleId {
        workflow: ScheduledWorkflow::Number(command),
        cron: "* * * * * *".to_owned(),
        timezone: None,
    };
    let schedules = store.schedule_store().expect("a database has it");
    let state = async || schedules.schedule_state(&id).await.expect("readable");
    assert_eq!(state().await, ScheduleState::default());
    let running = tokio::spawn(scheduler.run());
    until("the other server runs it", async || runs_of(&*store, command).await > 2).await;
    assert_eq!(state().await.skipped, None);
    running.abort();
}

async fn without_scheduler(kind: Kind) {
    let site = Site::open(kind).await;
    let id = site.nobody().create(FILE).await;
    let path = format!("workflows/{id}");
    assert_eq!(schedule(&site.nobody(), &path).await, Json::Null);

    let server = Server::new(Engine::builder(), site.store.clone());
    let (router, scheduler) = server.router_and_scheduler();
    let listener = tokio::net::TcpListener::bind(crate::support::any_port()).await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let client = Client { base, ..site.nobody() };
    let blocked = schedule(&client, &path).await;
    assert!(
        blocked.as_str().is_some_and(|said| said.contains("does not run schedules")),
        "{blocked}"
    );
    let running = tokio::spawn(scheduler.run());
    let runs = async || client.get(&path).await.is(200)["schedule"]["blocked"].is_null();
    until("the scheduler runs", runs).await;
    running.abort();
    until("it does not run", async || !runs().await).await;
}

#[register_workflow(name = "each January", schedule = "0 0 1 1 *")]
fn each_january() {}

async fn engines_scheduler(kind: Kind) {
    let site = Site::open(kind).await;
    let server = Server::new(Engine::builder(), site.store.clone());
    let (engine, router) = (server.engine().clone(), server.router());
    let listener = tokio::net::TcpListener::bind(crate::support::any_port()).await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let client = Client { base, ..site.nobody() };
    let file = format!("workflows/{}", client.create(FILE).await);
    let code = "workflows/each%20January";
    assert!(schedule(&client, code).await.is_string());
    let running = tokio::spawn(async move { engine.run_schedules(std::future::pending()).await });
    let runs = async || client.get(code).await.is(200)["schedule"]["blocked"].is_null();
    until("the engine runs schedules of code", runs).await;
    // Schedules of files require a scheduler that reads the store.
    assert!(schedule(&client, &file).await.is_string());
    running.abort();
    until("it does not run", async || !runs().await).await;
}
