//! `assets show`: one asset with its partitions, or its records.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Args;
use comfy_table::Table;
use serde::Serialize;
use workflow_core::asset::Request;
use workflow_core::asset::document::{AssetDocument, MaterializationDocument, PartitionDocument};
use workflow_core::store::PartitionRange;
use workflow_store::Page;

use super::Subject;
use crate::args::{ListFormat, PageArguments};
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::render::print_page;

/// Show an asset, and the states of its partitions
///
/// The newest partitions come first, those that are not current with the reasons. With --history,
/// lists what was recorded instead, with the values that checks refused.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ShowArguments {
    /// Asset
    #[arg(value_name = "ASSET")]
    asset: String,
    /// List the records, newest first
    #[arg(long)]
    history: bool,
    /// With --history, only the records of this partition
    #[arg(long, value_name = "KEY", requires = "history")]
    partition: Option<String>,
    #[command(flatten)]
    page: PageArguments,
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: ListFormat,
}

const EXAMPLES: &str = "\
Examples:
  workflow assets show orders
  workflow assets show orders --history --partition 2026-01-31
  workflow assets show orders -f json | jq -r '.items[] | select(.standing != \"current\") | .partition'

JSON output: {\"asset\": {..}, \"items\": [..], \"next\": cursor of the next page, or null}";

/// An asset with a page of its partitions or records.
#[derive(Serialize)]
struct Shown<'a, T> {
    asset: &'a AssetDocument,
    items: &'a [T],
    next: &'a Option<String>,
}

pub(super) fn show(subject: &Subject, args: &ShowArguments) -> Result<Outcome, Failure> {
    let mut request = Request::new(Arc::clone(&subject.graph), subject.now);
    request.range(&args.asset, None, None)?;
    let examined = pollster::block_on(subject.assets.examine(&request))?;
    let states = examined.states();
    // The inputs are among them, too.
    let state = states.iter().find(|state| state.spec.name == args.asset);
    let state = state.expect("the request names the asset");
    let asset = AssetDocument::new(&subject.graph, state);
    if args.history {
        let page = args.history(subject)?;
        return args.print(&asset, &page, "no records", history_table);
    }
    let (after, limit) = (args.page.after(), args.page.limit().unwrap_or(usize::MAX));
    let (items, next) = state.page(after.as_deref(), limit).ok_or_else(|| {
        let cursor = after.as_deref().unwrap_or_default();
        Failure::Usage(format!("--cursor: asset `{}` has no partition `{cursor}`", args.asset))
    })?;
    let refused = match (items.last(), items.first()) {
        (Some(first), Some(last)) => {
            let range = PartitionRange::between(first.key, last.key);
            pollster::block_on(subject.assets.refusals(&args.asset, range))?
        }
        _ => BTreeMap::new(),
    };
    let items = items.into_iter().map(|item| PartitionDocument::new(item, refused.get(item.key)));
    let items = items.collect();
    let next = next.map(str::to_owned);
    args.print(&asset, &Page { items, next }, "no partitions", partition_table)
}

impl ShowArguments {
    fn history(&self, subject: &Subject) -> Result<Page<MaterializationDocument>, Failure> {
        if let Some(key) = &self.partition {
            subject.graph.partition(&self.asset, key)?;
        }
        let before = self.page.after().map(|cursor| cursor.parse::<u64>()).transpose();
        let before = before.map_err(|_| {
            Failure::Usage("--cursor: not a cursor of this list; copy it from its page".to_owned())
        })?;
        let limit = self.page.limit().unwrap_or(usize::MAX);
        let found = subject.assets.history(&self.asset, self.partition.as_deref(), before, limit);
        let (found, next) = pollster::block_on(found)?;
        let items = found.iter().map(MaterializationDocument::new).collect();
        Ok(Page { items, next: next.map(|next| next.to_string()) })
    }

