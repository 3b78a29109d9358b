// What both versions of the program have. Included, because the functions must be in one crate with
// their types.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use workflow_core::JobError;
use workflow_core::asset::{Partition, asset};

#[derive(Serialize, Deserialize)]
struct Raw(Vec<u64>);

#[derive(Serialize, Deserialize)]
struct Orders(Vec<u64>);

#[derive(Serialize, Deserialize)]
struct Revenue {
    day: String,
    sum: u64,
}

/// The orders of a day: those in the file `source/DAY`, or the number of the day.
#[asset(partitions = daily("2026-01-01"))]
fn raw(day: &Partition) -> Result<Raw, JobError> {
    let number = day.key().rsplit('-').next().unwrap_or_default().parse()?;
    let source = Path::new("source").join(day.key());
    loop {
        match std::fs::read_to_string(&source) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Raw(vec![number]));
            }
            Err(error) => return Err(error.into()),
            // Somebody writes the file.
            Ok(text) if text == "wait" => std::thread::sleep(Duration::from_millis(5)),
            Ok(text) => return Ok(Raw(vec![text.trim().parse()?])),
        }
    }
}

/// The revenue of a day.
#[asset(partitions = daily("2026-01-01"), checks(block = [plausible], warn = [unusual]))]
async fn revenue(day: Partition, orders: &Orders) -> Revenue {
    Revenue { day: day.key().to_owned(), sum: orders.0.iter().sum() }
}

fn plausible(revenue: &Revenue) -> Result<(), String> {
    if revenue.sum < 1_000_000 { Ok(()) } else { Err(format!("{} is not plausible", revenue.sum)) }
}

fn unusual(revenue: &Revenue) -> Result<(), String> {
    if revenue.sum < 1000 { Ok(()) } else { Err(format!("{} is unusual", revenue.sum)) }
}

fn main() -> ExitCode {
    workflow_cli::main()
}
