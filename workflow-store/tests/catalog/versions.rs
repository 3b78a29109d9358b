//! The files of a workflow, one after another, and which of them a run keeps.

use std::sync::Arc;

use futures::future::join_all;
use serde_json::{Value as Json, json};
use workflow_core::{NewRun, Trigger, WorkflowSnapshot};
use workflow_store::{
    Catalog, CatalogError, NewWorkflow, StoredWorkflow, Viewer, WorkflowChange, WorkflowVersion,
};

use crate::support::*;

/// A file of this name, whose metadata are these.
fn file(name: &str, metadata: Json) -> WorkflowSnapshot {
    let text = format!("name: {name}\nmetadata: {metadata}\n");
    let source = json!({ "workflow_file": {
        "name": "etl.yaml", "folder": "/work", "runs_dir": "/work/runs", "text": text,
    }});
    WorkflowSnapshot { source: Some(Arc::new(source)), ..snapshot(name, metadata) }
}

/// The text of a file, from what a store has of it.
fn text(definition: &Json) -> &str {
    definition["workflow_file"]["text"].as_str().expect("a text")
}

/// Metadata with a description.
fn said(description: &str) -> Json {
    json!({ "description": description })
}

/// What makes this the file of a workflow.
fn replacing(old: &StoredWorkflow, file: &WorkflowSnapshot) -> WorkflowChange {
    let first = old.definition.as_ref().and_then(|definition| text(definition).lines().next());
    WorkflowChange::replacing(old, first.and_then(|line| line.strip_prefix("name: ")), file)
}

async fn create(place: &Place, user: &str, file: &WorkflowSnapshot) -> StoredWorkflow {
    let new = NewWorkflow { user: Some(user.to_owned()), ..NewWorkflow::of(file) };
    place.store.create_workflow(new).await.expect("made")
}

async fn replace(store: &dyn Catalog, which: &str, file: &WorkflowSnapshot) -> StoredWorkflow {
    let old = store.workflow(which).await.expect("there");
    let change = replacing(&old, file);
    store.update_workflow(&old.id.to_string(), change).await.expect("replaced")
}

fn staff(place: &Place, name: &str) -> Arc<dyn Catalog> {
    place.store.seen_by(Viewer::Staff(name.to_owned()))
}

/// All versions, two by two.
async fn versions(store: &dyn Catalog, which: &str) -> Vec<WorkflowVersion> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.versions(which, after, Some(2)).await.expect("listed");
        assert!(page.items.iter().all(|version| version.definition.is_none()));
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

/// The numbers and authors of all versions.
async fn authors(store: &dyn Catalog, which: &str) -> Vec<(i64, Option<String>)> {
    let all = versions(store, which).await;
    all.into_iter().map(|version| (version.version, version.author)).collect()
}

fn by(version: i64, author: &str) -> (i64, Option<String>) {
    (version, Some(author.to_owned()))
}

pub(crate) async fn a_file_is_replaced_and_kept(place: Place) {
    let (one, two) = (file("etl", said("one")), file("etl", said("two")));
    let etl = create(&place, "ada", &one).await;
    assert_eq!((etl.version, authors(&*place.store, "etl").await), (1, vec![by(1, "ada")]));
    let (ada, bob) = (place.store.seen_by(Viewer::User("ada".to_owned())), staff(&place, "bob"));
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

pub(crate) async fn what_follows_a_file_follows_the_new_one(place: Place) {
    let lines = json!({
        "project": "sales", "schedule": "0 2 * * *", "owner": "web", "tags": ["a"],
    });
    let etl = create(&place, "ada", &file("etl", lines.clone())).await;
    let ada = staff(&place, "ada");
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
    create(&place, "ada", &file("taken", json!({}))).await;
    let own = create(&place, "ada", &file("own", json!({}))).await;
    let change = replacing(&own, &file("taken", said("new")));
    let refused = ada.update_workflow("own", change).await.expect_err("taken");
    assert!(matches!(refused, CatalogError::NameTaken { .. }), "{refused:?}");
    assert_eq!(ada.workflow("own").await.expect("there"), own);
    assert_eq!(authors(&*ada, "own").await, [by(1, "ada")]);
}

pub(crate) async fn runs_keep_the_file_that_they_began_with(place: Place) {
    let files = ["one", "two"].map(|word| file("etl", said(word)));
    let of = |at: usize| {
        // As a process that reads the file has it.
        let WorkflowSnapshot { name, metadata, fingerprint, source, graph } = files[at].clone();
        let source = source.map(|source| Arc::new((*source).clone()));
        let workflow = WorkflowSnapshot { name, metadata, fingerprint, source, graph };
        NewRun { workflow, user: Some("ada".to_owned()), ..new_run("etl") }
    };
    let ada = staff(&place, "ada");
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
    let created = create(&place, "ada", &files[1]).await;
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

pub(crate) async fn files_that_others_wrote_are_kept(place: Place) {
    let etl = create(&place, "ada", &file("etl", said("one"))).await;
    // As another application does, which knows of no versions.
    place
        .raw
        .execute("DELETE FROM workflows_version; UPDATE workflows_workflow SET version = NULL");
    replace(&*staff(&place, "bob"), &etl.id.to_string(), &file("etl", said("two"))).await;
    let seen = authors(&*place.store, &etl.id.to_string()).await;
    assert_eq!(seen, [by(2, "bob"), by(1, "ada")]);
    let first = place.store.version(&etl.id.to_string(), 1).await.expect("kept");
    assert_eq!(first.definition, etl.definition);
    // A drawing has no file, until it gets one.
    let drawing = NewWorkflow { dag_spec: json!({ "nodes": [] }), ..NewWorkflow::new("drawn") };
    place.store.create_workflow(drawing).await.expect("made");
    assert!(versions(&*place.store, "drawn").await.is_empty());
    let drawn = replace(&*staff(&place, "bob"), "drawn", &file("drawn", json!({}))).await;
    let seen = authors(&*place.store, "drawn").await;
    assert_eq!((drawn.version, seen), (2, vec![by(2, "bob")]));
}

pub(crate) async fn no_version_is_lost_under_contention(place: Place) {
    let etl = create(&place, "ada", &file("etl", json!({}))).await;
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
