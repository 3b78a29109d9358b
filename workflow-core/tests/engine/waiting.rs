//! Programs without async code: `.wait()` on a plain thread, inside jobs, and in large graphs.

use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use workflow_core::prelude::*;
use workflow_core::workflow::{FunctionWorkflow, OutputOf};

fn run<D: OutputOf>(
    draw: impl Fn(&mut Flow) -> D + Send + Sync + 'static,
) -> Result<Report, RunError> {
    Engine::default().run(FunctionWorkflow::new("waiting", draw).expect("a name")).wait()
}

#[job]
fn words() -> Vec<String> {
    "a long day".split(' ').map(str::to_owned).collect()
}

#[job]
async fn lengths(words: &[String]) -> Vec<usize> {
    words.iter().map(String::len).collect()
}

#[job(inline)]
fn longest(words: &[String], lengths: &[usize]) -> Option<String> {
    let longest = (0..words.len()).max_by_key(|word| lengths[*word]);
    longest.map(|word| words[word].clone())
}

#[test]
fn a_graph_of_every_kind_of_job_is_waited_for() {
    let report = run(|flow| {
        let words = flow.job(words());
        let lengths = flow.job(lengths(words));
        flow.job(longest(words, lengths))
    });
    let report = report.expect("it completes");
    assert_eq!(report.output_ref::<Option<String>>(), Ok(&Some("long".to_owned())));
    assert_eq!(report.output_of::<Vec<usize>>("lengths"), Ok(&vec![1, 4, 3]));
}

#[job]
fn thread_of() -> ThreadId {
    thread::current().id()
}

#[test]
fn a_chain_of_blocking_jobs_stays_on_the_calling_thread() {
    let report = run(|flow| {
        let first = flow.job(thread_of());
        (0..10).fold(first, |last, _| flow.job(thread_of().after(last)))
    });
    let report = report.expect("it completes");
    let threads: Vec<ThreadId> = report.outputs().map(|(_, thread)| *thread).collect();
    assert_eq!(threads, [thread::current().id(); 11]);
}

/// One end of two channels.
type End = Arc<Mutex<(mpsc::Sender<ThreadId>, mpsc::Receiver<ThreadId>)>>;

/// Returns the thread of another job, once that job is here as well.
#[job]
fn meet(end: &End) -> Result<ThreadId, JobError> {
    let end = end.lock().expect("no panic");
    end.0.send(thread::current().id())?;
    Ok(end.1.recv()?)
}

fn ends() -> [End; 2] {
    let ((to_one, from_other), (to_other, from_one)) = (mpsc::channel(), mpsc::channel());
    [(to_one, from_one), (to_other, from_other)].map(|end| Arc::new(Mutex::new(end)))
}

#[test]
fn independent_blocking_jobs_overlap() {
    let report = run(|flow| {
        for end in ends() {
            let end = flow.value(end);
            flow.job(meet(end));
        }
    });
    let report = report.expect("they meet");
    let threads: Vec<&ThreadId> = report.outputs().map(|(_, thread)| thread).collect();
    assert_ne!(threads[0], threads[1]);
}

#[job]
async fn nap(ctx: &JobContext, number: u32) -> u32 {
    ctx.sleep(Duration::from_millis(1)).await;
    number
}

#[job]
fn add(numbers: Each<'_, u32>) -> u32 {
    numbers.iter().sum()
}

fn naps(flow: &mut Flow) -> Handle<u32> {
    let naps = [1, 2, 3].map(|number| flow.job(nap::draw(number)));
    flow.job(add(naps))
}

#[test]
fn waiting_in_the_context_of_a_runtime_that_nobody_drives() {
    for (timers, threads) in [(true, false), (false, false), (true, true)] {
        let mut builder = match threads {
            true => tokio::runtime::Builder::new_multi_thread(),
            false => tokio::runtime::Builder::new_current_thread(),
        };
        if timers {
            builder.enable_time();
        }
        let runtime = builder.build().expect("a runtime");
        let _context = runtime.enter();
        let report = run(naps).expect("it completes");
        assert_eq!(report.output::<u32>(), Ok(6));
    }
}

