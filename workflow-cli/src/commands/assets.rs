//! `assets`: what is up to date, what must be materialized and why, and materializing it.

mod make;
mod show;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use clap::{Args, Subcommand};
use comfy_table::Table;
use workflow_core::asset::document::AssetDocument;
use workflow_core::asset::{self, AssetGraph, Assets, Request};
use workflow_core::store::Store;
use workflow_store::{Catalog, Viewer};

use crate::args::{ListFormat, StoreArguments};
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::session;

/// List assets and their partitions, and materialize what is not current
///
/// Assets are values that functions with `#[asset]` make from each other, and what workflows make in
/// their own way, such as the models of dbt. Their records are in the database, and the values of
/// functions in the folder of assets.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AssetsArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    /// Folder with the values of assets [default: WORKFLOW_ASSETS_DIR, or .workflow/assets]
    #[arg(long, global = true, value_name = "DIR", display_order = 801)]
    assets_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: AssetsCommand,
}

#[derive(Debug, Subcommand)]
enum AssetsCommand {
    List(ListArguments),
    Show(show::ShowArguments),
    Materialize(make::MaterializeArguments),
    Backfill(make::BackfillArguments),
}

impl AssetsCommand {
    fn only_reads(&self) -> bool {
        match self {
            Self::List(_) | Self::Show(_) => true,
            Self::Materialize(args) => args.how.dry_run,
            Self::Backfill(args) => args.how.dry_run,
        }
    }
}

/// List the assets of this program, each after its inputs
///
/// Shows how many of the partitions that exist by now are current, stale (materialized, but
/// something has changed since) and missing. The workflow `assets` materializes those of functions.
/// Assets without a workflow come from outside of this program.
#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLE)]
struct ListArguments {
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: ListFormat,
}

const EXAMPLES: &str = "\
Examples:
  workflow assets list
  workflow assets show orders
  workflow assets materialize --dry-run
  workflow assets materialize orders --partition 2026-01-31
  workflow assets backfill orders --from 2026-01-01 --to 2026-01-31";

const LIST_EXAMPLE: &str = "\
Examples:
  workflow assets list -f json | jq -r '.[].name'";

pub(crate) fn assets(args: &AssetsArguments) -> Result<Outcome, Failure> {
    let subject = Subject::new(args)?;
    match &args.command {
        AssetsCommand::List(args) => list(&subject, args),
        AssetsCommand::Show(args) => show::show(&subject, args),
        AssetsCommand::Materialize(args) => make::materialize(&subject, args),
        AssetsCommand::Backfill(args) => make::backfill(&subject, args),
    }
}

/// The assets that a command works on, and where their records and values are.
struct Subject {
    graph: Arc<AssetGraph>,
    store: Arc<dyn Catalog>,
    assets: Assets,
    now: SystemTime,
}

impl Subject {
    fn new(args: &AssetsArguments) -> Result<Self, Failure> {
        let graph = asset::graph()?;
        if graph.assets().is_empty() {
            return Err(Failure::Usage(
                "this program has no assets; add `#[asset]` to a function, or run the command in the \
                 project that has them"
                    .to_owned(),
            ));
        }
        // Nothing was made where there is no database, and looking at it creates none.
        let store = match args.command.only_reads() {
            true => args.store.open_or_empty()?,
            false => args.store.open_or_create()?,
        };
        let all = store.clone().seen_by(Viewer::All) as Arc<dyn Store>;
        let assets = session::assets(&all, args.assets_dir.as_deref())?;
        Ok(Self { graph, store, assets, now: SystemTime::now() })
    }
}

fn list(subject: &Subject, args: &ListArguments) -> Result<Outcome, Failure> {
    let request = Request::everything(Arc::clone(&subject.graph), subject.now);
    let examined = pollster::block_on(subject.assets.examine(&request))?;
    let rows: Vec<AssetDocument> =
        examined.states().iter().map(|state| AssetDocument::new(&subject.graph, state)).collect();
    match args.format {
        ListFormat::Json => output::print_json(&rows)?,
        ListFormat::Table => output::print(|out| output::write_table(out, table(&rows)))?,
    }
    Ok(Outcome::Success)
}

fn table(rows: &[AssetDocument]) -> Table {
    let mut table = output::table();
    table.set_header([
        "ASSET",
        "WORKFLOW",
        "INPUTS",
        "PARTITIONS",
        "CURRENT",
        "STALE",
        "MISSING",
        "LAST MATERIALIZED",
    ]);
    for row in rows {
        let last = row.last.as_ref().map_or("-", |last| &last.made_at);
        let overdue = if row.is_overdue { "\noverdue" } else { "" };
        table.add_row([
            row.name.clone(),
            output::or_dash(&row.made_by.join(", ")).to_owned(),
            output::or_dash(&row.inputs.join(", ")).to_owned(),
            row.partitions.clone().unwrap_or_else(|| "-".to_owned()),
            row.current.to_string(),
            row.stale.to_string(),
            row.missing.to_string(),
            format!("{last}{overdue}"),
        ]);
    }
    table
}
