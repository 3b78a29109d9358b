//! Dependencies by files and data: a job that reads one waits for the jobs that write it.

use std::collections::HashMap;

use super::Finder;
use super::texts::{report, report_unknown};
use crate::document::Span;
use crate::spec::Text;
use crate::spec::template::{NamedKind, Template, Use};
use crate::words::did_you_mean;

/// The jobs that write each file and each data entry.
#[derive(Default)]
pub(super) struct Uses {
    writers: HashMap<(Kind, u32), Vec<u32>>,
    /// The group of the writers, if several jobs wait for several writers.
    groups: HashMap<(Kind, u32), u32>,
}

pub(super) type Kind = u8;

/// The files that jobs have to find and to leave.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileUses {
    /// The files that a job reads and no job writes.
    pub(crate) unwritten: Numbers,
    /// The files that a job writes.
    pub(crate) written: Numbers,
}

/// The numbers of files for each job, in one list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers {
    list: Vec<u32>,
    ends: Vec<u32>,
}

impl Numbers {
    pub(crate) fn of(&self, job: u32) -> &[u32] {
        super::part(&self.list, &self.ends, job as usize)
    }

    /// Adds the files of the next job.
    fn push(&mut self, files: impl Iterator<Item = u32>) {
        let start = self.list.len();
        self.list.extend(files);
        self.list[start..].sort_unstable();
        let mut last = None;
        let mut kept = start;
        for at in start..self.list.len() {
            let file = self.list[at];
            if last.replace(file) != Some(file) {
                self.list[kept] = file;
                kept += 1;
            }
        }
        self.list.truncate(kept);
        self.ends.push(kept as u32);
    }
}

const FILE: Kind = NamedKind::File as Kind;

impl Finder<'_> {
    pub(super) fn find_writers(&mut self) {
        for job in 0..self.expanded.jobs.len() as u32 {
            if self.is_too_large {
                return;
            }
            let used = self.used(job, Use::Output);
            let files = used.iter().filter(|(kind, _)| *kind == FILE);
            self.order.files.written.push(files.map(|(_, number)| *number));
            for (kind, number) in used {
                self.uses.writers.entry((kind, number)).or_default().push(job);
            }
        }
    }

    /// Waits for the writers of what the job reads, and records the files without a writer.
    pub(super) fn wait_for_inputs(&mut self, job: u32) {
        let used = self.used(job, Use::Input);
        let writers = &self.uses.writers;
        let by_others = |used: &(Kind, u32)| {
            writers.get(used).is_some_and(|writers| writers.iter().any(|writer| *writer != job))
        };
        let unwritten = used.iter().filter(|used| used.0 == FILE && !by_others(used));
        self.order.files.unwritten.push(unwritten.map(|(_, number)| *number));
        for (kind, number) in used {
            self.wait_for_writers(job, kind, number);
        }
    }

    /// The files and data that a job reads or writes, by number.
    fn used(&mut self, job: u32, use_as: Use) -> Vec<(Kind, u32)> {
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
                let wanted = self.substituted(job, &name.value);
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
            let within = *within;
            let substituted = self.substituted(job, written);
            match Template::parse(&substituted) {
                Ok(template) => {
                    for (kind, use_as, name) in template.named() {
                        if use_as == wanted {
                            used.extend(self.number(job, kind, name, within));
                        }
                    }
                    if wanted == Use::Output && self.is_first(job) {
                        report_unknown(template.expressions(), within, self.findings);
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
        let otherwise = || format!("define it under `{list}`");
        let help = match kind {
            _ if self.findings.is_full() => otherwise(),
            NamedKind::File => did_you_mean(name, expanded.files.names(), otherwise),
            NamedKind::Data => did_you_mean(name, expanded.data.names(), otherwise),
        };
        let span = self.findings.source().find(within, name);
        self.findings.error(span, format!("there is no {what} `{name}`")).help(help);
    }

    fn wait_for_writers(&mut self, job: u32, kind: Kind, number: u32) {
        let Some(writers) = self.uses.writers.get(&(kind, number)) else { return };
        // Sorted by number.
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
