//! Texts that are not part of a single job: the environment of all jobs, and recovery scripts.

use std::collections::HashMap;

use super::Finder;
use super::texts::{MAX_SCRIPTS, report, report_unknown, scripts_that_read};
use crate::document::Span;
use crate::spec::expression::{Expression, JobRead};
use crate::spec::parameters::names_in_braces;
use crate::spec::template::Template;
use crate::spec::{HandlerSpec, Text};

impl<'a> Finder<'a> {
    /// Checks these texts. The jobs that scripts read are checked for each job that they recover.
    pub(super) fn check_common_texts(&mut self) {
        let spec = self.spec;
        let parameters = self.parameters();
        for (_, value) in spec.env.0.iter().filter(|(_, value)| value.value.0.contains("${")) {
            self.check_variable(&value.value.0, value.span, &parameters);
        }
        let users = self.users();
        for handler in &spec.failure_handlers {
            self.check_scripts(handler, users.get(&*handler.name.value).copied());
        }
    }

    /// For each parameter, the first job that has it, and the number of entries that do.
    fn parameters(&self) -> HashMap<&'a str, (u32, usize)> {
        let mut parameters = HashMap::new();
        let jobs = (0..).zip(&self.expanded.jobs).filter(|(_, job)| job.copy == 0);
        for (number, job) in jobs {
            for name in self.expanded.grids[job.entry as usize].names() {
                parameters.entry(name).or_insert((number, 0)).1 += 1;
            }
        }
        parameters
    }

    /// Checks an environment variable of all jobs, with and without the parameters that it names.
    fn check_variable(
        &mut self,
        written: &str,
        within: Span,
        parameters: &HashMap<&str, (u32, usize)>,
    ) {
        let named: Vec<_> =
            names_in_braces(written).filter_map(|name| parameters.get(name).copied()).collect();
        let with = named.first().map(|(job, _)| self.substituted(*job, written));
        let entries = self.expanded.grids.len();
        let in_all = !named.is_empty() && named.iter().all(|(_, having)| *having == entries);
        let without = (!in_all).then(|| self.expanded.constant(written));
        for substituted in with.into_iter().chain(without) {
            let Some(template) = self.parsed(&substituted, within) else { return };
            if let Some(read) = template.expressions().flat_map(Expression::reads).next() {
                return self.cannot_be_read_by_all(read, within);
            }
        }
    }

    fn cannot_be_read_by_all(&mut self, read: &JobRead, within: Span) {
        let span = self.findings.source().find(within, &read.written);
        let message = "the environment of all jobs cannot read a job, which would wait for itself";
        self.findings.error(span, message).help("put it into the `env` of the jobs that need it");
    }

    /// For each failure handler in use, the first job that uses it.
    fn users(&self) -> HashMap<&'a str, u32> {
        let mut users = HashMap::new();
        for job in 0..self.expanded.jobs.len() as u32 {
            if let Some(handler) = self.handler(job) {
                users.entry(&*handler.name.value).or_insert(job);
            }
        }
        users
    }

    fn check_scripts(&mut self, handler: &'a HandlerSpec, user: Option<u32>) {
        let scripts = handler.rules.iter().filter_map(|rule| rule.recovery_script.as_ref());
        for script in scripts.filter(|script| script.value.contains("${")) {
            self.check_script(script, user);
        }
        if scripts_that_read(handler).nth(MAX_SCRIPTS).is_some() {
            let message = format!("more than {MAX_SCRIPTS} of these scripts read jobs");
            self.findings.error(handler.name.span, message).help("split it into several handlers");
        }
    }

    fn check_script(&mut self, script: &Text, user: Option<u32>) {
        let substituted = match user {
            Some(job) => self.substituted(job, &script.value),
            None => self.expanded.constant(&script.value),
        };
        let Some(template) = self.parsed(&substituted, script.span) else { return };
        if user.is_none() {
            for read in template.expressions().flat_map(Expression::reads) {
                match self.expanded.job_of.contains_key(&*read.job) {
                    true => self.check_steps(read, script.span),
                    false => self.no_such_job(read, script.span),
                }
            }
        }
    }

    /// Parses a text, if it is valid, and looks up the files and data that it names.
    fn parsed(&mut self, substituted: &str, within: Span) -> Option<Template> {
        match Template::parse(substituted) {
            Ok(template) => {
                for (kind, _, name) in template.named() {
                    if self.lookup(kind, name).is_none() {
                        self.no_such_file(kind, name, within);
                    }
                }
                report_unknown(template.expressions(), within, self.findings);
                Some(template)
            }
            Err(error) => {
                report(&error, within, self.findings);
                None
            }
        }
    }
}
