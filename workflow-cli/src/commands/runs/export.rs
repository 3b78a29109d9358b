//! `runs export` and `import`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use workflow_core::error_text::io_reason;

use crate::args::StoreArguments;
use crate::failure::{Failure, Outcome};
use crate::output::{self, count};

/// Export workflows, runs and events as JSON lines
#[derive(Debug, Args)]
#[command(after_help = EXPORT_EXAMPLES)]
pub(super) struct ExportArguments {
    /// Only this workflow and its runs: its ID, name or slug
    #[arg(long, value_name = "WORKFLOW")]
    workflow: Option<String>,
    /// Output file [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

const EXPORT_EXAMPLES: &str = "\
Examples:
  workflow runs export -o runs.jsonl
  workflow runs export --workflow daily-etl | gzip > etl.jsonl.gz";

/// Import the output of `runs export`; existing workflows and runs stay unchanged
#[derive(Debug, Args)]
#[command(after_help = IMPORT_EXAMPLES)]
pub(super) struct ImportArguments {
    /// Input file; `-` reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

const IMPORT_EXAMPLES: &str = "\
Examples:
  workflow runs import runs.jsonl
  workflow runs export --db old.db | workflow runs import - --db postgres://localhost/runs";

pub(super) fn export(args: &ExportArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let store = store.open_existing()?;
    let mut out: Box<dyn Write + Send> = match &args.output {
        None => Box::new(BufWriter::new(output::raw_stdout())),
        Some(path) => {
            let file = File::create(path).map_err(|error| {
                let (path, reason) = (path.display(), io_reason(&error));
                Failure::Usage(format!(
                    "cannot write `{path}`: {reason}; choose another path with --output"
                ))
            })?;
            Box::new(BufWriter::new(file))
        }
    };
    pollster::block_on(store.export(args.workflow.as_deref(), &mut *out))?;
    out.flush()?;
    Ok(Outcome::Success)
}

pub(super) fn import(args: &ImportArguments, store: &StoreArguments) -> Result<Outcome, Failure> {
    let mut lines: Box<dyn BufRead + Send> = match args.file.as_os_str() == "-" {
        true => Box::new(BufReader::new(io::stdin())),
        false => {
            let path = &args.file;
            let file = File::open(path).map_err(|error| {
                let (path, reason) = (path.display(), io_reason(&error));
                Failure::Usage(format!(
                    "cannot read `{path}`: {reason}; name a file that `runs export` wrote"
                ))
            })?;
            Box::new(BufReader::new(file))
        }
    };
    let imported = pollster::block_on(store.open_or_create()?.import(&mut *lines))?;
    output::message(format_args!(
        "imported {}, {} and {}; skipped {} that already existed",
        count(imported.workflows, "workflow"),
        count(imported.runs, "run"),
        count(imported.events, "event"),
        count(imported.skipped, "run"),
    ));
    Ok(Outcome::Success)
}
