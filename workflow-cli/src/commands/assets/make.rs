//! `assets materialize` and `assets backfill`: plan, and materialize what is not current.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use comfy_table::Table;
use serde::Serialize;
use workflow_core::asset::document::ReasonDocument;
use workflow_core::asset::plan::{MaterializationPlan, Step};
use workflow_core::asset::{self, AssetGraph, Partitions, Request};
use workflow_core::registry;
use workflow_core::store::{Store, Trigger};
use workflow_store::Viewer;

use super::super::run::OUTPUT_BACKLOG;
use super::Subject;
use crate::args::{Format, PersistenceArguments, RUNS_DIR, ShowArguments, integer};
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::session::{self, RunSession};

/// Materialize assets and their inputs, skipping what is current
///
/// Without --partition, materializes the latest ended period, or all keys. A run in this process
/// materializes each partition in a job of its own. Use `runs` to list, retry and cancel the run,
/// and `recover` to resume it after a crash.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MaterializeArguments {
    /// Assets [default: all]
    #[arg(value_name = "ASSET")]
    assets: Vec<String>,
    /// Materialize this partition of the assets, or of all that have partitions; may be repeated
    #[arg(long, value_name = "KEY")]
    partition: Vec<String>,
    #[command(flatten)]
    pub(super) how: HowArguments,
}

/// Materialize a range of partitions and their inputs, skipping what is current
///
/// Without --from and --to, materializes all ended periods, or all keys. A backfill can be
/// repeated: it materializes what is missing or stale.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BackfillArguments {
    /// Assets [default: all]
    #[arg(value_name = "ASSET")]
    assets: Vec<String>,
    /// First partition of the assets, or of all that have partitions
    #[arg(long, value_name = "KEY")]
    from: Option<String>,
    /// Last partition of the assets, or of all that have partitions
    #[arg(long, value_name = "KEY")]
    to: Option<String>,
    #[command(flatten)]
    pub(super) how: HowArguments,
}

/// How assets are materialized.
#[derive(Debug, Args)]
pub(super) struct HowArguments {
    /// Print the plan with its reasons, and materialize nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Materialize the named partitions again, even if they are current
    #[arg(long)]
    force: bool,
    /// Also materialize values that are older than the freshness of their asset
    #[arg(long)]
    overdue: bool,
    /// Maximum number of jobs that run at once [default: no limit]
    #[arg(long, value_name = "N", value_parser = integer::<u32>(1..))]
    max_parallel: Option<u32>,
    #[command(flatten)]
    show: ShowArguments,
}

const EXAMPLES: &str = "\
Examples:
  workflow assets materialize
  workflow assets materialize revenue --dry-run
  workflow assets materialize orders --partition 2026-01-31 --force
  workflow assets backfill --dry-run -f json | jq -r '.steps[] | .reasons[0].text'
  workflow assets backfill --from 2026-01-01 --to 2026-01-31

Exit codes:
  0 everything is current, 1 an asset failed, 2 invalid usage or input, 130 the run was cancelled";

pub(super) fn materialize(
    subject: &Subject,
    args: &MaterializeArguments,
) -> Result<Outcome, Failure> {
    let mut request = Request::new(Arc::clone(&subject.graph), subject.now);
    let of = if args.partition.is_empty() { Of::All } else { Of::Partitioned };
    for asset in names(subject, &args.assets, of)? {
        if args.partition.is_empty() {
            request.latest(asset)?;
        }
        for key in &args.partition {
            request.partition(asset, key)?;
        }
    }
    args.how.make(subject, request)
}

pub(super) fn backfill(subject: &Subject, args: &BackfillArguments) -> Result<Outcome, Failure> {
    let mut request = Request::new(Arc::clone(&subject.graph), subject.now);
    let of = if args.from.is_some() || args.to.is_some() { Of::Partitioned } else { Of::All };
    for asset in names(subject, &args.assets, of)? {
        request.range(asset, args.from.as_deref(), args.to.as_deref())?;
    }
    args.how.make(subject, request)
}

/// Which assets are meant, if none are named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    All,
    Partitioned,
}

/// The named assets, or all of a kind.
fn names<'a>(subject: &'a Subject, named: &'a [String], of: Of) -> Result<Vec<&'a str>, Failure> {
    if named.is_empty() {
        let specs = subject.graph.assets().iter();
        let meant = specs.filter(|spec| of == Of::All || spec.partitions != Partitions::None);
        let names: Vec<_> = meant.map(|spec| spec.name.as_str()).collect();
        return match names.is_empty() {
            true => Err(Failure::Usage("no asset of this program has partitions".to_owned())),
            false => Ok(names),
        };
    }
    for name in named {
        subject.graph.check_made_by_function(name)?;
    }
    Ok(named.iter().map(String::as_str).collect())
}

