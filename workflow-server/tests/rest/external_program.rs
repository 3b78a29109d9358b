//! An external application that writes to the tables directly, and its API client.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value as Json, json};
use workflow_core::registry;
use workflow_core::store::{NewRun, Owner, OwnerId, WorkflowSnapshot};
use workflow_server::NewPassword;
use workflow_store::{NewUser, TokenScope};

use crate::cluster;
use crate::support::{Answer, Client, Kind, PASSWORD, Site, with_both};

with_both!(
    inserted_rows_are_read,
    legacy_statuses_have_one_name,
    inserted_rows_have_owners,
    an_external_program_reports_its_runs,
    only_the_engine_reports_its_runs,
    the_documented_client_works,
    an_id_prefix_can_be_ambiguous,
);

/// A connection of the external application to the database of a server.
enum Raw {
    Sqlite(PathBuf),
    Postgres(cluster::Database),
}

impl Raw {
    fn execute(&self, sql: &str) {
        tokio::task::block_in_place(|| match self {
            Self::Sqlite(path) => {
                let file = rusqlite::Connection::open(path).expect("a database");
                file.execute_batch(sql).expect(sql);
            }
            Self::Postgres(database) => database.execute(sql),
        });
    }

    /// Starts a server on this database.
    async fn site(&self, folder: tempfile::TempDir) -> Site {
        let address = match self {
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
            Self::Postgres(database) => database.url().to_owned(),
        };
        let store = workflow_store::open(&address).await.expect("a store");
        Site::serve(store, folder, |server| server).await
    }
}

/// A server on an empty database.
async fn place(kind: Kind) -> (Raw, Site) {
    place_with(kind, "").await
}

/// A server on a database with existing tables (PostgreSQL only).
async fn place_with(kind: Kind, tables: &str) -> (Raw, Site) {
    let folder = tempfile::tempdir().expect("a folder");
    let raw = match kind {
        Kind::Sqlite => Raw::Sqlite(folder.path().join("test.db")),
        Kind::Postgres => {
            let database = tokio::task::spawn_blocking(cluster::database).await;
            let raw = Raw::Postgres(database.expect("a database"));
            raw.execute(tables);
            raw
        }
    };
    let site = raw.site(folder).await;
    (raw, site)
}

/// Rows as the application inserts them, with only the documented columns: a workflow with a run in
/// each state.
const INSERTED: &str = "
    BEGIN;
    INSERT INTO workflows_workflow (id, project_id, project_name, name, slug, description, app_name,
        molecules_used, atoms_in_molecules, dag_spec, user_id, created_at, updated_at, is_active,
        version, execution_count, last_executed_at)
        VALUES (501, 123, 'Sales', 'Q4 Report', 'q4-report', NULL, NULL, '[\"loader\"]',
        '{\"loader\": [\"csv\"]}', '{\"nodes\": [{\"id\": \"n\"}], \"edges\": []}', NULL,
        '2026-01-01 00:00:00', '2026-01-01 00:00:00', TRUE, 1, 0, NULL);
    INSERT INTO workflows_workflow (id, project_id, project_name, name, slug, is_active, version,
        execution_count) VALUES (502, 123, 'Sales', 'Bare', 'bare', NULL, NULL, NULL);
    INSERT INTO workflows_workflowrun (id, workflow_id, status) VALUES (601, 501, 'pending');
    INSERT INTO workflows_workflowrun (id, workflow_id, started_at, completed_at, status,
        error_message, result_data) VALUES
        (602, 501, '2026-01-02 03:00:00', NULL, 'running', NULL, '{}'),
        (603, 501, '2026-01-02 03:00:00', '2026-01-02 03:00:07', 'success', NULL, '{\"rows\": 7}'),
        (604, 501, '2026-01-02 03:00:00', '2026-01-02 03:00:02', 'failure', 'no rows', NULL),
        (605, 501, '2026-01-02 03:00:00', '2026-01-02 03:00:01', 'cancelled', '', '{}'),
        (606, 502, '2026-01-02 03:00:00', '2026-01-02 03:00:03', 'completed', NULL, '{}'),
        (607, 502, '2026-01-02 03:00:00', NULL, NULL, NULL, '{}');
    COMMIT;";

