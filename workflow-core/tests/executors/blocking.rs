//! Threads that may block: those that nothing else needs, under every executor.

use std::sync::Arc;

use workflow_core::job::closure;
use workflow_core::prelude::*;
use workflow_core::workflow::FunctionWorkflow;

use crate::support::workflow;

#[job]
async fn part(number: u32) -> u32 {
    futures_timer::Delay::new(std::time::Duration::from_millis(1)).await;
    number
}

fn parts() -> FunctionWorkflow {
    workflow(|flow| {
        let first = flow.job(part::draw(1));
        flow.job(part::draw(7).after(first))
    })
}

/// The executor of the calling thread.
#[derive(Debug, PartialEq)]
enum Executor {
    OneThread,
    Workers,
    NoTokio,
}

fn executor() -> Executor {
    match tokio::runtime::Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(tokio::runtime::RuntimeFlavor::CurrentThread) => Executor::OneThread,
        Ok(_) => Executor::Workers,
        Err(_) => Executor::NoTokio,
    }
}

/// Calls a function on a thread that may block, in the way of the executor.
async fn unblock<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match executor() {
        Executor::NoTokio => smol::unblock(work).await,
        _ => tokio::task::spawn_blocking(work).await.expect("no panic"),
    }
}

/// Runs a future as a task of the executor.
async fn task<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    match executor() {
        Executor::NoTokio => smol::spawn(future).await,
        _ => tokio::spawn(future).await.expect("no panic"),
    }
}

fn would_block(result: Result<Report, RunError>) {
    let error = result.expect_err("it would hang");
    assert!(matches!(error, RunError::WouldBlock), "{error}");
    assert!(error.to_string().starts_with("`wait` would block"), "{error}");
    assert!(error.to_string().contains("await the request instead"), "{error}");
}

fn seven(result: Result<Report, RunError>) {
    assert_eq!(result.expect("it completes").output::<u32>().expect("a number"), 7);
}

pub(crate) async fn wait_is_refused_where_it_would_deadlock() {
    let here = Engine::default().run(parts()).wait();
    let in_task = task(async { Engine::default().run(parts()).wait() }).await;
    match executor() {
        Executor::OneThread => [here, in_task].map(would_block),
        _ => [here, in_task].map(seven),
    };
    // Nothing that would block others is left behind.
    seven(Engine::default().run(parts()).await);
}

pub(crate) async fn join_is_refused_where_it_would_deadlock() {
    let run = Engine::default().run(parts()).start().expect("it starts");
    let (again, here) = (run.clone(), run.wait());
    let in_task = task(async move { again.wait() }).await;
    // Tokio would queue the run on the waiting thread, and no other thread could take it.
    let at_once = task(async { Engine::default().run(parts()).start()?.wait() }).await;
    match executor() {
        Executor::OneThread => [here, in_task, at_once].map(would_block),
        _ => [here, in_task, at_once].map(seven),
    };
    seven(run.outcome().await);
}

pub(crate) async fn blocking_is_allowed_on_blocking_threads() {
    seven(unblock(|| Engine::default().run(parts()).wait()).await);
    let run = Engine::default().run(parts()).start().expect("it starts");
    seven(unblock(move || run.wait()).await);
    seven(unblock(|| Engine::default().run(parts()).start()?.wait()).await);
    let plain = std::thread::spawn(|| Engine::default().run(parts()).wait());
    seven(unblock(|| plain.join().expect("no panic")).await);
}

#[job]
async fn waits_inside() -> Result<u32, JobError> {
    Ok(Engine::default().run(parts()).wait()?.output::<u32>()?)
}

#[job]
fn waits_on_its_thread() -> Result<u32, JobError> {
    let waited: u32 = Engine::default().run(parts()).wait()?.output()?;
    let joined: u32 = Engine::default().run(parts()).start()?.wait()?.output()?;
    assert_eq!(waited, joined);
    Ok(joined)
}

