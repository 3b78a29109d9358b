//! Limits of runs, as a program sees them: with an engine, with workers, and without a store.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use futures::future::{join_all, poll_fn};
use serde_json::{Value as Json, json};
use workflow_core::engine::Enqueued;
use workflow_core::flow_control::{Concurrency, Debounce, OnConflict, RateLimit};
use workflow_core::store::{LimitWait, SharedBy};
use workflow_core::worker::Worker;

use super::gated::Gated;
use super::*;

/// How many runs of each key are in progress, and the most at once.
static IN_PROGRESS: LazyLock<Mutex<HashMap<String, (usize, usize)>>> =
    LazyLock::new(Mutex::default);

/// Lets other runs begin meanwhile, if nothing hinders them.
async fn pause() {
    let mut turns = 0;
    poll_fn(|cx| {
        turns += 1;
        cx.waker().wake_by_ref();
        std::thread::yield_now();
        if turns > 200 { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

#[register_workflow(
    name = "flow: counted",
    concurrency(key = "${{ input.test }}/${{ input.key }}", limit = 2)
)]
async fn counted(input: Json) -> Json {
    let key = format!("{}/{}", input["test"], input["key"]);
    let change = |by: isize| {
        let mut counts = IN_PROGRESS.lock().expect("no panic");
        let (now, most) = counts.entry(key.clone()).or_default();
        *now = now.saturating_add_signed(by);
        *most = (*most).max(*now);
    };
    change(1);
    pause().await;
    change(-1);
    input["number"].clone()
}

fn most(test: &str, key: &str) -> usize {
    let counts = IN_PROGRESS.lock().expect("no panic");
    counts.get(&format!("\"{test}\"/\"{key}\"")).map_or(0, |(_, most)| *most)
}

#[register_workflow(name = "flow: waits")]
async fn waits(ctx: WorkflowContext, input: Json) -> Result<Json, JobError> {
    let _: Json = ctx.wait_signal("go").await?;
    Ok(input)
}

fn one(on_conflict: OnConflict) -> Concurrency {
    Concurrency::new(1).key("${{ input.key }}").on_conflict(on_conflict)
}

fn engine(store: &Arc<MemoryStore>) -> Engine {
    Engine::builder().store(store.clone()).build()
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn awaited_runs_keep_the_limit() {
    let engine = engine(&Arc::new(MemoryStore::new()));
    let run = |number: u32| {
        let key = if number.is_multiple_of(4) { "b" } else { "a" };
        let input = json!({ "test": "awaited", "key": key, "number": number });
        let run = engine.run("flow: counted").input(input);
        async move { run.await.expect("it completes").output::<u32>().expect("its number") }
    };
    let numbers = block_on(join_all((0..12).map(run)));
    assert_eq!(numbers, (0..12).collect::<Vec<u32>>());
    assert!(most("awaited", "a") <= 2 && most("awaited", "b") <= 2);
}

#[test]
fn workers_keep_the_limit() {
    let store = Arc::new(MemoryStore::new());
    let engines = [engine(&store), engine(&store), engine(&store)];
    let runs = (0..30).map(|number| {
        let key = if number % 3 == 0 { "b" } else { "a" };
        let input = json!({ "test": "workers", "key": key, "number": number });
        block_on(engines[0].run("flow: counted").input(input).enqueue()).expect("queued")
    });
    let runs: Vec<RunId> = runs.collect();
    let [one, two, three] = engines.clone().map(Worker::new);
    let others = async {
        futures::future::join(two.run(std::future::pending()), three.run(std::future::pending()))
            .await
    };
    let ended = one.run_until(join_all(runs.iter().map(|run| engines[0].follow(*run))));
    let ended = block_on(async {
        match futures::future::select(std::pin::pin!(ended), std::pin::pin!(others)).await {
            futures::future::Either::Left((ended, _)) => ended.expect("the store works"),
            futures::future::Either::Right(_) => panic!("a worker ended"),
        }
    });
    assert!(ended.iter().all(Result::is_ok), "{ended:?}");
    assert!(most("workers", "a") <= 2 && most("workers", "b") <= 2);
}

#[test]
fn started_runs_go_on_when_nobody_waits_for_them() {
    let store = Arc::new(MemoryStore::new());
    let engine = engine(&store);
    for number in 0..5 {
        let input = json!({ "test": "started", "key": "a", "number": number });
        drop(engine.run("flow: counted").input(input).start().expect("it starts"));
    }
    until("the end of all runs", || {
        let runs = store.runs();
        let is_over = |run: &RunId| {
            let run = block_on(store.run(*run)).expect("memory can be read");
            run.is_some_and(|run| run.status == workflow_core::Status::Completed)
        };
        runs.len() == 5 && runs.iter().all(|(run, _)| is_over(run))
    });
    assert!((1..=2).contains(&most("started", "a")));
}

#[test]
fn a_skipped_request_gets_the_run_that_is_there() {
    let engine = engine(&Arc::new(MemoryStore::new()));
    let start = |number: u32| {
        let input = json!({ "key": "a", "number": number });
        engine.run("flow: waits").input(input).concurrency(one(OnConflict::Skip))
    };
    let first = start(1).start().expect("it starts");
    let id = block_on(first.persisted()).expect("on record");
    let again = block_on(start(2).enqueue_once()).expect("answered");
    assert_eq!(again, Enqueued::Existing(id, SharedBy::Slot));
    let second = start(3).start().expect("it starts");
    assert_eq!(block_on(second.persisted()).expect("answered"), id);
    assert_eq!(second.existing(), Some((id, SharedBy::Slot)));
    // The first one has a run of its own, which only had to be admitted.
    assert_eq!((first.existing(), first.waits_for_limits()), (None, true));
    block_on(second.signal("go", ())).expect("sent");
    for run in [&first, &second] {
        let output: Json = run.wait().expect("it completes").output().expect("its input");
        assert_eq!(output["number"], 1);
    }
    // Once it has ended, the next request begins a run.
    assert!(matches!(block_on(start(4).enqueue_once()), Ok(Enqueued::New(_))));
}

#[test]
fn a_refused_run_is_recorded_as_cancelled() {
    let store = Arc::new(MemoryStore::new());
    let engine = engine(&store);
    let start = || {
        let input = json!({ "key": "a" });
        engine.run("flow: waits").input(input).concurrency(one(OnConflict::CancelNew))
    };
    let first = start().start().expect("it starts");
    let holder = block_on(first.persisted()).expect("on record");
    assert!(matches!(block_on(start().enqueue_once()), Ok(Enqueued::Cancelled(_))));
    let Err(RunError::Cancelled(report)) = start().wait() else { panic!("not cancelled") };
    let reason = events(&store, report.id())
        .into_iter()
        .find_map(|event| match event.kind {
            workflow_core::event::EventKind::CancelRequested { reason } => reason,
            _ => None,
        })
        .expect("a reason");
    assert!(reason.contains("concurrency limit 1 of key `a`"), "{reason}");
    assert!(reason.contains(&holder.to_string()), "{reason}");
    block_on(first.signal("go", ())).expect("sent");
    first.wait().expect("it completes");
}

#[test]
fn a_new_run_may_cancel_the_one_in_progress() {
    let engine = engine(&Arc::new(MemoryStore::new()));
    let start = || {
        let input = json!({ "key": "a" });
        engine.run("flow: waits").input(input).concurrency(one(OnConflict::CancelRunning))
    };
    let first = start().start().expect("it starts");
    block_on(first.persisted()).expect("on record");
    let second = start().start().expect("it starts");
    assert!(matches!(first.wait(), Err(RunError::Cancelled(_))));
    block_on(second.signal("go", ())).expect("sent");
    second.wait().expect("it completes");
}

#[test]
fn debounced_requests_share_a_run_with_the_last_input() {
    let store = Arc::new(MemoryStore::new());
    let engine = engine(&store);
    let request = |number: u32| {
        let debounce = Debounce::new(Duration::from_secs(5)).key("${{ input.page }}");
        let debounce = debounce.max_delay(Duration::from_secs(8));
        let input = json!({ "page": "a", "number": number, "test": "debounce", "key": number });
        engine.run("flow: counted").input(input).debounce(debounce)
    };
    let first = block_on(request(1).enqueue()).expect("queued");
    store.advance(Duration::from_secs(4));
    let second = block_on(request(2).enqueue_once()).expect("queued");
    assert_eq!(second, Enqueued::Existing(first, SharedBy::Debounce));
    store.advance(Duration::from_secs(3));
    let wait = block_on(store.waits_for(first)).expect("readable");
    assert!(matches!(wait, Some(LimitWait::Debounce { .. })), "{wait:?}");
    let third = request(3).start().expect("it starts");
    assert_eq!(block_on(third.persisted()).expect("answered"), first);
    // The longest delay has passed.
    store.advance(Duration::from_secs(1));
    assert_eq!(third.wait().expect("it completes").output(), Ok(3));
    let next = block_on(request(4).enqueue_once()).expect("queued");
    assert!(matches!(next, Enqueued::New(run) if run != first));
}

#[test]
fn a_run_that_waits_can_be_cancelled() {
    let store = Arc::new(MemoryStore::new());
    let engine = engine(&store);
    let start = || {
        let input = json!({ "key": "a" });
        engine.run("flow: waits").input(input).concurrency(one(OnConflict::Queue))
    };
    let first = start().start().expect("it starts");
    block_on(first.persisted()).expect("on record");
    let second = start().start().expect("it starts");
    let id = block_on(second.persisted()).expect("on record");
    assert_eq!(id, second.id());
    second.cancel();
    assert!(matches!(second.wait(), Err(RunError::Cancelled(_))));
    // A future that is dropped cancels its run, too.
    let mut third = std::future::IntoFuture::into_future(start());
    let is_pending = |cx: &mut std::task::Context<'_>| {
        std::task::Poll::Ready(std::pin::Pin::new(&mut third).poll(cx).is_pending())
    };
    assert!(block_on(poll_fn(is_pending)));
    until("the third run", || store.runs().len() == 3);
    drop(third);
    let (third, _) = store.runs().into_iter().max().expect("three runs");
    until("the cancellation", || {
        let run = block_on(store.run(third)).expect("memory can be read").expect("on record");
        run.status == workflow_core::Status::Cancelled
    });
    block_on(first.signal("go", ())).expect("sent");
    first.wait().expect("it completes");
}

#[test]
fn limits_that_nobody_enforces_are_refused() {
    let input = json!({ "test": "none", "key": "a" });
    let refused = Engine::builder().build().run("flow: counted").input(&input).wait();
    assert!(matches!(refused, Err(RunError::LimitsNotEnforced { .. })), "{refused:?}");
    let request = Engine::builder().build().run("flow: waits").input(&input);
    let refused = request.rate_limit(RateLimit::new(1, Duration::from_secs(1))).wait();
    assert!(matches!(refused, Err(RunError::LimitsNotEnforced { .. })), "{refused:?}");
    let host = Engine::builder().store(Gated::over(&Arc::new(MemoryStore::new()))).build();
    for refused in [
        host.run("flow: counted").input(&input).wait().map(drop),
        block_on(host.run("flow: counted").input(&input).enqueue()).map(drop),
    ] {
        assert!(matches!(refused, Err(RunError::LimitsNotEnforced { .. })), "{refused:?}");
    }
    let error = refused.expect_err("refused").to_string();
    assert!(error.contains("`flow: waits`") && error.contains(".store("), "{error}");
}

#[test]
fn a_key_without_a_value_is_refused() {
    let engine = engine(&Arc::new(MemoryStore::new()));
    let refused = engine.run("flow: counted").input(json!({ "test": 1 })).wait();
    let error = refused.expect_err("refused").to_string();
    assert!(error.contains("`concurrency`") && error.contains("`input.key`"), "{error}");
    let zero = engine.run("flow: waits").input(json!({})).concurrency(Concurrency::new(0)).wait();
    assert!(matches!(zero, Err(RunError::FlowControl { .. })), "{zero:?}");
}

/// Calls a workflow with a limit from three jobs at once.
#[register_workflow(name = "flow: outer")]
async fn outer(ctx: WorkflowContext) -> Result<(), JobError> {
    let call = |number: u32| {
        let input = json!({ "test": "child", "key": "a", "number": number });
        ctx.run(|input: Handle<Json>| registry::call::<_, Json>("flow: counted", input), input)
    };
    for called in join_all((0..3).map(call)).await {
        called?;
    }
    Ok(())
}

#[test]
fn child_runs_keep_the_limit() {
    let engine = engine(&Arc::new(MemoryStore::new()));
    engine.run("flow: outer").wait().expect("it completes");
    assert!((1..=2).contains(&most("child", "a")));
}
