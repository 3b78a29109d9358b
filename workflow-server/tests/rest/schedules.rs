//! Schedules: a valid one runs, and any other has a reason.

use serde_json::{Value as Json, json};
use workflow_core::store::{ScheduleId, ScheduleState, ScheduledWorkflow};
use workflow_core::{Engine, register_workflow};
use workflow_server::Server;
use workflow_store::{Catalog, RunQuery, TokenScope};

use crate::support::{Client, Kind, Site, store, until, with_both};

with_both!(
    bad_schedules,
    runs_before_the_first_request,
    commands_are_not_allowed,
    times_are_left_to_the_server_that_can_run_them,
    without_scheduler,
    engines_scheduler,
    state_and_changes,
    backfills,
    schedules_have_owners,
    nothing_goes_on_without_an_active_owner,
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

const DAILY: &str = "name: daily\nschedule: { cron: 30 2 * * *, timezone: Europe/Berlin, overlap: skip }\n\
                     jobs: [{name: a, workflow: greet, with: ada}]\n";

async fn state_and_changes(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    client.create(DAILY).await;
    let path = "workflows/daily/schedule";
    let one = client.get(&format!("{path}?times=2")).await.is(200);
    assert_eq!(one["next"].as_array().map(Vec::len), Some(2));
    assert!(one["next"][0].as_str().is_some_and(|at| at.contains("T02:30:00+0")), "{one}");
    assert_eq!((&one["meaning"], &one["overlap"]), (&json!("At 02:30"), &json!("skip")));
    assert_eq!(
        (&one["paused"], &one["last"], &one["blocked"]),
        (&json!(false), &Json::Null, &Json::Null)
    );
    let paused = client.post(&format!("{path}/pause"), Json::Null).await.is(200);
    assert_eq!(paused["paused"], true);
    assert_eq!(client.get(path).await.is(200)["paused"], true);
    let resumed = client.post(&format!("{path}/resume"), Json::Null).await.is(200);
    assert_eq!(resumed["paused"], false);
    assert!(resumed["last"].is_string(), "times before it count as handled: {resumed}");
    let started = client.post(&format!("{path}/run"), Json::Null).await.is(202);
    let run =
        client.get(&format!("runs/{}", started["run_id"].as_str().expect("an ID"))).await.is(200);
    assert!(run["scheduled_for"].is_string(), "{run}");

    for number in 0..3 {
        client.create(&FILE.replace("hourly", &format!("hourly {number}"))).await;
    }
    let (mut names, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let after = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = client.get(&format!("schedules?limit=2&times=1{after}")).await.is(200);
        let items = page["items"].as_array().expect("items");
        assert!(
            items.len() <= 2
                && items.iter().all(|item| item["next"].as_array().map(Vec::len) == Some(1))
        );
        names.extend(
            items.iter().map(|item| item["workflow"].as_str().unwrap_or_default().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        cursor = Some(next.to_owned());
    }
    // And one that is registered.
    names.retain(|name| name != "each January");
    assert_eq!(names, ["daily", "hourly 0", "hourly 1", "hourly 2"]);
    client.get("schedules?cursor=x").await.is_problem(422, "invalid");
    client.get("schedules?times=101").await.is_problem(422, "invalid");
    client.get("workflows/greet/schedule").await.is_problem(404, "no_schedule");
}

async fn backfills(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let id = client.create(DAILY).await;
    let path = format!("workflows/{id}/schedule/backfill");
    // Spring skips half past two.
    let wanted = ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"];
    let range = json!({ "from": "2026-03-28", "to": "2026-03-30" });
    let mut dry = range.clone();
    dry["dry_run"] = json!(true);
    let dry = client.post(&path, dry).await.is(200);
    let times = |of: &Json| of["times"].as_array().expect("times").clone();
    assert!(times(&dry).iter().map(|time| &time["at"]).eq(wanted.iter()), "{dry}");
    assert!(times(&dry).iter().all(|time| time["run_id"].is_null()));
    assert_eq!(runs_of(&*site.store, id).await, 0);
    let (first, again) = tokio::join!(client.post(&path, range.clone()), client.post(&path, range));
    let (first, again) = (times(&first.is(200)), times(&again.is(200)));
    for (first, again) in first.iter().zip(&again) {
        assert_eq!(first["run_id"], again["run_id"]);
        assert_ne!(first["existing"], again["existing"], "one of them has started it");
    }
    assert_eq!(runs_of(&*site.store, id).await, 3);
    for (draft, field, said) in [
        (json!({ "from": "yesterday" }), "from", "write 2026-01-02"),
        (json!({ "from": "2026-01-02", "to": "x" }), "to", "write 2026-01-02"),
        (json!({ "from": "2026-01-02", "to": "2026-01-01" }), "from", "swap them"),
        (json!({ "from": "2025-01-01", "to": "2025-12-31" }), "limit", "more than 100 times"),
        (json!({ "from": "2026-01-01", "limit": 1001 }), "limit", "must be 1 to 1000"),
    ] {
        let problem = client.post(&path, draft).await.is_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], field);
        assert!(
            problem["detail"].as_str().is_some_and(|detail| detail.contains(said)),
            "{problem}"
        );
    }
}

async fn schedules_have_owners(kind: Kind) {
    let site = Site::closed(kind).await;
    let ada = site.user("ada", TokenScope::Write).await;
    let bob = site.user("bob", TokenScope::Write).await;
    ada.create(DAILY).await;
    assert_eq!(
        ada.post("workflows/daily/schedule/pause", Json::Null).await.is(200)["paused"],
        true
    );
    bob.post("workflows/daily/schedule/resume", Json::Null).await.is_problem(404, "no_workflow");
    let seen = bob.get("schedules").await.is(200);
    let seen = seen["items"].as_array().expect("items");
    assert!(seen.iter().all(|item| item["workflow"] == "each January"), "{seen:?}");
    let registered = "workflows/each January/schedule";
    bob.post(&format!("{registered}/pause"), Json::Null).await.is_problem(403, "not_yours");
    let range = json!({ "from": "2026-01-01", "to": "2026-01-01" });
    bob.post(&format!("{registered}/backfill"), range).await.is_problem(403, "not_yours");
    bob.post(&format!("{registered}/run"), Json::Null).await.is(202);
    let root = site.user("root", TokenScope::Write).await;
    root.post(&format!("{registered}/pause"), Json::Null).await.is(200);
}

async fn nothing_goes_on_without_an_active_owner(kind: Kind) {
    let site = Site::closed(kind).await;
    let root = site.user("root", TokenScope::Admin).await;
    let ada = site.user("ada", TokenScope::Write).await;
    let path = format!("workflows/{}", ada.create(FILE).await);
    let after = json!({ "triggers": [{ "after": { "workflow": "greet" } }] });
    ada.patch(&path, json!({ "merge_metadata": after })).await.is(200);
    let reasons = async || {
        let workflow = root.get(&path).await.is(200);
        [workflow["schedule"]["blocked"].clone(), workflow["triggers_blocked"].clone()]
    };
    root.patch("users/ada", json!({ "is_active": false })).await.is(200);
    let told = |reason: &Json| reason.as_str().is_some_and(|it| it.contains("`ada` is inactive"));
    until("both reasons name the owner", async || reasons().await.iter().all(told)).await;
    root.patch("users/ada", json!({ "is_active": true })).await.is(200);
    until("both run", async || reasons().await.iter().all(Json::is_null)).await;
    let deleted = root.delete("users/ada").await.is(200);
    assert_eq!(deleted, json!({ "deactivated_workflows": 1 }));
    let workflow = root.get(&path).await.is(200);
    assert_eq!((&workflow["user"], &workflow["is_active"]), (&Json::Null, &json!(false)));
    root.post(&format!("{path}/run"), json!({})).await.is_problem(409, "not_active");
}
