//! Workflows, listed.

use crate::{NewWorkflow, WorkflowChange, WorkflowQuery, WorkflowSort};
use serde_json::json;
use workflow_core::definition::Metadata;
use workflow_core::store::NewRun;

use super::fixtures::*;

async fn names(place: &Catalogs, query: WorkflowQuery) -> Vec<String> {
    let page = place.store.workflows(query).await.expect("listed");
    page.items.into_iter().map(|workflow| workflow.name).collect()
}

pub(crate) async fn every_filter_finds(place: Catalogs) {
    let mut etl = NewWorkflow::new("daily etl");
    etl.project = Some("sales".to_owned());
    etl.project_id = 123;
    etl.app_name = Some("Trinity".to_owned());
    etl.user = Some("alice".to_owned());
    etl.molecules_used = vec!["data-loader".to_owned()];
    etl.atoms_in_molecules =
        json!({ "data-loader": ["csv-reader"] }).as_object().cloned().expect("an object");
    etl.metadata = Metadata::new(json!({ "domain": "booking", "tags": ["nightly"],
        "team": { "size": 3, "members": ["ann", "ben"] }, "critical": true,
        "description": "Loads the Orders" }))
    .expect("fit");
    place.store.create_workflow(etl).await.expect("made");
    place.store.create_workflow(NewWorkflow::new("weekly report")).await.expect("made");
    let inactive = WorkflowChange { active: Some(false), ..Default::default() };
    place.store.update_workflow("weekly-report", inactive).await.expect("changed");

    let text = |text: &str| Some(text.to_owned());
    let at = |path: &str, value| vec![(path.to_owned(), value)];
    let all = WorkflowQuery::default;
    let found = [
        WorkflowQuery { project: text("sales"), ..all() },
        WorkflowQuery { project_id: Some(123), ..all() },
        WorkflowQuery { domain: text("booking"), ..all() },
        WorkflowQuery { app_name: text("Trinity"), ..all() },
        WorkflowQuery { tag: text("nightly"), ..all() },
        WorkflowQuery { user: text("alice"), ..all() },
        WorkflowQuery { molecule: text("data-loader"), ..all() },
        WorkflowQuery { atom: text("csv-reader"), ..all() },
        WorkflowQuery { molecule: text("data-loader"), atom: text("csv-reader"), ..all() },
        WorkflowQuery { metadata: at("team.size", json!(3)), ..all() },
        WorkflowQuery { metadata: at("team.members", json!("ben")), ..all() },
        WorkflowQuery { metadata: at("team.members", json!(["ann", "ben"])), ..all() },
        WorkflowQuery { metadata: at("critical", json!(true)), ..all() },
        WorkflowQuery { text: text("ord LOADS"), ..all() },
        WorkflowQuery { text: text("etl"), active: Some(true), ..all() },
    ];
    for query in found {
        assert_eq!(names(&place, query.clone()).await, ["daily etl"], "{query:?}");
    }
    let missed = [
        WorkflowQuery { project: text("sale"), ..all() },
        WorkflowQuery { user: text("bob"), ..all() },
        WorkflowQuery { molecule: text("other"), atom: text("csv-reader"), ..all() },
        WorkflowQuery { metadata: at("team.size", json!("3")), ..all() },
        WorkflowQuery { text: text("oads"), ..all() },
        WorkflowQuery { project: text("sales"), active: Some(false), ..all() },
    ];
    for query in missed {
        assert!(names(&place, query.clone()).await.is_empty(), "{query:?}");
    }
    assert_eq!(names(&place, all()).await, ["daily etl", "weekly report"]);
    let newest = WorkflowQuery { sort: WorkflowSort::Created, ..all() };
    assert_eq!(names(&place, newest).await, ["weekly report", "daily etl"]);
    let active = WorkflowChange { active: Some(true), ..Default::default() };
    let weekly = place.store.update_workflow("weekly-report", active).await.expect("changed");
    let run = NewRun { workflow_id: Some(weekly.id), ..new_run("weekly report") };
    place.store.begin(run, Vec::new()).await.expect("begun");
    let popular = WorkflowQuery { sort: WorkflowSort::MostExecuted, ..all() };
    assert_eq!(names(&place, popular).await, ["weekly report", "daily etl"]);
}

