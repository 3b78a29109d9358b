//! Kills, pauses and shuts down processes that serve one store, at random, and checks the invariants:
//! no duplicate outcome, no job that runs again after its outcome was persisted, no gap in the events,
//! no run that never ends, and no more runs of a key at once than its limit. The runs with limits wait
//! in several task queues, with priorities and fairness keys.
//!
//! `workflow_soak [--rounds N | --minutes N] [--url sqlite://..|postgres://..] [--seed N]`

use std::process::ExitCode;
use std::time::{Duration, Instant};

#[path = "../workflow-store/tests/processes/fleet/mod.rs"]
mod fleet;

use fleet::{Fleet, Harm};

const HARMS: [Harm; 3] = [Harm::Kill, Harm::Terminate, Harm::Stop];

use workflow_benches::print;
type Failure = Box<dyn std::error::Error>;

struct Options {
    rounds: Option<usize>,
    time: Duration,
    url: Option<String>,
    seed: u64,
}

fn main() -> ExitCode {
    if fleet::serve() {
        return ExitCode::SUCCESS;
    }
    match options().and_then(|options| soak(&options)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            print(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options, Failure> {
    let mut options = Options { rounds: None, time: Duration::MAX, url: None, seed: 1 };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} wants a value"))?;
        match name.as_str() {
            "--rounds" => options.rounds = Some(value.parse()?),
            "--minutes" => options.time = Duration::from_secs(value.parse::<u64>()? * 60),
            "--url" => options.url = Some(value),
            "--seed" => options.seed = value.parse()?,
            _ => return Err(format!("unknown option {name}; see the head of soak.rs").into()),
        }
    }
    if options.rounds.is_none() && options.time == Duration::MAX {
        options.rounds = Some(100);
    }
    Ok(options)
}

/// Returns the number of violations.
fn soak(options: &Options) -> Result<usize, Failure> {
    let folder = tempfile::tempdir()?;
    let file = format!("sqlite://{}", folder.path().join("workflows.db").display());
    let url = options.url.as_deref().unwrap_or(&file);
    let mut fleet = Fleet::start(url, folder.path(), &[], 2, options.seed)?;
    let (begun, mut rounds, mut violations) = (Instant::now(), [0; HARMS.len()], 0);
    let mut takeovers = Vec::new();
    while options.rounds.is_none_or(|most| rounds.iter().sum::<usize>() < most)
        && begun.elapsed() < options.time
    {
        let which = fleet.chance.below(HARMS.len() as u64) as usize;
        let harm = HARMS[which];
        rounds[which] += 1;
        let round = match fleet.chance.below(4) {
            0 => fleet.limited_round(harm, 24)?,
            _ => fleet.round(harm, 2)?,
        };
        takeovers.extend(round.takeover);
        for violation in &round.violations {
            print(&format!("VIOLATION after {rounds:?} ({harm:?}): {violation}"));
        }
        violations += round.violations.len();
    }
    for violation in fleet.check_all()? {
        print(&format!("VIOLATION at the end: {violation}"));
        violations += 1;
    }
    takeovers.sort_unstable();
    let [median, most] = [takeovers.len() / 2, takeovers.len().saturating_sub(1)]
        .map(|at| takeovers.get(at).copied().unwrap_or_default().as_millis());
    let (totals, took, [killed, ended, stopped]) =
        (fleet.totals()?, begun.elapsed().as_secs(), rounds);
    print(&format!(
        "{violations} violations; {} rounds in {took} s, {killed} with SIGKILL, {ended} with SIGTERM \
         and {stopped} with SIGSTOP; {} runs, {} attempts executed, {} runs given up by processes that had lost \
         them, {} attempts begun late by a process that was stopped; from the harm until the \
         last run went on: median {median} ms, at most {most} ms (lease {} ms)",
        killed + ended + stopped,
        totals.runs,
        totals.executions,
        totals.losses,
        totals.late,
        fleet::LEASE.as_millis(),
    ));
    Ok(violations)
}
