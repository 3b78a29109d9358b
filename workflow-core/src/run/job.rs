//! The jobs of a run: their reports and names.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json};

use super::Status;
use crate::event::{Failure, JobLookup, JobOrigin, JobView, rfc3339, seconds};
use crate::graph::{Graph, is_generated};
use crate::sparse_map::SparseMap;

/// The report of one job.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct JobReport {
    /// The job's name.
    pub name: String,
    /// The status; `pending` if the run ended before the job could start.
    pub status: Status,
    /// The number of attempts.
    pub attempts: u32,
    /// The start of the first attempt.
    #[serde(serialize_with = "optional_time")]
    pub started_at: Option<SystemTime>,
    /// The time from the start of the first attempt to the end of the last.
    #[serde(serialize_with = "optional_seconds", rename = "seconds")]
    pub duration: Option<Duration>,
    /// The error of the last attempt.
    pub error: Option<Failure>,
    /// The reason why the job was skipped, as text.
    pub skipped_because: Option<String>,
    /// The annotations of the latest attempt, from `JobContext::annotate`; for a command, its exit
    /// code or signal, peak memory and CPU time.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub annotations: Map<String, Json>,
}

impl JobReport {
    pub(super) fn new(job: &JobView, annotations: Map<String, Json>) -> Self {
        Self {
            name: job.name.clone(),
            status: job.status,
            attempts: job.attempt_count(),
            started_at: job.started_at(),
            duration: job.duration(),
            error: job.error.clone(),
            skipped_because: job.skipped_because.clone(),
            annotations,
        }
    }

    /// The CPU time of a command.
    pub(super) fn cpu(&self) -> String {
        let seconds = self.annotations.get("cpu_seconds").and_then(Json::as_f64);
        brief(seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()))
    }

    /// The peak memory of a command.
    pub(super) fn memory(&self) -> String {
        match self.annotations.get("peak_memory_bytes").and_then(Json::as_u64) {
            Some(bytes) => format!("{:.1} MiB", bytes as f64 / (1 << 20) as f64),
            None => "-".to_owned(),
        }
    }
}

/// Formats a duration in a suitable unit; `-` for none.
pub(super) fn brief(span: Option<Duration>) -> String {
    match span {
        None => "-".to_owned(),
        Some(span) if span < Duration::from_millis(1) => "<1ms".to_owned(),
        Some(span) if span < Duration::from_secs(60) => format!("{span:.1?}"),
        Some(span) => {
            let whole = jiff::SignedDuration::try_from(Duration::from_secs(span.as_secs()));
            whole.map_or_else(|_| format!("{span:.0?}"), |whole| format!("{whole:#}"))
        }
    }
}

/// The annotations of jobs, by job.
pub(crate) type Annotations = SparseMap<u32, Map<String, Json>>;

fn optional_time<S: Serializer>(time: &Option<SystemTime>, s: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => rfc3339::serialize(time, s),
        None => s.serialize_none(),
    }
}

fn optional_seconds<S: Serializer>(span: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
    match span {
        Some(span) => seconds::serialize(span, s),
        None => s.serialize_none(),
    }
}

/// The names of a run's jobs: those of the graph, and those that other jobs started.
#[derive(Debug, Default, Clone)]
pub(crate) struct JobNames {
    pub(crate) children: Vec<ChildName>,
    /// The calls of functions, in persisted runs.
    pub(crate) calls: SparseMap<u32, CalledJob>,
    /// The last number used for each requested name.
    counts: SparseMap<Cow<'static, str>, u32>,
    /// Whether a child requested a name that ends in a number.
    numbered: bool,
}

/// Splits a name such as `name_2` into the name and its number.
fn number_of(name: &str) -> Option<(&str, u32)> {
    let (base, number) = name.rsplit_once('_')?;
    let number = number.parse().ok().filter(|number| *number >= 2)?;
    Some((base, number))
}

/// A recorded call of a function.
#[derive(Debug, Clone)]
pub(crate) struct CalledJob {
    /// The job of the function.
    pub(crate) by: u32,
    pub(crate) attempt: u32,
    /// The name of the called job.
    pub(crate) job: Cow<'static, str>,
    pub(crate) input: Json,
}

