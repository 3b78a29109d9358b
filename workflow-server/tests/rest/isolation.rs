//! Isolation of users: names of workflows, idempotency keys and tokens of two users and staff on one
//! server.

use std::time::{Duration, SystemTime};

use serde_json::{Value as Json, json};
use workflow_core::prelude::*;
use workflow_server::TokenRequest;
use workflow_store::TokenScope::{self, Admin, Run, Write};

use crate::support::{Client, Kind, Site, with_both};

with_both!(
    a_name_resolves_to_the_callers_own_workflow,
    staff_can_change_the_owner,
    a_stored_workflow_does_not_replace_a_registered_one,
    names_are_compared_in_unicode_normal_form,
    keys_are_per_user,
    a_retry_reports_an_existing_run,
    an_inactive_workflow_does_not_run,
    a_token_cannot_create_one_with_a_longer_lifetime,
    a_staff_token_without_admin_cannot_manage_others,
    the_scope_run_does_not_allow_code_injection,
    limits_of_requests_are_per_user,
    a_run_of_another_user_is_not_returned,
);

#[job]
async fn waits(ctx: &JobContext) -> Result<u32, JobError> {
    ctx.wait_signal("go").await
}

#[register_workflow(name = "waiting")]
fn waiting(flow: &mut Flow) {
    flow.job(waits());
}

#[register_workflow(name = "alone", concurrency(limit = 1, on_conflict = "skip"))]
fn alone(flow: &mut Flow) {
    flow.job(waits());
}

async fn limits_of_requests_are_per_user(kind: Kind) {
    let People { site: _site, ada, bob, .. } = people(kind).await;
    for on_conflict in ["cancel_running", "skip", "cancel_new"] {
        let limit = json!({ "key": on_conflict, "limit": 1, "on_conflict": on_conflict });
        let start = async |client: &Client| {
            let body = json!({ "concurrency": limit });
            client.post("workflows/waiting/run", body).await.is(202)
        };
        let (hers, his) = (start(&ada).await, start(&bob).await);
        for (client, run) in [(&ada, hers), (&bob, his)] {
            assert_eq!(run["existing"], false, "{run}");
            let run = run["run_id"].as_str().expect("an id").to_owned();
            let run = client.get(&format!("runs/{run}")).await.is(200);
            assert!(
                ["pending", "running"].contains(&run["status"].as_str().expect("a status")),
                "{run}"
            );
        }
    }
}

/// The limit of a workflow is for all users. Its holder is not shown to those who may not see it.
async fn a_run_of_another_user_is_not_returned(kind: Kind) {
    let People { site: _site, ada, bob, .. } = people(kind).await;
    let run = ada.start("alone").await;
    let again = ada.post("workflows/alone/run", json!({})).await.is(202);
    assert_eq!((&again["run_id"], &again["existing"]), (&json!(run), &json!(true)));
    for query in ["", "?wait=60s"] {
        let answer = bob.post(&format!("workflows/alone/run{query}"), json!({})).await;
        let problem = answer.is_problem(409, "limit_held");
        assert!(!problem.to_string().contains(&run), "{problem}");
    }
}

/// Two users and staff, each with a token with the scope `write`.
struct People {
    site: Site,
    ada: Client,
    bob: Client,
    root: Client,
}

async fn people(kind: Kind) -> People {
    let site = Site::closed(kind).await;
    let ada = site.user("ada", Write).await;
    let bob = site.user("bob", Write).await;
    let root = site.user("root", Write).await;
    People { site, ada, bob, root }
}

/// A workflow file with this name, whose runs count up to a number.
fn file(name: &str, to: u32) -> String {
    format!("name: '{name}'\njobs: [{{ name: count, job: tally, with: {{ to: {to} }} }}]\n")
}

async fn create(client: &Client, name: &str) -> Json {
    client.post("workflows", json!({ "yaml": file(name, 1) })).await.is(201)
}

/// The ID of the workflow that a client runs by this name.
async fn runs(client: &Client, name: &str) -> Json {
    client.run(name, Json::Null).await["workflow_id"].clone()
}

