//! Permissions: every route with every role.

use reqwest::Method;
use serde_json::{Value as Json, json};
use workflow_server::TokenRequest;
use workflow_store::{NewUser, TokenScope};

use crate::support::{Answer, Client, Kind, Site, with_both};

/// The permission that a route requires.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
enum Needs {
    Nothing,
    Read,
    Run,
    Write,
    Staff,
}
use Needs::{Nothing, Read, Run, Staff, Write};

/// The owner of the resources of a route.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Whose {
    /// No owner.
    All,
    /// Owned by Ada: others get 404.
    Adas,
}
use Whose::{Adas, All};

/// Method, path, body, required permission, owner, and the status for permitted callers.
type Row = (&'static str, &'static str, Json, Needs, Whose, u16);

fn table() -> Vec<Row> {
    let none = || Json::Null;
    // Each request uses a unique name.
    let job = || json!({ "name": "", "dag_spec": { "nodes": [], "edges": [] } });
    vec![
        ("get", "/health/live", none(), Nothing, All, 200),
        ("get", "/health/ready", none(), Nothing, All, 200),
        ("get", "/session", none(), Nothing, All, 200),
        ("post", "/session", json!({}), Nothing, All, 422),
        ("delete", "/session", none(), Nothing, All, 204),
        ("get", "/metrics", none(), Read, All, 200),
        ("get", "/overview", none(), Read, All, 200),
        ("get", "/usage", none(), Read, All, 200),
        ("get", "/stats", none(), Read, All, 200),
        ("get", "/workers", none(), Staff, All, 200),
        ("get", "/queues", none(), Staff, All, 200),
        ("get", "/jobs", none(), Read, All, 200),
        ("get", "/jobs/{name}", none(), Read, All, 200),
        ("get", "/configs", none(), Read, All, 200),
        ("get", "/configs/{name}", none(), Read, All, 404),
        ("post", "/configs/{name}/validate", json!({}), Read, All, 404),
        ("get", "/workflows", none(), Read, All, 200),
        ("post", "/workflows", job(), Write, All, 201),
        ("get", "/workflows/{workflow}", none(), Read, Adas, 200),
        ("patch", "/workflows/{workflow}", json!({ "project": "p" }), Write, Adas, 200),
        ("delete", "/workflows/{workflow}", none(), Write, Adas, 200),
        ("get", "/workflows/{workflow}/graph", none(), Read, Adas, 200),
        ("get", "/workflows/{workflow}/source", none(), Read, Adas, 404),
        ("get", "/workflows/{workflow}/versions", none(), Read, Adas, 200),
        ("get", "/workflows/{workflow}/versions/{version}", none(), Read, Adas, 404),
        ("get", "/workflows/{workflow}/stats", none(), Read, Adas, 200),
        ("get", "/workflows/{workflow}/runs", none(), Read, Adas, 200),
        ("post", "/workflows/{workflow}/run", json!({}), Run, Adas, 202),
        ("get", "/assets", none(), Read, All, 200),
        // The program has none.
        ("get", "/assets/{asset}", none(), Read, All, 404),
        ("get", "/assets/{asset}/partitions", none(), Read, All, 404),
        ("get", "/assets/{asset}/materializations", none(), Read, All, 404),
        ("get", "/asset-plan", none(), Read, All, 409),
        ("get", "/schedules", none(), Read, All, 200),
        // It has none.
        ("get", "/workflows/{workflow}/schedule", none(), Read, Adas, 404),
        ("post", "/workflows/{workflow}/schedule/pause", none(), Write, Adas, 404),
        ("post", "/workflows/{workflow}/schedule/resume", none(), Write, Adas, 404),
        ("post", "/workflows/{workflow}/schedule/run", none(), Run, Adas, 404),
        (
            "post",
            "/workflows/{workflow}/schedule/backfill",
            json!({ "from": "2026-01-01" }),
            Write,
            Adas,
            404,
        ),
        // It is not signed.
        ("post", "/workflows/{workflow}/webhooks/{trigger}", json!({}), Nothing, All, 401),
        ("get", "/runs", none(), Read, All, 200),
        ("get", "/runs/{run}", none(), Read, Adas, 200),
        ("patch", "/runs/{run}", json!({ "status": "running" }), Write, Adas, 200),
        ("get", "/runs/{run}/events", none(), Read, Adas, 200),
        ("get", "/runs/{run}/why", none(), Read, Adas, 200),
        ("get", "/runs/{run}/logs", none(), Read, Adas, 200),
        ("get", "/runs/{run}/gantt", none(), Read, Adas, 200),
        ("get", "/runs/{run}/tables", none(), Read, Adas, 200),
        ("get", "/runs/{run}/tables/{table}", none(), Read, Adas, 404),
        ("get", "/runs/{run}/jobs/{job}", none(), Read, Adas, 200),
        ("post", "/runs/{run}/cancel", json!({}), Run, Adas, 202),
        ("post", "/runs/{run}/unblock", json!({}), Run, Adas, 409),
        // An external program runs it.
        ("post", "/runs/{run}/signal", json!({ "name": "go" }), Run, Adas, 409),
        // It has not finished.
        ("post", "/runs/{run}/retry", json!({}), Run, Adas, 409),
        ("get", "/tokens", none(), Read, All, 200),
        ("post", "/tokens", json!({ "name": "t", "scope": "read" }), Write, All, 201),
        ("delete", "/tokens/{token}", none(), Write, Adas, 204),
        ("get", "/users", none(), Staff, All, 200),
        // The password is too short.
        ("post", "/users", json!({ "username": "eve", "password": "short" }), Staff, All, 422),
        ("patch", "/users/{username}", json!({ "is_active": true }), Staff, All, 200),
        ("delete", "/users/{username}", none(), Staff, All, 200),
        ("post", "/retention", json!({ "keep_last": 1000 }), Staff, All, 200),
    ]
}