fn items(page: &Json) -> &[Json] {
    page["items"].as_array().expect("items")
}

/// The numbers of the runs of a list, in order.
async fn numbers(client: &Client, path: &str) -> Vec<i64> {
    let page = client.get(path).await.is(200);
    let mut found: Vec<_> =
        items(&page).iter().map(|run| run["number"].as_i64().expect("one")).collect();
    found.sort_unstable();
    found
}

async fn inserted_rows_are_read(kind: Kind) {
    let (raw, site) = place(kind).await;
    raw.execute(INSERTED);
    let client = site.nobody();
    let page = client.get("runs").await.is(200);
    assert_eq!(items(&page).len(), 7);
    for run in items(&page) {
        for which in [run["id"].as_str().expect("an id"), &run["number"].to_string()] {
            let path = format!("runs/{which}");
            let shown = client.get(&path).await.is(200);
            for (key, value) in run.as_object().expect("a run") {
                assert!(&shown[key] == value || key == "duration_seconds", "{key} of {shown}");
            }
            assert_eq!((&shown["jobs"], &shown["graph"]["nodes"]), (&json!([]), &json!([])));
            for (part, empty) in [
                ("events", json!({ "items": [], "next": null })),
                (
                    "logs?format=json",
                    json!({ "items": [], "next": 0,
                    "ended": !["pending", "running"].contains(&run["status"].as_str().expect("one")) }),
                ),
                ("gantt", json!({ "items": [], "next": null })),
            ] {
                assert_eq!(client.get(&format!("{path}/{part}")).await.is(200), empty, "{part}");
            }
            client.get(&format!("{path}/logs?format=text")).await.is(200);
            client.get(&format!("{path}/jobs/n")).await.is_problem(404, "no_job");
        }
    }
    // Finished runs have a duration.
    let done = client.get("runs/603").await.is(200);
    assert_eq!((&done["result"], &done["duration_seconds"]), (&json!({ "rows": 7 }), &json!(7.0)));
    assert_eq!(client.get("runs/604").await.is(200)["error"], "no rows");
    // The stream of a finished run ends.
    let stream = client.request(Method::GET, "runs/603/events");
    let stream = stream.header("accept", "text/event-stream").send().await.expect("an answer");
    assert!(stream.text().await.expect("a text").contains("event: end"));
    // This program does not retry them; a running one can be cancelled.
    let again = client.post("runs/603/retry", json!({})).await.is_problem(409, "cannot_repeat");
    assert!(again["detail"].as_str().is_some_and(|text| text.contains("external program")));
    for run in ["runs/602", "runs/607"] {
        let signal = client.post(&format!("{run}/signal"), json!({ "name": "go" })).await;
        signal.is_problem(409, "external");
        client.post(&format!("{run}/cancel"), json!({})).await.is(202);
        assert_eq!(client.get(run).await.is(200)["status"], "cancelled", "{run}");
        client.post(&format!("{run}/unblock"), json!({})).await.is_problem(409, "not_blocked");
    }

    let page = client.get("workflows?source=stored").await.is(200);
    assert_eq!(items(&page).len(), 2);
    for workflow in items(&page) {
        let path = format!("workflows/{}", workflow["id"]);
        let shown = client.get(&path).await.is(200);
        assert_eq!((&shown["is_active"], &shown["version"]), (&json!(true), &json!(1)), "{shown}");
        for part in ["graph", "runs", "stats"] {
            client.get(&format!("{path}/{part}")).await.is(200);
        }
    }
    let bare = client.post("workflows/bare/execute", json!({})).await.is(202);
    assert_eq!(bare["workflow_id"], 502);
    assert_eq!(client.get("workflows/bare").await.is(200)["execution_count"], 1);
}