impl HowArguments {
    fn make(&self, subject: &Subject, request: Request) -> Result<Outcome, Failure> {
        let request = request.forced(self.force).with_overdue(self.overdue);
        let plan = pollster::block_on(subject.assets.plan(&request))?;
        if self.dry_run || plan.steps.is_empty() {
            return self.print(&subject.graph, &plan);
        }
        let input = serde_json::to_value(plan.to_input()?).expect("names and texts are JSON");
        if !self.show.quiet {
            print_summary(&subject.graph, &plan);
        }
        let engine = session::engine_builder(Path::new(RUNS_DIR))
            .output_backlog(OUTPUT_BACKLOG)
            .capture_output(true)
            .state(subject.assets.clone())
            .store(subject.store.clone().seen_by(Viewer::All) as Arc<dyn Store>);
        let engine = match self.max_parallel {
            Some(jobs) => engine.max_parallel(jobs as usize).build(),
            None => engine.build(),
        };
        let session = RunSession {
            engine,
            workflow: registry::get(asset::WORKFLOW)?.workflow(),
            workflow_id: None,
            input: Some(input),
            trigger: Trigger::Manual,
            retry_of: None,
            persistence: &PersistenceArguments::default(),
            store: Some(Arc::clone(&subject.store)),
            show: &self.show,
        };
        session.run()
    }

    /// Prints a plan that is not carried out.
    fn print(&self, graph: &AssetGraph, plan: &MaterializationPlan) -> Result<Outcome, Failure> {
        match self.show.format {
            Format::Json => output::print_json(&PlanDocument::new(plan))?,
            Format::Jsonl => output::print(|out| {
                serde_json::to_writer(&mut *out, &PlanDocument::new(plan))?;
                writeln!(out)
            })?,
            Format::Text => {
                if !plan.steps.is_empty() {
                    output::print(|out| output::write_table(out, table(plan)))?;
                }
                if !self.show.quiet {
                    print_summary(graph, plan);
                }
            }
        }
        Ok(Outcome::Success)
    }
}

/// A plan as JSON.
#[derive(Serialize)]
struct PlanDocument<'a> {
    steps: Vec<StepDocument<'a>>,
    /// The partitions that are skipped.
    current: Vec<CurrentDocument<'a>>,
    /// What is not current, but is made by other workflows.
    made_otherwise: Vec<StepDocument<'a>>,
}

#[derive(Serialize)]
struct StepDocument<'a> {
    asset: &'a str,
    partition: Option<&'a str>,
    reasons: Vec<ReasonDocument>,
}

#[derive(Serialize)]
struct CurrentDocument<'a> {
    asset: &'a str,
    partition: Option<&'a str>,
}

impl<'a> PlanDocument<'a> {
    fn new(plan: &'a MaterializationPlan) -> Self {
        let key = |key: &'a str| Some(key).filter(|key| !key.is_empty());
        let step = |step: &'a Step| StepDocument {
            asset: &step.asset,
            partition: key(&step.partition),
            reasons: step.reasons.iter().map(ReasonDocument::new).collect(),
        };
        let current = |(asset, partition): &'a (String, String)| CurrentDocument {
            asset,
            partition: key(partition),
        };
        Self {
            steps: plan.steps.iter().map(step).collect(),
            current: plan.current.iter().map(current).collect(),
            made_otherwise: plan.made_otherwise.iter().map(step).collect(),
        }
    }
}

/// Prints how much a plan materializes and, for each workflow that materializes assets in its own
/// way, how much it leaves to that one.
fn print_summary(graph: &AssetGraph, plan: &MaterializationPlan) {
    output::message(summary(plan));
    let mut by_workflow: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for step in &plan.made_otherwise {
        let number = graph.number(&step.asset).expect("a planned asset is in the graph");
        let workflows = graph.assets()[number].maker.workflows();
        let workflow = workflows.first().copied().expect("workflows make each planned asset");
        by_workflow.entry(workflow).or_default().push(&step.asset);
    }
    for (workflow, assets) in by_workflow {
        let (count, first) = (output::count(assets.len(), "asset"), assets[0]);
        let them = if assets.len() == 1 { "it" } else { "them" };
        output::message(format_args!(
            "skipped {count} that workflow `{workflow}` materializes, such as {first}; run \
             `{workflow}` to update {them}"
        ));
    }
}

fn table(plan: &MaterializationPlan) -> Table {
    let mut table = output::table();
    table.set_header(["ASSET", "PARTITION", "REASONS"]);
    for step in &plan.steps {
        let reasons: Vec<String> = step.reasons.iter().map(ToString::to_string).collect();
        table.add_row([step.asset.as_str(), output::or_dash(&step.partition), &reasons.join("\n")]);
    }
    table
}

/// How much there is to do, and how much is skipped because it is current.
fn summary(plan: &MaterializationPlan) -> String {
    let current = match plan.current.len() {
        0 => String::new(),
        1 => "; skips 1 partition, which is current".to_owned(),
        count => format!("; skips {count} partitions, which are current"),
    };
    match plan.steps.len() {
        0 => format!("nothing to materialize{current}"),
        count => format!("{} to materialize{current}", output::count(count, "partition")),
    }
}
