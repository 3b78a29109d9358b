//! What a user sees, changes and sends; and what is hidden.

use std::sync::Arc;

use crate::{
    CatalogError, NewWorkflow, Retention, RunQuery, StoredWorkflow, Viewer, WorkflowChange,
    WorkflowQuery, WorkflowSort,
};
use serde_json::json;
use workflow_core::store::{MessageKind, StoreError};

use super::fixtures::*;

pub(crate) async fn a_user_sees_their_workflows_and_the_registered(place: Catalogs) {
    let scene = Scene::new(&place.store).await;
    let alice = &scene.alice;
    for sort in [WorkflowSort::Name, WorkflowSort::Created, WorkflowSort::MostExecuted] {
        let query = WorkflowQuery { sort, ..Default::default() };
        let page = alice.workflows(query).await.expect("listed").items;
        let mut ids: Vec<_> = page.into_iter().map(|workflow| workflow.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, [scene.alices.id, scene.registered.id]);
    }
    let all = place.store.workflows(WorkflowQuery::default()).await.expect("listed");
    assert_eq!(all.items.len(), 4);
    // The other of this name is no candidate. Whoever sees all asks by the slug.
    let carol = place.store.seen_by(Viewer::Staff("carol".to_owned()));
    assert_eq!(carol.workflow("etl").await.expect("by its slug").id, scene.alices.id);
    assert_eq!(alice.workflow("etl").await.expect("hers").id, scene.alices.id);
    for hidden in [scene.bobs.id.to_string(), "nobodys".to_owned()] {
        let error = alice.workflow(&hidden).await.expect_err("hidden");
        assert!(matches!(error, CatalogError::NoWorkflow(_)), "{error}");
    }
    let bobs = WorkflowQuery { user: Some("bob".to_owned()), ..Default::default() };
    assert!(alice.workflows(bobs).await.expect("listed").items.is_empty());
    let nobody = place.store.seen_by(Viewer::User("nobody".to_owned()));
    let seen = nobody.workflows(WorkflowQuery::default()).await.expect("listed").items;
    assert_eq!(seen.len(), 1);
    // Nobody sees more through what was passed on.
    let passed_on = nobody.seen_by(Viewer::All).workflows(WorkflowQuery::default()).await;
    assert_eq!(passed_on.expect("listed").items.len(), 1);
}

pub(crate) async fn a_user_changes_what_is_theirs(place: Catalogs) {
    let scene = Scene::new(&place.store).await;
    let alice = &scene.alice;
    let change = || WorkflowChange { project: Some("sales".to_owned()), ..Default::default() };
    let theirs = alice.update_workflow("etl", change()).await.expect("changed");
    assert_eq!((theirs.id, theirs.project.as_deref()), (scene.alices.id, Some("sales")));
    let keep = Retention { workflow: Some("code".to_owned()), keep_last: Some(0), keep_for: None };
    for error in [
        alice.update_workflow("code", change()).await.expect_err("forbidden"),
        alice.delete_workflow("code").await.expect_err("forbidden"),
        alice.prune(keep).await.expect_err("forbidden"),
        alice.sync_registered(&[]).await.expect_err("forbidden"),
        alice.import(&mut std::io::Cursor::new("")).await.expect_err("forbidden"),
    ] {
        assert!(matches!(error, CatalogError::Forbidden { .. }), "{error}");
    }
    let error = alice.delete_workflow("code").await.expect_err("forbidden").to_string();
    let wanted = "user `alice` may not delete workflow `code`, which is registered by a program; \
        ask an admin";
    assert!(error == wanted, "{error}");
    let hidden = scene.bobs.id.to_string();
    for error in [
        alice.update_workflow(&hidden, change()).await.expect_err("hidden"),
        alice.delete_workflow(&hidden).await.expect_err("hidden"),
        alice.count_runs(&hidden).await.map(drop).expect_err("hidden"),
    ] {
        assert!(matches!(error, CatalogError::NoWorkflow(_)), "{error}");
    }
    // What a user makes is the user's, whatever is said.
    let claimed = NewWorkflow { user: Some("bob".to_owned()), ..NewWorkflow::new("new") };
    let made = alice.create_workflow(claimed).await.expect("made");
    assert_eq!(made.user.as_deref(), Some("alice"));
    assert_eq!(alice.delete_workflow("new").await.expect("deleted"), 0);
}

