//! Names have owners: what a name means, to whom, and which workflow a run joins.

use crate::{
    Catalog, CatalogError, MatchedBy, NewWorkflow, Retention, RunQuery, Viewer, WorkflowChange,
    WorkflowQuery, WorkflowSource,
};
use futures::future::join_all;
use serde_json::json;
use workflow_core::id::RunId;
use workflow_core::store::{BeginOutcome, NewRun};

use super::fixtures::*;

async fn id_of(store: &dyn Catalog, which: &str) -> Option<i64> {
    match store.workflow(which).await {
        Ok(found) => Some(found.id),
        Err(CatalogError::NoWorkflow(_)) => None,
        Err(error) => panic!("{which}: {error}"),
    }
}

pub(crate) async fn every_spelling_opens_what_it_names(place: Catalogs) {
    for names in [["ALPHA", "alpha", "Alpha"], ["beta", "Beta", "BETA"]] {
        let mut slugs = Vec::new();
        for name in names {
            slugs.push(made(&place.store, NewWorkflow::new(name)).await);
        }
        for (name, workflow) in names.iter().zip(&slugs) {
            let found = place.store.find_workflow(name).await.expect("found");
            assert_eq!(found, (workflow.clone(), MatchedBy::OwnName));
        }
        let slugs: std::collections::BTreeSet<_> = slugs.iter().map(|of| &of.slug).collect();
        assert_eq!(slugs.len(), 3);
    }
}

pub(crate) async fn a_name_means_the_callers_own_first(place: Catalogs) {
    let wish = Some("Nightly Backup".to_owned());
    let strangers =
        made(&place.store, NewWorkflow { slug: wish, ..of("mallory", "innocent") }).await;
    assert_eq!(strangers.slug, "nightly-backup");
    let (root, mallory) = (staff(&place.store, "root"), user(&place.store, "mallory"));
    // Nothing of the operator's is named so: the stranger's slug is not that text.
    assert_eq!(id_of(&*root, "Nightly Backup").await, None);
    let own = made(&place.store, of("root", "Nightly Backup")).await;
    assert_eq!(own.slug, "nightly-backup-2");
    assert_eq!(id_of(&*root, "Nightly Backup").await, Some(own.id));
    assert_eq!(id_of(&*mallory, "Nightly Backup").await, None);
    // What programs register comes next, and slugs come last.
    let taken = made(&place.store, of("mallory", "payroll")).await;
    assert_eq!(id_of(&*root, "payroll").await, Some(taken.id));
    place.store.sync_registered(&[snapshot("payroll", json!({}))]).await.expect("synced");
    let (found, by) = root.find_workflow("payroll").await.expect("found");
    assert_eq!((found.source, by), (WorkflowSource::Registered, MatchedBy::Registered));
    assert_ne!(found.slug, taken.slug);
    assert_eq!(id_of(&*mallory, "payroll").await, Some(taken.id));
    let roots = made(&place.store, of("root", "payroll")).await;
    assert_eq!(id_of(&*root, "payroll").await, Some(roots.id));
    assert_eq!(id_of(&*root, &taken.id.to_string()).await, Some(taken.id));
    // Whose it is, whoever sees all is told; users are not.
    let hers = made(&place.store, of("ada", "Her Own")).await;
    let error = root.workflow("Her Own").await.expect_err("not root's").to_string();
    let wanted = format!(
        "you have no workflow named `Her Own`; choose one of another owner by its id: {} (Her Own of ada)",
        hers.id
    );
    assert_eq!(error, wanted);
    assert_eq!(id_of(&*mallory, "Her Own").await, None);
    assert_eq!(id_of(&*root, "her-own").await, Some(hers.id));
    assert_eq!(id_of(&*mallory, "her-own").await, None);
}