async fn legacy_statuses_have_one_name(kind: Kind) {
    let (raw, site) = place(kind).await;
    raw.execute(INSERTED);
    let client = site.nobody();
    for (words, found) in [
        (&["completed", "success"][..], &[603, 606][..]),
        (&["failed", "failure"], &[604]),
        (&["cancelled", "canceled"], &[605]),
        (&["pending"], &[601, 607]),
        (&["running"], &[602]),
    ] {
        for word in words {
            assert_eq!(numbers(&client, &format!("runs?status={word}")).await, found, "{word}");
            let page = client.get(&format!("runs?status={word}")).await.is(200);
            assert!(items(&page).iter().all(|run| run["status"] == words[0]), "{page}");
        }
    }
    // Page by page, for every spelling of the status.
    let first = client.get("runs?status=completed&limit=1").await.is(200);
    let next = first["next"].as_str().expect("another page");
    let second = client.get(&format!("runs?status=completed&limit=1&cursor={next}")).await.is(200);
    assert_eq!(
        (&first["items"][0]["number"], &second["items"][0]["number"], &second["next"]),
        (&json!(606), &json!(603), &json!(null))
    );
    assert_eq!(numbers(&client, "workflows/501/runs?status=completed").await, [603]);

    let counts = client.get("overview").await.is(200)["counts"].clone();
    for (status, count) in
        [("pending", 2), ("running", 1), ("completed", 2), ("failed", 1), ("cancelled", 1)]
    {
        assert_eq!(counts[status], count, "{status} in {counts}");
    }
    let stats = client.get("workflows/501/stats").await.is(200);
    let runs = &stats["runs"];
    assert_eq!(
        (&runs["completed"], &runs["failed"], &runs["cancelled"]),
        (&json!(1), &json!(1), &json!(1))
    );
    // `Bare` has two runs with the same time of request; one of them is the newest.
    raw.execute("DELETE FROM workflows_workflowrun WHERE id NOT IN (603, 607)");
    for (word, name) in [("success", "Q4 Report"), ("completed", "Q4 Report"), ("pending", "Bare")]
    {
        let page = client.get(&format!("workflows?status={word}")).await.is(200);
        assert_eq!(items(&page).len(), 1, "{word}: {page}");
        assert_eq!(items(&page)[0]["name"], name);
    }
}

async fn inserted_rows_have_owners(kind: Kind) {
    let (raw, site) = place(kind).await;
    for name in ["ada", "bob"] {
        site.store.add_user(NewUser::new(name)).await.expect("an account");
    }
    raw.execute(INSERTED);
    raw.execute(
        "UPDATE workflows_workflow SET user_id =
            (SELECT id FROM accounts_user WHERE username = 'ada') WHERE id = 501",
    );
    let (ada, bob) =
        (site.user("ada", TokenScope::Write).await, site.user("bob", TokenScope::Write).await);
    assert_eq!(numbers(&ada, "runs").await, [601, 602, 603, 604, 605]);
    assert_eq!(numbers(&ada, "runs?status=completed").await, [603]);
    assert_eq!(numbers(&ada, "runs?status=pending").await, [601]);
    assert_eq!(numbers(&bob, "runs").await, [0; 0]);
    ada.get("runs/603").await.is(200);
    let hidden = bob.get("runs/603").await.is_problem(404, "no_run");
    let unknown = bob.get("runs/999").await.is_problem(404, "no_run");
    assert_eq!(hidden.to_string().replace("603", "999"), unknown.to_string());
    bob.patch("runs/602", json!({ "status": "completed" })).await.is_problem(404, "no_run");
}

