//! The files of a workflow, one after another, and which of them a run keeps.

use serde_json::json;
use workflow_store::{CatalogError, NewWorkflow, Viewer, WorkflowChange};

use super::support::*;

pub(crate) async fn a_file_is_replaced_and_kept(place: Place) {
    let (one, two) = (file("etl", said("one")), file("etl", said("two")));
    let etl = create(&place.store, "ada", &one).await;
    assert_eq!((etl.version, authors(&*place.store, "etl").await), (1, vec![by(1, "ada")]));
    let (ada, bob) =
        (place.store.seen_by(Viewer::User("ada".to_owned())), staff(&place.store, "bob"));
    let id = etl.id.to_string();
    assert_eq!(replace(&*bob, &id, &two).await.version, 2);
    // The same once more is no other, and neither is what is not the file.
    assert_eq!(replace(&*bob, &id, &two).await.version, 2);
    let change = WorkflowChange { description: Some("mine".to_owned()), ..Default::default() };
    assert_eq!(ada.update_workflow(&id, change).await.expect("changed").version, 2);
    // What was is so again, and is new.
    let back = replace(&*ada, &id, &one).await;
    assert_eq!((back.version, &back.definition), (3, &etl.definition));
    let seen = authors(&*ada, "etl").await;
    assert_eq!(seen, [by(3, "ada"), by(2, "bob"), by(1, "ada")]);
    for (number, word) in [(1, "one"), (2, "two"), (3, "one")] {
        let version = ada.version(&id, number).await.expect("kept");
        assert!(text(version.definition.as_ref().expect("a file")).contains(word), "{version:?}");
        assert!(version.created_at >= etl.created_at, "{version:?}");
    }
    let none = ada.version(&id, 4).await.expect_err("there is none");
    assert!(matches!(none, CatalogError::NoVersion { version: 4, .. }), "{none:?}");
    let stranger = place.store.seen_by(Viewer::User("mallory".to_owned()));
    for refused in [
        stranger.versions(&id, None, None).await.map(drop),
        stranger.version(&id, 1).await.map(drop),
    ] {
        assert!(matches!(refused, Err(CatalogError::NoWorkflow(_))), "{refused:?}");
    }
    let odd = ada.versions(&id, Some("name.1.a".to_owned()), None).await.expect_err("refused");
    assert!(odd.to_string().contains("the cursor"), "{odd}");
    // An author is known when the account is gone; a version goes with its workflow.
    assert_eq!(authors(&*bob, &id).await.len(), 3);
    place.store.delete_workflow(&id).await.expect("deleted");
    assert_eq!(place.raw.query("SELECT count(*) FROM workflows_version"), ["0"]);
}

pub(crate) async fn files_that_others_wrote_are_kept(place: Place) {
    let etl = create(&place.store, "ada", &file("etl", said("one"))).await;
    // As another application does, which knows of no versions.
    place
        .raw
        .execute("DELETE FROM workflows_version; UPDATE workflows_workflow SET version = NULL");
    replace(&*staff(&place.store, "bob"), &etl.id.to_string(), &file("etl", said("two"))).await;
    let seen = authors(&*place.store, &etl.id.to_string()).await;
    assert_eq!(seen, [by(2, "bob"), by(1, "ada")]);
    let first = place.store.version(&etl.id.to_string(), 1).await.expect("kept");
    assert_eq!(first.definition, etl.definition);
    // A drawing has no file, until it gets one.
    let drawing = NewWorkflow { dag_spec: json!({ "nodes": [] }), ..NewWorkflow::new("drawn") };
    place.store.create_workflow(drawing).await.expect("made");
    assert!(versions(&*place.store, "drawn").await.is_empty());
    let drawn = replace(&*staff(&place.store, "bob"), "drawn", &file("drawn", json!({}))).await;
    let seen = authors(&*place.store, "drawn").await;
    assert_eq!((drawn.version, seen), (2, vec![by(2, "bob")]));
}
