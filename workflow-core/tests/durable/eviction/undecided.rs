//! What happens to a run while a store evicts it, and after an answer that is lost.

use super::*;
use crate::over_memory::store_over_memory;

/// A store with an eviction that takes long, or whose answer is lost.
#[derive(Default)]
struct Troubled {
    store: MemoryStore,
    /// Whether the first eviction takes place, if its answer is lost.
    loses_answer: Option<bool>,
    /// Whether an eviction is in progress, and whether it may end.
    has_begun: AtomicBool,
    may_end: AtomicBool,
}

store_over_memory!(Troubled {
    async fn begin(&self, run: NewRun, events: Vec<Event>) -> Result<BeginOutcome, StoreError> {
        self.store.begin(run, events).await
    }

    async fn append(&self, lease: &Lease, events: &[Event]) -> Result<(), StoreError> {
        self.store.append(lease, events).await
    }

    async fn claim(&self, owner: Owner, runs: &[RunId]) -> Result<Vec<Lease>, StoreError> {
        self.store.claim(owner, runs).await
    }

    async fn claim_next(
        &self,
        owner: Owner,
        request: &ClaimRequest,
    ) -> Result<Vec<ClaimedRun>, StoreError> {
        self.store.claim_next(owner, request).await
    }

    async fn stranded(
        &self,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        self.store.stranded(after, limit).await
    }

    async fn renew(&self, owner: Owner, leases: &[Lease]) -> Result<Vec<Lease>, StoreError> {
        self.store.renew(owner, leases).await
    }

    async fn send(&self, run: RunId, message: MessageKind) -> Result<u64, StoreError> {
        self.store.send(run, message).await
    }

    async fn inbox(&self, owner: OwnerId, after: u64) -> Result<Vec<Message>, StoreError> {
        self.store.inbox(owner, after).await
    }

    async fn asleep(&self, run: RunId) -> Result<Option<Asleep>, StoreError> {
        self.store.asleep(run).await
    }

    fn evicts(&self) -> bool {
        true
    }

    async fn evict(&self, evictions: &[Eviction]) -> Result<Vec<RunId>, StoreError> {
        let is_first = !self.has_begun.swap(true, Ordering::SeqCst);
        if let Some(takes_place) = self.loses_answer.filter(|_| is_first) {
            if takes_place {
                self.store.evict(evictions).await?;
            }
            return Err(StoreError::Unavailable("the connection is gone".into()));
        }
        while self.loses_answer.is_none() && !self.may_end.load(Ordering::SeqCst) {
            turn().await;
        }
        self.store.evict(evictions).await
    }
});

/// Runs a workflow that waits for `go` with a worker that keeps nothing, on a thread of its own.
fn with_trouble(store: Troubled, act: impl FnOnce(&Engine, &Arc<Troubled>, RunId)) -> Vec<Event> {
    let store = Arc::new(store);
    let engine = Engine::builder().store(store.clone()).build();
    let run = block_on(engine.run("eviction: waits").enqueue()).expect("queued");
    let (stop, stopped) = futures::channel::oneshot::channel::<()>();
    let worker = Worker::new(engine.clone()).max_cached_workflows(0);
    let working = std::thread::spawn(move || {
        let stopped = async {
            // It is dropped.
            let _ = stopped.await;
        };
        block_on(worker.run(stopped)).expect("memory can be read");
    });
    wait_for("an eviction", || store.has_begun.load(Ordering::SeqCst));
    act(&engine, &store, run);
    let is_over = || {
        let run = block_on(store.store.run(run)).expect("readable").expect("it is there");
        run.status.is_final()
    };
    wait_for("the end of the run", is_over);
    drop(stop);
    working.join().expect("no panic");
    events(&store.store, run)
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what} does not come about");
        std::thread::yield_now();
    }
}

#[register_workflow(name = "eviction: waits")]
fn waits(flow: &mut Flow) -> Handle<u32> {
    flow.job(wait_for_go::draw())
}

fn go() -> MessageKind {
    MessageKind::Signal { name: "go".to_owned(), payload: serde_json::json!(5) }
}

/// The last event, how often an attempt began, and how often the run was resumed.
fn summary(events: &[Event]) -> (String, usize, usize) {
    let count =
        |wanted: fn(&EventKind) -> bool| events.iter().filter(|it| wanted(&it.kind)).count();
    let starts = count(|kind| matches!(kind, EventKind::JobStarted { .. }));
    let resumes = count(|kind| matches!(kind, EventKind::RunResumed { .. }));
    let last = events.last().and_then(|event| event.kind.run_status()).expect("it has ended");
    (last.to_string(), starts, resumes)
}

#[test]
fn a_signal_during_an_eviction_is_not_lost() {
    let ended = with_trouble(Troubled::default(), |_, store, run| {
        block_on(store.store.send(run, go())).expect("sent");
        store.may_end.store(true, Ordering::SeqCst);
    });
    assert_eq!(summary(&ended), ("completed".to_owned(), 1, 0), "{ended:#?}");
}

