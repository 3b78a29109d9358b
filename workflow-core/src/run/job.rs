//! The jobs of a run: their names, and what became of them.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json};

use super::Status;
use crate::event::{Failure, JobLookup, JobOrigin, JobView, rfc3339, seconds};
use crate::graph::{Graph, is_generated};
use crate::sparse_map::SparseMap;

/// What became of one job.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct JobReport {
    /// The job's name.
    pub name: String,
    /// How it ended; `pending` when the run ended before the job could begin.
    pub status: Status,
    /// How many attempts were made.
    pub attempts: u32,
    /// When the first attempt began.
    #[serde(serialize_with = "optional_time")]
    pub started_at: Option<SystemTime>,
    /// From the beginning of the first attempt to the end of the last.
    #[serde(serialize_with = "optional_seconds", rename = "seconds")]
    pub duration: Option<Duration>,
    /// What the last attempt failed with.
    pub error: Option<Failure>,
    /// Why the job was skipped, in words.
    pub skipped_because: Option<String>,
    /// What the job noted about its latest attempt with `JobContext::note`; of a command its exit
    /// code or signal, its peak memory and its time on processors.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub facts: Map<String, Json>,
}

impl JobReport {
    pub(super) fn new(job: &JobView, facts: Map<String, Json>) -> Self {
        Self {
            name: job.name.clone(),
            status: job.status,
            attempts: job.attempt_count(),
            started_at: job.started_at(),
            duration: job.duration(),
            error: job.error.clone(),
            skipped_because: job.skipped_because.clone(),
            facts,
        }
    }

    /// The time on processors that a command noted.
    pub(super) fn cpu(&self) -> String {
        let seconds = self.facts.get("cpu_seconds").and_then(Json::as_f64);
        brief(seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()))
    }

    /// The peak memory that a command noted.
    pub(super) fn memory(&self) -> String {
        match self.facts.get("peak_memory_bytes").and_then(Json::as_u64) {
            Some(bytes) => format!("{:.1} MiB", bytes as f64 / (1 << 20) as f64),
            None => "-".to_owned(),
        }
    }
}

/// A duration in the unit that suits it; `-` for none.
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

/// What jobs noted for the report, by job.
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

/// The names of a run's jobs: those of the graph, and those that were started by jobs.
#[derive(Debug, Default, Clone)]
pub(crate) struct JobNames {
    pub(crate) children: Vec<ChildName>,
    /// What functions called, of runs that a store keeps.
    pub(crate) calls: SparseMap<u32, CalledJob>,
    /// By the name that children asked for, up to which number it has been given out.
    counts: SparseMap<Cow<'static, str>, u32>,
    /// A child asked for a name that ends in a number.
    numbered: bool,
}

/// The parts of a name like `name_2`, as they are given out to those who ask for `name`.
fn number_of(name: &str) -> Option<(&str, u32)> {
    let (base, number) = name.rsplit_once('_')?;
    let number = number.parse().ok().filter(|number| *number >= 2)?;
    Some((base, number))
}

/// A call of a function that a store keeps.
#[derive(Debug, Clone)]
pub(crate) struct CalledJob {
    /// The job whose function it is, and in which attempt.
    pub(crate) by: u32,
    pub(crate) attempt: u32,
    /// The name of what is called.
    pub(crate) job: Cow<'static, str>,
    pub(crate) input: Json,
}

/// What a child is called.
#[derive(Debug, Clone)]
pub(crate) enum ChildName {
    /// A name of its own.
    Own(Cow<'static, str>),
    /// Its parent's name and its index.
    Element { parent: u32, index: u32 },
    /// That it takes back the work of another.
    Compensation { of: u32 },
}

impl JobNames {
    /// The name, or when another job of the run has it or may come to have it, the next free one
    /// of `name_2`, `name_3` and so on.
    pub(crate) fn free_name(
        &mut self,
        graph: &Graph,
        name: Cow<'static, str>,
    ) -> Cow<'static, str> {
        let mut made = None;
        // Most names are plain, and are seen to be so at a glance.
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

    /// Whether a child that asked for another name than `asked` has this one, or may have.
    fn is_given(&self, asked: &str, name: &str) -> bool {
        let with_number = number_of(name).is_some_and(|(base, number)| {
            base != asked && self.counts.get(base).is_some_and(|count| *count >= number)
        });
        with_number || (name != asked && self.counts.get(name).is_some())
    }

    /// Takes note that a child which asked for one name has another.
    pub(crate) fn count(&mut self, asked: Cow<'static, str>, name: &str) {
        self.numbered |= number_of(&asked).is_some();
        let number = number_of(name).filter(|(base, _)| *base == asked).map_or(1, |(_, it)| it);
        let count = self.counts.entry(asked).or_insert(0);
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

/// What the numbers in a run's log stand for.
pub(crate) struct RunJobLookup<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) names: &'a JobNames,
    pub(crate) facts: &'a Annotations,
    /// Whether events tell where jobs come from.
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

    fn facts(&self, job: u32) -> Map<String, Json> {
        self.facts.get(&job).cloned().unwrap_or_default()
    }
}