pub(crate) async fn an_anonymous_viewer_finds_workflows_of_all_owners(place: Catalogs) {
    let hers = made(&place.store, of("ada", "Daily Etl")).await;
    let (found, by) = place.store.find_workflow("Daily Etl").await.expect("found");
    assert_eq!((found.id, by), (hers.id, MatchedBy::Name));
    // What is nobody's is there for whoever sees all, and theirs comes first.
    let nobodys = made(&place.store, NewWorkflow::new("Daily Etl")).await;
    let (root, ada) = (staff(&place.store, "root"), staff(&place.store, "ada"));
    for (store, id, by) in [
        (&place.store, nobodys.id, MatchedBy::OwnName),
        (&root, nobodys.id, MatchedBy::Name),
        (&ada, hers.id, MatchedBy::OwnName),
    ] {
        let (found, found_by) = store.find_workflow("Daily Etl").await.expect("found");
        assert_eq!((found.id, found_by), (id, by));
    }
    assert_eq!(id_of(&*user(&place.store, "bob"), "Daily Etl").await, None);
    made(&place.store, of("bob", "Weekly Etl")).await;
    made(&place.store, of("ada", "Weekly Etl")).await;
    let error = place.store.workflow("Weekly Etl").await.expect_err("of two");
    assert!(matches!(&error, CatalogError::Ambiguous { candidates, .. } if candidates.len() == 2));
    let error = root.workflow("Weekly Etl").await.expect_err("not root's");
    assert!(matches!(&error, CatalogError::NotYours { candidates, .. } if candidates.len() == 2));
}

pub(crate) async fn a_name_is_unique_for_its_owner(place: Catalogs) {
    let first = made(&place.store, of("ada", "etl")).await;
    made(&place.store, of("bob", "etl")).await;
    made(&place.store, NewWorkflow::new("etl")).await;
    place.store.sync_registered(&[snapshot("etl", json!({}))]).await.expect("synced");
    for (owner, id) in [("ada", first.id), ("bob", first.id + 1)] {
        let error = place.other.create_workflow(of(owner, "etl")).await.expect_err("taken");
        assert!(
            matches!(&error, CatalogError::NameTaken { name, id: by } if name == "etl" && *by == id),
            "{error}"
        );
    }
    let other = made(&place.store, of("ada", "other")).await;
    let rename = |name: &str| WorkflowChange { name: Some(name.to_owned()), ..Default::default() };
    let error = place.store.update_workflow(&other.id.to_string(), rename("etl")).await;
    assert!(matches!(error, Err(CatalogError::NameTaken { .. })), "{error:?}");
    let ada = user(&place.store, "ada");
    let renamed = ada.update_workflow("other", rename("mine")).await.expect("renamed");
    assert_eq!((renamed.name.as_str(), renamed.slug.as_str()), ("mine", "other"));
    let same = ada.update_workflow("mine", rename("mine")).await.expect("the same");
    assert_eq!((same.id, same.name), (renamed.id, renamed.name));
}

pub(crate) async fn staff_give_workflows_away(place: Catalogs) {
    let etl = made(&place.store, of("ada", "etl")).await;
    let run = file_run(Some("ada"), "etl", "a");
    let run = NewRun { workflow_id: Some(etl.id), ..run };
    place.store.begin(run.clone(), whole_run(5, true)).await.expect("begun");
    made(&place.store, of("bob", "report")).await;
    let id = etl.id.to_string();
    let give = |user: &str| WorkflowChange { user: Some(user.to_owned()), ..Default::default() };
    let (ada, bob) = (user(&place.store, "ada"), user(&place.store, "bob"));
    let refused = ada.update_workflow(&id, give("bob")).await.expect_err("not hers to give");
    assert!(matches!(refused, CatalogError::Forbidden { .. }), "{refused:?}");
    ada.update_workflow(&id, give("ada")).await.expect("it is hers");
    assert_eq!(id_of(&*bob, &id).await, None);
    let given = staff(&place.store, "root").update_workflow(&id, give("bob")).await.expect("given");
    assert_eq!((given.user.as_deref(), given.slug), (Some("bob"), etl.slug));
    assert_eq!((id_of(&*bob, "etl").await, id_of(&*ada, "etl").await), (Some(etl.id), None));
    // Its runs are seen by the new owner, and still by who asked for them.
    for store in [&ada, &bob] {
        store.run_details(run.id).await.expect("seen");
    }
    // The name is free for the one who had it, and taken for the one who has.
    let again = made(&place.store, of("ada", "etl")).await;
    let root = staff(&place.store, "root");
    let refused = root.update_workflow(&again.id.to_string(), give("bob")).await;
    assert!(matches!(refused, Err(CatalogError::NameTaken { .. })), "{refused:?}");
    // What was refused has changed nothing; with another name at once, it fits.
    let both = WorkflowChange { name: Some("report".to_owned()), ..give("bob") };
    let refused = root.update_workflow(&again.id.to_string(), both).await;
    assert!(matches!(refused, Err(CatalogError::NameTaken { .. })), "{refused:?}");
    assert_eq!(id_of(&*ada, "etl").await, Some(again.id));
    let both = WorkflowChange { name: Some("etl 2".to_owned()), ..give("bob") };
    root.update_workflow(&again.id.to_string(), both).await.expect("given");
    assert_eq!(id_of(&*bob, "etl 2").await, Some(again.id));
    // Nobody's, and a name that is new.
    let nobodys = root.update_workflow(&id, give("")).await.expect("given up");
    assert_eq!((nobodys.user, id_of(&*bob, "etl").await), (None, None));
    let new = root.update_workflow(&id, give("carol")).await.expect("given");
    assert_eq!(new.user.as_deref(), Some("carol"));
    // A run of a file joins the row of its new owner.
    let run = file_run(Some("carol"), "etl", "b");
    place.store.begin(run, whole_run(5, true)).await.expect("begun");
    assert_eq!(place.store.count_runs(&id).await.expect("counted"), 2);
    place.store.begin(new_run("code"), whole_run(5, true)).await.expect("begun");
    let refused = root.update_workflow("code", give("ada")).await.expect_err("code is nobody's");
    assert!(refused.to_string().contains("a registered workflow"), "{refused}");
}