async fn an_external_program_reports_its_runs(kind: Kind) {
    let (raw, site) = place(kind).await;
    raw.execute(INSERTED);
    let client = site.nobody();
    let start = async || {
        let begun = client.post("workflows/501/execute", json!({})).await.is(202);
        format!("runs/{}", begun["run_id"].as_str().expect("an id"))
    };
    let rows = json!({ "rows": 7 });
    // A final status at once, for a recorded and for an inserted run.
    for (run, status, report) in [
        (start().await, "completed", json!({ "status": "success", "result_data": rows })),
        (start().await, "completed", json!({ "status": "completed", "error_message": "" })),
        (start().await, "failed", json!({ "status": "failure", "error_message": "no rows" })),
        (start().await, "cancelled", json!({ "status": "cancelled" })),
        ("runs/601".to_owned(), "completed", json!({ "status": "completed", "result_data": rows })),
        (
            "runs/602".to_owned(),
            "failed",
            json!({ "status": "failed", "error_message": "no rows" }),
        ),
    ] {
        let shown = client.patch(&run, report.clone()).await.is(200);
        assert_eq!(shown["status"], status, "{run}: {report}");
        assert_eq!(shown["result_data"], shown["result"]);
        assert_eq!(shown["error_message"], shown["error"]);
        let result = report.get("result_data").unwrap_or(&Json::Null);
        assert!(shown["result_data"] == *result || result.is_null(), "{shown}");
        let failed = status == "failed";
        assert_eq!(shown["error_message"], if failed { json!("no rows") } else { json!(null) });
        assert!(
            shown["completed_at"].is_string()
                && shown["begun_at"].is_string() != (status == "cancelled")
        );
        assert_eq!(client.get(&run).await.is(200), shown);
        let listed = client.get(&format!("runs?status={status}&limit=1000")).await.is(200);
        let listed =
            items(&listed).iter().find(|of| of["id"] == shown["id"]).expect("listed").clone();
        assert_eq!(listed["error_message"], shown["error_message"]);
        // The same report again changes nothing; a different one is rejected.
        assert_eq!(client.patch(&run, report).await.is(200), shown);
        let other = json!({ "status": status, "result_data": { "rows": 8 } });
        let problem = client.patch(&run, other).await.is_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], "result_data");
        let back = client.patch(&run, json!({ "status": "running" })).await;
        back.is_problem(409, "transition");
        let events = client.get(&format!("{run}/events")).await.is(200);
        let last = items(&events).last().expect("one")["event"].clone();
        assert_eq!(last, format!("run_{status}"), "{events}");
    }
    let stats = client.get("workflows/501/stats").await.is(200)["runs"].clone();
    // The runs inserted as finished, 603 to 605, and these.
    assert_eq!(
        (&stats["completed"], &stats["failed"], &stats["cancelled"]),
        (&json!(4), &json!(3), &json!(1)),
        "{stats}"
    );

    // Step by step, without a status.
    let run = start().await;
    let shown = client.patch(&run, json!({ "result_data": { "rows": 1 } })).await.is(200);
    assert_eq!(
        (&shown["status"], &shown["result_data"]),
        (&json!("pending"), &json!({ "rows": 1 }))
    );
    let shown = client.patch(&run, json!({ "status": "running" })).await.is(200);
    assert_eq!(
        (&shown["status"], &shown["result_data"]),
        (&json!("running"), &json!({ "rows": 1 }))
    );
    let shown =
        client.patch(&run, json!({ "result_data": rows, "status": "running" })).await.is(200);
    assert_eq!(shown["result_data"], rows);
    assert_eq!(client.patch(&run, json!({})).await.is(200)["result_data"], rows);
    let unfit = json!({ "status": "completed", "error_message": "but" });
    let problem = client.patch(&run, unfit).await.is_problem(422, "invalid");
    assert_eq!(problem["errors"][0]["field"], "error_message");
    let done = client.patch(&run, json!({ "status": "completed" })).await.is(200);
    assert_eq!((&done["status"], &done["result_data"]), (&json!("completed"), &rows));
    let events = client.get(&format!("{run}/events")).await.is(200);
    let kinds: Vec<_> = items(&events).iter().map(|of| of["event"].as_str()).collect();
    assert_eq!(kinds, [Some("run_started"), Some("run_completed")]);
    assert_eq!(items(&events)[1]["output"], rows);
    // A failed run keeps its earlier result and its last error.
    let run = start().await;
    client.patch(&run, json!({ "error_message": "slow", "result_data": rows })).await.is(200);
    let failed = client.patch(&run, json!({ "status": "failed" })).await.is(200);
    assert_eq!((&failed["error_message"], &failed["result_data"]), (&json!("slow"), &rows));
    let run = start().await;
    let failed = client.patch(&run, json!({ "status": "failed" })).await.is(200);
    assert_eq!(failed["error_message"], "no reason was given");
}

