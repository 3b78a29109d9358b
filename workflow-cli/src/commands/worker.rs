//! `worker`: runs queued runs.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures::future::{Either, join, select};
use serde::{Deserialize, Serialize};
use workflow_core::error_text::io_reason;
use workflow_core::store::{QueueTier, Queues, Store, queue_of};
use workflow_core::worker::{Preset, Worker};
use workflow_core::{json, registry};
use workflow_files::read_yaml;
use workflow_store::Viewer;
use workflow_store::time::parse_duration;

use super::maintenance::BackgroundPruning;
use crate::args::{RUNS_DIR, StoreArguments, integer};
use crate::failure::{Failure, Outcome};
use crate::output::{self, count};
use crate::{interrupt, runtime, session};

/// Run the queued runs of some task queues, and resume runs whose process has died
///
/// Serves the task queues of --domain and --task-queue, or all task queues if neither the options nor
/// the preset name any. By default a run waits in the queue PREFIX-DOMAIN of its workflow, or in
/// PREFIX-workflows if the workflow has no domain.
///
/// Options override the preset, and the preset overrides `defaults` in the file of presets.
///
/// On Ctrl-C and SIGTERM, running jobs get the grace period to end. Then the runs are released, and
/// other workers resume them at once.
#[derive(Debug, Args)]
#[command(alias = "start_workflows_worker", after_help = EXAMPLES)]
pub(crate) struct WorkerArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    /// Named configuration from the file of presets; `all` serves all task queues
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Serve the task queue of this domain; can be repeated
    #[arg(long, value_name = "DOMAIN")]
    domain: Vec<String>,
    /// Serve the task queues of these domains
    #[arg(long, value_name = "DOMAIN", num_args = 1.., conflicts_with = "domain")]
    domains: Vec<String>,
    /// Serve this task queue; can be repeated
    #[arg(long, value_name = "QUEUE")]
    task_queue: Vec<String>,
    /// Maximum number of jobs that run at once [default: that of the preset, or no limit]
    #[arg(long, value_name = "N", value_parser = integer::<u32>(1..))]
    max_concurrent_activities: Option<u32>,
    /// Maximum number of runs in progress, not counting runs that only wait [default: that of the
    /// preset, or no limit]
    #[arg(long, value_name = "N", value_parser = integer::<u32>(1..))]
    max_concurrent_workflows: Option<u32>,
    /// Maximum number of waiting runs in memory; others wait in the store [default: that of the
    /// preset, or no limit]
    #[arg(long, value_name = "N", value_parser = integer::<u32>(0..))]
    max_cached_workflows: Option<u32>,
    /// File of presets, YAML or JSON [default: workers.yaml, if it exists]
    #[arg(long, value_name = "FILE")]
    presets: Option<PathBuf>,
    /// The presets of the host, in the form of the file.
    #[arg(skip)]
    pub(crate) host_presets: Option<String>,
    #[command(flatten)]
    pruning: BackgroundPruning,
    #[cfg(feature = "temporal")]
    #[command(flatten)]
    backend: crate::args::BackendArguments,
    /// On Temporal: number of events from which on a history continues as new [default: 5000]
    #[cfg(feature = "temporal")]
    #[arg(long, value_name = "N", value_parser = integer::<u32>(10..))]
    max_history_events: Option<u32>,
    /// Print queues, limits and workflows as JSON, and exit
    #[arg(long)]
    dry_run: bool,
    /// Grace period of running jobs on Ctrl-C and SIGTERM [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "10s", hide_default_value = true)]
    grace: Duration,
}

const EXAMPLES: &str = "\
Examples:
  workflow worker
  workflow worker --preset critical
  workflow worker --domains booking payment --max-concurrent-activities 50
  workflow worker --task-queue reports --db postgres://localhost/runs
  workflow worker --max-cached-workflows 1000
  workflow worker --prune-keep-for 30d --prune-keep-for audit=365d
  workflow worker --preset background --dry-run

Exit codes:
  0 stopped by a signal, 1 the worker failed, 2 invalid usage or input";

/// The file of presets that is read if it exists.
const PRESETS: &str = "workers.yaml";

/// The preset that serves all task queues, unless a file has one of this name that names some.
const ALL: &str = "all";

/// The file of presets.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PresetFile {
    /// Settings of every preset that does not set them.
    defaults: Preset,
    presets: BTreeMap<String, Preset>,
}