/// The roles of callers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Role {
    Nobody,
    /// Ada, with a token of this scope.
    Ada(TokenScope),
    /// Bob, with a token that lets him write.
    Bob,
    /// Staff, with a token of this scope.
    Staff(TokenScope),
    /// Anonymous, on a server without accounts.
    Open,
}

const ROLES: [Role; 10] = [
    Role::Nobody,
    Role::Ada(TokenScope::Read),
    Role::Ada(TokenScope::Run),
    Role::Ada(TokenScope::Write),
    Role::Ada(TokenScope::Admin),
    Role::Bob,
    Role::Staff(TokenScope::Read),
    Role::Staff(TokenScope::Run),
    Role::Staff(TokenScope::Write),
    Role::Staff(TokenScope::Admin),
];

fn wanted(row: &Row, role: Role) -> u16 {
    let (_, path, _, needs, whose, good) = row;
    let has = match role {
        Role::Nobody => Nothing,
        Role::Ada(TokenScope::Read) | Role::Staff(TokenScope::Read) => Read,
        Role::Ada(TokenScope::Run) | Role::Staff(TokenScope::Run) => Run,
        Role::Ada(_) | Role::Bob | Role::Staff(TokenScope::Write) => Write,
        Role::Staff(TokenScope::Admin) | Role::Open => Staff,
    };
    match role {
        _ if *needs == Nothing => *good,
        Role::Nobody => 401,
        _ if has < *needs => 403,
        Role::Bob if *whose == Adas => 404,
        // Staff see all workflows and runs; tokens of others require the scope `admin`.
        Role::Staff(TokenScope::Write) if *path == "/tokens/{token}" => 404,
        // Tokens require an account.
        Role::Open if *path == "/tokens" && *good == 201 => 409,
        _ => *good,
    }
}

#[test]
fn every_route_is_in_the_table() {
    let document = workflow_server::openapi();
    let table = table();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let path = path.strip_prefix("/api/v1").expect("a path of the API");
        for method in item.as_object().expect("methods").keys() {
            let is_there = table.iter().any(|row| row.0 == method && row.1 == path);
            assert!(is_there, "{method} {path} is to be in the table");
        }
    }
}

with_both!(every_role_has_its_permissions, an_open_server_gives_full_access);

async fn every_role_has_its_permissions(kind: Kind) {
    let site = Site::closed(kind).await;
    let ada = site.user("ada", TokenScope::Write).await;
    for role in ROLES {
        let client = match role {
            Role::Ada(scope) => site.user("ada", scope).await,
            Role::Bob => site.user("bob", TokenScope::Write).await,
            Role::Staff(scope) => site.user("root", scope).await,
            _ => site.nobody(),
        };
        try_all(&site, &ada, &client, role).await;
    }
}

async fn an_open_server_gives_full_access(kind: Kind) {
    let site = Site::open(kind).await;
    site.store.add_user(NewUser::new("ada")).await.expect("a name without a password");
    let anybody = site.nobody();
    try_all(&site, &anybody, &anybody, Role::Open).await;
}

/// Tries every route with new resources.
async fn try_all(site: &Site, ada: &Client, client: &Client, role: Role) {
    for (number, row) in table().iter().enumerate() {
        let path = fill(row.1, site, ada, &format!("{number} {role:?}")).await;
        let method = Method::from_bytes(row.0.to_uppercase().as_bytes()).expect("a method");
        let request = client.request(method, &format!("/api/v1{path}"));
        let mut body = row.2.clone();
        if body["name"] == "" {
            body["name"] = json!(format!("sales by {role:?}"));
        }
        let answer = Answer::of(if body.is_null() { request } else { request.json(&body) }).await;
        let status = answer.status.as_u16();
        let wanted = wanted(row, role);
        assert_eq!(status, wanted, "{} {} by {role:?}: {}", row.0, row.1, answer.text);
    }
}

/// Fills a path with resources of Ada.
async fn fill(path: &str, site: &Site, ada: &Client, which: &str) -> String {
    let path = path.replace("/jobs/{name}", "/jobs/tally").replace("{name}", "no-such");
    let path = path.replace("{job}", "load").replace("{version}", "9").replace("{trigger}", "push");
    if path.contains("{username}") {
        let name = format!("somebody-{which}");
        site.store.add_user(NewUser::new(&name)).await.expect("a name that is new");
        return path.replace("{username}", &name);
    }
    if path.contains("{token}") {
        let (user, name) = ("ada".to_owned(), "spare".to_owned());
        let new = TokenRequest { user, name, scope: TokenScope::Read, expires_at: None }.issue();
        let token = site.store.add_token(new.expect("a token").0).await.expect("kept");
        return path.replace("{token}", &token.id.to_string());
    }
    if !path.contains('{') {
        return path;
    }
    let graph = json!({ "nodes": [{ "id": "load" }], "edges": [] });
    let draft = json!({ "name": format!("etl {which}"), "dag_spec": graph });
    let workflow = ada.post("workflows", draft).await.is(201)["id"].to_string();
    let run = ada.start(&workflow).await;
    path.replace("{workflow}", &workflow).replace("{run}", &run)
}
