//! What the pages of a server ask for.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::{
    Catalog, CatalogError, NewWorkflow, RunQuery, StatusReport, Viewer, WorkflowQuery,
    WorkflowSource,
};
use serde_json::json;
use workflow_core::Status;
use workflow_core::id::RunId;
use workflow_core::store::{MessageKind, NewRun, StoreError};

use super::fixtures::*;

const MINUTE: Duration = Duration::from_secs(60);

fn asked_for(name: &str, ago: Duration, user: Option<&str>) -> NewRun {
    let mut run = new_run(name);
    run.created_at = SystemTime::now() - ago;
    run.user = user.map(str::to_owned);
    run
}

/// Runs of three workflows: of `mine`, which is alice's, of `code` and of `quiet`.
async fn fill(place: &Catalogs) -> Vec<RunId> {
    let mine = NewWorkflow { user: Some("alice".to_owned()), ..NewWorkflow::new("mine") };
    let mine = place.store.create_workflow(mine).await.expect("made");
    let runs = [
        (asked_for("mine", MINUTE * 50, Some("alice")), whole_run(10, true)),
        (asked_for("mine", MINUTE * 40, None), whole_run(20, true)),
        (asked_for("mine", MINUTE * 30, Some("bob")), whole_run(5, false)),
        (asked_for("code", MINUTE * 20, Some("alice")), whole_run(5, true)),
        (asked_for("code", MINUTE * 10, Some("bob")), Vec::new()),
        (asked_for("quiet", MINUTE * 600, None), whole_run(5, true)[..2].to_vec()),
    ];
    let mut ids = Vec::new();
    for (mut run, events) in runs {
        ids.push(run.id);
        run.workflow_id = (run.workflow.name == "mine").then_some(mine.id);
        place.store.begin(run, events).await.expect("begun");
    }
    ids
}

fn alice(place: &Catalogs) -> Arc<dyn Catalog> {
    place.store.seen_by(Viewer::User("alice".to_owned()))
}

pub(crate) async fn the_last_runs_of_many_workflows(place: Catalogs) {
    let ids = fill(&place).await;
    let mut numbers = Vec::new();
    for slug in ["mine", "code", "quiet"] {
        numbers.push(place.store.workflow(slug).await.expect("there").id);
    }
    let found = place.other.recent(&numbers, 2).await.expect("read");
    let short: Vec<_> = found.iter().map(|run| (run.workflow_id, run.id, run.status)).collect();
    let wanted = [
        (numbers[0], ids[2], Status::Failed),
        (numbers[0], ids[1], Status::Completed),
        (numbers[1], ids[4], Status::Pending),
        (numbers[1], ids[3], Status::Completed),
        (numbers[2], ids[5], Status::Running),
    ];
    assert_eq!(short, wanted);
    assert_eq!(found[1].duration, Some(Duration::from_millis(20)));
    assert_eq!((found[2].duration, found[4].duration), (None, None));
    let query = WorkflowQuery { recent: 2, ..WorkflowQuery::default() };
    let listed = place.other.workflows(query).await.expect("read").items;
    let of = |name: &str| listed.iter().find(|it| it.name == name).expect("listed").recent.clone();
    assert_eq!([of("mine"), of("code"), of("quiet")].concat(), found);
    let seen = alice(&place).recent(&numbers, 9).await.expect("read");
    let seen: Vec<_> = seen.into_iter().map(|run| run.id).collect();
    assert_eq!(seen, [ids[2], ids[1], ids[0], ids[3]]);
    for (none, each) in [(&numbers[..0], 5), (&numbers[..], 0)] {
        assert!(place.store.recent(none, each).await.expect("read").is_empty());
    }
}

