//! Several processes that serve one store, of which some are killed or stopped in the middle of
//! their work, and a look at the record afterwards.
//!
//! The program that uses this is its own server: [`Fleet::start`] runs it again, and [`serve()`]
//! is what it then does. Tests use it, and the soak program of `benches`.

mod chance;
mod harm;
mod notes;
mod record;
mod serve;
mod server;
mod workflows;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use workflow_core::Engine;
use workflow_core::event::EventKind;
use workflow_core::id::RunId;
use workflow_core::store::{MessageKind, Store, StoreError};
use workflow_store::{PostgresStore, SqliteStore};

pub(crate) use chance::Chance;
pub(crate) use harm::Harm;
use notes::Notes;
pub(crate) use serve::serve;
use server::Server;

/// After this long without a sign of life, the runs of a server are there for the others.
pub(crate) const LEASE: Duration = Duration::from_millis(300);

/// How long runs may take, with all that is done to those who drive them.
const PATIENCE: Duration = Duration::from_secs(60);

/// Several processes that serve one store.
pub(crate) struct Fleet {
    url: String,
    /// Where servers note what they execute.
    log: PathBuf,
    notes: Notes,
    arguments: Vec<String>,
    store: Arc<dyn Store>,
    engine: Engine,
    servers: Vec<Server>,
    pub(crate) chance: Chance,
    /// All runs that were asked for so far.
    runs: Vec<Wanted>,
}

/// A run that was asked for, and what must come of it.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) run: RunId,
    pub(crate) workflow: &'static str,
    pub(crate) output: serde_json::Value,
}

impl Fleet {
    /// Starts so many processes on the store with this URL, each this program with these
    /// arguments. `folder` is for their notes.
    pub(crate) fn start(
        url: &str,
        folder: &Path,
        arguments: &[&str],
        servers: usize,
        seed: u64,
    ) -> Result<Self, StoreError> {
        let store = pollster::block_on(open(url))?;
        let log = folder.join("notes");
        let mut fleet = Self {
            url: url.to_owned(),
            notes: Notes::new(&log),
            log,
            arguments: arguments.iter().map(|one| (*one).to_owned()).collect(),
            engine: Engine::builder().store(store.clone()).lease(LEASE).build(),
            store,
            servers: Vec::new(),
            chance: Chance::new(seed),
            runs: Vec::new(),
        };
        std::fs::write(&fleet.log, "").expect("the folder for notes can be written to");
        for _ in 0..servers {
            fleet.add_server();
        }
        Ok(fleet)
    }

    fn add_server(&mut self) {
        self.servers.push(Server::start(&self.url, &self.log, &self.arguments));
    }

    /// Leaves runs of every kind to the servers. Signals for some are sent at once.
    fn ask_for_runs(&mut self, each: u64) -> Result<Vec<Wanted>, StoreError> {
        let mut asked = Vec::new();
        for at in 0..workflows::ALL.len() {
            for _ in 0..each {
                asked.push(self.ask_for(at)?);
            }
        }
        Ok(asked)
    }

    /// Leaves runs with limits to the servers.
    fn ask_for_limited(&mut self, count: usize) -> Result<Vec<Wanted>, StoreError> {
        let is_limited = |(workflow, _): &(&str, _)| *workflow == workflows::LIMITED;
        let at = workflows::ALL.iter().position(is_limited).expect("one has a limit");
        (0..count).map(|_| self.ask_for(at)).collect()
    }

    fn ask_for(&mut self, at: usize) -> Result<Wanted, StoreError> {
        let (workflow, output) = workflows::ALL[at];
        let input = workflows::input_for(workflow, &mut self.chance);
        let mut request = self.engine.run(workflow).input(input);
        if workflow == workflows::LIMITED {
            let queue = workflows::QUEUES[self.chance.below(3) as usize];
            let priority = if self.chance.below(4) == 0 { 1 } else { 0 };
            request = request.task_queue(queue).priority(priority);
        }
        let run = pollster::block_on(request.enqueue()).map_err(|error| {
            StoreError::Unusable(format!("{workflow} was not begun: {error}").into())
        })?;
        let wanted = Wanted { run, workflow, output: output(input) };
        self.runs.push(wanted.clone());
        Ok(wanted)
    }

    fn send_signal(&self, wanted: &Wanted) -> Result<(), StoreError> {
        if !workflows::waits_for_signal(wanted.workflow) {
            return Ok(());
        }
        let name = workflows::SIGNAL.to_owned();
        let kind = MessageKind::Signal { name, payload: workflows::PAYLOAD.into() };
        pollster::block_on(self.store.send(wanted.run, kind)).map(drop)
    }

    fn has_ended(&self, run: RunId) -> Result<bool, StoreError> {
        let stored = pollster::block_on(self.store.run(run))?;
        Ok(stored.is_some_and(|run| run.status.is_final()))
    }