    fn print<T: Serialize>(
        &self,
        asset: &AssetDocument,
        page: &Page<T>,
        none: &str,
        table: impl FnOnce(&[T]) -> Table,
    ) -> Result<Outcome, Failure> {
        if self.format == ListFormat::Json {
            output::print_json(&Shown { asset, items: &page.items, next: &page.next })?;
            return Ok(Outcome::Success);
        }
        output::print(|out| output::write_table(out, facts(asset)))?;
        output::print(|out| writeln!(out))?;
        print_page(page, format_args!("{none}"), table)?;
        Ok(Outcome::Success)
    }
}

/// What is known of an asset, a line each.
fn facts(asset: &AssetDocument) -> Table {
    let mut table = output::table();
    let checks: Vec<String> = asset
        .checks
        .iter()
        .map(|check| {
            format!("{} ({})", check.name, if check.is_blocking { "blocks" } else { "warns" })
        })
        .collect();
    let freshness = asset.freshness.map(|seconds| {
        let span = output::short_duration(std::time::Duration::from_secs(seconds));
        if asset.is_overdue { format!("{span}, overdue") } else { span }
    });
    let rows = [
        ("asset", Some(asset.name.clone())),
        ("description", asset.description.clone()),
        ("materialized by", Some(made_by(asset))),
        ("declared at", Some(asset.location.clone())),
        ("code version", Some(asset.code_version.clone())),
        ("partitions", asset.partitions.clone()),
        ("freshness", freshness),
        ("inputs", Some(asset.inputs.join(", "))),
        ("read by", Some(asset.readers.join(", "))),
        ("checks", Some(checks.join(", "))),
        (
            "state",
            Some(format!(
                "{} current, {} stale, {} missing",
                asset.current, asset.stale, asset.missing
            )),
        ),
    ];
    for (name, value) in rows {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            table.add_row([name.to_owned(), value]);
        }
    }
    table
}

/// What makes it.
fn made_by(asset: &AssetDocument) -> String {
    match asset.made_by.as_slice() {
        [] => "something outside of this program".to_owned(),
        [one] => format!("workflow {one}"),
        several => format!("workflows {}", several.join(", ")),
    }
}

fn partition_table(items: &[PartitionDocument]) -> Table {
    let mut table = output::table();
    table.set_header(["PARTITION", "STATE", "MATERIALIZED", "ROWS", "REASONS AND CHECKS"]);
    for item in items {
        let mut notes: Vec<String> =
            item.reasons.iter().map(|reason| reason.text.clone()).collect();
        let made = item.made.as_ref();
        notes.extend(made.iter().chain(&item.refused.as_ref()).flat_map(|made| problems(made)));
        table.add_row([
            item.partition.clone().unwrap_or_else(|| "-".to_owned()),
            item.standing.as_str().to_owned(),
            made.map_or_else(|| "-".to_owned(), |made| made.made_at.clone()),
            rows(made),
            output::or_dash(&notes.join("\n")).to_owned(),
        ]);
    }
    table
}

fn history_table(items: &[MaterializationDocument]) -> Table {
    let mut table = output::table();
    table.set_header(["MATERIALIZED", "PARTITION", "STATE", "ROWS", "RUN", "REASONS AND CHECKS"]);
    for item in items {
        let mut notes = item.reasons.clone();
        notes.extend(problems(item));
        table.add_row([
            item.made_at.clone(),
            item.partition.clone().unwrap_or_else(|| "-".to_owned()),
            if item.is_refused { "refused" } else { "materialized" }.to_owned(),
            rows(Some(item)),
            item.run.clone(),
            output::or_dash(&notes.join("\n")).to_owned(),
        ]);
    }
    table
}

fn rows(made: Option<&MaterializationDocument>) -> String {
    let rows = made.and_then(|made| made.rows);
    rows.map_or_else(|| "-".to_owned(), |rows| rows.to_string())
}

/// The checks that failed.
fn problems(made: &MaterializationDocument) -> Vec<String> {
    let problem = |check: &workflow_core::store::CheckResult| {
        let kind = if check.is_blocking { "refused" } else { "warning" };
        Some(format!("{kind}: {}: {}", check.name, check.problem.as_ref()?))
    };
    made.checks.iter().filter_map(problem).collect()
}