#[register_workflow(name = "waiting: inner")]
fn inner(flow: &mut Flow, number: Handle<u32>) -> Handle<u32> {
    let nap = flow.job(nap(number));
    flow.job(add([nap, number]))
}

#[job]
fn outer_blocking(number: u32) -> Result<u32, JobError> {
    Ok(registry::run("waiting: inner").input(number).wait()?.output()?)
}

#[job(inline)]
fn outer_inline(number: u32) -> Result<u32, JobError> {
    Ok(registry::run("waiting: inner").input(number).wait()?.output()?)
}

#[job]
async fn outer_async(number: u32) -> Result<u32, JobError> {
    // Blocks the thread that polls it, and is refused where no other thread could continue the run.
    Ok(registry::run("waiting: inner").input(number).wait()?.output()?)
}

fn nested(flow: &mut Flow) -> Handle<u32> {
    let blocking = flow.job(outer_blocking::draw(1));
    let inline = flow.job(outer_inline(blocking));
    let last = flow.job(outer_async(inline));
    let others: Vec<_> = (0..10).map(|_| flow.job(outer_blocking(last))).collect();
    flow.job(add(others))
}

#[test]
fn a_job_waits_for_a_run() {
    let report = run(nested).expect("it completes");
    assert_eq!(report.output::<u32>(), Ok(160));
}

#[tokio::test]
async fn a_job_waits_for_a_run_on_the_only_thread() {
    let blocking = FunctionWorkflow::new("waiting", |flow: &mut Flow| {
        let waiting: Vec<_> = (0..10).map(|_| flow.job(outer_blocking::draw(1))).collect();
        flow.job(add(waiting))
    });
    let report = Engine::default().run(blocking.expect("a name")).await.expect("it completes");
    assert_eq!(report.output::<u32>(), Ok(20));

    // The others are called on the runtime's own thread.
    let workflow = FunctionWorkflow::new("waiting", nested).expect("a name");
    let error = Engine::default().run(workflow).await.expect_err("it would block").to_string();
    let refused = "job `outer_inline` failed: `wait` would block a thread of the";
    assert!(error.contains(refused), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_job_waits_for_a_run_on_a_worker() {
    let workflow = FunctionWorkflow::new("waiting", nested).expect("a name");
    let report = Engine::default().run(workflow).await.expect("it completes");
    assert_eq!(report.output::<u32>(), Ok(160));
}

#[register_workflow(name = "waiting: countdown")]
fn countdown(number: u32) -> Result<u32, JobError> {
    match number {
        0 => Ok(0),
        number => {
            let below: u32 =
                registry::run("waiting: countdown").input(number - 1).wait()?.output()?;
            Ok(below + 1)
        }
    }
}

#[test]
fn runs_nest() {
    let report = registry::run("waiting: countdown").input(20).wait().expect("it completes");
    assert_eq!(report.output::<u32>(), Ok(20));
}

/// Runs on a thread whose stack is too small for recursion as deep as the graph.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(256 * 1024).spawn(test).expect("a thread");
    thread.join().expect("the test passes");
}

#[job(inline)]
fn increment(number: &u32) -> u32 {
    number + 1
}

#[test]
fn a_long_chain_needs_no_stack() {
    on_a_small_stack(|| {
        let report = run(|flow| {
            let first = flow.value(0_u32);
            (0..LONG).fold(first, |last, _| flow.job(increment(last)))
        });
        let report = report.expect("it completes");
        assert_eq!(report.output::<u32>(), Ok(LONG));
        assert_eq!(report.graph().len(), LONG as usize);
        drop(report);
    });
}

const LONG: u32 = 1_000_000;

#[job(inline)]
fn part(number: u64) -> u64 {
    number
}

#[job(inline)]
fn total(parts: Each<'_, u64>) -> u64 {
    parts.iter().sum()
}

#[test]
fn a_wide_fan_in_needs_no_stack() {
    on_a_small_stack(|| {
        let report = run(|flow| {
            let parts: Vec<_> = (0..WIDE).map(|number| flow.job(part::draw(number))).collect();
            flow.job(total(&parts))
        });
        let report = report.expect("it completes");
        assert_eq!(report.output::<u64>(), Ok((0..WIDE).sum()));
        drop(report);
    });
}

const WIDE: u64 = 100_000;
