//! Function workflows, which call jobs as they go.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::future::join;
use workflow_core::event::EventKind;

use super::*;

static CHARGES: AtomicU32 = AtomicU32::new(0);

#[job]
async fn charge(amount: &u32) -> u32 {
    CHARGES.fetch_add(1, Ordering::SeqCst);
    amount + 1
}

#[job]
fn refuse(amount: &u32) -> Result<u32, JobError> {
    Err(JobError::terminal(format!("{amount} is too much")))
}

#[register_workflow(name = "durable: orders")]
async fn orders(ctx: WorkflowContext) -> Result<Vec<u32>, JobError> {
    let mut paid = Vec::new();
    for amount in [10, 20] {
        paid.push(ctx.run(charge, amount).await?);
    }
    let both = join(ctx.run(charge, 30), ctx.run(charge, 40));
    let (left, right) = both.await;
    paid.extend([left?, right?]);
    if ctx.run(refuse, 99).await.is_err() {
        paid.push(0);
    }
    ctx.persist("paid", &paid)?;
    ctx.sleep(Duration::from_micros(10)).await;
    Ok(paid)
}

#[test]
fn a_function_interrupted_anywhere_ends_the_same() {
    cut_off_everywhere("durable: orders", |batches, ended, events| {
        let report = ended.unwrap_or_else(|error| panic!("after {batches:?} batches: {error}"));
        assert_eq!(report.output::<Vec<u32>>(), Ok(vec![11, 21, 31, 41, 0]));
        let completed = |name: &str| {
            let of = |event: &&Event| matches!(&event.kind, EventKind::JobCompleted { job, .. } if job == name);
            events.iter().filter(of).count()
        };
        for name in ["charge", "charge_2", "charge_3", "charge_4", "durable: orders"] {
            assert_eq!(completed(name), 1, "{name} after {batches:?} batches: {events:#?}");
        }
        assert_eq!(report.jobs().len(), 6, "{report}");
    });
}

#[job]
fn shout(word: &str, times: u32) -> String {
    word.to_uppercase().repeat(times as usize)
}

#[register_workflow(name = "durable: maps")]
async fn maps(ctx: WorkflowContext) -> Result<(Vec<u32>, Vec<String>), JobError> {
    let amounts = |amounts| map(amounts, |amount: Handle<u32>| charge(amount)).name("charges");
    let paid = ctx.run(amounts, vec![1, 2, 3]).await?;
    let twice = |words, times| map(words, move |word: Handle<String>| shout(word, times));
    Ok((paid, ctx.run(twice, (vec!["a".to_owned(), "b".to_owned()], 2)).await?))
}

#[test]
fn a_function_that_maps_lists_ends_the_same() {
    cut_off_everywhere("durable: maps", |batches, ended, events| {
        let report = ended.unwrap_or_else(|error| panic!("after {batches:?} batches: {error}"));
        let output = report.output::<(Vec<u32>, Vec<String>)>();
        assert_eq!(output, Ok((vec![2, 3, 4], vec!["AA".to_owned(), "BB".to_owned()])));
        let completed = |name: &str| {
            let of = |event: &&Event| matches!(&event.kind, EventKind::JobCompleted { job, .. } if job == name);
            events.iter().filter(of).count()
        };
        for name in ["charges", "charges[0]", "charges[2]", "shout", "shout[1]"] {
            assert_eq!(completed(name), 1, "{name} after {batches:?} batches: {events:#?}");
        }
    });
}

/// The inputs of the calls that the function makes.
static AMOUNTS: Mutex<Vec<u32>> = Mutex::new(Vec::new());

#[register_workflow(name = "durable: changing")]
async fn changing(ctx: WorkflowContext) -> Result<Vec<u32>, JobError> {
    let amounts = AMOUNTS.lock().expect("no panic").clone();
    let mut paid = Vec::new();
    for amount in amounts {
        paid.push(ctx.run(charge, amount).await?);
    }
    Ok(paid)
}