pub(crate) async fn two_unicode_forms_are_one_name(place: Catalogs) {
    let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}");
    let made = made(&place.store, of("ada", decomposed)).await;
    assert_eq!((made.name.as_str(), made.slug.as_str()), (composed, composed));
    let ada = user(&place.store, "ada");
    assert_eq!(id_of(&*ada, composed).await, Some(made.id));
    assert_eq!(id_of(&*ada, decomposed).await, Some(made.id));
    assert_eq!(id_of(&*staff(&place.store, "root"), decomposed).await, Some(made.id));
    let again = ada.create_workflow(NewWorkflow::new(composed)).await;
    assert!(matches!(again, Err(CatalogError::NameTaken { .. })), "{again:?}");
    for spelling in [composed, decomposed] {
        place
            .store
            .begin(file_run(Some("ada"), spelling, spelling), Vec::new())
            .await
            .expect("begun");
        place.store.begin(new_run(spelling), Vec::new()).await.expect("begun");
        place.store.sync_registered(&[snapshot(spelling, json!({}))]).await.expect("synced");
    }
    let runs = place.store.count_runs(&made.id.to_string()).await.expect("counted");
    let all = place.store.workflows(WorkflowQuery::default()).await.expect("listed").items;
    assert_eq!((runs, all.len()), (2, 2));
}

pub(crate) async fn slugs_differ_from_names_slugs_and_ids(place: Catalogs) {
    let mut all = Vec::new();
    for at in 0..40 {
        all.push(made(&place.store, of(&format!("user {at}"), "Etl")).await);
    }
    for name in ["etl", "etl-2", "Etl 5", "1", "7", "workflow-7", "!", "???"] {
        all.push(made(&place.store, of("ada", name)).await);
    }
    // Long names, whose slugs end in a number.
    for name in ["x".repeat(200), "X".repeat(200), "\u{130}".repeat(200)] {
        all.push(made(&place.store, of("ada", &name)).await);
    }
    for of in &all {
        assert!(of.slug.parse::<i64>().is_err(), "{} is a number", of.slug);
        for other in all.iter().filter(|other| other.id != of.id) {
            assert_ne!(of.slug, other.slug);
        }
        let found = place.store.find_workflow(&of.slug).await.expect("found");
        assert_eq!(found, (of.clone(), MatchedBy::Slug));
    }
    let digits = all.iter().find(|of| of.name == "7").expect("made");
    assert_eq!(digits.slug, "workflow-7");
    // A number that is no id yet is a name; one that is written otherwise is no id.
    let ada = user(&place.store, "ada");
    assert_eq!(id_of(&*ada, "7").await, Some(digits.id));
    assert_eq!(id_of(&*ada, &format!("+{}", digits.id)).await, None);
    assert_eq!(id_of(&*ada, &format!("0{}", digits.id)).await, None);
}

