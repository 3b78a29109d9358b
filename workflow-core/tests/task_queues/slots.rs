//! Slots of workers, limits, and workers that leave jobs to others.

use super::*;

#[job(task_queue = "gpu")]
async fn alone(ctx: &JobContext, name: &str) -> usize {
    static NOW: AtomicUsize = AtomicUsize::new(0);
    let now = NOW.fetch_add(1, Ordering::SeqCst) + 1;
    note(name);
    ctx.sleep(Duration::from_millis(10)).await;
    NOW.fetch_sub(1, Ordering::SeqCst);
    now
}

#[register_workflow(name = "queues: alone")]
fn many_alone(flow: &mut Flow, name: Handle<String>) -> Handle<Vec<usize>> {
    let all: Vec<_> = (0..6).map(|_| flow.job(alone(name))).collect();
    flow.job(collect(all))
}

#[job]
fn collect(all: Each<'_, usize>) -> Vec<usize> {
    all.iter().copied().collect()
}

#[test]
fn a_worker_executes_as_many_jobs_as_it_has_slots() {
    let store = Arc::new(MemoryStore::new());
    let gpu = builder(&store, "gpu").max_parallel(1).build();
    let gpu = Serving::start(Worker::new(gpu).queues(Queues::named(["gpu"])));
    // Jobs that others execute need no slot of this engine.
    let driver = builder(&store, "driver").max_parallel(1).build();
    let report = driver.run("queues: alone").input("alone").wait().expect("it completes");
    assert_eq!(report.output::<Vec<usize>>(), Ok(vec![1; 6]));
    assert_eq!(ran("alone"), 6);
    drop(gpu);
}

#[job(task_queue = "gpu", limit = "cards")]
async fn limited(ctx: &JobContext) -> usize {
    static NOW: AtomicUsize = AtomicUsize::new(0);
    let now = NOW.fetch_add(1, Ordering::SeqCst) + 1;
    ctx.sleep(Duration::from_millis(5)).await;
    NOW.fetch_sub(1, Ordering::SeqCst);
    now
}

#[register_workflow(name = "queues: limited")]
fn all_limited(flow: &mut Flow) -> Handle<Vec<usize>> {
    let all: Vec<_> = (0..4).map(|_| flow.job(limited())).collect();
    flow.job(collect(all))
}

#[register_workflow(name = "queues: limited by the workflow")]
fn limited_by_workflow(flow: &mut Flow) -> Handle<Vec<usize>> {
    flow.limit("cards", 1);
    all_limited(flow)
}

#[test]
fn limits_hold_where_they_are_set() {
    let store = Arc::new(MemoryStore::new());
    let gpu = builder(&store, "gpu").limit("cards", 1).build();
    let gpu = Serving::start(Worker::new(gpu).queues(Queues::named(["gpu"])));
    // That of this engine has no effect on jobs elsewhere.
    let driver = builder(&store, "driver").limit("cards", 9).build();
    let report = driver.run("queues: limited").wait().expect("it completes");
    assert_eq!(report.output::<Vec<usize>>(), Ok(vec![1; 4]));
    drop(gpu);
    let _unlimited = Serving::gpu(&store);
    let driver = engine(&store, "driver");
    let report = driver.run("queues: limited by the workflow").wait().expect("it completes");
    assert_eq!(report.output::<Vec<usize>>(), Ok(vec![1; 4]));
}

#[test]
fn a_run_that_waits_for_a_worker_takes_no_slot() {
    let store = Arc::new(MemoryStore::new());
    let other = Worker::new(engine(&store, "other"))
        .queues(Queues::named(["default-workflows"]))
        .max_concurrent_workflows(1);
    let other = Serving::start(other);
    let enqueue = || block_on(other.engine.run("queues: graph").enqueue()).expect("queued");
    let (first, second) = (enqueue(), enqueue());
    until_open(&store, first);
    until_open(&store, second);
}

#[test]
fn a_worker_leaves_what_it_does_not_know() {
    let store = Arc::new(MemoryStore::new());
    let old = builder(&store, "old").resolver(|snapshot: &WorkflowSnapshot| {
        note(&format!("asked for {}", snapshot.name));
        Err::<Arc<dyn Workflow>, _>("unknown".into())
    });
    let _old = Serving::start(Worker::new(old.build()).queues(Queues::named(["gpu"])));
    let run = engine(&store, "driver").run("queues: graph").start().expect("it starts");
    until("the question", || ran("asked for queues: graph") > 0);
    let _gpu = Serving::gpu(&store);
    let report = run.wait().expect("it completes");
    assert_eq!(report.output::<String>(), Ok("gpu, then driver".to_owned()));
}