pub(crate) async fn a_user_sees_the_runs_of_theirs_and_their_own(place: Catalogs) {
    let scene = Scene::new(&place.store).await;
    let alice = &scene.alice;
    let seen = [
        scene.ran(&scene.alices, "alice").await,
        scene.ran(&scene.alices, "bob").await,
        scene.ran(&scene.registered, "alice").await,
        scene.ran(&scene.bobs, "alice").await,
    ];
    let hidden = [scene.ran(&scene.bobs, "bob").await, scene.ran(&scene.registered, "bob").await];
    let mut wanted = seen.to_vec();
    wanted.sort();
    assert_eq!(listed(alice, RunQuery::default()).await, wanted);
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let query = RunQuery { after, limit: Some(3), ..Default::default() };
        let page = alice.runs(query).await.expect("listed");
        paged.extend(page.items.into_iter().map(|run| run.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    paged.sort();
    assert_eq!(paged, wanted);
    let completed =
        RunQuery { status: Some(workflow_core::Status::Completed), ..RunQuery::default() };
    assert_eq!(listed(alice, completed).await.len(), 4);
    let of = |which: &str| RunQuery { workflow: Some(which.to_owned()), ..RunQuery::default() };
    assert_eq!(listed(alice, of("etl")).await.len(), 2);
    assert_eq!(listed(alice, of("code")).await, [seen[2]]);
    assert_eq!(alice.count_runs("code").await.expect("counted"), 1);
    for id in seen {
        let details = alice.run_details(id).await.expect("seen");
        assert!(details.run.user.is_some() && !details.jobs.is_empty());
        assert_eq!(alice.run(id).await.expect("asked").expect("seen").id, id);
        assert_eq!(alice.events(id, 0, 10).await.expect("asked").len(), 4);
    }
    for id in hidden {
        assert!(matches!(alice.run_details(id).await, Err(CatalogError::NoRun(_))));
        assert_eq!(alice.run(id).await.expect("asked"), None);
        assert!(alice.events(id, 0, 10).await.expect("asked").is_empty());
    }
    let figures = alice.statistics(None).await.expect("asked");
    let figures: Vec<_> = figures.iter().map(|of| (of.workflow_id, of.requested)).collect();
    assert_eq!(figures, [(scene.alices.id, 2)]);
    assert!(alice.statistics(Some("code")).await.expect("asked").is_empty());
    let mut lines = Vec::new();
    alice.export(None, &mut lines).await.expect("exported");
    let text = String::from_utf8(lines).expect("text");
    let count = |word: &str| text.lines().filter(|line| line.starts_with(word)).count();
    assert_eq!((count("{\"workflow\""), count("{\"run\"")), (2, 3));
    assert_eq!(
        alice.prune(Retention { keep_last: Some(0), ..Default::default() }).await.ok(),
        Some(2)
    );
    assert_eq!(listed(&place.store, RunQuery::default()).await.len(), 4);
}

pub(crate) async fn a_user_sends_to_what_is_seen(place: Catalogs) {
    let scene = Scene::new(&place.store).await;
    let (own, hidden) = (asked_for(&scene.alices, "bob"), asked_for(&scene.bobs, "bob"));
    for run in [&own, &hidden] {
        place.store.begin(run.clone(), Vec::new()).await.expect("begun");
    }
    scene.alice.send(own.id, MessageKind::Cancel).await.expect("sent");
    let error = scene.alice.send(hidden.id, MessageKind::Cancel).await.expect_err("hidden");
    assert!(matches!(error, StoreError::NoRun { .. }), "{error}");
    place.store.send(hidden.id, MessageKind::Cancel).await.expect("sent");
    assert_eq!(scene.alice.messages(own.id).await.expect("asked").len(), 1);
    assert!(scene.alice.messages(hidden.id).await.expect("asked").is_empty());
}

pub(crate) async fn a_user_begins_runs_of_what_is_seen(place: Catalogs) {
    let scene = Scene::new(&place.store).await;
    let alice = &scene.alice;
    let mut run = asked_for(&scene.registered, "bob");
    run.owner = None;
    alice.begin(run.clone(), Vec::new()).await.expect("begun");
    // Whoever is named, it was alice.
    assert_eq!(
        alice.run(run.id).await.expect("asked").expect("hers").user.as_deref(),
        Some("alice")
    );
    for (workflow_id, name) in
        [(Some(scene.bobs.id), "etl"), (Some(9999), "etl"), (None, "nobodys"), (None, "unknown")]
    {
        let mut run = new_run(name);
        (run.owner, run.workflow_id) = (None, workflow_id);
        let error = alice.begin(run, Vec::new()).await.expect_err("hidden");
        assert!(matches!(error, StoreError::NoWorkflow { .. }), "{error}");
    }
    let driven = asked_for(&scene.alices, "alice");
    let error = alice.begin(driven, Vec::new()).await.expect_err("no engine").to_string();
    assert!(error.ends_with("cannot run workflows; give the engine the store itself"), "{error}");
    assert!(alice.abandoned(None, 10).await.is_err());
}

pub(crate) async fn a_number_says_which_of_a_name(place: Catalogs) {
    let scene = Scene::new(&place.store).await;
    let store = &place.store;
    for workflow in [&scene.alices, &scene.bobs, &scene.alices] {
        store.begin(asked_for(workflow, "alice"), Vec::new()).await.expect("begun");
    }
    // The same definition, remembered apart; and without a number it is code.
    store.begin(new_run("etl"), Vec::new()).await.expect("begun");
    let count = |of: &StoredWorkflow| of.id.to_string();
    assert_eq!(store.count_runs(&count(&scene.alices)).await.expect("counted"), 2);
    assert_eq!(store.count_runs(&count(&scene.bobs)).await.expect("counted"), 1);
    let mut run = new_run("etl");
    run.workflow_id = Some(4711);
    let error = store.begin(run, Vec::new()).await.expect_err("unknown").to_string();
    assert_eq!(error, "the store has no workflow 4711; list the workflows to see which there are");
}

pub(crate) async fn registered_workflows_exist_before_their_first_run(place: Catalogs) {
    let store = &place.store;
    let mut undrawn = snapshot("code", json!({ "project": "old" }));
    undrawn.fingerprint = "".into();
    undrawn.graph = Arc::new(json!({ "nodes": [], "edges": [] }));
    store.sync_registered(&[undrawn.clone()]).await.expect("synced");
    place.other.sync_registered(&[undrawn.clone()]).await.expect("announced again");
    let found = store.workflow("code").await.expect("there");
    assert_eq!((found.execution_count, found.project.as_deref()), (0, Some("old")));
    store.begin(new_run("code"), Vec::new()).await.expect("begun");
    let ran = store.workflow("code").await.expect("there");
    assert_eq!((ran.id, ran.version, ran.execution_count), (found.id, 1, 1));
    assert_eq!(ran.dag_spec["nodes"][0]["id"], "load");
    // A graph that is drawn once there is an input stays as it was drawn last.
    store.sync_registered(&[undrawn.clone()]).await.expect("synced");
    assert_eq!(store.workflow("code").await.expect("there").dag_spec, ran.dag_spec);
    store.sync_registered(&[snapshot("code", json!({ "project": "new" }))]).await.expect("synced");
    assert_eq!(store.workflow("code").await.expect("there").project.as_deref(), Some("new"));
    let edit = WorkflowChange { project: Some("mine".to_owned()), ..Default::default() };
    store.update_workflow("code", edit).await.expect("changed");
    store.sync_registered(&[undrawn]).await.expect("synced");
    assert_eq!(store.workflow("code").await.expect("there").project.as_deref(), Some("mine"));
}
