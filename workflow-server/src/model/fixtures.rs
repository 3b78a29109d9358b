//! Fixtures for the tests of the page: runs with their events, and the response of the API after
//! each event.
//!
//! The page applies events in JavaScript as [`RunView`](workflow_core::event::RunView) does here;
//! its tests check that both agree. The fixtures are committed. To update them, run
//! `WORKFLOW_BLESS=1 cargo test -p workflow-server fixtures`.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value as Json, json};
use workflow_core::JobError;
use workflow_core::event::{Blocked, Event, EventKind, Failure, JobOrigin};
use workflow_core::id::RunId;
use workflow_core::store::{BeginOutcome, NewRun, Owner, OwnerId, Trigger, WorkflowSnapshot};
use workflow_store::Catalog;

use super::RunDocument;

/// A run: its jobs and edges, and its events, one second apart.
struct Story {
    name: &'static str,
    jobs: &'static [&'static str],
    edges: &'static [(&'static str, &'static str)],
    kinds: Vec<EventKind>,
    /// The number of events that are reused from the original run.
    reused: usize,
}

fn started(job: &str, attempt: u32) -> EventKind {
    EventKind::JobStarted { job: job.to_owned(), attempt, origin: None }
}

fn started_by(job: &str, origin: JobOrigin) -> EventKind {
    EventKind::JobStarted { job: job.to_owned(), attempt: 1, origin: Some(Box::new(origin)) }
}

fn completed(job: &str, attempt: u32) -> EventKind {
    let output = Some(Arc::new(json!({ "rows": 7 })));
    let annotations = Map::from_iter([("exit_code".to_owned(), json!(0))]);
    EventKind::JobCompleted { job: job.to_owned(), attempt, output, annotations }
}

fn failure() -> Failure {
    let text = "the command exited with code 1; the end of its stderr:\nTraceback\n  File \"x.py\"\n\
                ConnectionError: no route to host";
    Failure::from(&JobError::from(text))
}

fn stories() -> Vec<Story> {
    vec![failing(), waiting(), function(), waiting_function(), crashing(), repeating()]
}

fn failing() -> Story {
    let (job, attempt) = ("load".to_owned(), 1);
    let (error, retry_in) = (failure(), Duration::from_secs(1));
    let annotations = Map::from_iter([("exit_code".to_owned(), json!(1))]);
    let reason = format!("job `load` failed: {error}");
    Story {
        name: "a job fails twice",
        jobs: &["extract", "load", "report"],
        edges: &[("extract", "load"), ("load", "report")],
        kinds: vec![
            EventKind::RunStarted { retry_of: None },
            started("extract", 1),
            completed("extract", 1),
            started("load", 1),
            EventKind::AttemptFailed { job: job.clone(), attempt, error: error.clone(), retry_in },
            started("load", 2),
            EventKind::JobFailed { job, attempt: 2, error, annotations },
            EventKind::JobSkipped {
                job: "report".to_owned(),
                reason: "`load` did not complete".to_owned(),
            },
            EventKind::RunFailed { reason },
        ],
        reused: 0,
    }
}

fn waiting() -> Story {
    let (job, signal, attempt) = ("approval".to_owned(), "approved".to_owned(), 1);
    let until = UNIX_EPOCH + Duration::from_secs(4_000_000_000);
    Story {
        name: "a job waits for a signal, another sleeps",
        jobs: &["approval", "pause"],
        edges: &[],
        kinds: vec![
            EventKind::RunStarted { retry_of: None },
            started("approval", 1),
            EventKind::SignalAwaited { job: job.clone(), attempt, signal: signal.clone() },
            started("pause", 1),
            EventKind::SleepStarted {
                job: "pause".to_owned(),
                attempt,
                duration: Duration::from_secs(60),
                until,
            },
            EventKind::SignalReceived {
                job,
                attempt,
                signal,
                payload: json!({ "by": "ada" }),
                message: Some(1),
            },
            completed("approval", 1),
            completed("pause", 1),
            EventKind::RunCompleted { output: Some(Arc::new(json!(7))) },
        ],
        reused: 0,
    }
}

