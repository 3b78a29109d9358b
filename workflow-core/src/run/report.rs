//! The report of a run that has ended.

use std::any::Any;
use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use super::job::brief;
use super::{Annotations, JobNames, JobReport, OutputError, RunJobLookup, Status};
use crate::event::{Event, Failure, JobLookup, Log, RunView, format_time};
use crate::graph::Graph;
use crate::id::{RunId, nearest};
use crate::job::{RunValues, STDERR_FOLLOWS};
use crate::value::ValueError;
use crate::workflow::{Plan, Workflow};

/// The report of a run: its jobs with their attempts, durations and results, its events, and its
/// output.
///
/// It displays as a table, serializes as JSON, and renders as a [Gantt chart](Self::gantt). It is
/// cheap to clone, and computes details on demand.
#[derive(Clone)]
pub struct Report(pub(crate) Arc<Record>);

/// The data of a report.
pub(crate) struct Record {
    pub(crate) id: RunId,
    pub(crate) workflow: Arc<dyn Workflow>,
    pub(crate) status: Status,
    pub(crate) plan: Arc<Plan>,
    pub(crate) run_values: Arc<RunValues>,
    pub(crate) log: Log,
    pub(crate) names: JobNames,
    pub(crate) annotations: Annotations,
    /// Whether the run is persisted.
    pub(crate) persisted: bool,
}

impl Record {
    pub(crate) fn lookup(&self) -> RunJobLookup<'_> {
        let (names, annotations, persisted) = (&self.names, &self.annotations, self.persisted);
        RunJobLookup { graph: &self.plan.graph, names, annotations, persisted }
    }
}

impl Report {
    /// The run's ID.
    pub fn id(&self) -> RunId {
        self.0.id
    }

    /// The workflow's name.
    pub fn workflow(&self) -> &str {
        self.0.workflow.name().as_str()
    }

    /// The final status.
    pub fn status(&self) -> Status {
        self.0.status
    }

    /// The graph of the workflow: its jobs and their order.
    pub fn graph(&self) -> &Graph {
        self.0.plan.graph()
    }

    /// The time at which the run began.
    pub fn started_at(&self) -> SystemTime {
        self.0.log.began
    }

    /// The duration of the run.
    pub fn duration(&self) -> Duration {
        let last = self.0.log.entries.last().map_or(0, |last| last.at);
        Duration::from_nanos(last.try_into().unwrap_or(0))
    }

    /// The reason why the run failed, as text; or why it was cancelled, if it was not by request.
    pub fn reason(&self) -> Option<String> {
        self.0.log.outcome().1.map(str::to_owned)
    }