pub(crate) async fn a_slug_is_made_under_contention(place: Catalogs) {
    let made = (0..24).map(|at| {
        let store = if at % 2 == 0 { place.store.clone() } else { place.other.clone() };
        async move { store.create_workflow(of(&format!("user {}", at % 12), "Daily Etl")).await }
    });
    let made = join_all(made).await;
    let slugs: std::collections::BTreeSet<_> =
        made.iter().flatten().map(|made| made.slug.clone()).collect();
    assert_eq!(slugs.len(), 12, "{slugs:?}");
    let taken = made.iter().filter(|made| matches!(made, Err(CatalogError::NameTaken { .. })));
    assert_eq!(taken.count(), 12, "{made:?}");
}

pub(crate) async fn a_run_joins_what_has_its_owner_and_source(place: Catalogs) {
    let (mallorys, roots) = (made(&place.store, of("mallory", "payroll")).await, Some("root"));
    // The operator's file, and code of this name, are not filed under the stranger's.
    for run in
        [file_run(roots, "payroll", "a"), file_run(roots, "payroll", "b"), new_run("payroll")]
    {
        place.store.begin(run, Vec::new()).await.expect("begun");
    }
    assert_eq!(place.store.count_runs(&mallorys.id.to_string()).await.expect("counted"), 0);
    let mallory = user(&place.store, "mallory");
    assert!(mallory.runs(Default::default()).await.expect("listed").items.is_empty());
    let root = staff(&place.store, "root");
    let own = root.workflow("payroll").await.expect("found");
    assert_eq!((own.user.as_deref(), own.source), (roots, WorkflowSource::Stored));
    assert_eq!((own.execution_count, own.version), (2, 2));
    assert_eq!(own.definition, Some(json!({ "text": "b" })));
    let code = place.store.workflow("payroll").await.expect("found");
    assert_eq!((code.source, code.execution_count), (WorkflowSource::Registered, 1));
    // Those of nobody are apart, and so is what its owner made before.
    place.store.begin(file_run(None, "payroll", "a"), Vec::new()).await.expect("begun");
    let nobodys = place.store.workflow("payroll").await.expect("found");
    assert_eq!((nobodys.source, nobodys.user), (WorkflowSource::Stored, None));
    place.store.begin(file_run(Some("mallory"), "payroll", "a"), Vec::new()).await.expect("begun");
    assert_eq!(place.store.count_runs(&mallorys.id.to_string()).await.expect("counted"), 1);
    // What was remembered of one owner is not taken for another's.
    for at in 0..3 {
        let user = format!("user {at}");
        place.store.begin(file_run(Some(&user), "etl", "a"), Vec::new()).await.expect("begun");
        let own = staff(&place.store, &user).workflow("etl").await.expect("found");
        assert_eq!((own.user, own.execution_count), (Some(user), 1));
    }
}

pub(crate) async fn a_row_follows_its_file_until_somebody_writes_it(place: Catalogs) {
    let begin = async |text: &str| {
        let mut run = file_run(Some("ada"), "etl", text);
        let said =
            json!({ "description": text, "project": "sales", "owner": "web", "tags": [text] });
        run.workflow.metadata = workflow_core::definition::Metadata::new(said).expect("fit");
        place.other.begin(run, Vec::new()).await.expect("begun");
        staff(&place.store, "ada").workflow("etl").await.expect("found")
    };
    let first = begin("one").await;
    // What has a field is not said twice.
    assert_eq!(json!(first.metadata), json!({ "owner": "web", "tags": ["one"] }));
    assert_eq!(
        (first.description.as_deref(), first.project.as_deref()),
        (Some("one"), Some("sales"))
    );
    let second = begin("two").await;
    assert_eq!((second.id, second.version, second.tags.len()), (first.id, 2, 1));
    assert_eq!(second.definition, Some(json!({ "text": "two" })));
    assert_eq!(second.description.as_deref(), Some("two"));
    // An older one is the newest again.
    let back = begin("one").await;
    assert_eq!(back.definition, Some(json!({ "text": "one" })));
    assert_eq!(back.description.as_deref(), Some("one"));
    let change = WorkflowChange { description: Some("mine".to_owned()), ..Default::default() };
    place.store.update_workflow(&first.id.to_string(), change).await.expect("changed");
    let written = begin("three").await;
    assert_eq!(written.description.as_deref(), Some("mine"));
    assert_eq!(written.definition, Some(json!({ "text": "one" })));
    assert_eq!(written.execution_count, 4);
}

