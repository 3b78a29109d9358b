//! Workflows are added, changed, found and deleted.

use workflow_store::NewWorkflow;

use super::support::*;

fn in_project(name: &str, project: &str) -> NewWorkflow {
    NewWorkflow { project: Some(project.to_owned()), ..NewWorkflow::new(name) }
}

pub(crate) async fn what_others_added_twice_is_ambiguous(place: Place) {
    let one = place.store.create_workflow(in_project("etl", "sales")).await.expect("made");
    place.raw.execute(
        "INSERT INTO workflows_workflow (project_id, project_name, project, name, slug) \
         VALUES (7, 'ops', 'ops', 'etl', 'etl')",
    );
    let error = place.store.workflow("etl").await.expect_err("ambiguous").to_string();
    let list = format!("{} (etl in sales), {} (etl in ops)", one.id, one.id + 1);
    assert!(error.ends_with(&list), "{error}");
    let two = (one.id + 1).to_string();
    assert_eq!(place.store.workflow(&two).await.expect("found").id, one.id + 1);
}