async fn a_name_resolves_to_the_callers_own_workflow(kind: Kind) {
    let People { site: _site, ada, bob, root } = people(kind).await;
    // A slug that imitates the name of the operator's workflow.
    let wish = json!({ "yaml": file("innocent", 1), "slug": "Nightly Backup" });
    let lure = ada.post("workflows", wish).await.is(201);
    assert_eq!(lure["slug"], "nightly-backup");
    let path = "workflows/Nightly%20Backup";
    root.post(&format!("{path}/run"), json!({})).await.is_problem(404, "no_workflow");
    let own = create(&root, "Nightly Backup").await;
    assert_ne!(own["slug"], lure["slug"]);
    assert_eq!(runs(&root, "Nightly%20Backup").await, own["id"]);
    ada.get(path).await.is_problem(404, "no_workflow");

    // Every user has an `etl`, and gets their own.
    let mut all = Vec::new();
    for client in [&ada, &bob, &root] {
        let made = create(client, "etl").await;
        assert_eq!(client.get("workflows/etl").await.is(200)["id"], made["id"]);
        assert_eq!(runs(client, "etl").await, made["id"]);
        let again = client.post("workflows", json!({ "yaml": file("etl", 2) })).await;
        let problem = again.is_problem(409, "name_taken");
        assert_eq!(problem["errors"][0]["field"], "name");
        assert!(problem["detail"].as_str().expect("a text").contains(&made["id"].to_string()));
        all.push(made);
    }
    let slugs: std::collections::BTreeSet<_> =
        all.iter().map(|made| made["slug"].to_string()).collect();
    assert_eq!(slugs.len(), 3);
    // Staff can address the others' by ID and slug; users cannot.
    for made in &all {
        for which in [made["id"].to_string(), made["slug"].as_str().expect("a slug").to_owned()] {
            // Root's own name takes precedence over an equal slug.
            let wanted = if which == "etl" { &all[2]["id"] } else { &made["id"] };
            assert_eq!(root.get(&format!("workflows/{which}")).await.is(200)["id"], *wanted);
        }
    }
    let bobs = format!("workflows/{}", all[1]["id"]);
    ada.get(&bobs).await.is_problem(404, "no_workflow");
    ada.delete(&bobs).await.is_problem(404, "no_workflow");
    // Deleting by name deletes the caller's own.
    ada.delete("workflows/etl").await.is(200);
    ada.get("workflows/etl").await.is_problem(404, "no_workflow");
    assert_eq!(bob.get("workflows/etl").await.is(200)["id"], all[1]["id"]);
    assert_eq!(root.get("workflows/etl").await.is(200)["id"], all[2]["id"]);

    // Only staff see the owner in an error.
    create(&bob, "Only His").await;
    let problem = root.get("workflows/Only%20His").await.is_problem(404, "no_workflow");
    assert!(problem["detail"].as_str().expect("a text").contains("Only His of bob"), "{problem}");
    let problem = ada.get("workflows/Only%20His").await.is_problem(404, "no_workflow");
    assert!(!problem.to_string().contains("bob"), "{problem}");
}

async fn staff_can_change_the_owner(kind: Kind) {
    let People { site: _site, ada, bob, root } = people(kind).await;
    let path = format!("workflows/{}", create(&ada, "etl").await["id"]);
    ada.patch(&path, json!({ "user": "bob" })).await.is_problem(403, "not_yours");
    assert_eq!(root.patch(&path, json!({ "user": "bob" })).await.is(200)["user"], "bob");
    ada.get(&path).await.is_problem(404, "no_workflow");
    bob.get(&path).await.is(200);
    let other = format!("workflows/{}", create(&ada, "etl").await["id"]);
    root.patch(&other, json!({ "user": "bob" })).await.is_problem(409, "name_taken");
    root.patch("workflows/greet", json!({ "user": "bob" })).await.is_problem(422, "invalid");
}

async fn a_stored_workflow_does_not_replace_a_registered_one(kind: Kind) {
    let People { site: _site, ada, bob, root } = people(kind).await;
    let registered = bob.get("workflows/greet").await.is(200);
    let hers = create(&ada, "greet").await;
    assert_ne!(hers["slug"], registered["slug"]);
    assert_eq!(ada.get("workflows/greet").await.is(200)["id"], hers["id"]);
    for client in [&bob, &root] {
        assert_eq!(client.get("workflows/greet").await.is(200)["id"], registered["id"]);
        let ended = client.run("greet", json!("you")).await;
        assert_eq!(
            (&ended["result"], &ended["workflow_id"]),
            (&json!("hello you"), &registered["id"])
        );
    }
    // Hers is available by ID to every permitted caller.
    let path = format!("workflows/{}", hers["id"]);
    root.get(&path).await.is(200);
    bob.get(&path).await.is_problem(404, "no_workflow");
    // The name of a registered workflow belongs to the program.
    let path = format!("workflows/{}", registered["id"]);
    let rename = root.patch(&path, json!({ "name": "x" })).await;
    assert_eq!(rename.is_problem(422, "invalid")["errors"][0]["field"], "name");
    // It has no owner.
    let give = root.patch(&path, json!({ "user": "bob" })).await;
    assert_eq!(give.is_problem(422, "invalid")["errors"][0]["field"], "user");
}

