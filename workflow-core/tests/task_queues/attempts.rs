//! What attempts elsewhere are given, and what becomes of their outcomes.

use super::*;

#[job(task_queue = "gpu")]
async fn place(place: State<Place>) -> String {
    place.0.to_owned()
}

#[job]
fn here(place: State<Place>, other: &str) -> String {
    format!("{other}, then {}", place.0)
}

#[register_workflow(name = "queues: graph")]
fn graph(flow: &mut Flow) -> Handle<String> {
    let there = flow.job(place());
    flow.job(here(there))
}

#[test]
fn a_job_runs_at_a_worker_of_its_queue() {
    let store = Arc::new(MemoryStore::new());
    let _gpu = Serving::gpu(&store);
    let report = engine(&store, "driver").run("queues: graph").wait().expect("it completes");
    assert_eq!(report.output::<String>(), Ok("gpu, then driver".to_owned()));
    // The record of its task is gone.
    assert!(block_on(store.tasks(report.id())).expect("memory can be read").is_empty());
    let owner = Owner { id: OwnerId::random(), lifetime: Duration::from_secs(60) };
    let all = ClaimRequest { queues: Queues::all(), except: Vec::new(), limit: 9 };
    assert!(block_on(store.claim_tasks(owner, &all)).expect("memory can be read").is_empty());
}

#[test]
fn without_a_store_an_engine_serves_all_queues() {
    let engine = Engine::builder().state(Place("here")).build();
    let report = engine.run("queues: graph").wait().expect("it completes");
    assert_eq!(report.output::<String>(), Ok("here, then here".to_owned()));
}

#[test]
fn a_worker_of_all_queues_executes_its_own_jobs() {
    let store = Arc::new(MemoryStore::new());
    let only = Serving::start(Worker::new(engine(&store, "only")).max_concurrent_workflows(1));
    let report = only.engine.run("queues: graph").wait().expect("it completes");
    assert_eq!(report.output::<String>(), Ok("only, then only".to_owned()));
}

#[test]
fn a_worker_of_other_queues_leaves_the_job() {
    let store = Arc::new(MemoryStore::new());
    let other = Serving::start(
        Worker::new(engine(&store, "other")).queues(Queues::named(["default-workflows", "tpu"])),
    );
    let run = block_on(other.engine.run("queues: graph").enqueue()).expect("queued");
    until_open(&store, run);
    let _gpu = Serving::gpu(&store);
    let report = block_on(other.engine.follow(run)).expect("it completes");
    assert_eq!(report.output::<String>(), Ok("gpu, then other".to_owned()));
}

#[job(task_queue = "gpu")]
fn square(place: State<Place>, number: u64) -> Result<u64, JobError> {
    if place.0 == "gpu" { Ok(number * number) } else { Err(JobError::terminal("not here")) }
}

#[register_workflow(name = "queues: function")]
async fn function(ctx: WorkflowContext, number: u64) -> Result<u64, JobError> {
    let first = ctx.run(square, number).await?;
    ctx.run(square, first).await
}

#[job]
fn numbers() -> Vec<u64> {
    (0..20).collect()
}

#[register_workflow(name = "queues: map")]
fn mapped(flow: &mut Flow) -> Handle<Vec<u64>> {
    let numbers = flow.job(numbers());
    flow.job(map(numbers, square).concurrency(3))
}

#[test]
fn functions_and_maps_hand_their_jobs_out() {
    let store = Arc::new(MemoryStore::new());
    let _gpu = Serving::gpu(&store);
    let driver = engine(&store, "driver");
    let report = driver.run("queues: function").input(3_u64).wait().expect("it completes");
    assert_eq!(report.output::<u64>(), Ok(81));
    let report = driver.run("queues: map").wait().expect("it completes");
    let expected: Vec<u64> = (0..20).map(|number| number * number).collect();
    assert_eq!(report.output::<Vec<u64>>(), Ok(expected));
}

#[job(task_queue = "gpu", retry(maximum_attempts = 3, initial_interval = "1ms"))]
async fn flaky(ctx: &JobContext) -> Result<u32, JobError> {
    if ctx.attempt() < 3 { Err(JobError::retryable("not yet")) } else { Ok(ctx.attempt()) }
}

#[register_workflow(name = "queues: retried")]
fn retried(flow: &mut Flow) -> Handle<u32> {
    flow.job(flaky())
}

#[test]
fn the_engine_of_the_run_decides_about_retries() {
    let store = Arc::new(MemoryStore::new());
    let _gpu = Serving::gpu(&store);
    let report = engine(&store, "driver").run("queues: retried").wait().expect("it completes");
    assert_eq!(report.output::<u32>(), Ok(3));
    let failed = events(&store, report.id()).into_iter();
    assert_eq!(failed.filter(|it| matches!(it, EventKind::AttemptFailed { .. })).count(), 2);
}

#[job(task_queue = "gpu", start_to_close = "20ms")]
async fn slow(ctx: &JobContext) {
    ctx.sleep(Duration::from_secs(60)).await;
}