/// Cuts off a function after its second call, and resumes it with these calls.
fn changed_to(amounts: Vec<u32>) -> Result<Report, RunError> {
    let store = Arc::new(MemoryStore::new());
    *AMOUNTS.lock().expect("no panic") = vec![1, 2, 3];
    engine_for(5, &store).run("durable: changing").wait().expect_err("it is cut off");
    *AMOUNTS.lock().expect("no panic") = amounts;
    take_up(&store)
}

#[test]
fn a_function_that_diverges_from_its_record_fails() {
    let error = changed_to(vec![1, 7, 3]).expect_err("2 is on record").to_string();
    let wanted = "attempt 1 called `charge` with 2 when it was recorded, but now calls `charge` \
                  with 7; finish";
    assert!(error.contains(wanted), "{error}");
    let error = changed_to(vec![1]).expect_err("2 is on record").to_string();
    assert!(error.contains("when it was recorded, but now does not; finish"), "{error}");
    let report = changed_to(vec![1, 2, 8]).expect("only what is on record counts");
    assert_eq!(report.output::<Vec<u32>>(), Ok(vec![2, 3, 9]));
}

#[register_workflow(name = "durable: approval")]
async fn approval(ctx: WorkflowContext) -> Result<String, JobError> {
    let first: String = ctx.wait_signal("approved").await?;
    let amount = ctx.run(charge, 1).await?;
    let second: String = ctx.wait_signal("approved").await?;
    Ok(format!("{first} {amount} {second}"))
}

#[test]
fn signals_are_received_once_and_in_order() {
    for batches in 1..9 {
        let store = Arc::new(MemoryStore::new());
        let engine = engine_for(batches, &store);
        let run = engine.run("durable: approval").start().expect("it starts");
        for name in ["Ada", "Bob"] {
            block_on(run.signal("approved", name)).expect("it is kept");
        }
        let ended = match run.wait() {
            Err(RunError::Store { .. }) => take_up(&store),
            ended => ended,
        };
        let output = ended.map(|report| report.output::<String>());
        let output = output.expect("it completes");
        assert_eq!(output.as_deref(), Ok("Ada 2 Bob"), "after {batches} batches");
    }
}

#[register_workflow(name = "durable: patient")]
async fn patient(ctx: WorkflowContext) -> Result<(), JobError> {
    ctx.sleep(Duration::from_secs(3600)).await;
    Ok(())
}

#[test]
fn a_sleep_resumes_with_its_remaining_time() {
    let store = Arc::new(MemoryStore::new());
    let clock = workflow_core::engine::ManualClock::new();
    let build = |batches| {
        let builder = Engine::builder().store(CutOff::after(batches, &store)).clock(clock.clone());
        builder.lease(Duration::ZERO).threads(1).build()
    };
    let first = build(2);
    let run = first.run("durable: patient").start().expect("it starts");
    let mut seen = futures::executor::block_on_stream(run.events());
    assert!(seen.any(|event| matches!(event.kind, EventKind::SleepStarted { .. })));
    clock.advance(Duration::from_secs(1800));
    let second = build(99);
    let recovery = block_on(second.recover()).expect("memory can be read");
    let ended = clock.drive(recovery.runs[0].outcome());
    block_on(ended).expect("it completes");
    assert_eq!(workflow_core::engine::Clock::now(&clock), Duration::from_secs(3600));
}

#[register_workflow(name = "durable: part")]
async fn part(ctx: WorkflowContext, amount: u32) -> Result<u32, JobError> {
    ctx.run(charge, amount).await
}

