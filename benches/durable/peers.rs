//! Other engines in separate processes.

use std::path::Path;
use std::process::Command;

use crate::{Failure, Options};

/// The number of runs of three jobs per second of an engine, or `None` if it cannot be measured.
pub(crate) fn runs_per_second(
    options: &Options,
    engine: &str,
    place: &str,
    runs: usize,
) -> Result<Option<f64>, Failure> {
    if !Path::new(&options.peers).exists() {
        return Ok(None);
    }
    let together = crate::together::TOGETHER.to_string();
    let output = Command::new(&options.peers)
        .args([engine, place, &runs.to_string(), &together])
        .output()?;
    if !output.status.success() {
        return Err(format!("{engine}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    // Warnings may precede the figure.
    let text = String::from_utf8(output.stdout)?;
    let seconds: f64 = text.lines().last().ok_or("it printed nothing")?.parse()?;
    Ok(Some(runs as f64 / seconds))
}
