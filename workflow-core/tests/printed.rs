//! Output of jobs in Rust, in the log of the run.

use std::fs;
use std::path::{Path, PathBuf};

use futures::StreamExt as _;
use futures::executor::block_on;
use workflow_core::event::EventKind;
use workflow_core::id::RunId;
use workflow_core::run_log::{LogPosition, OutputStream, RunLog};
use workflow_core::store::{MemoryStore, Store as _};
use workflow_core::workflow::FunctionWorkflow;
use workflow_core::{Engine, Flow, Handle, JobContext, JobError, Run as _, job, register_workflow};

/// A folder for the runs of a test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("workflow-printed-{}", RunId::random()));
        fs::create_dir(&folder).expect("the temporary folder can be written");
        Self(folder)
    }

    fn log_of(&self, run: RunId) -> PathBuf {
        self.0.join(run.to_string()).join("output.log")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("the folder of a test can be removed");
    }
}

/// The text in a log, in the order of printing.
fn lines(log: &Path) -> Vec<(String, u32, OutputStream, String)> {
    let records = RunLog::read_from(log, LogPosition::default()).expect("the log can be read");
    let line = |record: Result<workflow_core::run_log::LogRecord, _>| {
        let record = record.expect("whole");
        let text = String::from_utf8(record.chunk.bytes).expect("text");
        (record.job, record.attempt, record.chunk.stream, text)
    };
    records.map(line).collect()
}

fn texts(log: &Path) -> Vec<String> {
    lines(log).into_iter().map(|(_, _, _, text)| text).collect()
}

/// An engine that captures output and writes it to logs in this folder.
fn engine(folder: &Folder) -> Engine {
    Engine::builder().runs_dir(&folder.0).capture_output(true).build()
}

/// Prints for the job that calls it.
mod helper {
    use workflow_core::printing::println;

    pub(super) fn help() {
        println!("helped");
    }
}

#[job(retry(maximum_attempts = 2, initial_interval = "1ms"))]
async fn chatty(ctx: &JobContext) -> Result<(), JobError> {
    #![allow(clippy::uninlined_format_args)]
    let attempt = ctx.attempt();
    println!("attempt {}", attempt);
    ctx.sleep(std::time::Duration::from_millis(1)).await;
    eprint!("still {attempt}");
    eprintln!();
    helper::help();
    ctx.print(OutputStream::Stdout, "by hand\n");
    ctx.annotate("rows", 7);
    if attempt == 1 { Err(JobError::from("busy")) } else { Ok(()) }
}

#[job]
fn on_a_thread() {
    print!("blocking");
}

fn both(flow: &mut Flow) {
    let first = flow.job(chatty());
    flow.job(on_a_thread().after(first));
}

#[test]
fn output_is_logged_by_job_and_attempt() {
    let folder = Folder::new();
    let run = engine(&folder).run(FunctionWorkflow::new("both", both).expect("a name"));
    let run = run.start().expect("it starts");
    let events: Vec<_> = block_on(run.events().collect());
    let log = folder.log_of(run.id());
    let out = OutputStream::Stdout;
    let err = OutputStream::Stderr;
    let line =
        |job: &str, attempt, stream, text: &str| (job.to_owned(), attempt, stream, text.to_owned());
    let of_attempt = |attempt: u32| {
        [
            line("chatty", attempt, out, &format!("attempt {attempt}\n")),
            line("chatty", attempt, err, &format!("still {attempt}")),
            line("chatty", attempt, err, "\n"),
            line("chatty", attempt, out, "helped\n"),
            line("chatty", attempt, out, "by hand\n"),
            line("chatty", attempt, err, "rows: 7\n"),
        ]
    };
    let wanted: Vec<_> = of_attempt(1)
        .into_iter()
        .chain(of_attempt(2))
        .chain([line("on_a_thread", 1, out, "blocking")])
        .collect();
    assert_eq!(lines(&log), wanted);
    // Subscribers receive the same text, with its places in the log.
    let mut places = 0;
    let shown = events.into_iter().filter_map(|event| match event.kind {
        EventKind::JobOutput { job, attempt, stream, text, log } => {
            let place = log.expect("it is kept");
            assert!(u64::from(place.start()) > places, "in their order");
            places = place.start().into();
            Some((job, attempt, stream, text))
        }
        _ => None,
    });
    assert_eq!(shown.collect::<Vec<_>>(), wanted);
    let report = block_on(run.outcome()).expect("it completes");
    assert_eq!(report.job("chatty").expect("a job").annotations["rows"], 7);
}