/// Another workflow twice with different inputs, a closure around the call, no input, and a text.
#[register_workflow(name = "durable: whole")]
async fn whole(ctx: WorkflowContext) -> Result<String, JobError> {
    let call_part = |amount: Handle<u32>| registry::call::<_, u32>("durable: part", amount);
    let first = ctx.run(call_part, 1).await?;
    let (left, right) = join(ctx.run(call_part, 10), ctx.run(call_part, 20)).await;
    let named = |amount: Handle<u32>| call_part(amount).name("last part");
    let last = ctx.run(named, 30).await?;
    let text: String = ctx.run(|name| registry::call("durable: greet", name), "Ada").await?;
    Ok(format!("{first} {} {} {last} {text}", left?, right?))
}

#[register_workflow(name = "durable: greet")]
async fn greet(name: String) -> String {
    format!("hello {name}")
}

#[test]
fn a_function_calls_workflows() {
    for batches in 1..60 {
        let store = Arc::new(MemoryStore::new());
        let ended = engine_for(batches, &store).run("durable: whole").wait();
        let was_cut_off = match &ended {
            Ok(_) => false,
            // An inner run may be cut off before the outer one is.
            Err(RunError::Store { .. } | RunError::Failed(_)) => true,
            Err(error) => panic!("after {batches} batches: {error}"),
        };
        let report = if was_cut_off {
            let engine = Engine::builder().store(store.clone()).build();
            let recovery = block_on(engine.recover()).expect("memory can be read");
            assert!(recovery.refused.is_empty(), "{:?}", recovery.refused);
            block_on(engine.follow(only(&store).expect("it began")))
        } else {
            ended
        };
        let report = report.unwrap_or_else(|error| panic!("after {batches} batches: {error}"));
        assert_eq!(report.output::<String>().as_deref(), Ok("2 11 21 31 hello Ada"));
        assert_eq!(store.runs().len(), 6, "after {batches} batches");
        if !was_cut_off {
            return;
        }
    }
    panic!("it is always cut off");
}

#[job]
async fn describe(times: u32, what: &str, counted: Each<'_, u32>) -> String {
    format!("{} {:?}", what.repeat(times as usize), counted.iter().collect::<Vec<_>>())
}

struct Unit(&'static str);

#[async_trait::async_trait]
impl Job for Unit {
    type Input = u32;
    type Output = String;

    fn name(&self) -> &'static str {
        "unit"
    }

    async fn run(&self, _: &JobContext, number: &u32) -> Result<String, JobError> {
        Ok(format!("{number} {}", self.0))
    }
}

#[register_workflow(name = "durable: calls")]
async fn calls(ctx: WorkflowContext) -> Result<Vec<String>, JobError> {
    let described = |what, one, two| describe(2, what, [one, two]);
    let described = ctx.run(described, ("tea".to_owned(), 1, 2)).await?;
    let unit = ctx.run(|number| call_job(Unit("cups"), number), 3).await?;
    let closed = |number| {
        workflow_core::job::closure("closed", number, |number: u32| async move {
            Ok::<_, JobError>(format!("{number} saucers"))
        })
    };
    let closed = ctx.run(closed, 4).await?;
    Ok(vec![described, unit, closed])
}

#[test]
fn inputs_of_called_jobs_are_recorded() {
    cut_off_everywhere("durable: calls", |after, ended, _| {
        let report = ended.unwrap_or_else(|error| panic!("after {after:?} batches: {error}"));
        let made = report.output::<Vec<String>>().expect("texts");
        assert_eq!(made, ["teatea [1, 2]", "3 cups", "4 saucers"]);
    });
}

#[register_workflow(name = "durable: handed back")]
fn handed_back(flow: &mut Flow) -> Handle<Vec<String>> {
    let ten = flow.value(10_u32);
    flow.job(charge(ten));
    flow.value(vec!["as it is".to_owned()])
}

#[test]
fn the_output_of_a_registered_workflow_is_of_the_type_that_it_returns() {
    let report = registry::run("durable: handed back").wait().expect("it completes");
    assert_eq!(report.output::<Vec<String>>(), Ok(vec!["as it is".to_owned()]));
    assert_eq!(report.output_json().expect("JSON"), serde_json::json!(["as it is"]));
}
