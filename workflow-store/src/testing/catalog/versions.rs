//! The files of a workflow, one after another, and which of them a run keeps.

use std::sync::Arc;

use crate::{CatalogError, NewWorkflow, WorkflowChange};
use futures::future::join_all;
use serde_json::json;
use workflow_core::store::{NewRun, Trigger, WorkflowSnapshot};

use super::fixtures::*;

pub(crate) async fn what_follows_a_file_follows_the_new_one(place: Catalogs) {
    let lines = json!({
        "project": "sales", "schedule": "0 2 * * *", "owner": "web", "tags": ["a"],
    });
    let etl = create(&place.store, "ada", &file("etl", lines.clone())).await;
    let ada = staff(&place.store, "ada");
    // Creating it once more makes neither a second schedule nor a second slug.
    let again = NewWorkflow { user: etl.user.clone(), ..NewWorkflow::of(&file("etl", lines)) };
    let refused = place.store.create_workflow(again).await.expect_err("it is there");
    assert!(matches!(refused, CatalogError::NameTaken { id, .. } if id == etl.id), "{refused:?}");
    let schedules = async || {
        let due = place.store.scheduled(0, 10).await.expect("listed").into_iter();
        due.map(|of| of.metadata.as_object()["schedule"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(schedules().await, ["0 2 * * *"]);
    let next = file("etl", json!({ "domain": "books", "schedule": "30 4 * * *", "tags": ["b"] }));
    let etl = replace(&*ada, "etl", &next).await;
    assert_eq!(schedules().await, ["30 4 * * *"]);
    assert_eq!((etl.project, etl.domain.as_deref()), (None, Some("books")));
    assert_eq!((etl.tags, etl.metadata.as_object().get("owner")), (vec!["b".to_owned()], None));
    // Without a schedule, none comes any more; with one that never comes, all stays.
    replace(&*ada, "etl", &file("etl", json!({}))).await;
    assert_eq!(schedules().await, [] as [&str; 0]);
    // The name follows where the file before gave it; the slug stays.
    let renamed = replace(&*ada, "etl", &file("load", json!({}))).await;
    assert_eq!((renamed.name.as_str(), renamed.slug), ("load", etl.slug));
    let change = WorkflowChange { name: Some("mine".to_owned()), ..Default::default() };
    ada.update_workflow("load", change).await.expect("renamed");
    let kept = replace(&*ada, "mine", &file("other", json!({}))).await;
    assert_eq!(kept.name, "mine");
    // A name that is taken, and nothing of the file is kept.
    create(&place.store, "ada", &file("taken", json!({}))).await;
    let own = create(&place.store, "ada", &file("own", json!({}))).await;
    let change = replacing(&own, &file("taken", said("new")));
    let refused = ada.update_workflow("own", change).await.expect_err("taken");
    assert!(matches!(refused, CatalogError::NameTaken { .. }), "{refused:?}");
    assert_eq!(ada.workflow("own").await.expect("there"), own);
    assert_eq!(authors(&*ada, "own").await, [by(1, "ada")]);
}

pub(crate) async fn runs_keep_the_file_that_they_began_with(place: Catalogs) {
    let files = ["one", "two"].map(|word| file("etl", said(word)));
    let of = |at: usize| {
        // As a process that reads the file has it.
        let WorkflowSnapshot { name, metadata, fingerprint, source, graph } = files[at].clone();
        let source = source.map(|source| Arc::new((*source).clone()));
        let workflow = WorkflowSnapshot { name, metadata, fingerprint, source, graph };
        NewRun { workflow, user: Some("ada".to_owned()), ..new_run("etl") }
    };
    let ada = staff(&place.store, "ada");
    let shown = async || {
        let etl = ada.workflow("etl").await.expect("there");
        (etl.version, etl.description.expect("said"))
    };
    let begin = async |run: NewRun| {
        place.store.begin(run.clone(), whole_run(5, false)).await.expect("begun");
        run.id
    };
    // A file that is run makes versions until somebody creates it.
    let first = begin(of(0)).await;
    assert_eq!(shown().await, (1, "one".to_owned()));
    for (at, wanted) in [(1, (2, "two")), (1, (2, "two")), (0, (3, "one")), (0, (3, "one"))] {
        begin(of(at)).await;
        assert_eq!(shown().await, (wanted.0, wanted.1.to_owned()));
    }
    let second = begin(of(1)).await;
    assert_eq!(authors(&*ada, "etl").await, [4, 3, 2, 1].map(|number| by(number, "ada")));
    // What is repeated is what was, and changes nothing of what is.
    let old = place.store.run(first).await.expect("readable").expect("kept");
    assert_eq!(old.workflow.source, files[0].source);
    let repeated = NewRun { trigger: Trigger::Retry, ..of(0) };
    let repeated = begin(repeated).await;
    assert_eq!(shown().await, (4, "two".to_owned()));
    let created = create(&place.store, "ada", &files[1]).await;
    assert_eq!((created.id, created.version), (ada.workflow("etl").await.expect("there").id, 4));
    let third = replace(&*ada, "etl", &file("etl", said("three"))).await;
    assert_eq!(third.version, 5);
    let by_number = NewRun { workflow_id: Some(third.id), ..of(0) };
    place.store.begin(by_number, whole_run(5, true)).await.expect("begun");
    assert_eq!(shown().await, (5, "three".to_owned()));
    for (run, at, version) in [(first, 0, 1), (second, 1, 2), (repeated, 0, 1)] {
        let run = place.store.run(run).await.expect("readable").expect("kept");
        assert_eq!(run.workflow.source, files[at].source);
        let details = place.store.run_details(run.id).await.expect("there");
        assert_eq!(details.workflow_version, Some(version));
    }
    // What is no version of it, and code, are said to be none.
    let unknown = NewRun { workflow: file("etl", said("four")), ..of(0) };
    let unknown = NewRun { workflow_id: Some(third.id), ..unknown };
    for run in [begin(unknown).await, begin(new_run("code")).await] {
        assert_eq!(place.store.run_details(run).await.expect("there").workflow_version, None);
    }
    assert!(versions(&*place.store, "code").await.is_empty());
}

pub(crate) async fn no_version_is_lost_under_contention(place: Catalogs) {
    let etl = create(&place.store, "ada", &file("etl", json!({}))).await;
    let id = etl.id.to_string();
    let updates = (0..16).map(|at| {
        let (store, id, etl) = (if at % 2 == 0 { &place.store } else { &place.other }, &id, &etl);
        async move {
            let change = replacing(etl, &file("etl", json!({ "project": format!("p{at}") })));
            store.update_workflow(id, change).await.expect("replaced").version
        }
    });
    let mut given = join_all(updates).await;
    given.sort_unstable();
    assert_eq!(given, (2..18).collect::<Vec<i64>>());
    let mut texts = std::collections::BTreeSet::new();
    for number in 1..18 {
        let version = place.store.version(&id, number).await.expect("kept");
        texts.insert(version.definition.as_ref().map(text).expect("a file").to_owned());
    }
    assert_eq!(texts.len(), 17);
}
