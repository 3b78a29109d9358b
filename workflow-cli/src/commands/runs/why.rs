//! `runs why`: why a run makes no progress.

use clap::Args;
use workflow_core::Status;
use workflow_store::{Cause, StallReason};

use crate::args::{ListFormat, RunSelector, StoreArguments};
use crate::failure::{Failure, Outcome};
use crate::output;

/// Show why a run makes no progress, and how to fix it
///
/// Prints one reason for the run, or one for each unfinished job. If the run makes progress, prints
/// what it is doing.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct WhyArguments {
    /// Run: its number, its ID or the first 8 or more characters of it, or `latest`
    #[arg(value_name = "RUN")]
    run: RunSelector,
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: ListFormat,
}

const EXAMPLES: &str = "\
Examples:
  workflow runs why latest
  workflow runs why 472 -f json | jq -r '.[].cure'";

pub(super) fn why(args: &WhyArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let store = store.open_existing()?;
    let run = args.run.find(&*store)?;
    let reasons = pollster::block_on(workflow_store::why(&*store, &*store, run))?;
    print_with(&reasons, args.format, |reason| match reason.cause {
        Cause::Ended(Status::Failed | Status::Cancelled, _) => {
            format!("{} with `runs retry {run} --failed-only`", reason.cause.cure())
        }
        _ => reason.cause.cure(),
    })?;
    Ok(Outcome::Success)
}

pub(in crate::commands) fn print_reasons(
    reasons: &[StallReason],
    format: ListFormat,
) -> Result<(), Failure> {
    print_with(reasons, format, |reason| reason.cause.cure())
}

fn print_with(
    reasons: &[StallReason],
    format: ListFormat,
    cure: impl Fn(&StallReason) -> String,
) -> Result<(), Failure> {
    match format {
        ListFormat::Json => output::print_json(&reasons),
        ListFormat::Table => output::print(|out| {
            reasons.iter().try_for_each(|reason| writeln!(out, "{reason}\n  fix: {}", cure(reason)))
        }),
    }
}

#[cfg(feature = "temporal")]
impl WhyArguments {
    pub(super) fn run(&self) -> &RunSelector {
        &self.run
    }

    pub(super) fn format(&self) -> ListFormat {
        self.format
    }
}