pub(crate) fn worker(args: &WorkerArguments) -> Result<Outcome, Failure> {
    super::config::validate_declared()?;
    let prefix = registry::engine().queue_prefix();
    let preset = args.preset(prefix)?;
    warn_of_domains(&preset)?;
    let builder = session::engine_builder(Path::new(RUNS_DIR));
    if args.dry_run {
        output::print_json(&Served::new(&preset, prefix, args.polled(&preset, prefix)?)?)?;
        return Ok(Outcome::Success);
    }
    #[cfg(feature = "temporal")]
    if let Some(options) = args.backend.temporal() {
        if !args.pruning.is_empty() {
            let text = "Temporal deletes old runs by the retention of their namespace; omit \
                        --prune-keep-for and --prune-keep-last";
            return Err(Failure::Usage(text.to_owned()));
        }
        let serving = args.describe(&preset, prefix)?;
        let served = (&preset, args.max_history_events);
        return super::temporal::worker(options, builder.build(), served, args.grace, &serving);
    }
    #[cfg(feature = "temporal")]
    if args.max_history_events.is_some() {
        return Err(Failure::Usage(
            "--max-history-events is about histories of Temporal; add --backend \
             temporal://host:port/namespace"
                .to_owned(),
        ));
    }
    let store = args.store.open_or_create()?.seen_by(Viewer::All);
    let _pruner = args.pruning.start(&store)?;
    let worker = Worker::preset(session::with_store(builder, store as Arc<dyn Store>), &preset)?;
    let engine = worker.engine().clone();
    interrupt::listen();
    output::message(args.describe(&preset, prefix)?);
    runtime::inside(|| {
        pollster::block_on(async {
            let working = pin!(worker.run(std::future::pending()));
            match select(working, pin!(interrupt::signal())).await {
                Either::Left((ended, _)) => ended?,
                Either::Right(((), working)) => {
                    // It ends because the engine does.
                    join(working, interrupt::shut_down(&engine, args.grace)).await.0?;
                }
            }
            interrupt::disarm();
            Ok(Outcome::Success)
        })
    })
}

impl WorkerArguments {
    /// The task queues that a worker on Temporal polls. A worker of a store looks at all runs.
    #[cfg(feature = "temporal")]
    fn polled(&self, preset: &Preset, prefix: &str) -> Result<Option<Vec<String>>, Failure> {
        let polled = || super::temporal::queues_of_preset(preset, prefix);
        self.backend.temporal().map(|_| polled()).transpose()
    }

    #[cfg(not(feature = "temporal"))]
    fn polled(&self, _: &Preset, _: &str) -> Result<Option<Vec<String>>, Failure> {
        Ok(None)
    }

    /// One line for people.
    fn describe(&self, preset: &Preset, prefix: &str) -> Result<String, Failure> {
        let queues = match self.polled(preset, prefix)? {
            Some(queues) => queues.join(", "),
            None => preset.queues(prefix)?.to_string(),
        };
        let limit = |limit: Option<usize>, what: &str| {
            limit.map(|limit| format!("at most {} at once", count(limit, what)))
        };
        let cached = preset
            .max_cached_workflows
            .map(|most| format!("at most {} in memory", count(most, "waiting run")));
        let limits = [
            limit(preset.max_concurrent_workflows, "run"),
            limit(preset.max_concurrent_activities, "job"),
            cached,
        ];
        let queues = Some(format!("task queues: {queues}"));
        let parts: Vec<_> = [queues].into_iter().chain(limits).flatten().collect();
        Ok(format!("serving {}", parts.join("; ")))
    }

    /// The configuration: options over the preset over the defaults of the file.
    fn preset(&self, prefix: &str) -> Result<Preset, Failure> {
        let preset = self.read_presets(prefix)?.merged(self.preset.as_deref(), prefix)?;
        let count = |given: Option<u32>| given.map(|count| count as usize);
        let options = Preset {
            domains: self.domain.iter().chain(&self.domains).cloned().collect(),
            task_queues: self.task_queue.clone(),
            max_concurrent_activities: count(self.max_concurrent_activities),
            max_concurrent_workflows: count(self.max_concurrent_workflows),
            max_cached_workflows: count(self.max_cached_workflows),
            ..Preset::default()
        };
        let merged = preset.overridden_by(options, prefix);
        merged.check(prefix)?;
        Ok(merged)
    }

