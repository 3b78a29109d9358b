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
            let name = task(&job.name, number);
            let _ = writeln!(text, "    {name} :{mark}j{number}, {start}, {end}");
        }
        text
    }
}

/// A job's name at the beginning of a line, where words and dates have a meaning too: such a name
/// is kept apart from the beginning by a space without width.
fn task(name: &str, number: usize) -> String {
    let name = plain(name);
    let name = name.trim();
    let lower = name.to_lowercase();
    if name.is_empty() {
        return format!("job {number}");
    }
    let reserved = lower.starts_with(|first: char| first.is_ascii_digit())
        || KEYWORDS.split(' ').any(|word| lower.starts_with(word));
    if reserved { format!("\u{200b}{name}") } else { name.to_owned() }
}

/// What a line of a Gantt chart may begin with, whatever the case.
const KEYWORDS: &str = "gantt dateformat inclusive topaxis axisformat tickinterval includes \
                        excludes todaymarker week title section acc click call href";

/// Text without what has a meaning in a Gantt line.
fn plain(text: &str) -> String {
    let harmless = |character: char| match character {
        ':' | ';' | '#' | ',' | '%' | '<' | '>' => ' ',
        other => other,
    };
    text.chars().map(harmless).collect()
}
