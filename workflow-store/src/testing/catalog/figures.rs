//! Counters, lists of runs, durations.

use std::time::Duration;

use crate::{CatalogError, RunQuery};
use futures::future::join_all;
use serde_json::json;
use workflow_core::Status;

use super::fixtures::*;

pub(crate) async fn runs_are_counted_under_concurrency(place: Catalogs) {
    let begins = (0..120).map(|at| {
        let store = if at % 2 == 0 { place.store.clone() } else { place.other.clone() };
        async move { store.begin(new_run(&format!("w{}", at % 3)), Vec::new()).await }
    });
    for begun in join_all(begins).await {
        begun.expect("begun");
    }
    for name in ["w0", "w1", "w2"] {
        let workflow = place.store.workflow(name).await.expect("found");
        assert_eq!(workflow.execution_count, 40);
        assert!(workflow.last_executed_at.is_some());
    }
}

pub(crate) async fn runs_are_listed_with_their_jobs(place: Catalogs) {
    let mut ids = Vec::new();
    for at in 0..9 {
        let mut run = new_run(if at % 3 == 0 { "a" } else { "b" });
        run.idempotency_key = Some(format!("key {at}"));
        ids.push((run.id, run.created_at));
        place.store.begin(run, whole_run(5, at % 2 == 0)).await.expect("begun");
    }
    let list = |query: RunQuery| {
        let store = place.store.clone();
        async move {
            let (mut found, mut after) = (Vec::new(), query.after.clone());
            loop {
                let query = RunQuery { after, limit: Some(2), ..query.clone() };
                let page = store.runs(query).await.expect("listed");
                found.extend(page.items.into_iter().map(|run| run.id));
                after = page.next;
                if after.is_none() {
                    break found;
                }
            }
        }
    };
    let select = |keep: fn(usize) -> bool| {
        (0..9).rev().filter(|at| keep(*at)).map(|at| ids[at].0).collect::<Vec<_>>()
    };
    let all = RunQuery::default;
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(list(all()).await, select(|_| true));
    assert_eq!(list(RunQuery { workflow: text("a"), ..all() }).await, select(|at| at % 3 == 0));
    let failed = Some(Status::Failed);
    assert_eq!(list(RunQuery { status: failed, ..all() }).await, select(|at| at % 2 == 1));
    let both = RunQuery { workflow: text("a"), status: failed, ..all() };
    assert_eq!(list(both).await, [ids[3].0]);
    let key = RunQuery { idempotency_key: text("key 4"), ..all() };
    assert_eq!(list(key).await, [ids[4].0]);
    let since = RunQuery { since: Some(ids[6].1 - Duration::from_micros(1)), ..all() };
    assert_eq!(list(since).await, [ids[8].0, ids[7].0, ids[6].0]);
    let until = RunQuery { until: Some(ids[1].1 - Duration::from_micros(1)), ..all() };
    assert_eq!(list(until).await, [ids[0].0]);

    let details = place.store.run_details(ids[1].0).await.expect("there");
    assert_eq!((details.run.status, details.run.workflow.as_str()), (Status::Failed, "b"));
    assert_eq!(details.run.error.as_deref(), Some("job `load` failed"));
    assert_eq!((details.jobs.len(), details.jobs[0].status), (1, Status::Failed));
    assert_eq!(details.jobs[0].attempts, 1);
    assert!(details.jobs[0].error.as_deref().is_some_and(|error| error.contains("rows")));
    let details = place.store.run_details(ids[0].0).await.expect("there");
    assert_eq!((details.result, details.input), (json!({ "rows": 7 }), Some(json!({ "day": 1 }))));
    let unknown = workflow_core::id::RunId::random();
    let error = place.store.run_details(unknown).await;
    assert!(matches!(error, Err(CatalogError::NoRun(run)) if run == unknown));
}

pub(crate) async fn durations_are_known_without_events(place: Catalogs) {
    for at in 1..=100u32 {
        place.store.begin(new_run("etl"), whole_run(at * 10, at % 10 != 0)).await.expect("begun");
    }
    let statistics = place.other.statistics(Some("etl")).await.expect("known").remove(0);
    let close = |found: Duration, millis: f64| {
        let found = found.as_secs_f64() * 1000.0;
        assert!(found >= millis - 0.1 && found <= millis * 1.1, "{found} for {millis}");
    };
    let load = statistics.jobs[0].durations;
    for durations in [statistics.runs, load] {
        assert_eq!((durations.completed, durations.failed, durations.cancelled), (90, 10, 0));
        assert_eq!(durations.success_rate, Some(0.9));
        close(durations.p50, 500.0);
        close(durations.p95.expect("there are enough"), 950.0);
        assert_eq!(durations.max, Duration::from_millis(1000));
        assert_eq!(durations.mean, Duration::from_millis(505));
    }
    assert_eq!((statistics.requested, statistics.jobs[0].job.as_str()), (100, "load"));
    assert_eq!(place.other.statistics(None).await.expect("known"), [statistics]);
}