fn function() -> Story {
    let called = |job: &str| JobOrigin::Called {
        by: "book".to_owned(),
        attempt: 1,
        job: job.to_owned(),
        input: Json::Null,
    };
    let element = |index| JobOrigin::Element { of: "seats".to_owned(), index };
    let undo = JobOrigin::Compensation { of: "flight".to_owned() };
    let (job, attempt) = ("book".to_owned(), 1);
    Story {
        name: "a function runs jobs, and takes one back",
        jobs: &["book"],
        edges: &[],
        kinds: vec![
            EventKind::RunStarted { retry_of: None },
            started("book", 1),
            started_by("flight", called("flight")),
            completed("flight", 1),
            started_by("seats", called("seats")),
            started_by("seats[0]", element(0)),
            EventKind::SignalAwaited {
                job: "seats[0]".to_owned(),
                attempt,
                signal: "chosen".to_owned(),
            },
            EventKind::ValuePersisted {
                job: job.clone(),
                key: "total".to_owned(),
                value: json!(120),
            },
            EventKind::JobCancelled { job: "seats[0]".to_owned(), attempt, error: None },
            EventKind::JobCancelled { job: "seats".to_owned(), attempt, error: None },
            EventKind::JobFailed { job, attempt, error: failure(), annotations: Map::new() },
            started_by("undo flight", undo),
            completed("undo flight", 1),
            EventKind::RunFailed { reason: "job `book` failed: no route to host".to_owned() },
        ],
        reused: 0,
    }
}

fn waiting_function() -> Story {
    let book = || "book".to_owned();
    let (ask, attempt, message) = ("ask".to_owned(), 1, Some(1));
    let awaited = |job: String, signal: &str| EventKind::SignalAwaited {
        job,
        attempt,
        signal: signal.to_owned(),
    };
    let received = |job: String, signal: &str| {
        let (signal, payload) = (signal.to_owned(), Json::Null);
        EventKind::SignalReceived { job, attempt, signal, payload, message }
    };
    let sleeps_until = |second| {
        let until = UNIX_EPOCH + Duration::from_secs(second);
        EventKind::SleepStarted { job: book(), attempt, duration: Duration::from_secs(60), until }
    };
    let called = JobOrigin::Called { by: book(), attempt, job: ask.clone(), input: Json::Null };
    Story {
        name: "a function waits by itself, beside its jobs and after them",
        jobs: &["book"],
        edges: &[],
        kinds: vec![
            EventKind::RunStarted { retry_of: None },
            started("book", 1),
            sleeps_until(START + 3),
            started_by("ask", called),
            awaited(book(), "stop"),
            awaited(ask.clone(), "answer"),
            received(ask, "answer"),
            completed("ask", 1),
            received(book(), "stop"),
            sleeps_until(4_000_000_000),
            awaited(book(), "go"),
            received(book(), "go"),
            sleeps_until(5_000_000_000),
            completed("book", 1),
            EventKind::RunCompleted { output: None },
        ],
        reused: 0,
    }
}

fn crashing() -> Story {
    let changed = Blocked::DefinitionChanged { difference: "job `audit` is new".to_owned() };
    Story {
        name: "a process dies, and the run is cancelled",
        jobs: &["a", "b"],
        edges: &[("a", "b")],
        kinds: vec![
            EventKind::RunStarted { retry_of: None },
            started("a", 1),
            EventKind::RunBlocked { blocked: changed },
            EventKind::RunUnblocked,
            EventKind::RunResumed { after_crash: true },
            started("a", 1),
            EventKind::CancelRequested { reason: None },
            EventKind::JobCancelled { job: "a".to_owned(), attempt: 1, error: Some(failure()) },
            EventKind::JobSkipped {
                job: "b".to_owned(),
                reason: "the run was cancelled".to_owned(),
            },
            EventKind::RunCancelled,
        ],
        reused: 0,
    }
}

