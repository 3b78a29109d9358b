//! Attempts of jobs that wait for the workers of a task queue of their own.

use serde_json::{Value as Json, json};
use workflow_core::run_log::OutputStream;
use workflow_core::store::{
    ClaimRequest, ClaimedTask, Lease, NewRun, NewTask, Owner, Queues, Store, StoreError, TaskEnd,
    TaskError, TaskKey, TaskLease, TaskProgress, TaskStore,
};

use super::fixtures::*;

fn key(lease: &Lease, job: &str, attempt: u32, signals: u32) -> TaskKey {
    TaskKey { run: lease.run, job: job.to_owned(), attempt, signals }
}

fn task(lease: &Lease, job: &str, queue: &str) -> NewTask {
    let key = key(lease, job, 1, 0);
    NewTask { key, queue: queue.to_owned(), attempt: json!({ "job": job, "text": "ä\u{0}b" }) }
}

fn request(queues: Queues) -> ClaimRequest {
    ClaimRequest { queues, except: Vec::new(), limit: 10 }
}

async fn open(tasks: &dyn TaskStore, lease: &Lease, task: &NewTask) {
    tasks.open_task(lease, task).await.expect("opened");
}

async fn claim(tasks: &dyn TaskStore, owner: Owner) -> Vec<ClaimedTask> {
    tasks.claim_tasks(owner, &request(Queues::all())).await.expect("claimed")
}

/// Claims the only task.
async fn claim_one(tasks: &dyn TaskStore, owner: Owner) -> ClaimedTask {
    let mut claimed = claim(tasks, owner).await;
    assert_eq!(claimed.len(), 1, "{claimed:?}");
    claimed.remove(0)
}

async fn end(tasks: &dyn TaskStore, lease: &TaskLease, outcome: Json) -> Result<(), TaskError> {
    tasks.end_task(lease, &TaskProgress::default(), &outcome).await
}

fn is_lost(result: Result<(), TaskError>) -> bool {
    matches!(result, Err(TaskError::Lost { .. }))
}

/// The ends of the tasks of an owner's runs, by their jobs.
async fn ends(tasks: &dyn TaskStore, owner: Owner) -> Vec<(String, Option<TaskEnd>)> {
    let answers = tasks.task_answers(owner.id).await.expect("answered");
    answers.into_iter().map(|answer| (answer.key.job, answer.end)).collect()
}

pub(crate) async fn a_task_is_opened_once(stores: Stores) {
    let (Some(one), Some(other)) = (stores.one.task_store(), stores.other.task_store()) else {
        return;
    };
    let driver = owner();
    let lease = begin(&*stores.one, driver).await;
    let train = task(&lease, "train", "gpu");
    open(one, &lease, &train).await;
    open(one, &lease, &train).await;
    let worker = owner();
    let claimed = claim_one(other, worker).await;
    assert_eq!((&claimed.attempt, claimed.run.id), (&train.attempt, lease.run));
    assert_eq!((claimed.deaths, claimed.lease.owner), (0, worker.id));
    assert_eq!(claimed.run.workflow.name, "etl");
    // Also once it is claimed, and once it has ended.
    open(one, &lease, &train).await;
    end(other, &claimed.lease, json!({ "n": 7 })).await.expect("ended");
    open(one, &lease, &train).await;
    assert!(claim(other, worker).await.is_empty());
    let expected = Some(TaskEnd::Outcome(json!({ "n": 7 })));
    assert_eq!(ends(one, driver).await, [("train".to_owned(), expected)]);
}

pub(crate) async fn only_the_owner_of_the_run_opens_its_tasks(stores: Stores) {
    let Some(tasks) = stores.one.task_store() else { return };
    let lease = begin(&*stores.one, living(std::time::Duration::ZERO)).await;
    let next = owner();
    let taken = stores.other.claim(next, &[lease.run]).await.expect("claimed");
    let refused = tasks.open_task(&lease, &task(&lease, "train", "gpu")).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
    open(tasks, &taken[0], &task(&lease, "train", "gpu")).await;
    let refused = tasks.stop_task(&lease, &key(&lease, "train", 1, 0)).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
    // The next owner gets the outcome.
    let claimed = claim_one(tasks, owner()).await;
    end(tasks, &claimed.lease, json!(1)).await.expect("ended");
    assert_eq!(ends(tasks, next).await.len(), 1);
}