/// The name of a child.
#[derive(Debug, Clone)]
pub(crate) enum ChildName {
    /// Its own name.
    Own(Cow<'static, str>),
    /// Its parent's name, with its index.
    Element { parent: u32, index: u32 },
    /// The name of the job that it compensates, with a prefix.
    Compensation { of: u32 },
}

impl JobNames {
    /// How a job that another job started is named; `None` for a job of the graph.
    pub(crate) fn child(&self, graph: &Graph, job: u32) -> Option<&ChildName> {
        self.children.get((job as usize).checked_sub(graph.len())?)
    }

    /// Returns the name, or the next free one of `name_2`, `name_3` and so on if another job of the
    /// run has the name or may get it.
    pub(crate) fn free_name(
        &mut self,
        graph: &Graph,
        name: Cow<'static, str>,
    ) -> Cow<'static, str> {
        let mut made = None;
        // The fast path: most names cannot collide with generated ones.
        let ends_plainly = !matches!(name.as_bytes().last(), Some(b']' | b'0'..=b'9'));
        if !ends_plainly || name.starts_with("undo ") {
            self.numbered |= number_of(&name).is_some();
            made = is_generated(&name).then(|| graph.names.distinct(name.to_string()));
        }
        loop {
            let count = self.counts.entry(name.clone()).or_insert(0);
            *count += 1;
            let free = match *count {
                1 => name.clone(),
                count => Cow::Owned(format!("{name}_{count}")),
            };
            let is_taken = made.as_deref() == Some(&*free)
                || graph.names.contains(&free)
                || (self.numbered && self.is_given(&name, &free));
            if !is_taken {
                return free;
            }
        }
    }

    /// Returns whether a child that requested another name has this one, or may have it.
    fn is_given(&self, requested: &str, name: &str) -> bool {
        let with_number = number_of(name).is_some_and(|(base, number)| {
            base != requested && self.counts.get(base).is_some_and(|count| *count >= number)
        });
        with_number || (name != requested && self.counts.get(name).is_some())
    }

    /// Records that a child that requested one name has another.
    pub(crate) fn count(&mut self, requested: Cow<'static, str>, name: &str) {
        self.numbered |= number_of(&requested).is_some();
        let number = number_of(name).filter(|(base, _)| *base == requested).map_or(1, |(_, it)| it);
        let count = self.counts.entry(requested).or_insert(0);
        *count = number.max(*count);
    }

    pub(crate) fn get<'a>(&'a self, graph: &'a Graph, job: u32) -> Cow<'a, str> {
        let Some(child) = (job as usize).checked_sub(graph.len()) else {
            return Cow::Borrowed(graph.names.get(job as usize));
        };
        match self.children.get(child) {
            Some(ChildName::Own(name)) => Cow::Borrowed(name),
            Some(ChildName::Element { parent, index }) => {
                Cow::Owned(graph.names.distinct(format!("{}[{index}]", self.get(graph, *parent))))
            }
            Some(ChildName::Compensation { of }) => {
                Cow::Owned(graph.names.distinct(format!("undo {}", self.get(graph, *of))))
            }
            None => Cow::Borrowed("?"),
        }
    }
}

/// The lookup of jobs for a run's log.
pub(crate) struct RunJobLookup<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) names: &'a JobNames,
    pub(crate) annotations: &'a Annotations,
    /// Whether events contain the origins of jobs.
    pub(crate) persisted: bool,
}

impl JobLookup for RunJobLookup<'_> {
    fn name(&self, job: u32) -> String {
        self.names.get(self.graph, job).into_owned()
    }

    fn origin(&self, job: u32) -> Option<Box<JobOrigin>> {
        let child = (job as usize).checked_sub(self.graph.len()).filter(|_| self.persisted)?;
        let origin = match self.names.children.get(child)? {
            ChildName::Element { parent, index } => {
                JobOrigin::Element { of: self.name(*parent), index: *index }
            }
            ChildName::Compensation { of } => JobOrigin::Compensation { of: self.name(*of) },
            ChildName::Own(_) => {
                let CalledJob { by, attempt, job, input } = self.names.calls.get(&job)?;
                let (by, attempt) = (self.name(*by), *attempt);
                JobOrigin::Called { by, attempt, job: job.to_string(), input: input.clone() }
            }
        };
        Some(Box::new(origin))
    }

    fn annotations(&self, job: u32) -> Map<String, Json> {
        self.annotations.get(&job).cloned().unwrap_or_default()
    }
}
