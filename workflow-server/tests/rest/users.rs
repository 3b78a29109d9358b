//! Visibility between users, and protection of staff.

use serde_json::json;
use workflow_store::TokenScope::{Admin, Write};

use crate::support::{Kind, Site, with_both};

with_both!(
    staff_cannot_remove_their_own_access,
    a_token_does_not_change_its_own_account,
    users_do_not_see_the_resources_of_others,
    names_are_printable,
);

async fn names_are_printable(kind: Kind) {
    let site = Site::closed(kind).await;
    let root = site.user("root", Admin).await;
    let password = "correct horse battery";
    for name in ["a\u{1b}[2K", "a\nroot", "a\0", " a", "", ".", ".."] {
        let user = json!({ "username": name, "password": password });
        let problem = root.post("users", user).await.is_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], "username");
        if !name.starts_with('.') {
            let token = json!({ "name": name, "scope": "read" });
            let problem = root.post("tokens", token).await.is_problem(422, "invalid");
            assert_eq!(problem["errors"][0]["field"], "name");
            assert!(!problem["detail"].as_str().expect("a text").contains(char::is_control));
        }
    }
    root.post("tokens", json!({ "name": "CI (nightly)", "scope": "read" })).await.is(201);
}

/// Otherwise, one that expires soon could be made into the whole account.
async fn a_token_does_not_change_its_own_account(kind: Kind) {
    let site = Site::closed(kind).await;
    let (root, ada) = (site.user("root", Admin).await, site.user("ada", Admin).await);
    let password = json!({ "password": "another good one" });
    for (client, own) in [(&root, "root"), (&ada, "ada")] {
        client.patch(&format!("users/{own}"), password.clone()).await.is_problem(403, "sign_in");
    }
    ada.patch("users/root", password.clone()).await.is_problem(403, "staff_only");
    let weak = site.user("bob", Write).await;
    weak.patch("users/bob", password.clone()).await.is_problem(403, "scope");
    root.patch("users/ada", password).await.is(200);
}

async fn users_do_not_see_the_resources_of_others(kind: Kind) {
    let site = Site::closed(kind).await;
    let (ada, bob) = (site.user("ada", Write).await, site.user("bob", Write).await);
    let hers = ada.create("name: hers\njobs: [{ name: a, job: tally, with: { to: 3 } }]").await;
    let run = ada.run(&hers.to_string(), json!(null)).await["run_id"].clone();
    let run = run.as_str().expect("an id");
    let own = bob.run("greet", json!("bob")).await["run_id"].clone();
    for (client, others) in [(&ada, &own), (&bob, &json!(run))] {
        let runs = client.get("runs").await.is(200);
        let runs = runs["items"].as_array().expect("runs").clone();
        assert!(!runs.is_empty() && runs.iter().all(|run| &run["id"] != others), "{runs:?}");
    }
    let workflows = bob.get("workflows?source=stored").await.is(200);
    assert!(!workflows.to_string().contains("hers"), "{workflows}");
    for path in ["", "/events", "/logs", "/gantt", "/jobs/a"] {
        let path = format!("runs/{run}{path}");
        bob.get(&path).await.is(404);
        ada.get(&path).await.is(200);
    }
    for path in [format!("workflows/{hers}"), "workflows/hers".to_owned()] {
        bob.get(&path).await.is_problem(404, "no_workflow");
    }
    let staff = site.user("root", Admin).await;
    let all = staff.get("runs").await.is(200).to_string();
    assert!(all.contains(run) && all.contains(own.as_str().expect("an id")), "{all}");
    // Users cannot change registered workflows, and nobody can delete them.
    assert_ne!(bob.patch("workflows/greet", json!({ "project": "p" })).await.status, 200);
    staff.delete("workflows/greet").await.is_problem(409, "registered");
}

async fn staff_cannot_remove_their_own_access(kind: Kind) {
    let site = Site::closed(kind).await;
    let root = site.user("root", Admin).await;
    for change in [json!({ "is_staff": false }), json!({ "is_active": false })] {
        root.patch("users/root", change.clone()).await.is_problem(409, "own_account");
        root.patch("users/ada", change).await.is(200);
    }
    root.delete("users/root").await.is_problem(409, "own_account");
    assert_eq!(root.delete("users/ada").await.is(200)["deactivated_workflows"], 0);
}