    /// The errors of attempts.
    pub(crate) fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.0.log.failures().map(|(_, _, error)| error)
    }

    /// The progress of the run as text, such as `3 of 5 jobs completed`.
    pub fn progress(&self) -> String {
        let jobs = self.jobs();
        let completed = jobs.iter().filter(|job| job.status == Status::Completed).count();
        format!("{completed} of {} jobs completed", jobs.len())
    }

    /// The events, in order.
    pub fn events(&self) -> impl Iterator<Item = Event> {
        let events = 0..self.0.log.entries.len();
        events.filter_map(|index| self.0.log.event(index, &self.0.lookup()))
    }

    fn name(&self, job: u32) -> Cow<'_, str> {
        self.0.names.get(&self.0.plan.graph, job)
    }

    /// The reports of all jobs: those of the graph, each after its dependencies, then those that
    /// other jobs started.
    pub fn jobs(&self) -> Vec<JobReport> {
        let count = self.0.plan.graph.len() + self.0.names.children.len();
        let mut view = RunView::new((0..count as u32).map(|job| self.name(job)));
        self.events().for_each(|event| view.apply(&event));
        let (lookup, jobs) = (self.0.lookup(), view.jobs().iter().zip(0..));
        jobs.map(|(job, number)| JobReport::new(job, lookup.annotations(number))).collect()
    }

    /// The report of one job.
    pub fn job(&self, name: &str) -> Option<JobReport> {
        self.jobs().into_iter().find(|job| job.name == name)
    }

    /// The output, by reference.
    ///
    /// # Errors
    ///
    /// Fails when there is no output, or its type is not `T`.
    pub fn output_ref<T: Any>(&self) -> Result<&T, OutputError> {
        let (value, kind) = self.raw_output()?;
        value.downcast_ref().ok_or_else(|| self.in_place::<T>(None, kind))
    }

    /// The output: a clone if it is a `T`, and otherwise converted through JSON.
    ///
    /// # Errors
    ///
    /// Fails when there is no output, and when it cannot be converted to a `T`; the error names
    /// both types and the path in the JSON.
    pub fn output<T: serde::de::DeserializeOwned + 'static>(&self) -> Result<T, OutputError> {
        let (value, kind) = self.raw_output()?;
        let (workflow, found) = (|| self.workflow().to_owned(), kind.name());
        let copy = if kind.is::<T>() { kind.duplicate(value) } else { Ok(None) };
        let read = match copy.map(|copy| copy.map(|copy| copy.downcast::<T>())) {
            Ok(Some(Ok(copy))) => return Ok(*copy),
            Ok(_) => kind.write(value).and_then(crate::value::from_json),
            Err(panicked) => Err(panicked),
        };
        read.map_err(|error| match error {
            ValueError::Opaque { .. } if kind.is::<T>() => {
                OutputError::NoCopy { workflow: workflow(), found }
            }
            error => OutputError::Type {
                workflow: workflow(),
                found,
                wanted: std::any::type_name::<T>(),
                error,
            },
        })
    }

    /// The output as JSON.
    ///
    /// # Errors
    ///
    /// Fails when there is no output, or when its type has no JSON form.
    pub fn output_json(&self) -> Result<Json, OutputError> {
        let (value, kind) = self.raw_output()?;
        kind.write(value)
            .map_err(|error| OutputError::Json { workflow: self.workflow().to_owned(), error })
    }

    /// The output of one job of the graph, by reference.
    ///
    /// # Errors
    ///
    /// Fails when there is no such job, when it did not complete, and when its output is not a `T`.
    pub fn output_of<T: Any>(&self, job: &str) -> Result<&T, OutputError> {
        let unknown = || OutputError::UnknownJob {
            workflow: self.workflow().to_owned(),
            job: job.to_owned(),
            nearest: nearest(job, self.graph().job_names()).map(str::to_owned),
        };
        let number = self.graph().job_names().position(|name| name == job).ok_or_else(unknown)?;
        let (value, kind) = self.0.run_values.output(number as u32).ok_or_else(unknown)?;
        let value = value.ok_or_else(|| self.missing(number as u32))?;
        value.downcast_ref().ok_or_else(|| self.in_place::<T>(Some(job.to_owned()), kind))
    }

    /// The outputs of type `T` of all jobs of the graph, with the jobs' names.
    pub fn outputs<T: Any>(&self) -> impl Iterator<Item = (&str, &T)> {
        self.graph().job_names().enumerate().filter_map(|(job, name)| {
            let (value, _) = self.0.run_values.output(job as u32)?;
            Some((name, value?.downcast_ref()?))
        })
    }

    fn raw_output(&self) -> Result<(&(dyn Any + Send + Sync), crate::value::Type), OutputError> {
        let workflow = || self.workflow().to_owned();
        let (source, kind) =
            self.0.plan.output.ok_or_else(|| OutputError::None { workflow: workflow() })?;
        let value = self.0.run_values.any(source);
        let maker = || self.0.plan.layout.outputs.iter().position(|output| *output == source);
        let missing = || self.missing(maker().map_or(u32::MAX, |job| job as u32));
        Ok((value.ok_or_else(missing)?, kind))
    }

    #[cold]
    fn missing(&self, number: u32) -> OutputError {
        let job = self.name(number).into_owned();
        let status = self.job(&job).map_or(Status::Pending, |report| report.status);
        OutputError::Missing { workflow: self.workflow().to_owned(), job, status }
    }

    #[cold]
    fn in_place<T>(&self, job: Option<String>, kind: crate::value::Type) -> OutputError {
        let (found, wanted) = (kind.name(), std::any::type_name::<T>());
        OutputError::InPlace { workflow: self.workflow().to_owned(), job, found, wanted }
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("id", &self.id())
            .field("workflow", &self.workflow())
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let jobs = self.jobs();
        let width = jobs.iter().map(|job| job.name.chars().count()).max().unwrap_or(0).clamp(3, 40);
        let took = brief(Some(self.duration()));
        writeln!(f, "{} {} in {took} (run {})", self.workflow(), self.status(), self.id())?;
        let commands = jobs.iter().any(|job| job.annotations.contains_key("cpu_seconds"));
        write!(f, "  {:width$}  {:9}  {:>8}  {:>9}", "job", "status", "attempts", "time")?;
        writeln!(
            f,
            "{}",
            if commands { format!("  {:>8}  {:>9}", "cpu", "memory") } else { String::new() }
        )?;
        for job in &jobs {
            let took = brief(job.duration);
            write!(f, "  {:width$}  {:9}  {:>8}  {took:>9}", job.name, job.status, job.attempts)?;
            if commands {
                write!(f, "  {:>8}  {:>9}", job.cpu(), job.memory())?;
            }
            match (&job.error, &job.skipped_because) {
                (Some(error), _) => writeln!(f, "  {}", error.decisive_line())?,
                (None, Some(reason)) => writeln!(f, "  {reason}")?,
                (None, None) => writeln!(f)?,
            }
        }
        // The reason is not repeated if a job's line contains it.
        match self.reason().filter(|reason| !is_of_job(reason, &jobs)) {
            Some(reason) => writeln!(f, "  {}", reason.replace('\n', "\n  ")),
            None => write_context(f, &jobs),
        }
    }
}