pub(crate) async fn a_file_that_ran_is_created_in_its_place(place: Catalogs) {
    let begin = async |text: &str| {
        place.store.begin(file_run(Some("ada"), "etl", text), Vec::new()).await.expect("begun");
        staff(&place.store, "ada").workflow("etl").await.expect("there")
    };
    let ran = begin("one").await;
    let file = |text: &str| NewWorkflow {
        definition: Some(json!({ "text": text })),
        description: Some(text.to_owned()),
        ..of("ada", "etl")
    };
    // Of an application, it would be another, for which the name is taken.
    let theirs = NewWorkflow { project_id: 7, ..file("two") };
    let taken = place.store.create_workflow(theirs).await;
    assert!(matches!(taken, Err(CatalogError::NameTaken { .. })), "{taken:?}");
    let created = made(&place.store, file("two")).await;
    assert_eq!((created.id, created.slug), (ran.id, ran.slug));
    assert_eq!(created.definition, Some(json!({ "text": "two" })));
    assert_eq!((created.description.as_deref(), created.execution_count), (Some("two"), 1));
    let after = begin("three").await;
    assert_eq!((after.definition, after.execution_count), (created.definition, 2));
    let again = place.store.create_workflow(file("four")).await;
    assert!(matches!(again, Err(CatalogError::NameTaken { .. })), "{again:?}");
}

pub(crate) async fn the_owner_of_a_deleted_account_keeps_nothing_from_others(place: Catalogs) {
    for owner in ["ada", "bob"] {
        let mut run = file_run(Some(owner), "etl", "a");
        run.idempotency_key = Some("day 1".to_owned());
        place.store.begin(run, Vec::new()).await.expect("begun");
    }
    for owner in ["ada", "bob"] {
        place.store.delete_user(owner).await.expect("deleted");
    }
    // Both are nobody's now, and of one name.
    assert_eq!(place.store.workflow("etl-2").await.expect("by its slug").user, None);
    let error = place.store.workflow("etl").await.expect_err("two of nobody's");
    assert!(matches!(&error, CatalogError::Ambiguous { candidates, .. } if candidates.len() == 2));
    let mut run = file_run(Some("ada"), "etl", "a");
    run.idempotency_key = Some("day 1".to_owned());
    let begun = place.store.begin(run, Vec::new()).await.expect("another ada's");
    assert!(matches!(begun, BeginOutcome::New(_)), "{begun:?}");
}

pub(crate) async fn pruning_by_name_spares_other_owners(place: Catalogs) {
    let audit = made(&place.store, of("mallory", "Audit Log")).await;
    for _ in 0..3 {
        let run = NewRun { workflow_id: Some(audit.id), ..new_run("Audit Log") };
        place.store.begin(run, whole_run(5, true)).await.expect("begun");
        place.store.begin(new_run("etl"), whole_run(5, true)).await.expect("begun");
    }
    let keep = |workflow: &str| Retention {
        workflow: Some(workflow.to_owned()),
        keep_last: Some(1),
        keep_for: None,
    };
    // The operator's rule for a workflow that is not there yet does not hold up the others.
    let rules = [keep("Audit Log"), keep("etl")];
    let every = std::time::Duration::from_secs(3600);
    let deleted = staff(&place.store, "root").prune_when_due(&rules, every).await.expect("pruned");
    assert_eq!(deleted, Some(2));
    let error = staff(&place.store, "root").prune(keep("Audit Log")).await.expect_err("not root's");
    assert!(matches!(error, CatalogError::NotYours { .. }), "{error}");
    assert_eq!(place.store.count_runs(&audit.id.to_string()).await.expect("counted"), 3);
}

pub(crate) async fn a_workflow_that_is_code_keeps_its_name(place: Catalogs) {
    place.store.sync_registered(&[snapshot("code", json!({}))]).await.expect("synced");
    let rename = WorkflowChange { name: Some("mine".to_owned()), ..Default::default() };
    let error = place.store.update_workflow("code", rename).await.expect_err("refused").to_string();
    let wanted =
        "the name of the workflow is set by the code of a registered workflow; change it there";
    assert_eq!(error, wanted);
    let same = WorkflowChange { name: Some("code".to_owned()), ..Default::default() };
    assert_eq!(place.store.update_workflow("code", same).await.expect("the same").name, "code");
}

