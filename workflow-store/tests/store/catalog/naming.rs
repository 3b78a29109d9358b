//! Names have owners: what a name means, to whom, and which workflow a run joins.

use futures::future::join_all;
use workflow_core::store::{BeginOutcome, NewRun, Parent, StoreError};
use workflow_store::WorkflowChange;

use super::support::*;

pub(crate) async fn what_is_not_active_begins_no_run(place: Place) {
    let key = |mut run: NewRun| {
        run.idempotency_key = Some("k".to_owned());
        run
    };
    let first = key(file_run(Some("ada"), "etl", "a"));
    place.store.begin(first.clone(), whole_run(5, true)).await.expect("begun");
    place.other.begin(new_run("code"), whole_run(5, true)).await.expect("begun");
    let set = async |which: &str, active| {
        let change = WorkflowChange { active: Some(active), ..Default::default() };
        staff(&place.store, "ada").update_workflow(which, change).await.expect("changed")
    };
    let (etl, code) = (set("etl", false).await, set("code", false).await);
    for store in [&place.store, &place.other] {
        for (run, workflow) in [(file_run(Some("ada"), "etl", "a"), &etl), (new_run("code"), &code)]
        {
            let by_number = NewRun { workflow_id: Some(workflow.id), ..run.clone() };
            // Also as a job of another run.
            let parent = Some(Parent { run: first.id, job: "load".to_owned() });
            let inside = NewRun { parent, ..run.clone() };
            for run in [run, by_number, inside] {
                let refused = store.begin(run.clone(), Vec::new()).await;
                assert!(
                    matches!(&refused, Err(StoreError::NotActive { workflow: name, id })
                        if *name == workflow.name && *id == workflow.id),
                    "{refused:?}"
                );
                assert_eq!(store.run(run.id).await.expect("readable"), None);
            }
        }
        // What began before is told of nevertheless.
        let again = key(file_run(Some("ada"), "etl", "a"));
        let again = store.begin(again, Vec::new()).await.expect("it is there");
        assert!(matches!(again, BeginOutcome::Existing(run, _) if run.id == first.id));
    }
    // Many at once, as a busy server begins them.
    let many = (0..20).map(|_| place.store.begin(new_run("code"), Vec::new()));
    assert!(join_all(many).await.iter().all(Result::is_err));
    let error = place.store.begin(new_run("code"), Vec::new()).await.expect_err("refused");
    let wanted = format!("workflow `code` is inactive; activate workflow {} first", code.id);
    assert_eq!(error.to_string(), wanted);
    let mut lines = Vec::new();
    place.store.export(None, &mut lines).await.expect("exported");
    let other = if place.raw.is_postgres() { postgres().await } else { sqlite().await };
    assert_eq!(other.store.import(&mut lines.as_slice()).await.expect("imported").runs, 2);
    set("code", true).await;
    place.other.begin(new_run("code"), Vec::new()).await.expect("begun");
}