async fn only_the_engine_reports_its_runs(kind: Kind) {
    let (_raw, site) = place(kind).await;
    let client = site.nobody();
    // A run that no engine has started.
    let new = NewRun {
        owner: Some(Owner { id: OwnerId::random(), lifetime: Duration::from_secs(60) }),
        ..NewRun::new(WorkflowSnapshot::of(&*registry::get("gated").expect("known").workflow()))
    };
    let run = format!("runs/{}", new.id);
    site.store.begin(new, Vec::new()).await.expect("begun");
    for report in
        [json!({ "status": "completed" }), json!({ "status": "failed", "error_message": "x" })]
    {
        let problem = client.patch(&run, report).await.is_problem(409, "transition");
        assert!(
            problem["detail"].as_str().is_some_and(|text| text.contains("an engine")),
            "{problem}"
        );
    }
    let early = client.patch(&run, json!({ "result_data": 7 })).await.is_problem(422, "invalid");
    assert_eq!(early["errors"][0]["field"], "result_data");
    assert_eq!(client.get(&run).await.is(200)["status"], "pending");
}

/// The tables as a framework creates them; it fills columns itself.
const FRAMEWORK: &str = crate::cluster::FRAMEWORK;

/// A user of the framework.
const ADA: &str = "
    INSERT INTO accounts_user (password, is_superuser, username, first_name, last_name, email,
        is_staff, is_active, date_joined, settings, public_id) VALUES
        ('pbkdf2', FALSE, 'ada', 'Ada', '', '', FALSE, TRUE, now(), '{}', gen_random_uuid());";