pub(crate) async fn tasks_are_claimed_by_queue_priority_and_age(stores: Stores) {
    let (Some(one), Some(other)) = (stores.one.task_store(), stores.other.task_store()) else {
        return;
    };
    let driver = owner();
    let mut leases = Vec::new();
    for priority in [0, 5] {
        let run = NewRun { priority, ..new_run("etl", Some(driver)) };
        let run_id = run.id;
        stores.one.begin(run, vec![started(0)]).await.expect("it begins");
        leases.push(Lease { run: run_id, owner: driver.id, token: 1 });
    }
    for (lease, job, queue) in
        [(0, "old", "a"), (1, "urgent", "a"), (0, "young", "a"), (0, "first", "b"), (1, "not", "c")]
    {
        open(one, &leases[lease], &task(&leases[lease], job, queue)).await;
    }
    let queues = Queues::named(["a"]).add("b", 1);
    let names = |claimed: &[ClaimedTask]| -> Vec<String> {
        claimed.iter().map(|it| it.attempt["job"].as_str().expect("a name").to_owned()).collect()
    };
    let except = ClaimRequest { except: vec!["etl".to_owned()], ..request(queues.clone()) };
    assert!(other.claim_tasks(owner(), &except).await.expect("claimed").is_empty());
    let two = ClaimRequest { limit: 2, ..request(queues.clone()) };
    let claimed = other.claim_tasks(owner(), &two).await.expect("claimed");
    assert_eq!(names(&claimed), ["first", "urgent"]);
    let rest = other.claim_tasks(owner(), &request(queues)).await.expect("claimed");
    assert_eq!(names(&rest), ["old", "young"]);
}

pub(crate) async fn an_answer_stays_until_its_attempt_is_recorded(stores: Stores) {
    let Some(tasks) = stores.one.task_store() else { return };
    let driver = owner();
    let lease = begin(&*stores.one, driver).await;
    for job in ["train", "test"] {
        open(tasks, &lease, &task(&lease, job, "gpu")).await;
    }
    for claimed in claim(tasks, owner()).await {
        end(tasks, &claimed.lease, json!(7)).await.expect("ended");
    }
    let seven = || Some(TaskEnd::Outcome(json!(7)));
    let both = [("train".to_owned(), seven()), ("test".to_owned(), seven())];
    assert_eq!(ends(tasks, driver).await, both);
    assert_eq!(ends(tasks, driver).await, both);
    stores.one.append(&lease, &[job_started(1, "train")]).await.expect("recorded");
    assert_eq!(ends(tasks, driver).await, both);
    let recorded = [job_completed(2, "train", json!(7))];
    stores.one.append(&lease, &recorded).await.expect("recorded");
    assert_eq!(ends(tasks, driver).await, both[1..]);
}

pub(crate) async fn a_retry_is_another_task(stores: Stores) {
    let Some(tasks) = stores.one.task_store() else { return };
    let driver = owner();
    let lease = begin(&*stores.one, driver).await;
    open(tasks, &lease, &task(&lease, "train", "gpu")).await;
    end(tasks, &claim_one(tasks, owner()).await.lease, json!(1)).await.expect("ended");
    let failed = json!({
        "event": "attempt_failed", "job": "train", "attempt": 1, "retry_in": 0.0,
        "error": { "message": "m", "kind": "retryable", "error_type": "E" },
    });
    stores
        .one
        .append(&lease, &[job_started(1, "train"), event(2, failed)])
        .await
        .expect("recorded");
    assert!(ends(tasks, driver).await.is_empty());
    let second = NewTask { key: key(&lease, "train", 2, 0), ..task(&lease, "train", "gpu") };
    open(tasks, &lease, &second).await;
    end(tasks, &claim_one(tasks, owner()).await.lease, json!(2)).await.expect("ended");
    // After a signal, the attempt continues with another task, which replaces this one.
    let signalled = NewTask { key: key(&lease, "train", 2, 1), ..task(&lease, "train", "gpu") };
    open(tasks, &lease, &signalled).await;
    assert!(ends(tasks, driver).await.is_empty());
    assert_eq!(claim(tasks, owner()).await.len(), 1);
}

