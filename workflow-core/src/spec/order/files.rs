//! The order that files and data make: who reads one waits for those who write it.

use std::collections::HashMap;

use super::Finder;
use super::texts::report;
use crate::document::Span;
use crate::id::nearest;
use crate::spec::Text;
use crate::spec::template::{NamedKind, Template, Use};

/// Who writes which file and which data; who reads is looked at job by job.
#[derive(Default)]
pub(super) struct Uses {
    writers: HashMap<(Kind, u32), Vec<u32>>,
    /// The group of the writers, once more than one job waits for more than one of them.
    groups: HashMap<(Kind, u32), u32>,
}

pub(super) type Kind = u8;

impl Finder<'_> {
    pub(super) fn find_writers(&mut self) {
        for job in 0..self.expanded.jobs.len() as u32 {
            if self.is_too_large {
                return;
            }
            for (kind, number) in self.used(job, Use::Output) {
                self.uses.writers.entry((kind, number)).or_default().push(job);
            }
        }
    }

    /// The files and data that a job reads or writes, by number.
    pub(super) fn used(&mut self, job: u32, use_as: Use) -> Vec<(Kind, u32)> {
        let mut used = self.used_in_texts(job, use_as);
        let entry = self.expanded.jobs[job as usize].entry as usize;
        let spec = self.spec;
        let Some(rest) = spec.jobs.0[entry].rest.as_deref() else { return used };
        let lists: [(NamedKind, &[Text], &[Text]); 2] = match use_as {
            Use::Input => [
                (NamedKind::File, &rest.input_files, &rest.input_file_regexes),
                (NamedKind::Data, &rest.input_user_data, &rest.input_user_data_regexes),
            ],
            Use::Output => [
                (NamedKind::File, &rest.output_files, &rest.output_file_regexes),
                (NamedKind::Data, &rest.output_user_data, &rest.output_user_data_regexes),
            ],
        };
        for (kind, names, patterns) in lists {
            for name in names {
                let wanted = self.filled(job, &name.value);
                used.extend(self.number(job, kind, &wanted, name.span));
            }
            for pattern in patterns {
                used.extend(self.matching(job, kind, pattern));
            }
        }
        used
    }

    fn used_in_texts(&mut self, job: u32, wanted: Use) -> Vec<(Kind, u32)> {
        let mut used = Vec::new();
        for (written, within) in self.texts(job) {
            let filled = self.filled(job, written);
            match Template::parse(&filled) {
                Ok(template) => {
                    for (kind, use_as, name) in template.named() {
                        if use_as == wanted {
                            used.extend(self.number(job, kind, name, within));
                        }
                    }
                }
                Err(error) if wanted == Use::Output && self.is_first(job) => {
                    report(&error, within, self.findings);
                }
                Err(_) => {}
            }
        }
        used
    }

    fn number(
        &mut self,
        job: u32,
        kind: NamedKind,
        name: &str,
        within: Span,
    ) -> Option<(Kind, u32)> {
        let found = self.lookup(kind, name);
        if found.is_none() && self.is_first(job) {
            self.no_such_file(kind, name, within);
        }
        found.map(|number| (kind as Kind, number))
    }

    /// The number of a file or of data.
    pub(super) fn lookup(&self, kind: NamedKind, name: &str) -> Option<u32> {
        let number_of = match kind {
            NamedKind::File => &self.expanded.files.number_of,
            NamedKind::Data => &self.expanded.data.number_of,
        };
        number_of.get(name).copied()
    }

    /// Reports a file or data that is not defined.
    pub(super) fn no_such_file(&mut self, kind: NamedKind, name: &str, within: Span) {
        let expanded = self.expanded;
        let (what, list) = match kind {
            NamedKind::File => ("file", "files"),
            NamedKind::Data => ("user data", "user_data"),
        };
        let near = match kind {
            _ if self.findings.is_full() => None,
            NamedKind::File => nearest(name, expanded.files.names()),
            NamedKind::Data => nearest(name, expanded.data.names()),
        };
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("define it under `{list}`"),
        };
        let span = self.findings.source().find(within, name);
        self.findings.error(span, format!("there is no {what} `{name}`")).help(help);
    }

    pub(super) fn wait_for_writers(&mut self, job: u32, kind: Kind, number: u32) {
        let Some(writers) = self.uses.writers.get(&(kind, number)) else { return };
        // They are in the order of their numbers.
        if writers.len() < 2 || writers.binary_search(&job).is_ok() {
            let count = writers.len();
            if !self.spend_dependencies(count, self.span_of(job)) {
                return;
            }
            let Some(writers) = self.uses.writers.get(&(kind, number)) else { return };
            self.now.extend(writers.iter().filter(|writer| **writer != job));
            return;
        }
        let groups = &mut self.order.groups;
        let group = *self.uses.groups.entry((kind, number)).or_insert_with(|| {
            groups.push(writers.clone());
            (groups.len() - 1) as u32
        });
        self.order.after_groups.push(group);
    }
}
