//! The throughput and memory of a data pipeline, beside a script for polars that does the same.
//!
//! `workflow_data [--rows N] [--rounds N] [--python PATH]`
//!
//! Both read one CSV file, trim its texts, drop records without an amount, keep the first record of
//! each ID, add two columns, and write a Parquet file. The rounds of both alternate. Each one is a
//! process of its own, so that its peak memory is separate. The tables are compared by polars.

mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use serde_json::json;
use workflow_benches::{finish, peak_memory, print};
use workflow_config::Config;
use workflow_data::Pipeline;

type Failure = Box<dyn std::error::Error>;

struct Options {
    rows: u64,
    rounds: usize,
    /// A Python with polars.
    python: PathBuf,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["run", csv, parquet] => run(Path::new(csv), Path::new(parquet)),
        options => Options::read(options).and_then(|options| report(&options)),
    };
    finish(done.map(|text| print(&text)))
}

impl Options {
    fn read(arguments: &[&str]) -> Result<Self, Failure> {
        let mut options = Self { rows: 10_000_000, rounds: 3, python: "python3".into() };
        for pair in arguments.chunks(2) {
            match *pair {
                ["--rows", rows] => options.rows = rows.parse()?,
                ["--rounds", rounds] => options.rounds = rounds.parse()?,
                ["--python", python] => options.python = python.into(),
                _ => return Err(format!("unknown arguments: {}", pair.join(" ")).into()),
            }
        }
        Ok(options)
    }
}

/// Runs the pipeline, as a host does. Prints its time in seconds and its peak memory in bytes.
fn run(csv: &Path, parquet: &Path) -> Result<String, Failure> {
    let stages = json!([
        {
            "name": "cleaning",
            "options": { "trim": true, "drop_nulls": ["amount"], "remove_duplicates": ["id"] },
        },
        {
            "name": "enrichment",
            "options": { "add_timestamps": true, "constants": { "currency": "EUR" } },
        },
    ]);
    let config = Config::from_json(
        "orders",
        json!({
            "source": { "type": "file", "file": { "path": csv } },
            "processing": { "batch_size": 10_000 },
            "transformation": { "stages": stages },
            "output": { "type": "parquet", "path": parquet },
        }),
    )?;
    let begun = Instant::now();
    Pipeline::open(&config)?.run()?;
    Ok(format!("{} {}", begun.elapsed().as_secs_f64(), peak_memory()?))
}

/// A figure of one process.
struct Figure {
    seconds: f64,
    peak: f64,
}

fn figure(command: &mut Command) -> Result<Figure, Failure> {
    let output = command.output()?;
    let text = String::from_utf8(output.stdout)?;
    let mut numbers = text.split_whitespace().map(str::parse::<f64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(seconds)), Some(Ok(peak))) if output.status.success() => {
            Ok(Figure { seconds, peak })
        }
        _ => {
            let error = String::from_utf8_lossy(&output.stderr);
            Err(format!("{command:?} failed: {text}{error}").into())
        }
    }
}

fn report(options: &Options) -> Result<String, Failure> {
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("pipeline.py");
    std::fs::write(&script, include_str!("pipeline.py"))?;
    let csv = folder.path().join("orders.csv");
    let bytes = table::write(&csv, options.rows)?;
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("polars"));
    let polars = |task: &str| {
        let mut command = Command::new(&options.python);
        command.arg(&script).arg(task);
        command
    };
    let mut figures = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let mut pipeline = Command::new(std::env::current_exe()?);
        figures.0.push(figure(pipeline.arg("run").arg(&csv).arg(&ours))?);
        figures.1.push(figure(polars("run").arg(&csv).arg(&theirs))?);
    }
    let compared = polars("compare").arg(&ours).arg(&theirs).output()?;
    if !compared.status.success() {
        let error = String::from_utf8_lossy(&compared.stderr).into_owned();
        return Err(format!("the tables differ: {error}").into());
    }
    let same = String::from_utf8(compared.stdout)?;
    let version = String::from_utf8(polars("version").output()?.stdout)?;
    let mega = |bytes: f64| bytes / 1e6;
    let line = |name: &str, figures: &mut Vec<Figure>| {
        figures.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let median = &figures[figures.len() / 2];
        let rate = mega(bytes as f64) / median.seconds;
        let peak = figures.iter().map(|figure| figure.peak).fold(0.0, f64::max);
        let (seconds, peak) = (median.seconds, mega(peak));
        (rate, format!("| {name} | {seconds:.2} | {rate:.0} | {peak:.0} |"))
    };
    let ours = line("workflow-data", &mut figures.0);
    let theirs = line(&format!("polars {}", version.trim()), &mut figures.1);
    Ok(format!(
        "{} records, {:.0} MB; both tables: {}\n\n\
         | | seconds (median) | MB/s | peak memory, MB |\n| --- | ---: | ---: | ---: |\n\
         {}\n{}\n\nratio of the rates: {:.2}",
        options.rows,
        mega(bytes as f64),
        same.trim(),
        ours.1,
        theirs.1,
        ours.0 / theirs.0,
    ))
}