pub(crate) async fn the_tasks_of_a_dead_worker_wait_again(stores: Stores) {
    let (Some(one), Some(other)) = (stores.one.task_store(), stores.other.task_store()) else {
        return;
    };
    let driver = owner();
    let lease = begin(&*stores.one, driver).await;
    open(one, &lease, &task(&lease, "train", "gpu")).await;
    let first = claim_one(one, living(std::time::Duration::from_millis(1))).await;
    let second =
        until("the death of the worker", async || claim(other, owner()).await.into_iter().next())
            .await;
    assert_eq!((second.deaths, second.lease.task), (1, first.lease.task));
    assert!(second.lease.token > first.lease.token);
    // What the first one sends is refused.
    assert!(is_lost(end(one, &first.lease, json!("late")).await));
    let progress = TaskProgress {
        output: vec![(OutputStream::Stdout, "late".to_owned())],
        ..Default::default()
    };
    assert!(is_lost(one.report_task(&first.lease, &progress).await));
    assert!(ends(one, driver).await.is_empty());
    end(other, &second.lease, json!("in time")).await.expect("ended");
    assert!(is_lost(end(one, &first.lease, json!("late")).await));
    let expected = Some(TaskEnd::Outcome(json!("in time")));
    assert_eq!(ends(one, driver).await, [("train".to_owned(), expected)]);
}

pub(crate) async fn persisted_values_outlive_the_worker(stores: Stores) {
    let Some(tasks) = stores.one.task_store() else { return };
    let lease = begin(&*stores.one, owner()).await;
    open(tasks, &lease, &task(&lease, "train", "gpu")).await;
    let first = claim_one(tasks, owner()).await;
    assert!(first.persisted.is_empty());
    for (key, value) in [("epoch", 1), ("seed", 7), ("epoch", 2)] {
        let persisted = [(key.to_owned(), json!(value))].into();
        let progress = TaskProgress { persisted, ..Default::default() };
        tasks.report_task(&first.lease, &progress).await.expect("reported");
    }
    tasks.release_tasks(&[first.lease]).await.expect("released");
    let second = claim_one(tasks, owner()).await;
    let expected = [("epoch".to_owned(), json!(2)), ("seed".to_owned(), json!(7))];
    assert_eq!(second.persisted, expected.into());
    // Nobody has died.
    assert_eq!(second.deaths, 0);
    assert!(is_lost(end(tasks, &first.lease, json!(1)).await));
    // A lease that was lost releases nothing.
    tasks.release_tasks(&[first.lease]).await.expect("ignored");
    assert!(claim(tasks, owner()).await.is_empty());
}