fn repeating() -> Story {
    let kinds = vec![
        EventKind::RunStarted { retry_of: Some(RunId::from_u128(7)) },
        started("extract", 1),
        completed("extract", 1),
        started("load", 1),
        completed("load", 1),
        EventKind::RunCompleted { output: None },
    ];
    let (jobs, edges) = (&["extract", "load"], &[("extract", "load")]);
    Story { name: "a run repeats what failed of another", jobs, edges, kinds, reused: 2 }
}

impl Story {
    fn events(&self) -> Vec<Event> {
        let event = |(sequence, kind): (u64, &EventKind)| {
            let is_reused = (1..=self.reused as u64).contains(&sequence);
            let began = if is_reused { START - 3600 } else { START };
            let at = UNIX_EPOCH + Duration::from_secs(began + sequence);
            Event::new(sequence, at, kind.clone())
        };
        (0..).zip(&self.kinds).map(event).collect()
    }

    fn graph(&self) -> Json {
        let node = |job: &&str| json!({ "id": job });
        let edge = |(source, target): &(&str, &str)| json!({ "source": source, "target": target });
        json!({
            "nodes": self.jobs.iter().map(node).collect::<Vec<_>>(),
            "edges": self.edges.iter().map(edge).collect::<Vec<_>>(),
        })
    }

    /// Returns the response of the API before the first event and after each event.
    async fn documents(&self) -> Vec<Json> {
        let store = workflow_store::open(":memory:").await.expect("a store");
        let new = NewRun {
            id: RunId::from_u128(1),
            input: Some(json!({ "day": "2026-01-02" })),
            trigger: Trigger::Api,
            created_at: UNIX_EPOCH + Duration::from_secs(START),
            owner: Some(Owner { id: OwnerId::from_u128(1), lifetime: Duration::from_secs(60) }),
            ..NewRun::new(WorkflowSnapshot::external(self.name, 1, self.graph()))
        };
        let id = new.id;
        let BeginOutcome::New(Some(lease)) = store.begin(new, Vec::new()).await.expect("it begins")
        else {
            panic!("the run is new, and has an owner");
        };
        let mut documents = vec![document(&*store, id).await];
        for event in self.events() {
            store.append(&lease, &[event]).await.expect("appended");
            documents.push(document(&*store, id).await);
            let listed = store.runs(Default::default()).await.expect("a list");
            let details = store.run_details(id).await.expect("it is there");
            assert_eq!(listed.items, [details.run], "list and document agree: {}", self.name);
        }
        documents
    }
}

async fn document(store: &dyn Catalog, run: RunId) -> Json {
    let details = store.run_details(run).await.expect("it is there");
    let stored = store.run(run).await.expect("it can be read").expect("it is there");
    let document = RunDocument::new(details, &stored, true);
    let mut document = serde_json::to_value(document).expect("it is JSON");
    // Depends on the current time while the run is running.
    document["duration_seconds"] = Json::Null;
    document
}

/// The start of all runs, in seconds.
const START: u64 = 1_767_225_600;

#[tokio::test]
async fn the_fixtures_of_the_page_are_current() {
    let mut fixtures = Vec::new();
    for story in stories() {
        let (events, documents) = (story.events(), story.documents().await);
        fixtures.push(json!({ "name": story.name, "events": events, "documents": documents }));
    }
    let text = serde_json::to_string_pretty(&fixtures).expect("it is JSON") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("page/test/fixtures/runs.json");
    if std::env::var_os("WORKFLOW_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        std::fs::write(&path, &text).expect("it can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "{} differs from the responses of the API; update it with WORKFLOW_BLESS=1, then run the \
         tests of the page",
        path.display()
    );
}

#[tokio::test]
async fn a_run_whose_sleep_is_over_is_not_stalled() {
    let mut story = waiting();
    story.kinds.truncate(5);
    let Some(EventKind::SleepStarted { until, .. }) = story.kinds.last_mut() else {
        panic!("the last event is a sleep");
    };
    *until = SystemTime::now() - Duration::from_secs(1);
    let documents = story.documents().await;
    assert_eq!(documents[5]["stall"], Json::Null);
    assert_eq!(documents[5]["waiting"][0]["signal"], "approved");
}
