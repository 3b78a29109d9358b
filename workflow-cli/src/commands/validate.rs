//! `validate`: checks workflow files.

use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};
use workflow_core::Workflow as _;
use workflow_files::{Diagnostic, Diagnostics, Severity, WorkflowFile};

use crate::args::{load, print_cwd_hint};
use crate::failure::{Failure, Outcome};
use crate::output::{self, ERROR, SUCCESS, count, styled};

/// Check workflow files for errors
///
/// Shows each problem with its line, underlined, and a suggested fix. Does not run anything.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ValidateArguments {
    /// Workflow files; `-` reads standard input
    #[arg(value_name = "FILE", required_unless_present = "schema")]
    files: Vec<String>,
    /// Treat warnings as errors
    #[arg(long)]
    strict: bool,
    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    format: Format,
    /// Print the JSON Schema of workflow files, for editors
    #[arg(long, conflicts_with_all = ["files", "strict", "format"])]
    schema: bool,
}

const EXAMPLES: &str = "\
Examples:
  workflow validate etl.yaml
  workflow validate --strict workflows/*.yaml
  workflow validate etl.yaml -f json | jq -r '.[] | \"\\(.file):\\(.line): \\(.message)\"'
  workflow validate --schema > workflow.schema.json

Exit codes:
  0 all files are valid, 1 a file is invalid, 2 invalid usage";

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    /// Readable diagnostics on standard error
    #[default]
    Text,
    /// JSON array on standard output
    Json,
}

pub(crate) fn validate(args: &ValidateArguments) -> Result<Outcome, Failure> {
    if args.schema {
        output::print_json(&WorkflowFile::schema())?;
        return Ok(Outcome::Success);
    }
    let mut found = Vec::new();
    let mut valid = true;
    for path in &args.files {
        let (diagnostics, jobs) = match load(path) {
            Ok(file) => {
                print_hints(&file);
                (file.warnings().clone(), file.graph().len())
            }
            Err(Failure::File(diagnostics)) => (diagnostics, 0),
            Err(failure) => return Err(failure),
        };
        let counted = if args.strict { diagnostics.warnings() } else { 0 };
        valid &= diagnostics.errors() + counted == 0;
        match args.format {
            Format::Text => print_summary(path, &diagnostics, jobs),
            Format::Json => found.extend(diagnostics.iter().map(|one| document(path, one))),
        }
    }
    if let Format::Json = args.format {
        output::print_json(&found)?;
    }
    Ok(if valid { Outcome::Success } else { Outcome::Failed })
}

/// Prints what a run of the file would lack on this machine. This does not make the file invalid.
fn print_hints(file: &WorkflowFile) {
    if let Err(missing) = file.ready() {
        output::hint(missing);
    }
    print_cwd_hint(file);
}

fn print_summary(path: &str, diagnostics: &Diagnostics, jobs: usize) {
    output::diagnostics(diagnostics);
    let warnings = match diagnostics.warnings() {
        0 => String::new(),
        number => format!(", {}", count(number, "warning")),
    };
    match diagnostics.errors() {
        0 => output::message(format_args!(
            "{path}: {}, {}{warnings}",
            styled(SUCCESS, "valid"),
            count(jobs, "job")
        )),
        number => output::message(format_args!(
            "{path}: {}, {}{warnings}",
            styled(ERROR, "invalid"),
            count(number, "error")
        )),
    }
}

fn document(path: &str, one: &Diagnostic) -> Json {
    let severity = match one.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    json!({
        "file": path,
        "line": one.line(),
        "column": one.column(),
        "severity": severity,
        "message": one.message(),
        "help": one.help(),
    })
}