pub(crate) async fn pages_are_stable_under_inserts(place: Catalogs) {
    let tagged = |name: String| NewWorkflow {
        metadata: Metadata::new(json!({ "tags": ["t"] })).expect("fit"),
        ..NewWorkflow::new(name)
    };
    for at in 0..25 {
        place.store.create_workflow(tagged(format!("w{at:02}"))).await.expect("made");
    }
    for sort in [WorkflowSort::Name, WorkflowSort::Created, WorkflowSort::MostExecuted] {
        for tag in [None, Some("t".to_owned())] {
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let query = WorkflowQuery {
                    sort,
                    after,
                    tag: tag.clone(),
                    limit: Some(7),
                    ..Default::default()
                };
                let page = place.store.workflows(query).await.expect("listed");
                seen.extend(page.items.into_iter().map(|workflow| workflow.name));
                // What is added before the place where the list was left moves nothing.
                if seen.len() == 7 && sort != WorkflowSort::MostExecuted {
                    let name = format!("a {sort:?} {}", tag.is_some());
                    place.store.create_workflow(tagged(name.clone())).await.expect("made");
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            seen.retain(|name| name.starts_with('w'));
            let mut unique = seen.clone();
            unique.sort();
            unique.dedup();
            assert_eq!((seen.len(), unique.len()), (25, 25), "{sort:?}: {seen:?}");
        }
    }
    let strange = WorkflowQuery { after: Some("created.x".to_owned()), ..Default::default() };
    let error = place.store.workflows(strange).await.expect_err("no cursor of this list");
    assert!(error.to_string().contains("the cursor"), "{error}");
}

pub(crate) async fn every_order_can_be_turned_round(place: Catalogs) {
    let tagged = |name: &str| NewWorkflow {
        metadata: Metadata::new(json!({ "tags": ["t"] })).expect("fit"),
        ..NewWorkflow::new(name)
    };
    for name in ["d", "a", "e", "b", "c"] {
        let made = place.store.create_workflow(tagged(name)).await.expect("made");
        for _ in 0..made.id % 3 {
            let run = NewRun { workflow_id: Some(made.id), ..new_run(name) };
            place.store.begin(run, Vec::new()).await.expect("begun");
        }
    }
    // By ids 1 to 5: with 1, 2, 0, 1 and 2 runs.
    let orders = [
        (WorkflowSort::Name, "abcde"),
        (WorkflowSort::Id, "daebc"),
        (WorkflowSort::Created, "cbead"),
        (WorkflowSort::MostExecuted, "acdbe"),
    ];
    for (sort, wanted) in orders {
        for reverse in [false, true] {
            let mut wanted: Vec<String> = wanted.chars().map(String::from).collect();
            if reverse {
                wanted.reverse();
            }
            // With a filter that leads, and without.
            for tag in [None, Some("t".to_owned())] {
                let query = WorkflowQuery { sort, reverse, tag, ..Default::default() };
                assert_eq!(names(&place, query.clone()).await, wanted, "{query:?}");
                let (mut seen, mut after) = (Vec::new(), None);
                loop {
                    let page = WorkflowQuery { after, limit: Some(2), ..query.clone() };
                    let page = place.store.workflows(page).await.expect("listed");
                    seen.extend(page.items.into_iter().map(|workflow| workflow.name));
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
                assert_eq!(seen, wanted, "{query:?}");
                for offset in 0..7 {
                    let part = WorkflowQuery { offset, limit: Some(2), ..query.clone() };
                    let from = usize::try_from(offset).expect("small").min(5);
                    let page = place.store.workflows(part).await.expect("listed");
                    let found: Vec<_> = page.items.iter().map(|of| of.name.clone()).collect();
                    assert_eq!(found, wanted[from..(from + 2).min(5)], "{offset}: {query:?}");
                    // Whoever began by number may continue by the cursor.
                    let Some(next) = page.next else { continue };
                    let rest = WorkflowQuery { after: Some(next), ..query.clone() };
                    assert_eq!(names(&place, rest).await, wanted[from + 2..], "{query:?}");
                }
                let far = WorkflowQuery { offset: u64::MAX, ..query };
                assert!(names(&place, far).await.is_empty());
            }
        }
    }
    let first = WorkflowQuery { limit: Some(2), ..Default::default() };
    let after = place.store.workflows(first).await.expect("listed").next;
    let turned = WorkflowQuery { after: after.clone(), reverse: true, ..Default::default() };
    let both = WorkflowQuery { after, offset: 1, ..Default::default() };
    for (query, wanted) in [(turned, "the cursor"), (both, "the offset")] {
        let error = place.store.workflows(query).await.expect_err("refused");
        assert!(error.to_string().contains(wanted), "{error}");
    }
}