#[register_workflow(name = "quiet_inside")]
fn inside(flow: &mut Flow) -> Handle<()> {
    flow.job(on_a_thread())
}

#[test]
fn a_child_run_has_its_own_log() {
    let folder = Folder::new();
    let outer = FunctionWorkflow::new("outer", |flow: &mut Flow| {
        let input = flow.value(());
        flow.job(workflow_core::registry::call::<(), ()>("quiet_inside", input).name("inner"));
    });
    let run = engine(&folder).run(outer.expect("a name")).start().expect("it starts");
    block_on(run.outcome()).expect("it completes");
    let logs = fs::read_dir(&folder.0).expect("a folder").map(|entry| {
        let log = entry.expect("an entry").path().join("output.log");
        lines(&log).into_iter().map(|(job, .., text)| (job, text)).collect::<Vec<_>>()
    });
    let mut logs: Vec<_> = logs.collect();
    logs.sort();
    let printed = |job: &str| vec![(job.to_owned(), "blocking".to_owned())];
    assert_eq!(logs, [printed("inner"), printed("on_a_thread")]);
}

#[job]
fn floods(ctx: &JobContext, bytes: usize) {
    ctx.print(OutputStream::Stdout, "x".repeat(bytes));
    ctx.print(OutputStream::Stdout, "no more\n");
    ctx.print(OutputStream::Stdout, "y".repeat(bytes));
}

#[test]
fn output_beyond_the_limit_is_only_counted() {
    let folder = Folder::new();
    const LIMIT: usize = 16 * 1024 * 1024;
    let flood = FunctionWorkflow::new("flood", |flow: &mut Flow| flow.job(floods::draw(LIMIT)));
    let run = engine(&folder).run(flood.expect("a name")).start().expect("it starts");
    block_on(run.outcome()).expect("it completes");
    let log = RunLog::read(folder.log_of(run.id()), "floods", 1).expect("the log can be read");
    assert_eq!(log.stdout().len(), LIMIT);
    // Written down whenever it has doubled.
    let dropped = LIMIT as u64 + 8;
    assert!((dropped / 2..=dropped).contains(&log.dropped_bytes), "{}", log.dropped_bytes);
}

#[test]
fn a_log_write_error_fails_no_job() {
    let folder = Folder::new();
    fs::write(folder.0.join("taken"), "no folder").expect("it can be written");
    let engine = Engine::builder().runs_dir(folder.0.join("taken")).capture_output(true).build();
    let run = engine.run(FunctionWorkflow::new("both", both).expect("a name"));
    let run = run.start().expect("it starts");
    let events: Vec<_> = block_on(run.events().collect());
    block_on(run.outcome()).expect("it completes");
    let shown = |kind: &EventKind| matches!(kind, EventKind::JobOutput { log: None, .. });
    assert_eq!(events.iter().filter(|event| shown(&event.kind)).count(), 13);
}

#[test]
fn a_store_knows_where_the_log_is() {
    let folder = Folder::new();
    let store = std::sync::Arc::new(MemoryStore::new());
    let engine = engine(&folder).to_builder().store(store.clone()).build();
    let run = engine.run(FunctionWorkflow::new("both", both).expect("a name"));
    let run = run.start().expect("it starts");
    block_on(run.outcome()).expect("it completes");
    let stored = block_on(store.run(run.id())).expect("readable").expect("there");
    assert_eq!(stored.runs_dir.as_deref(), Some(&*folder.0));
    assert_eq!(stored.log(), Some(folder.log_of(run.id())));
    assert_eq!(texts(&folder.log_of(run.id())).len(), 13);
}

#[test]
fn without_a_runs_dir_nothing_is_logged() {
    let run = Engine::builder().capture_output(true).build();
    let run = run.run(FunctionWorkflow::new("both", both).expect("a name")).start();
    let run = run.expect("it starts");
    let events: Vec<_> = block_on(run.events().collect());
    let shown = |kind: &EventKind| matches!(kind, EventKind::JobOutput { log: None, .. });
    assert_eq!(events.iter().filter(|event| shown(&event.kind)).count(), 13);
}

#[test]
fn outside_of_a_run_the_macros_are_the_standard_ones() {
    workflow_core::printing::println!();
    workflow_core::printing::println!("{} and {name}", 1, name = "two");
    helper::help();
    on_a_thread::call();
}