    /// The presets of the file over those of the host.
    fn read_presets(&self, prefix: &str) -> Result<PresetFile, Failure> {
        let own = match &self.host_presets {
            Some(text) => PresetFile::parse("the program", text)?,
            None => PresetFile::default(),
        };
        let path = match &self.presets {
            Some(path) => path.as_path(),
            None if Path::new(PRESETS).exists() => Path::new(PRESETS),
            None => return Ok(own),
        };
        let text = std::fs::read_to_string(path).map_err(|error| {
            let cure = match error.kind() {
                ErrorKind::NotFound => "; create it, or correct --presets",
                _ => "",
            };
            let (path, reason) = (path.display(), io_reason(&error));
            Failure::Usage(format!("cannot read the presets `{path}`: {reason}{cure}"))
        })?;
        let file = PresetFile::parse(&format!("`{}`", path.display()), &text)?;
        Ok(own.overridden_by(file, prefix))
    }
}

impl PresetFile {
    fn parse(place: &str, text: &str) -> Result<Self, Failure> {
        let invalid =
            |reason: String| Failure::Usage(format!("invalid presets in {place}: {reason}"));
        let value = read_yaml(place.trim_matches('`'), text)
            .map_err(|found| invalid(format!("\n{found}")))?;
        json::from_value(value).map_err(|error| invalid(error.to_string()))
    }

    /// Returns these presets with those of another file in place of the ones of the same name.
    fn overridden_by(mut self, other: Self, prefix: &str) -> Self {
        self.presets.extend(other.presets);
        Self { defaults: self.defaults.overridden_by(other.defaults, prefix), ..self }
    }

    /// Returns the preset of this name over the defaults, or else the defaults.
    fn merged(self, name: Option<&str>, prefix: &str) -> Result<Preset, Failure> {
        let named = name.map(|name| self.find(name)).transpose()?.unwrap_or_default();
        let mut defaults = self.defaults;
        if name == Some(ALL) {
            // The preset serves all, unless it names some itself.
            (defaults.domains, defaults.task_queues) = (Vec::new(), Vec::new());
        }
        let merged = defaults.overridden_by(named, prefix);
        if let Some(name) = name {
            let invalid = |error| Failure::Usage(format!("invalid preset `{name}`: {error}"));
            merged.check(prefix).map_err(invalid)?;
        }
        Ok(merged)
    }

    fn find(&self, name: &str) -> Result<Preset, Failure> {
        match self.presets.get(name) {
            Some(preset) => Ok(preset.clone()),
            None if name == ALL => Ok(Preset::default()),
            None => {
                let all = (!self.presets.contains_key(ALL)).then_some(ALL);
                let known: Vec<_> = self.presets.keys().map(String::as_str).chain(all).collect();
                Err(Failure::Usage(format!(
                    "no preset `{name}`; use {}, or add it to `{PRESETS}`",
                    known.join(", ")
                )))
            }
        }
    }
}

/// What a worker would serve.
#[derive(Serialize)]
struct Served {
    #[serde(flatten)]
    preset: Preset,
    /// The task queues by priority, or null for all.
    queues: Option<Vec<String>>,
    /// The registered workflows whose runs wait in these queues by default.
    workflows: Vec<String>,
}

impl Served {
    /// `polled` are the queues on Temporal.
    fn new(preset: &Preset, prefix: &str, polled: Option<Vec<String>>) -> Result<Self, Failure> {
        let queues: Queues = preset.queues(prefix)?;
        let listing = registry::list()?;
        let served =
            listing.iter().filter(|entry| queues.contains(&queue_of(prefix, entry.domain())));
        let named = (!queues.is_all()).then(|| {
            let names = queues.tiers().into_iter().flat_map(|tier| match tier {
                QueueTier::Named(names) | QueueTier::AllBut(names) => names,
            });
            names.map(str::to_owned).collect()
        });
        Ok(Self {
            workflows: served.map(|entry| entry.name().to_owned()).collect(),
            queues: polled.or(named),
            preset: preset.clone(),
        })
    }
}

/// Warns about served domains that no registered workflow or job has. A program without any domain
/// runs workflow files, which may have every domain.
fn warn_of_domains(preset: &Preset) -> Result<(), Failure> {
    let known = super::list::domains()?;
    if known.is_empty() {
        return Ok(());
    }
    for domain in preset.domains.iter().filter(|domain| !known.contains(*domain)) {
        output::warning(super::list::unknown_domain(domain, &known));
    }
    Ok(())
}