pub(crate) async fn output_is_read_once_and_in_order(stores: Stores) {
    let (Some(one), Some(other)) = (stores.one.task_store(), stores.other.task_store()) else {
        return;
    };
    let driver = owner();
    let lease = begin(&*stores.one, driver).await;
    open(one, &lease, &task(&lease, "train", "gpu")).await;
    let claimed = claim_one(other, owner()).await;
    let said = |stream, text: &str| (stream, text.to_owned());
    let progress = |output| TaskProgress { output, ..Default::default() };
    let first = vec![said(OutputStream::Stdout, "a\n"), said(OutputStream::Stderr, "ü\n")];
    other.report_task(&claimed.lease, &progress(first.clone())).await.expect("reported");
    let read = one.task_answers(driver.id).await.expect("answered");
    assert_eq!((read.len(), &read[0].output, &read[0].end), (1, &first, &None));
    assert_eq!(read[0].key, key(&lease, "train", 1, 0));
    assert!(one.task_answers(driver.id).await.expect("answered").is_empty());
    // The last output comes with the outcome.
    let last = vec![said(OutputStream::Stdout, "b\n")];
    let outcome = json!(true);
    other.end_task(&claimed.lease, &progress(last.clone()), &outcome).await.expect("ended");
    let read = one.task_answers(driver.id).await.expect("answered");
    assert_eq!((&read[0].output, &read[0].end), (&last, &Some(TaskEnd::Outcome(outcome.clone()))));
    let read = one.task_answers(driver.id).await.expect("answered");
    assert_eq!((read[0].output.len(), &read[0].end), (0, &Some(TaskEnd::Outcome(outcome))));
    // Another engine learns nothing of it.
    assert!(one.task_answers(owner().id).await.expect("answered").is_empty());
}

pub(crate) async fn a_stop_reaches_the_worker(stores: Stores) {
    let (Some(one), Some(other)) = (stores.one.task_store(), stores.other.task_store()) else {
        return;
    };
    let driver = owner();
    let lease = begin(&*stores.one, driver).await;
    let worker = owner();
    open(one, &lease, &task(&lease, "train", "gpu")).await;
    let claimed = claim_one(other, worker).await;
    let held = other.held_tasks(worker.id).await.expect("answered");
    assert_eq!((held.len(), held[0].lease, held[0].is_stopped), (1, claimed.lease, false));
    one.stop_task(&lease, &key(&lease, "train", 1, 0)).await.expect("requested");
    let held = other.held_tasks(worker.id).await.expect("answered");
    assert!(held[0].is_stopped && ends(one, driver).await.is_empty());
    end(other, &claimed.lease, json!("stopped")).await.expect("ended");
    one.stop_task(&lease, &key(&lease, "train", 1, 0)).await.expect("ignored");
    let expected = Some(TaskEnd::Outcome(json!("stopped")));
    assert_eq!(ends(one, driver).await, [("train".to_owned(), expected)]);
}

pub(crate) async fn a_stopped_task_without_a_worker_ends_at_once(stores: Stores) {
    let (Some(one), Some(other)) = (stores.one.task_store(), stores.other.task_store()) else {
        return;
    };
    let driver = owner();
    let lease = begin(&*stores.one, driver).await;
    open(one, &lease, &task(&lease, "waits", "gpu")).await;
    one.stop_task(&lease, &key(&lease, "waits", 1, 0)).await.expect("stopped");
    assert_eq!(ends(one, driver).await, [("waits".to_owned(), Some(TaskEnd::Cancelled))]);
    assert!(claim(other, owner()).await.is_empty());
    // The worker of this one dies after the request.
    open(one, &lease, &task(&lease, "dies", "gpu")).await;
    let worker = living(std::time::Duration::from_millis(200));
    claim_one(other, worker).await;
    until("the end of the task", async || {
        one.stop_task(&lease, &key(&lease, "dies", 1, 0)).await.expect("requested");
        (ends(one, driver).await.len() == 2).then_some(())
    })
    .await;
    assert_eq!(ends(one, driver).await[1], ("dies".to_owned(), Some(TaskEnd::Cancelled)));
    assert!(claim(other, owner()).await.is_empty());
}

pub(crate) async fn tasks_end_with_their_run(stores: Stores) {
    let (Some(one), Some(other)) = (stores.one.task_store(), stores.other.task_store()) else {
        return;
    };
    let lease = begin(&*stores.one, owner()).await;
    let worker = owner();
    open(one, &lease, &task(&lease, "train", "gpu")).await;
    let claimed = claim_one(other, worker).await;
    open(one, &lease, &task(&lease, "waits", "gpu")).await;
    assert_eq!(one.tasks(lease.run).await.expect("answered").len(), 2);
    stores.one.append(&lease, &[completed(1, json!(1))]).await.expect("recorded");
    assert!(other.held_tasks(worker.id).await.expect("answered").is_empty());
    assert!(is_lost(end(other, &claimed.lease, json!(1)).await));
    assert!(claim(other, worker).await.is_empty());
    assert!(one.tasks(lease.run).await.expect("answered").is_empty());
}