#[job(task_queue = "gpu", heartbeat = "20ms")]
async fn silent(ctx: &JobContext) {
    ctx.sleep(Duration::from_secs(60)).await;
}

#[job(task_queue = "nobody", schedule_to_close = "20ms")]
async fn waiting() {}

#[register_workflow(name = "queues: slow")]
fn runs_slow(flow: &mut Flow) {
    flow.job(slow());
}

#[register_workflow(name = "queues: silent")]
fn runs_silent(flow: &mut Flow) {
    flow.job(silent());
}

#[register_workflow(name = "queues: waiting")]
fn runs_waiting(flow: &mut Flow) {
    flow.job(waiting());
}

#[test]
fn timeouts_end_attempts_elsewhere() {
    let store = Arc::new(MemoryStore::new());
    let _gpu = Serving::gpu(&store);
    for (workflow, expected) in [
        ("queues: slow", TimeoutKind::StartToClose),
        ("queues: silent", TimeoutKind::Heartbeat),
        ("queues: waiting", TimeoutKind::ScheduleToClose),
    ] {
        let ended = engine(&store, "driver").run(workflow).wait();
        let Err(RunError::Failed(report)) = ended else { panic!("{ended:?}") };
        assert_eq!(failure(&report).kind, JobErrorKind::TimedOut(expected));
    }
}

#[job(task_queue = "gpu", grace = "30s")]
async fn stoppable(ctx: JobContext, name: &str) -> Result<(), JobError> {
    note(name);
    ctx.cancelled().await;
    note(&format!("{name}: stopped"));
    Err(JobError::retryable("it was stopped"))
}

#[register_workflow(name = "queues: stoppable")]
fn stopped(flow: &mut Flow, name: Handle<String>) {
    flow.job(stoppable(name));
}

#[test]
fn a_cancel_reaches_the_attempt() {
    let store = Arc::new(MemoryStore::new());
    let _gpu = Serving::gpu(&store);
    let driver = engine(&store, "driver");
    let run = driver.run("queues: stoppable").input("cancelled").start().expect("it starts");
    until("the attempt", || ran("cancelled") == 1);
    run.cancel();
    let ended = run.wait();
    assert!(matches!(ended, Err(RunError::Cancelled(_))), "{ended:?}");
    assert_eq!(ran("cancelled: stopped"), 1);
}

#[test]
fn a_cancel_ends_a_job_that_no_worker_has() {
    let store = Arc::new(MemoryStore::new());
    let driver = engine(&store, "driver");
    let run = driver.run("queues: stoppable").input("never").start().expect("it starts");
    block_on(run.persisted()).expect("stored");
    until_open(&store, run.id());
    run.cancel();
    let ended = run.wait();
    assert!(matches!(ended, Err(RunError::Cancelled(_))), "{ended:?}");
    assert_eq!(ran("never"), 0);
}

#[job(task_queue = "gpu")]
async fn approved(ctx: JobContext, name: &str) -> Result<u32, JobError> {
    note(name);
    let first: u32 = ctx.wait_signal("go").await?;
    let second: u32 = ctx.wait_signal("go").await?;
    Ok(first * 10 + second)
}

#[register_workflow(name = "queues: signals")]
fn signals(flow: &mut Flow, name: Handle<String>) -> Handle<u32> {
    flow.job(approved(name))
}

#[test]
fn signals_reach_the_attempt_in_order() {
    let store = Arc::new(MemoryStore::new());
    let _gpu = Serving::gpu(&store);
    let driver = engine(&store, "driver");
    let run = driver.run("queues: signals").input("signals").start().expect("it starts");
    block_on(run.signal("go", 4)).expect("sent");
    until("the wait for the second signal", || ran("signals") >= 2);
    block_on(run.signal("go", 2)).expect("sent");
    assert_eq!(run.wait().expect("it completes").output::<u32>(), Ok(42));
}

#[job(task_queue = "gpu")]
async fn writes(ctx: &JobContext) -> Result<(), JobError> {
    let before: Option<u32> = ctx.persisted("count")?;
    ctx.persist("count", before.unwrap_or(0) + 1)?;
    ctx.annotate("rows", 7);
    println!("written by a macro");
    Ok(())
}

#[job]
fn reads(ctx: &JobContext, _after: &()) -> Result<u32, JobError> {
    Ok(ctx.persisted("count")?.unwrap_or(0))
}

#[register_workflow(name = "queues: values")]
fn values(flow: &mut Flow) -> Handle<u32> {
    let first = flow.job(writes());
    let second = flow.job(writes().after(first));
    flow.job(reads(second))
}

