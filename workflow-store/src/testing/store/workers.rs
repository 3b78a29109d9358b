//! Workers and backlogs.

use std::time::{Duration, SystemTime};

use workflow_core::store::{NewRun, OwnerId, Queues, Store, StoredWorker, WorkerId, WorkerReport};

use super::fixtures::*;

fn report(owner: OwnerId, lifetime: Duration) -> WorkerReport {
    WorkerReport {
        id: WorkerId { owner, number: 1 },
        name: "4711@build-3".to_owned(),
        queues: Queues::named(["a"]).add("b", 10),
        max_concurrent_workflows: Some(50),
        max_concurrent_activities: None,
        max_cached_workflows: Some(1000),
        workflows: 3,
        activities: 7,
        waiting: 2,
        lifetime,
        program: None,
    }
}

/// The workers; `None` for a store that does not know them.
async fn workers(store: &dyn Store) -> Option<Vec<StoredWorker>> {
    store.workers().await.expect("answered")
}

pub(crate) async fn workers_are_known_by_their_latest_report(stores: Stores) {
    let Some(none) = workers(&*stores.one).await else { return };
    assert_eq!(none, []);
    let hour = Duration::from_secs(3600);
    let (first, second) = (report(OwnerId::random(), hour), report(OwnerId::random(), hour));
    for report in [&first, &second] {
        stores.one.report_worker(report).await.expect("recorded");
    }
    let before = workers(&*stores.other).await.expect("known");
    let later = WorkerReport { activities: 8, queues: Queues::all(), ..first.clone() };
    stores.other.report_worker(&later).await.expect("recorded");
    let after = workers(&*stores.one).await.expect("known");
    let reports = |workers: &[StoredWorker]| -> Vec<WorkerReport> {
        workers.iter().map(|worker| worker.report.clone()).collect()
    };
    assert_eq!(reports(&before), [first.clone(), second.clone()]);
    assert_eq!(reports(&after), [later, second.clone()]);
    assert_eq!(after[0].since, before[0].since);
    assert!(after[0].last_heartbeat >= before[0].last_heartbeat);
    let age = SystemTime::now().duration_since(after[0].since).expect("in the past");
    assert!(age < Duration::from_secs(60), "{age:?}");
    assert!(after.iter().all(|worker| worker.is_alive && !worker.is_late()));
    assert!(after[0].serves("any") && after[1].serves("b") && !after[1].serves("c"));
    stores.other.forget_worker(first.id).await.expect("forgotten");
    assert_eq!(reports(&workers(&*stores.one).await.expect("known")), [second]);
}

pub(crate) async fn a_worker_without_heartbeats_is_listed_as_dead(stores: Stores) {
    let report = report(OwnerId::random(), Duration::ZERO);
    stores.one.report_worker(&report).await.expect("recorded");
    let Some(found) = workers(&*stores.other).await else { return };
    assert_eq!((found.len(), &found[0].report, found[0].is_alive), (1, &report, false));
    assert!(found[0].is_late() && !found[0].serves("a"));
}

pub(crate) async fn backlogs_count_the_waiting_runs_of_each_queue(stores: Stores) {
    let second = |count: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + count);
    for (queue, at) in [("b", 3), ("a", 1), ("b", 2), ("b", 4)] {
        let run =
            NewRun { task_queue: queue.to_owned(), created_at: second(at), ..new_run("etl", None) };
        stores.one.begin(run, Vec::new()).await.expect("it begins");
    }
    let driven = NewRun { task_queue: "c".to_owned(), ..new_run("etl", Some(owner())) };
    stores.one.begin(driven, vec![started(0)]).await.expect("it begins");
    let backlogs = stores.other.backlogs().await.expect("answered");
    let found: Vec<_> =
        backlogs.iter().map(|it| (it.queue.as_str(), it.waiting, it.oldest)).collect();
    assert_eq!((found[0], found[1].0, found[1].1), (("a", 1, second(1)), "b", 3));
    // The run that was added first counts as the oldest.
    assert!([second(2), second(3)].contains(&found[1].2), "{:?}", found[1]);
    assert_eq!(found.len(), 2);
}
