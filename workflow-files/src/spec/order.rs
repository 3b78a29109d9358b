//! Dependencies between jobs: explicit ones, those by patterns, and those by the files and data
//! that jobs pass to each other.

mod common;
mod files;
mod patterns;
mod reads;
mod texts;

use std::collections::HashMap;

use regex::Regex;

use super::{Expanded, HandlerSpec, Placed, WorkflowSpec};
use crate::bounds::Patterns;
use crate::bounds::file::DEPENDENCIES;
use crate::document::{Findings, Span};
use crate::words::did_you_mean;

pub(crate) use files::FileUses;
pub(crate) use patterns::no_pattern;
pub(crate) use texts::{scripts_that_read, texts_of};

use files::Uses;
use patterns::pattern_of;
use reads::Reads;

/// The dependencies of all jobs in one list: those of job `j` end at `ends[j]` and begin where
/// those of `j - 1` end.
#[derive(Debug, Default)]
pub(crate) struct Order {
    pub(crate) after: Vec<u32>,
    pub(crate) ends: Vec<u32>,
    /// Jobs that others wait for together.
    pub(crate) groups: Vec<Vec<u32>>,
    pub(crate) after_groups: Vec<u32>,
    pub(crate) group_ends: Vec<u32>,
    /// The files that jobs must find and must write.
    pub(crate) files: FileUses,
}

impl Order {
    pub(crate) fn after(&self, job: usize) -> &[u32] {
        part(&self.after, &self.ends, job)
    }

    pub(crate) fn after_groups(&self, job: usize) -> &[u32] {
        part(&self.after_groups, &self.group_ends, job)
    }
}

fn part<'a>(list: &'a [u32], ends: &[u32], job: usize) -> &'a [u32] {
    let start = if job == 0 { 0 } else { ends[job - 1] as usize };
    &list[start..ends[job] as usize]
}

/// Finds the order.
pub(crate) fn order(spec: &WorkflowSpec, expanded: &Expanded, findings: &mut Findings) -> Order {
    let mut finder = Finder {
        spec,
        expanded,
        findings,
        order: Order::default(),
        patterns: HashMap::new(),
        regexes: HashMap::new(),
        limits: Patterns::default(),
        dependencies: 0,
        is_too_large: false,
        uses: Uses::default(),
        reads: Reads::default(),
        now: Vec::new(),
    };
    finder.find_writers();
    finder.check_common_texts();
    for job in 0..expanded.jobs.len() {
        if !finder.is_too_large {
            finder.find(job as u32);
        }
        finder.end_job();
    }
    finder.order
}

struct Finder<'a> {
    spec: &'a WorkflowSpec,
    expanded: &'a Expanded,
    findings: &'a mut Findings,
    order: Order,
    /// The group of a pattern, without the copies of the entry that names it.
    patterns: HashMap<(u32, Box<str>), Option<u32>>,
    regexes: HashMap<Box<str>, Option<Regex>>,
    limits: Patterns,
    /// The number of dependencies so far.
    dependencies: usize,
    /// Whether a limit is exceeded, which ends the search.
    is_too_large: bool,
    uses: Uses,
    reads: Reads<'a>,
    /// The dependencies of the current job.
    now: Vec<u32>,
}

impl<'a> Finder<'a> {
    fn substituted(&self, job: u32, written: &str) -> String {
        self.expanded.substituted(job, written)
    }

    /// Whether this is the first copy: a mistake in an entry is reported once.
    fn is_first(&self, job: u32) -> bool {
        self.expanded.jobs[job as usize].copy == 0
    }

    /// The texts of a job that contain placeholders.
    fn texts(&self, job: u32) -> &'a [Placed] {
        self.expanded.texts_of(job)
    }

    /// The failure handler of a job.
    fn handler(&self, job: u32) -> Option<&'a HandlerSpec> {
        let entry = self.expanded.jobs[job as usize].entry as usize;
        let name = self.spec.jobs.0[entry].rest.as_deref()?.failure_handler.as_ref()?;
        self.expanded.handler(self.spec, &self.substituted(job, &name.value))
    }

    /// The span of the job's name in its entry.
    fn span_of(&self, job: u32) -> Span {
        self.spec.jobs.0[self.expanded.jobs[job as usize].entry as usize].name.span
    }

    /// Finds the dependencies of one job.
    fn find(&mut self, job: u32) {
        self.now.clear();
        let spec = self.spec;
        let entry = self.expanded.jobs[job as usize].entry;
        let written = &spec.jobs.0[entry as usize];
        for name in &written.depends_on {
            let wanted = self.substituted(job, &name.value);
            self.wait_for(job, &wanted, name.span);
        }
        self.wait_for_read_jobs(job);
        self.wait_for_inputs(job);
        if let Some(rest) = written.rest.as_deref() {
            for pattern in &rest.depends_on_regexes {
                self.wait_for_pattern(job, entry, pattern);
            }
        }
        self.now.sort_unstable();
        self.now.dedup();
        self.order.after.extend_from_slice(&self.now);
    }

    /// Closes the lists of a job.
    fn end_job(&mut self) {
        self.order.ends.push(self.order.after.len() as u32);
        self.order.group_ends.push(self.order.after_groups.len() as u32);
    }

    fn wait_for(&mut self, job: u32, name: &str, within: Span) {
        if let Some(all) = self.expanded.shared.get(name) {
            if !self.spend_dependencies(all.len(), within) {
                return;
            }
            self.now.extend(all.iter().filter(|other| **other != job));
            return;
        }
        match self.expanded.job_of.get(name) {
            Some(other) => self.now.push(*other),
            None if self.is_first(job) => self.unknown(job, name, within),
            None => {}
        }
    }

    /// Counts dependencies before they are listed; returns whether they are within the limit.
    fn spend_dependencies(&mut self, more: usize, span: Span) -> bool {
        self.dependencies = self.dependencies.saturating_add(more);
        if self.dependencies <= DEPENDENCIES {
            return true;
        }
        let message = format!("the file has more than {DEPENDENCIES} dependencies between jobs");
        let help = "add a job that waits for all of them, and let the others wait for it";
        self.stop(span, message, help);
        false
    }

    /// Reports once that a limit is exceeded, and ends the search.
    fn stop(&mut self, span: Span, message: String, help: &'static str) {
        if !std::mem::replace(&mut self.is_too_large, true) {
            self.findings.error(span, message).label("the limit is exceeded here").help(help);
        }
    }

    fn unknown(&mut self, job: u32, name: &str, within: Span) {
        let waiting = &self.expanded.jobs[job as usize].name;
        let message = format!("job `{waiting}` waits for `{name}`, which is not defined");
        if self.findings.is_full() {
            self.findings.error(within, message);
            return;
        }
        // With a substituted parameter, the name differs from the text of the file.
        let span = self.findings.source().find(within, name);
        let names = self.expanded.jobs.iter().map(|job| &*job.name);
        let entry = self.spec.jobs.0.iter().find(|entry| *entry.name.value == *name);
        let help = match entry {
            Some(_) => {
                let pattern = pattern_of(name);
                format!("it stands for several jobs: use `depends_on_regexes: ['{pattern}']`")
            }
            None => did_you_mean(name, names, || "define it, or remove this dependency".to_owned()),
        };
        self.findings.error(span, message).label("no job has this name").help(help);
    }
}
