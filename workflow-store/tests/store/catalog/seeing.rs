//! What a user sees, changes and sends; and what is hidden.

use workflow_store::{NewWorkflow, RunQuery, Viewer, WorkflowQuery};

use super::support::*;

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
    let scene = Scene::new(&place.store).await;
    let id = scene.ran(&scene.bobs, "bob").await;
    let raw = &place.raw;
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
    assert_eq!(listed(&place.store, RunQuery::default()).await.len(), 2);
}