/// The documented client, from its first request to its last, beside the application that shares
/// the tables.
async fn the_documented_client_works(kind: Kind) {
    let (raw, site) = place_with(kind, &[FRAMEWORK, ADA].concat()).await;
    let password_hash = Some(NewPassword::new(PASSWORD).expect("hashed").into_hash());
    let ada = NewUser { password_hash, ..NewUser::new("ada") };
    site.store.add_user(ada).await.expect("an account");
    // Sign in, and send the CSRF token as the framework does.
    let nobody = site.nobody();
    let who = json!({ "username": "ada", "password": PASSWORD });
    let signed = nobody.post("/api/v1/session", who).await;
    let csrf = signed.is(200)["csrf"].as_str().expect("a token").to_owned();
    let cookie = signed.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    let ask = async |method: Method, path: &str, body: Json| {
        let request = nobody.request(method, &format!("/api/workflows/{path}"));
        let request = request.header("cookie", &cookie).header("X-CSRFToken", &csrf);
        Answer::of(request.json(&body)).await
    };
    let saved = json!({
        "project_id": 123, "project_name": "Sales Dashboard", "name": "Q4 Sales Analysis",
        "slug": "q4-sales-analysis", "app_name": "Trinity Analytics",
        "molecules_used": ["data-loader", "data-processor"],
        "atoms_in_molecules": {
            "data-loader": ["csv-reader", "excel-reader"],
            "data-processor": ["clean-data", "aggregate"],
        },
        "dag_spec": { "nodes": [{ "id": "data-loader" }], "edges": [], "metadata": { "zoom": 1 } },
    });
    let made = ask(Method::POST, "workflows/", saved.clone()).await.is(201);
    for (field, value) in saved.as_object().expect("fields") {
        assert_eq!(&made[field], value, "{field}");
    }
    let id = made["id"].as_i64().expect("a number");
    let workflow = format!("workflows/{id}/");
    assert_eq!(ask(Method::GET, &workflow, json!({})).await.is(200)["id"], id);
    let change = json!({ "slug": "q4", "version": 2, "project_name": "Sales" });
    let changed = ask(Method::PATCH, &workflow, change).await.is(200);
    assert_eq!((&changed["slug"], &changed["version"]), (&json!("q4"), &json!(2)));

    // Start a run, and report on it by its number in lists.
    let begun = ask(Method::POST, &format!("{workflow}execute/"), json!({})).await.is(202);
    assert_eq!(begun["workflow_id"], id);
    let run = format!("runs/{}/", begun["run_id"].as_str().expect("an id"));
    let number = ask(Method::GET, &run, json!({})).await.is(200)["number"].clone();
    let by_number = format!("runs/{number}/");
    let running = ask(Method::PATCH, &by_number, json!({ "status": "running" })).await.is(200);
    assert_eq!((&running["status"], &running["number"]), (&json!("running"), &number));
    let report = json!({ "status": "success", "result_data": { "rows": 7 } });
    let done = ask(Method::PATCH, &by_number, report).await.is(200);
    assert_eq!(
        (&done["status"], &done["result_data"]),
        (&json!("completed"), &json!({ "rows": 7 }))
    );
    assert_eq!(done["error_message"], json!(null));

    // The application inserts its own run into the table, in a session for a tenant.
    let insert = format!(
        "INSERT INTO workflows_workflowrun (workflow_id, started_at, status, result_data)
         VALUES ({id}, '2026-01-02 03:04:05', 'pending', '{{}}');
         UPDATE workflows_workflow SET execution_count = execution_count + 1 WHERE id = {id};"
    );
    match &raw {
        Raw::Sqlite(_) => raw.execute(&insert),
        Raw::Postgres(_) => raw.execute(&format!(
            "CREATE SCHEMA tenant1; SET search_path TO tenant1, public; {insert}"
        )),
    }
    let listed = ask(Method::GET, &format!("{workflow}runs/"), json!({})).await.is(200);
    assert_eq!(items(&listed).len(), 2);
    let theirs = items(&listed)[1].clone();
    let path = format!("runs/{}/", theirs["number"]);
    let failed = json!({ "status": "failure", "error_message": "no rows" });
    let failed = ask(Method::PATCH, &path, failed).await.is(200);
    assert_eq!(
        (&failed["status"], &failed["error_message"]),
        (&json!("failed"), &json!("no rows"))
    );
    let listed =
        ask(Method::GET, &format!("runs/?workflow_id={id}&status=failed"), json!({})).await;
    assert_eq!(items(&listed.is(200))[0]["id"], theirs["id"]);
    // By ID, by prefix of the ID, and the newest.
    let whole = theirs["id"].as_str().expect("an id");
    for which in [whole, &whole[..13]] {
        let found = ask(Method::GET, &format!("runs/{which}/"), json!({})).await.is(200);
        assert_eq!(found["number"], theirs["number"], "{which}");
    }
    assert_eq!(ask(Method::GET, "runs/latest/", json!({})).await.is(200)["number"], number);
    for which in ["999999", "q4", "ffffffff"] {
        let unknown = ask(Method::GET, &format!("runs/{which}/"), json!({})).await;
        let detail = unknown.is_problem(404, "no_run")["detail"].to_string();
        assert!(detail.contains(which), "{detail}");
    }
    let shown = ask(Method::GET, &workflow, json!({})).await.is(200);
    assert_eq!(
        (&shown["execution_count"], &shown["recent"].as_array().map(Vec::len)),
        (&json!(2), &Some(2))
    );
    assert_eq!(ask(Method::DELETE, &workflow, json!({})).await.is(200)["deleted_runs"], 2);
    ask(Method::GET, &path, json!({})).await.is_problem(404, "no_run");
}

async fn an_id_prefix_can_be_ambiguous(kind: Kind) {
    let (raw, site) = place(kind).await;
    raw.execute(INSERTED);
    raw.execute(
        "UPDATE workflows_workflowrun SET run_id = 'abcdef01-0000-4000-8000-00000000000a' WHERE id = 601;
         UPDATE workflows_workflowrun SET run_id = 'abcdef01-0000-4000-8000-00000000000b' WHERE id = 602;",
    );
    let client = site.nobody();
    let problem = client.get("runs/abcdef01").await.is_problem(409, "ambiguous");
    let named: Vec<_> = problem["errors"].as_array().expect("both").iter().collect();
    assert_eq!(named.len(), 2);
    for (error, number) in named.iter().zip(["601", "602"]) {
        assert_eq!(error["field"], "run");
        assert!(error["message"].as_str().is_some_and(|text| text.starts_with(number)), "{error}");
    }
    client.get("runs/abcdef01-0000-4000-8000-00000000000B").await.is(200);
}