pub(crate) async fn runs_and_workflows_are_found_by_more(place: Catalogs) {
    let ids = fill(&place).await;
    let list = async |query: RunQuery| -> Vec<RunId> {
        let page = place.store.runs(query).await.expect("listed");
        page.items.into_iter().map(|run| run.id).collect()
    };
    let mine = place.store.workflow("mine").await.expect("there").id;
    let of = |workflow_id, user: Option<&str>| RunQuery {
        workflow_id,
        user: user.map(str::to_owned),
        ..Default::default()
    };
    assert_eq!(list(of(Some(mine), None)).await, [ids[2], ids[1], ids[0]]);
    assert_eq!(list(of(None, Some("alice"))).await, [ids[3], ids[0]]);
    assert_eq!(list(of(Some(mine), Some("bob"))).await, [ids[2]]);
    assert!(list(of(None, Some("nobody"))).await.is_empty());
    let other = RunQuery { workflow: Some("code".to_owned()), ..of(Some(mine), None) };
    assert!(list(other).await.is_empty());
    let error = place.store.runs(of(Some(999), None)).await.expect_err("unknown");
    assert!(matches!(error, CatalogError::NoWorkflow(_)), "{error}");
    let number = place.store.run_summary(ids[4]).await.expect("there").number;
    assert_eq!(place.other.find_run(&number.to_string()).await.expect("found"), ids[4]);
    for hidden in
        [place.other.find_run("999").await, alice(&place).find_run(&number.to_string()).await]
    {
        assert!(matches!(hidden, Err(CatalogError::UnknownRun(_))), "{hidden:?}");
    }
    assert!(alice(&place).run_summary(ids[4]).await.is_err());

    let names = async |query: WorkflowQuery| -> Vec<String> {
        let page = place.store.workflows(query).await.expect("listed");
        page.items.into_iter().map(|workflow| workflow.name).collect()
    };
    let query = |source, status| WorkflowQuery { source, status, ..Default::default() };
    assert_eq!(names(query(Some(WorkflowSource::Stored), None)).await, ["mine"]);
    assert_eq!(names(query(Some(WorkflowSource::Registered), None)).await, ["code", "quiet"]);
    // Of the newest run alone.
    assert_eq!(names(query(None, Some(Status::Failed))).await, ["mine"]);
    assert!(names(query(None, Some(Status::Completed))).await.is_empty());
    assert_eq!(
        names(query(Some(WorkflowSource::Registered), Some(Status::Pending))).await,
        ["code"]
    );
}

pub(crate) async fn runs_over_time_and_by_status(place: Catalogs) {
    fill(&place).await;
    let since = SystemTime::now() - MINUTE * 60;
    let all = place.other.timeline(since, MINUTE * 15, None).await.expect("read");
    assert_eq!(all.complete_since, since);
    assert!(all.spans.len() >= 4, "{all:?}");
    let spans = all.spans.windows(2).map(|two| two[1].at.duration_since(two[0].at));
    assert!(spans.flatten().all(|span| span == MINUTE * 15));
    let sum = |of: fn(&crate::TimelineSpan) -> u64| all.spans.iter().map(of).sum::<u64>();
    assert_eq!(
        (sum(|s| s.counts.completed), sum(|s| s.counts.failed), sum(|s| s.counts.pending)),
        (3, 1, 1)
    );
    let first = &all.spans[0];
    assert_eq!((first.counts.completed, first.p50), (1, Some(Duration::from_millis(10))));
    assert!(all.spans.iter().any(|span| span.p50.is_none() && span.p95.is_none()));
    let mine = place.store.workflow("mine").await.expect("there").id;
    let one = place.store.timeline(since, MINUTE * 120, Some(mine)).await.expect("read");
    assert_eq!(
        (one.spans.len(), one.spans[0].counts.completed, one.spans[0].counts.failed),
        (1, 2, 1)
    );
    assert_eq!(one.spans[0].p95, None, "of so few, it would be the longest");
    assert_eq!(one.spans[0].max, Some(Duration::from_millis(20)));
    // What would be too many spans are fewer, longer ones.
    let long = place.store.timeline(SystemTime::UNIX_EPOCH, Duration::ZERO, None).await;
    assert!(long.expect("read").spans.len() <= 1001);
    let hers = alice(&place).timeline(since, MINUTE * 120, None).await.expect("read");
    assert_eq!((hers.spans[0].counts.completed, hers.spans[0].counts.pending), (3, 0));
    assert!(alice(&place).timeline(since, MINUTE, Some(999)).await.is_err());

    let counts = place.other.status_counts().await.expect("read");
    assert_eq!((counts.pending, counts.running, counts.completed), (1, 1, 3));
    assert_eq!((counts.failed, counts.cancelled), (1, 0));
    let counts = alice(&place).status_counts().await.expect("read");
    assert_eq!((counts.pending, counts.running, counts.completed, counts.failed), (0, 0, 3, 1));
}