#[test]
fn values_annotations_and_output_become_part_of_the_run() {
    let store = Arc::new(MemoryStore::new());
    let _gpu = Serving::gpu(&store);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("task_queues");
    let driver = builder(&store, "driver").runs_dir(folder).capture_output(true).build();
    let run = driver.run("queues: values").start().expect("it starts");
    let shown = block_on(
        run.events()
            .filter_map(async |event| match event.kind {
                EventKind::JobOutput { job, text, .. } => Some((job, text)),
                _ => None,
            })
            .collect::<Vec<_>>(),
    );
    let report = run.wait().expect("it completes");
    assert_eq!(report.output::<u32>(), Ok(2));
    for job in ["writes", "writes_2"] {
        let text: String =
            shown.iter().filter(|(name, _)| name == job).map(|(_, text)| text.as_str()).collect();
        assert_eq!(text, "rows: 7\nwritten by a macro\n");
        let annotations = report.job(job).expect("it ran").annotations.clone();
        assert_eq!(annotations["rows"], 7);
    }
    let log = RunLog::read(run.log().expect("a folder"), "writes_2", 1).expect("it was written");
    assert_eq!(String::from_utf8_lossy(&log.stdout()), "written by a macro\n");
}

#[job(task_queue = "gpu")]
fn undo(place: State<Place>, amount: &u64, name: &str) {
    note(&format!("{name} undone at {} for {amount}", place.0));
}

#[job(task_queue = "gpu")]
fn reserve(name: &str) -> u64 {
    name.len() as u64
}

#[job]
fn fail(_after: &u64) -> Result<(), JobError> {
    Err(JobError::terminal("no"))
}

#[register_workflow(name = "queues: compensated")]
fn compensated(flow: &mut Flow, name: Handle<String>) {
    let reserved = flow.job(reserve(name).compensate(|amount| undo(amount, name)));
    flow.job(fail(reserved));
}

#[test]
fn compensations_have_queues_too() {
    let store = Arc::new(MemoryStore::new());
    let _gpu = Serving::gpu(&store);
    let ended = engine(&store, "driver").run("queues: compensated").input("abc").wait();
    assert!(matches!(ended, Err(RunError::Failed(_))), "{ended:?}");
    assert_eq!(ran("abc undone at gpu for 3"), 1);
}

#[register_workflow(name = "queues: closure")]
async fn runs_closure(ctx: WorkflowContext) -> Result<u64, JobError> {
    let double = |number| {
        closure("double", number, |number: u64| async move { Ok::<_, JobError>(number * 2) })
            .task_queue("gpu")
    };
    ctx.run(double, 4_u64).await
}

#[job(task_queue = "gpu")]
fn add(left: u64, right: u64) -> u64 {
    left + right
}

#[register_workflow(name = "queues: constant")]
async fn runs_constant(ctx: WorkflowContext) -> Result<u64, JobError> {
    ctx.run(|left| add(left, 5_u64), 4_u64).await
}

#[test]
fn what_workers_cannot_find_is_refused() {
    let store = Arc::new(MemoryStore::new());
    let driver = engine(&store, "driver");
    for workflow in ["queues: closure", "queues: constant"] {
        let ended = driver.run(workflow).wait();
        let Err(RunError::Failed(report)) = &ended else { panic!("{ended:?}") };
        let message = &failure(report).message;
        assert!(message.contains("make it a function with `#[job]`"), "{message}");
        // In process, it runs.
        Engine::default().run(workflow).wait().expect("it completes");
    }
}

#[test]
fn containers_and_nameless_queues_are_refused() {
    let plan = |draw: fn(&mut Flow)| {
        let mut flow = Flow::new();
        draw(&mut flow);
        match flow.plan().expect_err("it is wrong") {
            PlanError::Graph(GraphError::TaskQueue { job, error }) => (job, error),
            other => panic!("{other}"),
        }
    };
    let (job, error) = plan(|flow| {
        let numbers = flow.job(numbers());
        flow.job(map(numbers, square).name("squares").task_queue("gpu"));
    });
    assert_eq!((&*job, &error), ("squares", &TaskQueueError::Waits("gpu".to_owned())));
    let (_, error) = plan(|flow| {
        flow.job(numbers().task_queue(""));
    });
    assert_eq!(
        error.to_string(),
        "names an invalid task queue: a name is empty; give it 1 to 200 characters"
    );
    let (job, _) = plan(|flow| {
        let name = flow.value("a".to_owned());
        flow.job(reserve(name).compensate(|amount| fail(amount).task_queue(" ")));
    });
    assert_eq!(job, "reserve");
}

#[job(task_queue = "gpu")]
fn conditional(number: &u64) -> u64 {
    number + 1
}

#[register_workflow(name = "queues: conditional")]
fn conditions(flow: &mut Flow, number: Handle<u64>) -> Handle<u64> {
    flow.job(conditional(number).when(number, |number| *number > 3))
}

#[test]
fn conditions_are_evaluated_by_the_engine_of_the_run() {
    let store = Arc::new(MemoryStore::new());
    let driver = engine(&store, "driver");
    // No worker is needed to skip it.
    let report = driver.run("queues: conditional").input(1_u64).wait().expect("it completes");
    assert_eq!(report.job("conditional").expect("a job").status, Status::Skipped);
    let _gpu = Serving::gpu(&store);
    let report = driver.run("queues: conditional").input(4_u64).wait().expect("it completes");
    assert_eq!(report.output::<u64>(), Ok(5));
}
