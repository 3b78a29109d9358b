//! Dependencies by expressions: a job waits for the jobs that it reads, which must have the outputs
//! that it reads.

use std::collections::{HashMap, HashSet};

use super::{Finder, texts};
use crate::document::Span;
use crate::spec::expression::{EXAMPLE, Expression, JobRead, Step};
use crate::spec::template::Template;
use crate::words::did_you_mean;

/// The properties of a job that can be read.
const OF_A_JOB: [&str; 2] = ["outputs", "completed"];

/// What is known about reads.
#[derive(Default)]
pub(super) struct Reads<'a> {
    /// The outputs that an entry declares.
    outputs: HashMap<u32, HashSet<&'a str>>,
    /// The checked reads of recovery scripts: the span of the script, the number of the read in its
    /// handler, and whether the job reads itself.
    checked: HashSet<(u32, usize, bool)>,
}

impl<'a> Finder<'a> {
    /// Waits for the jobs whose outputs the texts of the job and its recovery scripts read.
    pub(super) fn wait_for_read_jobs(&mut self, job: u32) {
        for (read, within) in self.own_reads(job) {
            self.wait_for(job, &read.job, within);
            if self.is_first(job) {
                self.check_steps(&read, within);
            }
        }
        for (number, (read, within)) in self.script_reads(job).into_iter().enumerate() {
            let found = self.expanded.job_of.get(&*read.job);
            let itself = found == Some(&job);
            if found.is_some() && !itself {
                self.wait_for(job, &read.job, within);
            }
            if self.reads.checked.insert((within.start, number, itself)) {
                match found {
                    None => self.no_such_job(&read, within),
                    Some(_) if itself => self.reads_itself(&read, within),
                    Some(_) => self.check_steps(&read, within),
                }
            }
        }
    }

    fn own_reads(&mut self, job: u32) -> Vec<(JobRead, Span)> {
        let mut reads = Vec::new();
        if let Some((condition, span)) = self.condition(job) {
            reads.extend(condition.reads().iter().map(|read| (read.clone(), span)));
        }
        for (written, within) in self.texts(job) {
            reads.extend(self.reads_in(job, written, *within));
        }
        reads
    }

    fn script_reads(&self, job: u32) -> Vec<(JobRead, Span)> {
        let scripts = self.expanded.scripts_of(self.spec, job).iter().take(texts::MAX_SCRIPTS);
        let reads = scripts.flat_map(|(written, within)| self.reads_in(job, written, *within));
        reads.collect()
    }

    fn reads_in(&self, job: u32, written: &str, within: Span) -> Vec<(JobRead, Span)> {
        let Ok(template) = Template::parse(&self.substituted(job, written)) else {
            return Vec::new();
        };
        let reads = template.expressions().flat_map(Expression::reads);
        reads.map(|read| (read.clone(), within)).collect()
    }

    /// The expression of a `when`.
    fn condition(&mut self, job: u32) -> Option<(Expression, Span)> {
        let spec = self.spec;
        let entry = self.expanded.jobs[job as usize].entry as usize;
        let when = spec.jobs.0[entry].rest.as_deref()?.when.as_ref()?;
        match Expression::condition(&self.substituted(job, &when.value)) {
            Ok(expression) => {
                if self.is_first(job) {
                    texts::report_unknown([&expression], when.span, self.findings);
                }
                Some((expression, when.span))
            }
            Err(reason) => {
                if self.is_first(job) {
                    self.findings.error(when.span, reason).help(EXAMPLE);
                }
                None
            }
        }
    }

    pub(super) fn no_such_job(&mut self, read: &JobRead, within: Span) {
        let span = self.findings.source().find(within, &read.job);
        let names = self.expanded.jobs.iter().map(|job| &*job.name);
        let names = names.filter(|_| !self.findings.is_full());
        let help = did_you_mean(&read.job, names, || "name a job of the file".to_owned());
        self.findings.error(span, format!("there is no job `{}`", read.job)).help(help);
    }

    fn reads_itself(&mut self, read: &JobRead, within: Span) {
        let span = self.findings.source().find(within, &read.written);
        let message = format!("this script recovers job `{}`, which has no outputs yet", read.job);
        self.findings.error(span, message).help("read jobs that end before it");
    }

    /// Checks that a job has the property that is read.
    pub(super) fn check_steps(&mut self, read: &JobRead, within: Span) {
        let Some(job) = self.expanded.job_of.get(&*read.job) else { return };
        let mut steps = read.steps.iter();
        let Some(what) = steps.next() else { return };
        if !OF_A_JOB.contains(&&*what.name) {
            let otherwise = || "read one of its `outputs`, or whether it is `completed`".to_owned();
            let help = did_you_mean(&what.name, OF_A_JOB, otherwise);
            let message = format!("`{}` of a job cannot be read", what.name);
            self.findings.error(self.place(read, what, within), message).help(help);
            return;
        }
        if let Some(output) = steps.next().filter(|_| what.name == "outputs") {
            let entry = self.expanded.jobs[*job as usize].entry;
            self.check_output(entry, read, output, within);
        }
    }

    /// Checks that an entry with declared outputs declares this one.
    fn check_output(&mut self, entry: u32, read: &JobRead, output: &Step, within: Span) {
        let spec = self.spec;
        let Some(rest) = spec.jobs.0[entry as usize].rest.as_deref() else { return };
        let named = self.reads.outputs.entry(entry);
        let named =
            named.or_insert_with(|| rest.outputs.iter().map(|output| &*output.value).collect());
        if named.is_empty() || named.contains(&*output.name) {
            return;
        }
        let outputs = rest.outputs.iter().map(|output| &*output.value);
        let otherwise = || "add it to the `outputs` of that job".to_owned();
        let help = did_you_mean(&output.name, outputs, otherwise);
        let message = format!("job `{}` has no output `{}`", read.job, output.name);
        self.findings.warning(self.place(read, output, within), message).help(help);
    }

    fn place(&self, read: &JobRead, step: &Step, within: Span) -> Span {
        self.findings.source().find_range(within, &read.written, step.place.clone())
    }
}