pub(crate) async fn molecules_and_atoms_are_counted(place: Catalogs) {
    let atoms = json!({ "loader": ["csv", "excel"], "cleaner": ["csv"] });
    for (name, user) in [("one", "alice"), ("two", "bob")] {
        let mut new = NewWorkflow { user: Some(user.to_owned()), ..NewWorkflow::new(name) };
        new.molecules_used = vec!["loader".to_owned()];
        new.atoms_in_molecules = atoms.as_object().cloned().expect("an object");
        place.store.create_workflow(new).await.expect("made");
    }
    let one = place.store.workflow("one").await.expect("there").id;
    for _ in 0..3 {
        let run = NewRun { workflow_id: Some(one), ..new_run("one") };
        place.store.begin(run, Vec::new()).await.expect("begun");
    }
    let usage = place.other.usage().await.expect("read");
    let molecules: Vec<_> =
        usage.molecules.iter().map(|of| (&*of.name, of.workflows, of.executions)).collect();
    assert_eq!(molecules, [("loader", 2, 3)]);
    let atoms: Vec<_> = usage
        .atoms
        .iter()
        .map(|of| (&*of.molecule, &*of.name, of.workflows, of.executions))
        .collect();
    assert_eq!(
        atoms,
        [("cleaner", "csv", 2, 3), ("loader", "csv", 2, 3), ("loader", "excel", 2, 3)]
    );
    let bob = place.store.seen_by(Viewer::User("bob".to_owned())).usage().await.expect("read");
    assert_eq!((bob.molecules[0].workflows, bob.molecules[0].executions), (1, 0));
}

pub(crate) async fn external_runs_take_status_reports(place: Catalogs) {
    let store = &place.store;
    let mut run = new_run("outside");
    run.owner = None;
    run.user = Some("alice".to_owned());
    store.begin(run.clone(), Vec::new()).await.expect("begun");
    let early =
        store.report_run(run.id, StatusReport::new(Status::Completed)).await.expect_err("early");
    let text = early.to_string();
    assert!(text.contains("only the engine can set it to completed"), "{text}");
    let running = alice(&place).report_run(run.id, StatusReport::new(Status::Running)).await;
    assert_eq!(running.expect("hers").status, Status::Running);
    let result = Some(json!({ "rows": 7 }));
    for (status, result, error, field) in [
        (Status::Failed, result.clone(), None, "the result"),
        (Status::Completed, None, Some("why".to_owned()), "the error"),
        (Status::Skipped, None, None, "the status"),
    ] {
        let error = store
            .report_run(run.id, StatusReport { status: Some(status), result, error })
            .await
            .expect_err("unfit");
        assert!(error.to_string().starts_with(field), "{error}");
    }
    let completed = StatusReport { result: result.clone(), ..StatusReport::new(Status::Completed) };
    let done = place.other.report_run(run.id, completed).await;
    let done = done.expect("recorded");
    assert_eq!((done.status, done.events, done.owner), (Status::Completed, 2, None));
    let details = store.run_details(run.id).await.expect("there");
    assert_eq!(Some(details.result), result);
    let events = store.events(run.id, 0, 10).await.expect("read");
    assert_eq!(events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [0, 1]);
    let figures = store.statistics(Some("outside")).await.expect("known");
    assert_eq!(figures[0].runs.completed, 1);
    // Said twice it changes nothing; said otherwise it is refused.
    store.report_run(run.id, StatusReport::new(Status::Completed)).await.expect("nothing");
    for (status, result) in [(Status::Completed, Some(json!(1))), (Status::Failed, None)] {
        store
            .report_run(run.id, StatusReport { result, ..StatusReport::new(status) })
            .await
            .expect_err("has ended");
    }
    assert_eq!(store.run(run.id).await.expect("read").expect("there").events, 2);

    // Another one is cancelled before it began, and one is driven.
    let mut pending = new_run("outside");
    pending.owner = None;
    store.begin(pending.clone(), Vec::new()).await.expect("begun");
    store.report_run(pending.id, StatusReport::new(Status::Cancelled)).await.expect("cancelled");
    let sent = store.send(pending.id, MessageKind::Cancel).await;
    assert!(matches!(sent, Err(StoreError::Ended { .. })), "{sent:?}");
    let driven = new_run("outside");
    store.begin(driven.clone(), whole_run(5, true)[..1].to_vec()).await.expect("begun");
    let error = place.other.report_run(driven.id, StatusReport::new(Status::Completed)).await;
    assert!(matches!(error, Err(CatalogError::Driven(id)) if id == driven.id), "{error:?}");
    let hidden = alice(&place).report_run(driven.id, StatusReport::new(Status::Completed)).await;
    assert!(matches!(hidden, Err(CatalogError::NoRun(_))), "{hidden:?}");
}
