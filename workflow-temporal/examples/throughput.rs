//! Workflows of three jobs, 16 at a time, beside a worker written by hand with Temporal's SDK:
//! `cargo run --release --example throughput -- 127.0.0.1:7233`.
#![expect(clippy::print_stdout, reason = "it prints figures")]
#![expect(missing_docs, reason = "the macros of the SDK make items")]

use std::error::Error;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _};
use temporalio_client::{Client, WorkflowGetResultOptions, WorkflowStartOptions};
use temporalio_sdk::activities::{ActivityContext, ActivityError, activities};
use temporalio_sdk::workflows::{workflow, workflow_methods};
use temporalio_sdk::{
    ActivityOptions, Runtime, Worker, WorkerOptions, WorkflowContext, WorkflowResult,
};
use tokio::task::LocalSet;
use workflow_core::prelude::*;
use workflow_temporal::{Placement, TemporalClient, TemporalOptions, TemporalWorker};

/// Runs at a time, runs in a round, rounds of each kind.
const AT_ONCE: usize = 16;
const RUNS: usize = 160;
const ROUNDS: usize = 5;

#[job]
async fn triple(number: u64) -> u64 {
    number * 3 + 1
}

#[register_workflow(name = "three_jobs")]
fn three_jobs(flow: &mut Flow) -> Handle<u64> {
    let number = flow.value(1_u64);
    let number = flow.job(triple(number));
    let number = flow.job(triple(number));
    flow.job(triple(number))
}

#[workflow]
#[derive(Default)]
pub struct ByHand;

#[workflow_methods]
impl ByHand {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, mut number: u64) -> WorkflowResult<u64> {
        for _ in 0..3 {
            let options = ActivityOptions::start_to_close_timeout(Duration::from_secs(10));
            number = ctx.execute_activity(Numbers::triple_it, number, options).await?;
        }
        Ok(number)
    }
}

pub struct Numbers;

#[activities]
impl Numbers {
    #[activity]
    pub async fn triple_it(_ctx: ActivityContext, number: u64) -> Result<u64, ActivityError> {
        Ok(number * 3 + 1)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("expected the address of a Temporal server")?;
    let options = TemporalOptions::new().address(&address);
    let ours = worker(&options, "ours", Placement::Activities).await?;
    let local = worker(&options, "local", Placement::LocalActivities).await?;
    let hand = by_hand(&address).await?;
    let mut rates: [Vec<f64>; 3] = Default::default();
    // The first round warms up.
    for round in 0..=ROUNDS {
        let each = [
            rate(|| run_ours(&hand, "ours")).await?,
            rate(|| run_hand(&hand)).await?,
            rate(|| run_ours(&hand, "local")).await?,
        ];
        println!(
            "round {round}: ours {:.1}/s, by hand {:.1}/s, local {:.1}/s",
            each[0], each[1], each[2]
        );
        if round > 0 {
            rates.iter_mut().zip(each).for_each(|(rates, rate)| rates.push(rate));
        }
    }
    let [ours_rate, hand_rate, local_rate] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    println!("medians: ours {ours_rate:.1}/s, by hand {hand_rate:.1}/s, local {local_rate:.1}/s");
    drop((ours, local));
    std::process::exit(0);
}

/// Starts a worker of this project.
async fn worker(
    options: &TemporalOptions,
    prefix: &'static str,
    placement: Placement,
) -> Result<tokio::task::JoinHandle<()>, Box<dyn Error>> {
    let engine = Engine::builder().queue_prefix(prefix).build();
    let client = TemporalClient::connect(options).await?;
    let worker = TemporalWorker::new(client, engine).placement(placement);
    Ok(tokio::spawn(async move {
        let served = worker.run(std::future::pending()).await;
        println!("a worker has ended: {served:?}");
    }))
}

/// Starts a worker written by hand, and returns its client.
async fn by_hand(address: &str) -> Result<Client, Box<dyn Error>> {
    let connection = temporalio_client::ConnectionOptions::new(
        format!("http://{address}").parse::<temporalio_client::Url>()?,
    );
    let connection = temporalio_client::Connection::connect(connection.build()).await?;
    let client = Client::new(connection, temporalio_client::ClientOptions::new("default").build())?;
    let (handle, of_worker) = (tokio::runtime::Handle::current(), client.clone());
    std::thread::spawn(move || {
        handle.block_on(LocalSet::new().run_until(async move {
            let runtime = Runtime::from_current_tokio(Default::default()).expect("a runtime");
            let options = WorkerOptions::new("by-hand")
                .register_workflow::<ByHand>()
                .expect("one workflow")
                .register_activities(Numbers)
                .build();
            let mut worker = Worker::new(&runtime, of_worker, options).expect("a worker");
            worker.run().await.expect("it serves");
        }));
    });
    Ok(client)
}

async fn run_ours(client: &Client, prefix: &str) -> Result<(), Box<dyn Error>> {
    let id = format!("{prefix}-{}", workflow_core::id::RunId::random());
    let options = WorkflowStartOptions::new(format!("{prefix}-workflows"), id).build();
    let workflow = temporalio_common::UntypedWorkflow::new("three_jobs");
    let input = temporalio_common::data_converters::RawValue { payloads: Vec::new() };
    let run = client.start_workflow(workflow, input, options).await?;
    run.get_result(WorkflowGetResultOptions::builder().build()).await?;
    Ok(())
}

async fn run_hand(client: &Client) -> Result<(), Box<dyn Error>> {
    let id = format!("by-hand-{}", workflow_core::id::RunId::random());
    let options = WorkflowStartOptions::new("by-hand", id).build();
    let run = client.start_workflow(ByHand::run, 1, options).await?;
    run.get_result(WorkflowGetResultOptions::builder().build()).await?;
    Ok(())
}

/// Runs in a second.
async fn rate<F: Future<Output = Result<(), Box<dyn Error>>>>(
    run: impl Fn() -> F,
) -> Result<f64, Box<dyn Error>> {
    let began = Instant::now();
    let ended: Vec<_> =
        stream::iter(0..RUNS).map(|_| run()).buffer_unordered(AT_ONCE).collect().await;
    ended.into_iter().collect::<Result<(), _>>()?;
    Ok(RUNS as f64 / began.elapsed().as_secs_f64())
}