/// Returns whether the reason is the failure of one of these jobs.
fn is_of_job(reason: &str, jobs: &[JobReport]) -> bool {
    let of = reason.strip_prefix("job `").and_then(|rest| rest.split_once("` failed"));
    of.is_some_and(|(name, _)| {
        jobs.iter().any(|job| job.name == name && job.status == Status::Failed)
    })
}

/// Writes the errors of failed jobs, without their decisive lines.
fn write_context(f: &mut fmt::Formatter<'_>, jobs: &[JobReport]) -> fmt::Result {
    let failed = jobs.iter().filter(|job| job.status == Status::Failed);
    let errors = failed.filter_map(|job| Some((job, job.error.as_ref()?)));
    for (job, error) in errors.filter(|(_, error)| error.message.contains('\n')).take(MOST_CONTEXT)
    {
        let (text, decisive) = (error.to_string(), error.decisive_line());
        let (how, rest) = match text.split_once(&format!("; {STDERR_FOLLOWS}")) {
            Some((how, stderr)) => (format!(" {how}"), stderr),
            None => (String::new(), text.as_str()),
        };
        writeln!(f, "  {}:{how}", job.name)?;
        let rest = rest.lines().filter(|line| !line.trim().is_empty() && line.trim() != decisive);
        rest.into_iter().try_for_each(|line| writeln!(f, "    {line}"))?;
    }
    Ok(())
}

/// The most failed jobs whose errors are shown in full.
const MOST_CONTEXT: usize = 5;

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut report = serializer.serialize_struct("Report", 8)?;
        report.serialize_field("id", &self.id())?;
        report.serialize_field("workflow", self.workflow())?;
        report.serialize_field("status", &self.status())?;
        report.serialize_field("started_at", &format_time(self.started_at()))?;
        report.serialize_field("seconds", &self.duration().as_secs_f64())?;
        report.serialize_field("reason", &self.reason())?;
        report.serialize_field("output", &self.output_json().ok())?;
        report.serialize_field("jobs", &self.jobs())?;
        report.end()
    }
}

impl Report {
    /// Renders the run as a Mermaid Gantt chart (<https://mermaid.js.org/syntax/gantt.html>): one
    /// bar for each job that ran, in milliseconds since the run began.
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
            // Mermaid does not draw a bar without length.
            let end = end.max(start + 1);
            let name = task(&job.name, number);
            let _ = writeln!(text, "    {name} :{mark}j{number}, {start}, {end}");
        }
        text
    }
}

/// Formats a job's name for the beginning of a line. A zero-width space protects names that Mermaid
/// would read as a keyword or a date.
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

/// The keywords with which a line of a Gantt chart may begin, in any case.
const KEYWORDS: &str = "gantt dateformat inclusive topaxis axisformat tickinterval includes \
                        excludes todaymarker week title section acc click call href";

/// Replaces characters with a meaning in a Gantt chart.
fn plain(text: &str) -> String {
    let harmless = |character: char| match character {
        ':' | ';' | '#' | ',' | '%' | '<' | '>' => ' ',
        other => other,
    };
    text.chars().map(harmless).collect()
}
