//! Which job waits for which: what is said outright, by patterns, and by the files and data that
//! jobs hand to each other.

use std::collections::HashMap;

use regex::{Regex, RegexBuilder};
use serde_json::Value as Json;

use super::expression::{EXAMPLE, Expression};
use super::template::{NamedKind, Template, TemplateError, Use};
use super::{Expanded, JobEntry, JobSpec, Text, WorkflowSpec};
use crate::document::{Findings, Span, Spanned};
use crate::id::nearest;

/// How often, at most, patterns are held against names.
const MAX_MATCHES: usize = 50_000_000;
/// The largest compiled pattern, in bytes.
const MAX_PATTERN: usize = 1 << 20;

/// What each job waits for, flat: that of job `j` ends at `ends[j]` and begins where that of
/// `j - 1` ends.
#[derive(Debug, Default)]
pub(crate) struct Order {
    pub(crate) after: Vec<u32>,
    pub(crate) ends: Vec<u32>,
    /// Jobs that others wait for together.
    pub(crate) groups: Vec<Vec<u32>>,
    pub(crate) after_groups: Vec<u32>,
    pub(crate) group_ends: Vec<u32>,
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
        budget: MAX_MATCHES,
        uses: Uses::default(),
        now: Vec::new(),
    };
    finder.find_writers();
    for job in 0..expanded.jobs.len() {
        finder.find(job as u32);
    }
    finder.order
}

struct Finder<'a> {
    spec: &'a WorkflowSpec,
    expanded: &'a Expanded,
    findings: &'a mut Findings,
    order: Order,
    /// The group of a pattern, without the copies of the entry that asks for it.
    patterns: HashMap<(u32, Box<str>), Option<u32>>,
    regexes: HashMap<Box<str>, Option<Regex>>,
    budget: usize,
    uses: Uses,
    /// What the job at hand waits for.
    now: Vec<u32>,
}

/// Who writes which file and which data; who reads is looked at job by job.
#[derive(Default)]
struct Uses {
    writers: HashMap<(Kind, u32), Vec<u32>>,
    /// The group of the writers, once more than one job waits for more than one of them.
    groups: HashMap<(Kind, u32), u32>,
}

type Kind = u8;

impl<'a> Finder<'a> {
    fn filled(&self, job: u32, written: &str) -> String {
        self.expanded.filled(job, written)
    }

    /// Whether this is the first copy: what is wrong with an entry is said once.
    fn is_first(&self, job: u32) -> bool {
        self.expanded.jobs[job as usize].copy == 0
    }