pub(crate) async fn a_run_is_found_by_number_prefix_and_as_the_latest(place: Catalogs) {
    let with_id = |bits: u128, user: &str| {
        let mut run = new_run("etl");
        run.id = RunId::from_u128(bits);
        run.user = Some(user.to_owned());
        run
    };
    // The last is the newest, whatever the ids are. One has digits alone.
    let ids = [
        0x0198_0000_0000_7000_8000_0000_0000_0001_u128,
        0x0198_0000_0000_7000_8000_0000_0000_0002,
        0x0198_0001_ab00_7000_8000_0000_0000_0003,
        0x1234_5678_0000_7000_8000_0000_0000_0004,
    ];
    for (bits, user) in ids.into_iter().zip(["bob", "bob", "alice", "alice"]) {
        place.store.begin(with_id(bits, user), Vec::new()).await.expect("begun");
    }
    let ids = ids.map(RunId::from_u128);
    let store = &place.other;
    let alice = store.seen_by(Viewer::User("alice".to_owned()));
    let bob = store.seen_by(Viewer::User("bob".to_owned()));
    let newest = store.runs(RunQuery::default()).await.expect("listed").items.remove(0);
    assert_eq!(newest.id, ids[3]);
    let numbers = [newest.number.to_string(), format!("#{}", newest.number)];
    for which in numbers.iter().map(String::as_str).chain(["12345678", "latest", "1234567800007"]) {
        assert_eq!(store.find_run(which).await.expect(which), ids[3], "{which}");
        assert_eq!(alice.find_run(which).await.expect(which), ids[3], "{which}");
    }
    for which in ["01980001", "01980001-AB", "01980001ab", "01980001-ab00-7000-8000-000000000003"] {
        assert_eq!(store.find_run(which).await.expect(which), ids[2], "{which}");
    }
    // Several: they are named, and only to who sees them.
    let several = store.find_run("01980000").await.expect_err("two");
    let CatalogError::AmbiguousRun { candidates, .. } = &several else { panic!("{several:?}") };
    assert_eq!(candidates.len(), 2);
    for (candidate, id) in candidates.iter().zip(ids) {
        assert!(candidate.contains(&id.to_string()) && candidate.contains("of etl"), "{candidate}");
    }
    assert_eq!(bob.find_run("latest").await.expect("his"), ids[1]);
    // What another user has is not there.
    for (viewer, which) in [(&alice, "01980000"), (&bob, "01980001"), (&bob, "12345678")] {
        let hidden = viewer.find_run(which).await;
        assert!(matches!(&hidden, Err(CatalogError::UnknownRun(_))), "{which}: {hidden:?}");
    }
    let carol = store.seen_by(Viewer::User("carol".to_owned()));
    for which in ["99", "latest", "ffffffff"] {
        let none = carol.find_run(which).await;
        assert!(matches!(&none, Err(CatalogError::UnknownRun(_))), "{which}: {none:?}");
    }
    for which in ["etl", "0198000", "", "-1x", "newest", "0198-0000"] {
        let wrong = store.find_run(which).await;
        assert!(matches!(&wrong, Err(CatalogError::NotARun(_))), "{which}: {wrong:?}");
    }
}

pub(crate) async fn a_slug_that_is_asked_for_is_like_nothing_else(place: Catalogs) {
    let store = &place.store;
    let one = made(&place.store, of("ada", "one")).await;
    let two = made(&place.store, of("ada", "two")).await;
    let to = async |which: i64, slug: &str| {
        let change = WorkflowChange { slug: Some(slug.to_owned()), ..Default::default() };
        store.update_workflow(&which.to_string(), change).await.expect("changed").slug
    };
    assert_eq!(to(one.id, "Q4 Report!").await, "q4-report");
    // Its own name and slug are no others'.
    assert_eq!(to(one.id, "q4-report").await, "q4-report");
    assert_eq!(to(two.id, "q4 report").await, "q4-report-2");
    assert_eq!(to(two.id, "one").await, "one-2");
    assert_eq!(to(two.id, "two").await, "two");
    assert_eq!(to(one.id, &two.id.to_string()).await, format!("workflow-{}", two.id));
    let numbered = format!("workflow-{}", two.id);
    assert_eq!(store.workflow(&numbered).await.expect("by its slug").id, one.id);
    assert!(store.workflow("q4-report").await.is_err(), "nobody has it any more");
}
