//! Workflows, listed.

use workflow_store::WorkflowQuery;

use super::support::*;

async fn names(place: &Place, query: WorkflowQuery) -> Vec<String> {
    let page = place.store.workflows(query).await.expect("listed");
    page.items.into_iter().map(|workflow| workflow.name).collect()
}

pub(crate) async fn what_others_added_is_found(place: Place) {
    place.raw.execute(
        "INSERT INTO workflows_workflow (project_id, project_name, name, slug, molecules_used) \
         VALUES (123, 'Sales', 'theirs', 'theirs', '[\"data-loader\"]')",
    );
    let query = WorkflowQuery { molecule: Some("data-loader".to_owned()), ..Default::default() };
    assert_eq!(names(&place, query).await, ["theirs"]);
    let change = "UPDATE workflows_workflow SET molecules_used = '[\"other\"]'";
    place.raw.execute(change);
    let molecule =
        |name: &str| WorkflowQuery { molecule: Some(name.to_owned()), ..Default::default() };
    assert_eq!(names(&place, molecule("other")).await, ["theirs"]);
    assert!(names(&place, molecule("data-loader")).await.is_empty());
    let found = place.store.workflow("theirs").await.expect("found");
    assert!(found.is_active && found.version == 1 && found.execution_count == 0);
}
