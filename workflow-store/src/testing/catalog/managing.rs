//! Workflows are added, changed, found and deleted.

use crate::{
    CatalogError, MatchedBy, MetadataChange, NewWorkflow, Viewer, WorkflowChange, WorkflowSource,
};
use serde_json::json;
use workflow_core::definition::Metadata;
use workflow_core::store::NewRun;

use super::fixtures::*;

fn in_project(name: &str, project: &str) -> NewWorkflow {
    NewWorkflow { project: Some(project.to_owned()), ..NewWorkflow::new(name) }
}

pub(crate) async fn a_workflow_is_found_by_id_name_and_slug(place: Catalogs) {
    let mut new = in_project("Q4 Sales Analysis", "sales");
    new.project_id = 123;
    new.project_name = Some("Sales Dashboard".to_owned());
    new.app_name = Some("Trinity Analytics".to_owned());
    new.molecules_used = vec!["data-loader".to_owned()];
    new.dag_spec = json!({ "nodes": [{ "id": "a", "x": 1.5 }], "edges": [] });
    new.user = Some("alice".to_owned());
    new.metadata = Metadata::new(json!({ "owner": "web", "tags": ["b", "a"] })).expect("fit");
    let made = place.store.create_workflow(new).await.expect("made");
    assert_eq!((made.slug.as_str(), made.project_id), ("q4-sales-analysis", 123));
    assert_eq!((made.user.as_deref(), made.source), (Some("alice"), WorkflowSource::Stored));
    assert_eq!((made.tags.clone(), made.version), (vec!["b".to_owned(), "a".to_owned()], 1));
    let alice = place.other.seen_by(Viewer::Staff("alice".to_owned()));
    let id = made.id.to_string();
    for (which, by) in [
        (id.as_str(), MatchedBy::Id),
        ("Q4 Sales Analysis", MatchedBy::OwnName),
        ("q4-sales-analysis", MatchedBy::Slug),
    ] {
        assert_eq!(alice.find_workflow(which).await.expect("found"), (made.clone(), by));
    }
    let error = place.store.workflow("nothing").await.expect_err("none");
    assert!(matches!(&error, CatalogError::NoWorkflow(which) if which == "nothing"), "{error}");
}

pub(crate) async fn metadata_is_replaced_or_merged(place: Catalogs) {
    place.store.create_workflow(NewWorkflow::new("etl")).await.expect("made");
    let change = |metadata| WorkflowChange { metadata: Some(metadata), ..Default::default() };
    let given = json!({ "stage": "test", "owner": "web", "tags": ["a"], "project": "sales" });
    let replaced = place.store.update_workflow("etl", change(MetadataChange::Replace(given))).await;
    let replaced = replaced.expect("changed");
    assert_eq!((replaced.project.as_deref(), replaced.tags), (Some("sales"), vec!["a".to_owned()]));
    let patch = json!({ "stage": "production", "owner": null, "more": { "x": 1 } });
    let merged = place.store.update_workflow("etl", change(MetadataChange::Merge(patch))).await;
    let wanted =
        json!({ "stage": "production", "tags": ["a"], "project": "sales", "more": { "x": 1 } });
    assert_eq!(json!(merged.expect("changed").metadata), wanted);
    let project = WorkflowChange { project: Some("ops".to_owned()), ..Default::default() };
    let moved = place.store.update_workflow("etl", project).await.expect("changed");
    assert_eq!((moved.project.as_deref(), moved.metadata.project()), (Some("ops"), Some("ops")));
    // A run of it does not undo what people have written.
    let run = NewRun { workflow_id: Some(moved.id), ..new_run("etl") };
    place.store.begin(run, Vec::new()).await.expect("begun");
    let after = place.other.workflow("etl").await.expect("found");
    assert_eq!(after.project.as_deref(), Some("ops"));
    let empty =
        place.store.update_workflow("etl", change(MetadataChange::Merge(json!(null)))).await;
    assert_eq!(empty.expect("changed").metadata, Metadata::default());
}

pub(crate) async fn bad_values_are_refused(place: Catalogs) {
    let error = place.store.create_workflow(NewWorkflow::new(" a")).await.expect_err("padded");
    assert!(error.to_string().contains("remove it"), "{error}");
    let error = place.store.create_workflow(in_project("a", &"x".repeat(300))).await;
    assert!(error.expect_err("long").to_string().contains("300 characters"));
    place.store.create_workflow(NewWorkflow::new("etl")).await.expect("made");
    for wrong in [MetadataChange::Replace(json!([1])), MetadataChange::Merge(json!("x"))] {
        let change = WorkflowChange { metadata: Some(wrong), ..Default::default() };
        let error = place.store.update_workflow("etl", change).await.expect_err("no object");
        assert!(matches!(error, CatalogError::Metadata(_)), "{error:?}");
    }
    assert_eq!(place.store.workflow("etl").await.expect("found").metadata, Metadata::default());
}

pub(crate) async fn deleting_takes_the_runs_along(place: Catalogs) {
    let runs = [new_run("etl"), new_run("etl"), new_run("other")];
    for run in &runs {
        place.store.begin(run.clone(), whole_run(5, true)).await.expect("begun");
    }
    assert_eq!(place.store.count_runs("etl").await.expect("counted"), 2);
    assert_eq!(place.other.delete_workflow("etl").await.expect("deleted"), 2);
    assert!(place.store.workflow("etl").await.is_err());
    assert_eq!(place.store.run(runs[0].id).await.expect("readable"), None);
    assert!(place.store.run(runs[2].id).await.expect("readable").is_some());
    // The other process remembers what is gone, and finds out.
    place.store.begin(new_run("etl"), Vec::new()).await.expect("begun anew");
    assert_eq!(place.store.workflow("etl").await.expect("found").execution_count, 1);
}