async fn names_are_compared_in_unicode_normal_form(kind: Kind) {
    let People { site: _site, ada, bob, .. } = people(kind).await;
    for names in [["ALPHA", "alpha", "Alpha"], ["beta", "BETA", "Beta"]] {
        let mut ids = Vec::new();
        for name in names {
            ids.push(create(&ada, name).await["id"].clone());
        }
        for (name, id) in names.iter().zip(&ids) {
            assert_eq!(ada.get(&format!("workflows/{name}")).await.is(200)["id"], *id, "{name}");
            assert_eq!(runs(&ada, name).await, *id, "{name}");
        }
    }
    // One name in two Unicode forms, composed and decomposed.
    let (composed, decomposed) = ("caf%C3%A9", "cafe%CC%81");
    let made = create(&ada, "cafe\u{301}").await;
    assert_eq!(made["name"], "caf\u{e9}");
    for form in [composed, decomposed] {
        assert_eq!(ada.get(&format!("workflows/{form}")).await.is(200)["id"], made["id"]);
        assert_eq!(runs(&ada, form).await, made["id"]);
        bob.get(&format!("workflows/{form}")).await.is_problem(404, "no_workflow");
    }
    let again = ada.post("workflows", json!({ "yaml": file("caf\u{e9}", 1) })).await;
    again.is_problem(409, "name_taken");
    // A name of digits is not an ID, and an ID is not a name.
    let digits = create(&ada, "123456").await;
    assert_eq!(digits["slug"], "workflow-123456");
    assert_eq!(ada.get("workflows/123456").await.is(200)["id"], digits["id"]);
    ada.get(&format!("workflows/0{}", digits["id"])).await.is_problem(404, "no_workflow");
}

async fn keys_are_per_user(kind: Kind) {
    let People { site: _site, ada, bob, root } = people(kind).await;
    let body = json!({ "input": "x", "idempotency_key": "day-1", "wait": "60s" });
    let mut ids = Vec::new();
    for client in [&ada, &bob, &root] {
        let first = client.post("workflows/greet/run", body.clone()).await.is(200);
        assert_eq!(first["existing"], false, "{first}");
        let again = client.post("workflows/greet/run", body.clone()).await.is(200);
        assert_eq!((&again["existing"], &again["run_id"]), (&json!(true), &first["run_id"]));
        assert!(again["message"].as_str().expect("a text").contains("exists already"), "{again}");
        ids.push(first["run_id"].clone());
    }
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    // The same key for a different request is rejected, with the run that has it.
    let other = json!({ "input": "y", "idempotency_key": "day-1" });
    let problem = ada.post("workflows/greet/run", other).await;
    let problem = problem.is_problem(409, "idempotency_key_used");
    assert!(problem["detail"].as_str().expect("a text").contains(ids[0].as_str().expect("an id")));
    create(&ada, "mine").await;
    let other = json!({ "idempotency_key": "day-1" });
    ada.post("workflows/mine/run", other).await.is_problem(409, "idempotency_key_used");
    // Keys in the form of the server's own keys are ordinary keys.
    let schedule = json!({ "input": "x", "idempotency_key": "schedule:1:2030-01-01T00:00:00Z" });
    let taken = ada.post("workflows/greet/run", schedule.clone()).await.is(202);
    let own = bob.post("workflows/greet/run", schedule).await.is(202);
    assert_ne!(taken["run_id"], own["run_id"]);
    for key in ["", "a\0b", &"k".repeat(256)] {
        let body = json!({ "input": "x", "idempotency_key": key });
        let problem = ada.post("workflows/greet/run", body).await.is_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], "idempotency_key");
        let run = ids[0].as_str().expect("an id");
        let retry = ada.post(&format!("runs/{run}/retry"), json!({ "idempotency_key": key })).await;
        assert_eq!(retry.is_problem(422, "invalid")["errors"][0]["field"], "idempotency_key");
    }
}