pub(crate) async fn a_job_blocks_on_its_own_thread_only() {
    let plain = || workflow(|flow| flow.job(waits_on_its_thread()));
    seven(Engine::default().run(plain()).await);
    let started = Engine::default().run(plain()).start().expect("it starts");
    seven(started.outcome().await);
    seven(unblock(move || Engine::default().run(plain()).wait()).await);

    let future = || workflow(|flow| flow.job(waits_inside()));
    for ended in [
        Engine::default().run(future()).await,
        Engine::default().run(future()).start().expect("it starts").outcome().await,
    ] {
        match executor() {
            Executor::OneThread => {
                let error = ended.expect_err("it would hang").to_string();
                assert!(error.contains("`wait` would block"), "{error}");
            }
            _ => seven(ended),
        }
    }
}

#[job]
async fn spawns() -> u32 {
    match executor() {
        Executor::Workers => tokio::spawn(async { 7 }).await.expect("no panic"),
        _ => 7,
    }
}

#[register_workflow(name = "blocking: inner")]
fn inner(flow: &mut Flow) -> Handle<u32> {
    flow.job(spawns())
}

/// A waiting worker of tokio passes tasks that are spawned on it to other workers.
pub(crate) async fn a_blocked_worker_does_not_stall_other_runs() {
    if executor() == Executor::OneThread {
        return;
    }
    let outer = || {
        workflow(|flow| {
            let spawned = flow.job(spawns());
            let nothing = flow.value(());
            flow.job(registry::call::<(), u32>("blocking: inner", nothing).after(spawned))
        })
    };
    seven(Engine::default().run(outer()).wait());
    seven(task(async move { Engine::default().run(outer()).wait() }).await);
    seven(task(async move { Engine::default().run(outer()).start()?.wait() }).await);
}

#[job]
fn makes_a_runtime() -> Result<u32, JobError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(async { 7 }))
}

#[job]
fn blocks_on_futures() -> u32 {
    futures::executor::block_on(async { 7 })
}

#[job]
fn blocks_on_smol() -> u32 {
    smol::block_on(async { 7 })
}

#[job]
fn blocks_on_the_runtime() -> u32 {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => runtime.block_on(async { 7 }),
        Err(_) => 7,
    }
}

#[job]
fn blocks_in_place() -> u32 {
    tokio::task::block_in_place(|| 7)
}

/// Under every executor and every way of waiting, a plain function may do what a separate thread
/// may do.
pub(crate) async fn a_plain_function_may_use_any_executor() {
    type Draw = fn(&mut Flow) -> Handle<u32>;
    let draws: [(&str, Draw); 5] = [
        ("makes_a_runtime", |flow| flow.job(makes_a_runtime())),
        ("blocks_on_futures", |flow| flow.job(blocks_on_futures())),
        ("blocks_on_smol", |flow| flow.job(blocks_on_smol())),
        ("blocks_on_the_runtime", |flow| flow.job(blocks_on_the_runtime())),
        ("blocks_in_place", |flow| flow.job(blocks_in_place())),
    ];
    for (name, draw) in draws {
        let run = move || Engine::default().run(workflow(draw));
        let mut ends = vec![
            ("awaited", run().await),
            ("started", run().start().expect("it starts").outcome().await),
            ("awaited in a task", task(async move { run().await }).await),
            ("waited for", unblock(move || run().wait()).await),
            ("joined", unblock(move || run().start()?.wait()).await),
        ];
        if executor() != Executor::OneThread {
            ends.push(("waited for here", run().wait()));
            ends.push(("waited for in a task", task(async move { run().wait() }).await));
        }
        for (how, ended) in ends {
            let report = ended.unwrap_or_else(|error| panic!("{name}, {how}: {error}"));
            assert_eq!(report.output::<u32>().expect("a number"), 7, "{name}, {how}");
        }
    }
}

#[job(inline)]
fn quick(number: u32) -> u32 {
    futures::executor::block_on(async { number })
}

/// On threads of the library, a job may enter an executor of its own.
pub(crate) async fn a_started_job_may_block_on_an_executor() {
    let quick = workflow(|flow| {
        let start = flow.value(Arc::new(()));
        let closure = closure("closure", start, |_| async {
            Ok::<_, JobError>(futures::executor::block_on(async { 7 }))
        });
        let seven = flow.job(closure);
        flow.job(quick::draw(7).after(seven))
    });
    seven(Engine::default().run(quick).start().expect("it starts").outcome().await);
}