    fn find_writers(&mut self) {
        for job in 0..self.expanded.jobs.len() as u32 {
            for (kind, number) in self.used(job, Use::Output) {
                self.uses.writers.entry((kind, number)).or_default().push(job);
            }
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

    /// The texts of a job in which places are filled in, where they have any.
    fn texts(&self, job: u32) -> Vec<(&'a str, Span)> {
        let spec: &'a WorkflowSpec = self.spec;
        let entry = &spec.jobs.0[self.expanded.jobs[job as usize].entry as usize];
        texts_of(entry).filter(|(text, _)| text.contains("${")).collect()
    }

    fn number(
        &mut self,
        job: u32,
        kind: NamedKind,
        name: &str,
        within: Span,
    ) -> Option<(Kind, u32)> {
        let expanded = self.expanded;
        let found = match kind {
            NamedKind::File => expanded.files.number_of.get(name),
            NamedKind::Data => expanded.data.number_of.get(name),
        };
        if found.is_none() && self.is_first(job) {
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
        found.map(|number| (kind as Kind, *number))
    }

    fn matching(&mut self, job: u32, kind: NamedKind, pattern: &Text) -> Vec<(Kind, u32)> {
        let expanded = self.expanded;
        let Some(regex) = self.regex(job, pattern) else { return Vec::new() };
        let names: Vec<&str> = match kind {
            NamedKind::File => expanded.files.names().collect(),
            NamedKind::Data => expanded.data.names().collect(),
        };
        if !self.spend(names.len(), pattern.span) {
            return Vec::new();
        }
        let matching = names.iter().enumerate().filter(|(_, name)| regex.is_match(name));
        matching.map(|(number, _)| (kind as Kind, number as u32)).collect()
    }

    fn regex(&mut self, job: u32, pattern: &Text) -> Option<Regex> {
        let written = self.filled(job, &pattern.value).into_boxed_str();
        if let Some(known) = self.regexes.get(&written) {
            return known.clone();
        }
        let built = RegexBuilder::new(&written).size_limit(MAX_PATTERN).build();
        let regex = match built {
            Ok(regex) => Some(regex),
            Err(error) => {
                no_pattern(&written, &error, pattern.span, self.findings);
                None
            }
        };
        self.regexes.insert(written, regex.clone());
        regex
    }

    fn spend(&mut self, matches: usize, span: Span) -> bool {
        let had = self.budget;
        self.budget = self.budget.saturating_sub(matches);
        if had > 0 && self.budget == 0 {
            self.findings
                .error(
                    span,
                    format!("patterns are held against names more than {MAX_MATCHES} times"),
                )
                .help("leave parameters out of the pattern, so that it is looked up once");
        }
        self.budget > 0
    }

    /// Finds what one job waits for.
    fn find(&mut self, job: u32) {
        self.now.clear();
        let spec = self.spec;
        let entry = self.expanded.jobs[job as usize].entry;
        let written = &spec.jobs.0[entry as usize];
        for name in &written.depends_on {
            let wanted = self.filled(job, &name.value);
            self.wait_for(job, &wanted, name.span);
        }
        self.wait_for_read_jobs(job);
        for (kind, number) in self.used(job, Use::Input) {
            self.wait_for_writers(job, kind, number);
        }
        if let Some(rest) = written.rest.as_deref() {
            for pattern in &rest.depends_on_regexes {
                self.wait_for_pattern(job, entry, pattern);
            }
        }
        self.now.sort_unstable();
        self.now.dedup();
        self.order.after.extend_from_slice(&self.now);
        self.order.ends.push(self.order.after.len() as u32);
        self.order.group_ends.push(self.order.after_groups.len() as u32);
    }

    fn wait_for(&mut self, job: u32, name: &str, within: Span) {
        if let Some(all) = self.expanded.shared.get(name) {
            self.now.extend(all.iter().filter(|other| **other != job));
            return;
        }
        match self.expanded.job_of.get(name) {
            Some(other) => self.now.push(*other),
            None if self.is_first(job) => self.unknown(job, name, within),
            None => {}
        }
    }

    fn unknown(&mut self, job: u32, name: &str, within: Span) {
        let waiting = &self.expanded.jobs[job as usize].name;
        let message = format!("job `{waiting}` waits for `{name}`, which is not defined");
        if self.findings.is_full() {
            self.findings.error(within, message);
            return;
        }
        // Where a parameter has been filled in, the name is not written as it reads.
        let span = self.findings.source().find(within, name);
        let names = self.expanded.jobs.iter().map(|job| &*job.name);
        let entry = self.spec.jobs.0.iter().find(|entry| *entry.name.value == *name);
        let help = match (entry, nearest(name, names)) {
            (Some(_), _) => {
                let pattern = pattern_of(name);
                format!("it stands for several jobs: use `depends_on_regexes: ['{pattern}']`")
            }
            (None, Some(near)) => format!("did you mean `{near}`?"),
            (None, None) => "define it, or remove this dependency".to_owned(),
        };
        self.findings.error(span, message).label("no job has this name").help(help);
    }

    /// Waits for the jobs whose outputs stand in the job's texts.
    fn wait_for_read_jobs(&mut self, job: u32) {
        let mut wanted = Vec::new();
        if let Some((condition, span)) = self.condition(job) {
            wanted.extend(condition.jobs().iter().map(|name| (name.clone(), span)));
        }
        for (written, within) in self.texts(job) {
            if let Ok(template) = Template::parse(&self.filled(job, written)) {
                let jobs = template.expressions().flat_map(|one| one.jobs().to_vec());
                wanted.extend(jobs.map(|name| (name, within)));
            }
        }
        for (name, span) in wanted {
            self.wait_for(job, &name, span);
        }
    }

    /// The expression of a `when`.
    fn condition(&mut self, job: u32) -> Option<(Expression, Span)> {
        let spec = self.spec;
        let entry = self.expanded.jobs[job as usize].entry as usize;
        let when = spec.jobs.0[entry].rest.as_deref()?.when.as_ref()?;
        match Expression::condition(&self.filled(job, &when.value)) {
            Ok(expression) => Some((expression, when.span)),
            Err(reason) => {
                if self.is_first(job) {
                    self.findings.error(when.span, reason).help(EXAMPLE);
                }
                None
            }
        }
    }

    fn wait_for_writers(&mut self, job: u32, kind: Kind, number: u32) {
        let Some(writers) = self.uses.writers.get(&(kind, number)) else { return };
        if writers.len() < 2 || writers.contains(&job) {
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

    fn wait_for_pattern(&mut self, job: u32, entry: u32, pattern: &Text) {
        let key = (entry, self.filled(job, &pattern.value).into_boxed_str());
        let group = match self.patterns.get(&key) {
            Some(group) => *group,
            None => {
                let group = self.group_of(job, entry, pattern);
                self.patterns.insert(key, group);
                group
            }
        };
        self.order.after_groups.extend(group);
    }

    /// The jobs of other entries whose names match.
    fn group_of(&mut self, job: u32, entry: u32, pattern: &Text) -> Option<u32> {
        let expanded = self.expanded;
        let regex = self.regex(job, pattern)?;
        if !self.spend(expanded.jobs.len(), pattern.span) {
            return None;
        }
        let others = expanded.jobs.iter().enumerate().filter(|(_, other)| other.entry != entry);
        let matching = others.filter(|(_, other)| regex.is_match(&other.name));
        let members: Vec<u32> = matching.map(|(number, _)| number as u32).collect();
        if members.is_empty() {
            let message = format!("no job has a name that matches `{}`", pattern.value);
            self.findings
                .error(pattern.span, message)
                .help("names are matched anywhere: `^a$` matches `a` only");
            return None;
        }
        self.order.groups.push(members);
        Some((self.order.groups.len() - 1) as u32)
    }
}

/// The texts of an entry in which places may be filled in; `when` is an expression itself.
pub(crate) fn texts_of(entry: &JobEntry) -> impl Iterator<Item = (&str, Span)> {
    let rest = entry.rest.as_deref();
    let single = |field: fn(&JobSpec) -> &Option<Text>| rest.and_then(|rest| field(rest).as_ref());
    let texts = [
        entry.command.as_ref(),
        single(|rest| &rest.invocation_script),
        single(|rest| &rest.stdin),
        single(|rest| &rest.cwd),
    ];
    let variables = rest.into_iter().flat_map(|rest| &rest.env.0);
    texts
        .into_iter()
        .flatten()
        .map(|text| (&*text.value, text.span))
        .chain(variables.map(|(_, value)| (&*value.value.0, value.span)))
        .chain(rest.and_then(|rest| rest.with.as_ref()).into_iter().flat_map(texts_in))
}

/// The texts inside of a value.
fn texts_in(value: &Spanned<Json>) -> Vec<(&str, Span)> {
    let mut texts = Vec::new();
    let mut left = vec![&value.value];
    while let Some(json) = left.pop() {
        match json {
            Json::String(text) => texts.push((text.as_str(), value.span)),
            Json::Array(items) => left.extend(items),
            Json::Object(entries) => left.extend(entries.values()),
            _ => {}
        }
    }
    texts
}

/// A pattern for all that a name with parameters stands for.
fn pattern_of(name: &str) -> String {
    let mut pattern = String::from("^");
    let mut rest = name;
    while let Some((before, inside)) = rest.split_once('{') {
        pattern.push_str(&regex::escape(before));
        pattern.push_str(".*");
        rest = inside.split_once('}').map_or("", |(_, after)| after);
    }
    pattern.push_str(&regex::escape(rest));
    pattern.push('$');
    pattern
}

/// Reports a pattern that cannot be read.
pub(crate) fn no_pattern(pattern: &str, error: &regex::Error, span: Span, findings: &mut Findings) {
    let text = error.to_string();
    let reason = match error {
        regex::Error::CompiledTooBig(_) => "it is too large",
        // The last line says what is wrong; the lines before it show where, as a picture.
        _ => text.lines().last().unwrap_or_default().trim_start_matches("error: "),
    };
    findings
        .error(span, format!("`{pattern}` is no pattern: {reason}"))
        .help("put `\\` before each of `.+*?()|[]{}^$` that stands for itself");
}

/// Reports what is wrong with a text that has places.
pub(crate) fn report(error: &TemplateError, within: Span, findings: &mut Findings) {
    let span = findings.source().find(within, &error.part);
    findings.error(span, error.message.clone()).help(error.help);
}