#[test]
fn a_cancellation_during_an_eviction_is_not_lost() {
    let ended = with_trouble(Troubled::default(), |engine, store, run| {
        let engine = engine.clone();
        let cancelling = std::thread::spawn(move || block_on(engine.cancel(run)));
        for _ in 0..1000 {
            std::thread::yield_now();
        }
        assert!(!cancelling.is_finished(), "it waits for the store");
        store.may_end.store(true, Ordering::SeqCst);
        let cancelled = cancelling.join().expect("no panic").expect("it can be");
        assert!(matches!(cancelled, Cancellation::Ending(_)), "{cancelled:?}");
    });
    assert_eq!(summary(&ended).0, "cancelled", "{ended:#?}");
}

#[test]
fn an_eviction_without_an_answer_leaves_one_engine() {
    for takes_place in [false, true] {
        let store = Troubled { loses_answer: Some(takes_place), ..Troubled::default() };
        let ended = with_trouble(store, |_, store, run| {
            let is_asleep =
                || block_on(store.store.asleep(run)).expect("memory can be read").is_some();
            wait_for("the eviction", is_asleep);
            block_on(store.store.send(run, go())).expect("sent");
        });
        assert_eq!(summary(&ended), ("completed".to_owned(), 2, 1), "{ended:#?}");
    }
}

/// What a job of the random graphs does.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
enum Work {
    Answers,
    /// Fails this many times, and is retried after some seconds.
    Retries(u32),
    /// Waits for a signal with the name of the job.
    Waits,
    /// Fails for good.
    Fails,
}

#[job]
async fn act(ctx: &JobContext, work: &Work) -> Result<u32, JobError> {
    match work {
        Work::Answers => Ok(1),
        Work::Retries(times) if ctx.attempt() <= *times => Err(JobError::retryable("again")),
        Work::Retries(_) => Ok(2),
        Work::Waits => ctx.wait_signal(ctx.job_name()).await,
        Work::Fails => Err(JobError::terminal("no")),
    }
}

/// A job, and the jobs before it.
type Node = (Work, BTreeSet<usize>);

fn graphs() -> impl Strategy<Value = Vec<Node>> {
    let work = prop_oneof![
        2 => Just(Work::Answers),
        2 => (1..3_u32).prop_map(Work::Retries),
        2 => Just(Work::Waits),
        1 => Just(Work::Fails),
    ];
    let node = (work, prop::collection::btree_set(0..6_usize, 0..3));
    prop::collection::vec(node, 1..6)
}

/// Runs a graph, and returns its report in short. Every signal is sent once somebody waits for it.
fn run_graph(graph: &[Node], cached: Option<usize>) -> (String, usize) {
    let world = World::new();
    let graph = graph.to_vec();
    let drawn = FunctionWorkflow::new("random", move |flow| {
        let mut jobs: Vec<Handle<u32>> = Vec::new();
        for (at, (work, before)) in graph.iter().enumerate() {
            let policy = RetryPolicy::attempts(3).initial_interval(2 * SECOND).jitter(0.0);
            let mut call = act(flow.value(*work)).name(format!("job {at}")).retry(policy);
            for earlier in before.iter().filter(|earlier| **earlier < at) {
                call = call.after(jobs[*earlier]);
            }
            jobs.push(flow.job(call));
        }
    });
    let workflow: Arc<dyn Workflow> = Arc::new(drawn.expect("a name"));
    let found = workflow.clone();
    let engine = Engine::builder()
        .store(world.store.clone())
        .clock(world.clock.clone())
        .resolver(move |_: &WorkflowSnapshot| Ok(found.clone()))
        .build();
    let world = World { engine, ..world };
    let run = block_on(world.engine.run(workflow).enqueue()).expect("queued");
    let worker = Worker::new(world.engine.clone());
    let worker = match cached {
        Some(cached) => worker.max_cached_workflows(cached),
        None => worker,
    };
    let mut sent = BTreeSet::new();
    world.work_until(&worker, || {
        for event in events(&world.store, run) {
            if let EventKind::SignalAwaited { signal, .. } = event.kind
                && sent.insert(signal.clone())
            {
                world.send(run, &signal);
            }
        }
        world.status(run).is_final()
    });
    let report = world.report(run);
    let jobs: Vec<String> = report
        .jobs()
        .iter()
        .map(|job| {
            let output = report.output_of::<u32>(&job.name).ok();
            let reason = (&job.error, &job.skipped_because);
            format!("{} {} {} {output:?} {reason:?}", job.name, job.status, job.attempts)
        })
        .collect();
    (format!("{} {:?} {}", report.status(), report.reason(), jobs.join("; ")), world.resumes(run))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_run_ends_the_same_wherever_it_waits(graph in graphs()) {
        let (expected, resumes) = run_graph(&graph, None);
        prop_assert_eq!(resumes, 0);
        let (evicted, resumes) = run_graph(&graph, Some(0));
        prop_assert_eq!(&evicted, &expected);
        // The first job never waits for another one.
        let waits_alone = graph.len() == 1 && matches!(graph[0].0, Work::Retries(_));
        prop_assert!(resumes > 0 || !waits_alone, "it was not evicted");
        prop_assert_eq!(run_graph(&graph, Some(1)).0, expected);
    }
}