    /// Waits until all have ended or time is up, and returns whether they have.
    ///
    /// Until then the store may be unavailable: a process that is stopped at an unlucky moment keeps
    /// a lock of SQLite that readers need, too.
    fn await_end(&self, runs: &[Wanted], deadline: Instant) -> Result<bool, StoreError> {
        for wanted in runs {
            loop {
                let is_late = Instant::now() > deadline;
                match self.has_ended(wanted.run) {
                    Ok(true) => break,
                    Ok(false) if is_late => return Ok(false),
                    Err(StoreError::Unavailable(_)) if is_late => return Ok(false),
                    Ok(false) | Err(StoreError::Unavailable(_)) => {}
                    Err(error) => return Err(error),
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Ok(true)
    }

    /// What is wrong with the record of these runs and of all that were driven since the last
    /// time, in words.
    fn check(&mut self, runs: &[Wanted]) -> Result<Vec<String>, StoreError> {
        let mut driven = self.notes.read();
        driven.extend(runs.iter().map(|wanted| wanted.run));
        self.check_these(driven)
    }

    /// What is wrong with the record of all runs so far, in words.
    pub(crate) fn check_all(&mut self) -> Result<Vec<String>, StoreError> {
        self.notes.read();
        let mut runs = self.notes.runs();
        runs.extend(self.runs.iter().map(|wanted| wanted.run));
        let mut violations = self.check_these(runs)?;
        violations.extend(self.check_limits()?);
        Ok(violations)
    }

    /// Where more runs with the same key were in progress at once than their limit allows, in words.
    /// A run is in progress from its first event to its last one, wherever it was driven.
    fn check_limits(&self) -> Result<Vec<String>, StoreError> {
        let mut changes = BTreeMap::<String, Vec<(SystemTime, bool)>>::new();
        for wanted in self.runs.iter().filter(|wanted| wanted.workflow == workflows::LIMITED) {
            let events = pollster::block_on(self.store.events(wanted.run, 0, ALL))?;
            let (Some(first), Some(last)) = (events.first(), events.last()) else { continue };
            let of_key = changes.entry(wanted.output.to_string()).or_default();
            of_key.push((first.at, true));
            if last.kind.is_last() {
                of_key.push((last.at, false));
            }
        }
        let mut violations = Vec::new();
        for (key, mut changes) in changes {
            // At one moment, runs end before others begin.
            changes.sort_unstable();
            let mut now = 0_usize;
            for (at, begins) in changes {
                now = if begins { now + 1 } else { now.saturating_sub(1) };
                if now > workflows::LIMIT {
                    violations.push(format!("{now} runs of key {key} at {at:?}"));
                }
            }
        }
        Ok(violations)
    }

    fn check_these(&self, runs: BTreeSet<RunId>) -> Result<Vec<String>, StoreError> {
        let mut violations = Vec::new();
        for run in runs {
            let events = pollster::block_on(self.store.events(run, 0, ALL))?;
            let mut wrong = record::check(&events, self.notes.of(run));
            // Runs inside of others were not asked for.
            let wanted = self.runs.iter().rev().find(|wanted| wanted.run == run);
            let found = events.last().map(|event| &event.kind);
            let is_right = |wanted: &Wanted| matches!(found, Some(EventKind::RunCompleted { output }) if output.as_deref() == Some(&wanted.output));
            if wanted.is_some_and(|wanted| !is_right(wanted)) {
                wrong.push(format!("it ended with {found:?}, wanted {wanted:?}"));
            }
            let of = wanted.map_or("inner", |wanted| wanted.workflow);
            violations.extend(wrong.into_iter().map(|wrong| format!("{of} {run}: {wrong}")));
        }
        Ok(violations)
    }

    /// What happened so far.
    pub(crate) fn totals(&mut self) -> Result<Totals, StoreError> {
        self.notes.read();
        let runs = self.notes.runs();
        let mut late = 0;
        for run in &runs {
            let events = pollster::block_on(self.store.events(*run, 0, ALL))?;
            late += record::count_late(&events, self.notes.of(*run));
        }
        let (executions, losses) = (self.notes.executions, self.notes.losses);
        Ok(Totals { runs: runs.len(), executions, losses, late })
    }
}

/// More events than a run has.
const ALL: usize = 1 << 40;

/// What happened so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Totals {
    pub(crate) runs: usize,
    /// How many attempts of jobs were executed.
    pub(crate) executions: usize,
    /// How many runs were given up by processes that had lost them.
    pub(crate) losses: usize,
    /// How many attempts a process that was stopped was just about to begin, and began when
    /// another had finished the job.
    pub(crate) late: usize,
}

/// Opens the store with this URL.
async fn open(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    if url.starts_with("postgres") {
        return Ok(Arc::new(PostgresStore::open(url).await?));
    }
    Ok(Arc::new(SqliteStore::open(url).await?))
}