pub(crate) async fn concurrent_claims_share_the_tasks(stores: Stores) {
    let Some(tasks) = stores.one.task_store() else { return };
    const COUNT: usize = 60;
    let lease = begin(&*stores.one, owner()).await;
    for number in 0..COUNT {
        open(tasks, &lease, &task(&lease, &format!("job {number}"), "gpu")).await;
    }
    let claims = |store: std::sync::Arc<dyn Store>| {
        std::thread::spawn(move || {
            let (owner, mut mine) = (owner(), Vec::new());
            let tasks = store.task_store().expect("it hands out tasks");
            loop {
                let request = ClaimRequest { limit: 7, ..request(Queues::all()) };
                let claimed = pollster::block_on(tasks.claim_tasks(owner, &request));
                let claimed = claimed.expect("claimed");
                if claimed.is_empty() {
                    return mine;
                }
                mine.extend(claimed.into_iter().map(|claimed| claimed.lease.task));
            }
        })
    };
    let threads: Vec<_> =
        [&stores.one, &stores.other, &stores.one].map(|store| claims(store.clone())).into();
    let mut all: Vec<u64> =
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), COUNT);
}

pub(crate) async fn backlogs_count_waiting_jobs(stores: Stores) {
    let (Some(one), Some(other)) = (stores.one.task_store(), stores.other.task_store()) else {
        return;
    };
    let lease = begin(&*stores.one, owner()).await;
    let run = NewRun { task_queue: "gpu".to_owned(), ..new_run("etl", None) };
    stores.one.begin(run, Vec::new()).await.expect("it begins");
    for (job, queue) in [("a", "gpu"), ("b", "gpu"), ("c", "tpu")] {
        open(one, &lease, &task(&lease, job, queue)).await;
    }
    let count = async || -> Vec<(String, u64, u64)> {
        let backlogs = stores.other.backlogs().await.expect("answered");
        backlogs.into_iter().map(|it| (it.queue, it.waiting, it.jobs)).collect()
    };
    assert_eq!(count().await, [("gpu".to_owned(), 1, 2), ("tpu".to_owned(), 0, 1)]);
    let worker = owner();
    let queues = request(Queues::named(["tpu"]));
    other.claim_tasks(worker, &queues).await.expect("claimed");
    assert_eq!(count().await, [("gpu".to_owned(), 1, 2)]);
    let known = one.tasks(lease.run).await.expect("answered");
    let known: Vec<_> = known
        .iter()
        .map(|task| (task.key.job.as_str(), task.queue.as_str(), task.owner, task.is_owner_alive))
        .collect();
    let expected =
        [("a", "gpu", None, false), ("b", "gpu", None, false), ("c", "tpu", Some(worker.id), true)];
    assert_eq!(known, expected);
}

pub(crate) async fn tasks_are_announced(stores: Stores) {
    use futures::{FutureExt as _, StreamExt as _};
    let (Some(one), Some(other)) = (stores.one.task_store(), stores.other.task_store()) else {
        return;
    };
    let lease = begin(&*stores.one, owner()).await;
    let (mut here, mut there) = (stores.one.queue_changes(), stores.other.queue_changes());
    let drain = |changes: &mut futures::stream::BoxStream<'static, ()>| {
        while let Some(Some(())) = changes.next().now_or_never() {}
    };
    drain(&mut there);
    open(one, &lease, &task(&lease, "train", "gpu")).await;
    until("the announcement of the task", || {
        std::future::ready(there.next().now_or_never().flatten())
    })
    .await;
    let claimed = claim_one(other, owner()).await;
    drain(&mut here);
    end(other, &claimed.lease, json!(1)).await.expect("ended");
    until("the announcement of the outcome", || {
        std::future::ready(here.next().now_or_never().flatten())
    })
    .await;
}