async fn a_retry_reports_an_existing_run(kind: Kind) {
    let People { site: _site, ada, bob, root } = people(kind).await;
    let failed = ada.run("broken", Json::Null).await["run_id"].clone();
    let path = format!("runs/{}/retry", failed.as_str().expect("an id"));
    for (key, extra) in [("whole", json!({})), ("failed", json!({ "failed_only": true }))] {
        let mut body = extra;
        body["idempotency_key"] = json!(key);
        let first = ada.post(&path, body.clone()).await.is(202);
        assert_eq!(first["existing"], false, "{first}");
        assert_ne!(first["run_id"], failed);
        let again = ada.post(&path, body.clone()).await.is(202);
        assert_eq!((&again["existing"], &again["run_id"]), (&json!(true), &first["run_id"]));
        assert_ne!(again["message"], first["message"]);
        // Staff who retry her run with the same key get a separate run.
        let staff = root.post(&path, body.clone()).await.is(202);
        assert_eq!(staff["existing"], false, "{staff}");
        assert_ne!(staff["run_id"], first["run_id"]);
        let run = format!("runs/{}", staff["run_id"].as_str().expect("an id"));
        assert_eq!(root.get(&run).await.is(200)["user"], "root");
        bob.post(&path, body.clone()).await.is_problem(404, "no_run");
        // The key of one retry cannot be used for the retry of another run.
        let other = ada.run("broken", Json::Null).await["run_id"].clone();
        let other = format!("runs/{}/retry", other.as_str().expect("an id"));
        let refused = ada.post(&other, body).await.is_problem(409, "idempotency_key_used");
        let names_it = format!("retries run {}", failed.as_str().expect("an id"));
        assert!(
            refused["detail"].as_str().is_some_and(|said| said.contains(&names_it)),
            "{refused}"
        );
    }
}

async fn an_inactive_workflow_does_not_run(kind: Kind) {
    let People { site: _site, ada, root, .. } = people(kind).await;
    let own = create(&ada, "own").await["id"].to_string();
    let failed = ada.run("broken", Json::Null).await["run_id"].clone();
    let ended = ada.run(&own, Json::Null).await["run_id"].clone();
    ada.patch(&format!("workflows/{own}"), json!({ "is_active": false })).await.is(200);
    root.patch("workflows/broken", json!({ "is_active": false })).await.is(200);
    for client in [&ada, &root] {
        for (workflow, run) in [(own.as_str(), &ended), ("broken", &failed)] {
            let run = run.as_str().expect("an id");
            for verb in ["run", "execute", "trigger"] {
                let asked = client.post(&format!("workflows/{workflow}/{verb}"), json!({})).await;
                asked.is_problem(409, "not_active");
            }
            for body in [json!({}), json!({ "failed_only": true })] {
                let retry = client.post(&format!("runs/{run}/retry"), body).await;
                retry.is_problem(409, "not_active");
            }
        }
    }
    // A graph that an external program runs.
    let drawing = json!({ "name": "drawn", "dag_spec": { "nodes": [{ "id": "a" }], "edges": [] } });
    ada.post("workflows", drawing).await.is(201);
    ada.post("workflows/drawn/run", json!({})).await.is(202);
    ada.patch("workflows/drawn", json!({ "is_active": false })).await.is(200);
    ada.post("workflows/drawn/run", json!({})).await.is_problem(409, "not_active");
    ada.patch("workflows/drawn", json!({ "is_active": true })).await.is(200);
    ada.post("workflows/drawn/run", json!({})).await.is(202);
}

/// A client with a user's token of this lifetime.
async fn token(site: &Site, user: &str, scope: TokenScope, good_for: Duration) -> Client {
    let expires_at = Some(SystemTime::now() + good_for);
    let new = TokenRequest { user: user.to_owned(), name: "short".to_owned(), scope, expires_at };
    let (new, token) = new.issue().expect("a token");
    site.store.add_token(new).await.expect("kept");
    Client { token: Some(token), ..site.nobody() }
}

async fn a_token_cannot_create_one_with_a_longer_lifetime(kind: Kind) {
    let People { site, .. } = people(kind).await;
    const HOUR: Duration = Duration::from_secs(3600);
    for (user, scope) in [("ada", Write), ("root", Write), ("root", Admin)] {
        let short = token(&site, user, scope, HOUR).await;
        let ask = |scope: &str, expires_in: Option<&str>| {
            let mut draft = json!({ "name": "child", "scope": scope });
            if let Some(time) = expires_in {
                draft["expires_in"] = json!(time);
            }
            draft
        };
        for time in ["61m", "30d", "999d"] {
            short.post("tokens", ask("read", Some(time))).await.is_problem(403, "outlives");
        }
        // Without a lifetime, it expires with the token that creates it.
        let latest = SystemTime::now() + HOUR;
        for draft in [ask("read", None), ask("write", Some("59m"))] {
            let made = short.post("tokens", draft).await.is(201);
            let expires: jiff::Timestamp =
                made["expires_at"].as_str().expect("a time").parse().expect("a time");
            assert!(SystemTime::from(expires) <= latest, "{made}");
            // The same applies to tokens that it creates.
            let token = made["token"].as_str().expect("a token").to_owned();
            let child = Client { token: Some(token), ..site.nobody() };
            let asked = child.post("tokens", ask("read", Some("2h"))).await;
            assert_eq!(asked.status, 403, "{}", asked.text);
        }
        if scope < Admin {
            short.post("tokens", ask("admin", None)).await.is_problem(403, "scope");
        }
        let runner = token(&site, user, Run, HOUR).await;
        runner.post("tokens", ask("read", None)).await.is_problem(403, "scope");
    }
}

