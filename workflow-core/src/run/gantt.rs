//! A report as a Mermaid Gantt chart.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Report, Status};

impl Report {
    /// The run as a Mermaid Gantt chart (<https://mermaid.js.org/syntax/gantt.html>): one bar for
    /// each job that ran, in milliseconds since the run began.
    pub fn gantt(&self) -> String {
        let mut text = String::from("gantt\n    dateFormat x\n    axisFormat %M:%S.%L\n");
        let _ = writeln!(text, "    title {}", plain(self.workflow()));
        for (number, job) in self.jobs().iter().enumerate() {
            let (Some(started), Some(duration)) = (job.started_at, job.duration) else { continue };
            let start = started.duration_since(self.started_at()).unwrap_or(Duration::ZERO);
            let mark = match job.status {
                Status::Completed => "done, ",
                Status::Failed | Status::Cancelled => "crit, ",
                _ => "",
            };
            let (start, end) = (start.as_millis(), (start + duration).as_millis());
            // A bar of no length is not drawn.
            let end = end.max(start + 1);
            let _ = writeln!(text, "    {} :{mark}j{number}, {start}, {end}", plain(&job.name));
        }
        text
    }
}

/// Text without what has a meaning in a Gantt line.
fn plain(text: &str) -> String {
    let harmless = |character: char| match character {
        ':' | ';' | '#' | ',' | '%' | '<' | '>' => ' ',
        other => other,
    };
    text.chars().map(harmless).collect()
}
