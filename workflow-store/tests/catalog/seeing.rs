//! What a user sees, changes and sends; and what is hidden.

use std::sync::Arc;

use serde_json::json;
use workflow_core::id::RunId;
use workflow_core::store::NewRun;
use workflow_store::{Catalog, NewWorkflow, RunQuery, StoredWorkflow, Viewer, WorkflowQuery};

use crate::support::*;

/// Two users with a workflow each of the same name, one that is registered, and one of nobody.
struct Scene {
    place: Place,
    alice: Arc<dyn Catalog>,
    alices: StoredWorkflow,
    bobs: StoredWorkflow,
}

async fn scene(place: Place) -> Scene {
    let of = |user: &str| NewWorkflow { user: Some(user.to_owned()), ..NewWorkflow::new("etl") };
    let alices = place.store.create_workflow(of("alice")).await.expect("made");
    let bobs = place.store.create_workflow(of("bob")).await.expect("made");
    place.store.create_workflow(NewWorkflow::new("nobodys")).await.expect("made");
    place.store.sync_registered(&[snapshot("code", json!({}))]).await.expect("announced");
    let alice = place.store.seen_by(Viewer::User("alice".to_owned()));
    Scene { place, alice, alices, bobs }
}

impl Scene {
    /// A run of this workflow that a user asked for and that has ended.
    async fn ran(&self, workflow: &StoredWorkflow, user: &str) -> RunId {
        let run = asked_for(workflow, user);
        let id = run.id;
        self.place.store.begin(run, whole_run(5, true)).await.expect("begun");
        id
    }
}

fn asked_for(workflow: &StoredWorkflow, user: &str) -> NewRun {
    let mut run = new_run(&workflow.name);
    (run.workflow_id, run.user) = (Some(workflow.id), Some(user.to_owned()));
    run
}

async fn listed(store: &Arc<dyn Catalog>, query: RunQuery) -> Vec<RunId> {
    let mut ids: Vec<_> =
        store.runs(query).await.expect("listed").items.into_iter().map(|run| run.id).collect();
    ids.sort();
    ids
}

pub(crate) async fn a_user_sees_the_pages_of_many(place: Place) {
    for at in 0..520 {
        let user = if at % 2 == 0 { "alice" } else { "bob" };
        let name = format!("w{at:03}");
        let new = NewWorkflow { user: Some(user.to_owned()), ..NewWorkflow::new(name) };
        place.store.create_workflow(new).await.expect("made");
    }
    place.raw.execute(
        "UPDATE workflows_workflow SET user_id = NULL, source = 'registered' \
         WHERE name >= 'w010' AND user_id = (SELECT id FROM accounts_user WHERE username = 'bob')",
    );
    // More than what few is: the order leads.
    let alice = place.store.seen_by(Viewer::User("alice".to_owned()));
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let query = WorkflowQuery { after, limit: Some(100), ..Default::default() };
        let page = alice.workflows(query).await.expect("listed");
        seen.extend(page.items.into_iter().map(|workflow| workflow.name));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 515);
    assert!(seen.is_sorted() && !seen.contains(&"w009".to_owned()));
}

pub(crate) async fn owners_may_change_behind_the_store(place: Place) {
    let scene = scene(place).await;
    let id = scene.ran(&scene.bobs, "bob").await;
    let raw = &scene.place.raw;
    raw.execute(&format!(
        "INSERT INTO workflows_workflowrun (workflow_id, status) VALUES ({}, 'success')",
        scene.alices.id
    ));
    assert_eq!(listed(&scene.alice, RunQuery::default()).await.len(), 1);
    raw.execute(
        "UPDATE workflows_workflow SET user_id = \
         (SELECT id FROM accounts_user WHERE username = 'alice') WHERE source = 'stored'",
    );
    assert_eq!(listed(&scene.alice, RunQuery::default()).await.len(), 2);
    assert_eq!(scene.alice.run_details(id).await.expect("hers now").run.id, id);
    raw.execute("DELETE FROM accounts_user WHERE username = 'alice'");
    assert!(listed(&scene.alice, RunQuery::default()).await.is_empty());
    assert_eq!(listed(&scene.place.store, RunQuery::default()).await.len(), 2);
}