async fn a_staff_token_without_admin_cannot_manage_others(kind: Kind) {
    let People { site, ada, bob, root } = people(kind).await;
    let draft = json!({ "name": "hers", "scope": "read" });
    let hers = ada.post("tokens", draft).await.is(201);
    let users = |list: Json| -> std::collections::BTreeSet<String> {
        let items = list["items"].as_array().expect("tokens").clone();
        items.iter().map(|token| token["user"].as_str().expect("a name").to_owned()).collect()
    };
    let only = |name: &str| std::collections::BTreeSet::from([name.to_owned()]);
    for (client, name) in [(&ada, "ada"), (&bob, "bob"), (&root, "root")] {
        assert_eq!(users(client.get("tokens").await.is(200)), only(name));
        let own = client.get(&format!("tokens?user={name}")).await.is(200);
        assert_eq!(users(own), only(name));
    }
    let path = format!("tokens/{}", hers["id"]);
    for client in [&bob, &root] {
        client.get("tokens?user=ada").await.is_problem(403, "staff_only");
        client.delete(&path).await.is_problem(404, "no_token");
    }
    // With the scope `admin`, staff can.
    let admin = site.user("root", Admin).await;
    let all = users(admin.get("tokens").await.is(200));
    assert!(all.contains("ada") && all.contains("bob") && all.contains("root"), "{all:?}");
    assert_eq!(users(admin.get("tokens?user=ada").await.is(200)), only("ada"));
    admin.delete(&path).await.is(204);
    // The scope `admin` of a user only covers their own.
    let own = site.user("ada", Admin).await;
    own.get("tokens?user=bob").await.is_problem(403, "staff_only");
    assert_eq!(users(own.get("tokens").await.is(200)), only("ada"));
}

/// Commands that place the input where a shell would evaluate it.
const EVALUATED: [&str; 5] = [
    "if [[ ${{ input.rows }} -gt 5 ]]; then echo many; fi",
    "echo $(( ${{ input.rows }} + 1 ))",
    "let rows=${{ input.rows }}",
    "list=(1 2); echo ${list[${{ input.rows }}]}",
    "bash -c 'echo ${{ input.rows }}'",
];

async fn the_scope_run_does_not_allow_code_injection(kind: Kind) {
    let site = Site::closed_with(kind, |server| server.allow_commands(true)).await;
    let (owner, ada) = (site.user("ada", Write).await, site.user("ada", Run).await);
    let ladder = json!({ "name": "x", "jobs": [{ "name": "a", "command": "id" }] });
    let body = json!({ "name": "x", "definition": ladder });
    ada.post("workflows", body).await.is_problem(403, "scope");
    for (number, command) in EVALUATED.iter().enumerate() {
        let name = format!("count-{number}");
        let job = json!({ "name": "check", "command": command });
        let definition = json!({ "name": name, "jobs": [job] });
        let made = json!({ "name": name, "definition": definition });
        owner.post("workflows", made).await.is(201);
        let run = async |rows: Json| {
            let asked = json!({ "input": { "rows": rows }, "wait": "60s" });
            ada.post(&format!("workflows/{name}/run"), asked).await.is(200)
        };
        for value in ["a[$(touch PWNED)]", "$(touch PWNED)", "'; touch PWNED; '", "`touch PWNED`"] {
            let ended = run(json!(value)).await;
            assert_eq!(ended["status"], "failed", "{command}: {ended}");
            let said = ended["error"].as_str().unwrap_or_default();
            assert!(said.contains("| int") || said.contains("env"), "{command}: {ended}");
        }
        let whole = run(json!(1)).await;
        assert_eq!(whole["status"], "completed", "{command}: {whole}");
    }
    assert!(!site.folder.path().join("PWNED").exists());
}
