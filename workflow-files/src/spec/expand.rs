//! Expands the entries of a file to jobs and files: one for each copy, with its name.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::parameters::{EntryParameters, names_in_braces};
use super::{
    HandlerSpec, JobEntry, ParameterGrid, ResourceSpec, Text, WorkflowSpec, near_misses,
    scripts_that_read, substitute, texts_of,
};
use crate::document::{Findings, Span};
use workflow_core::id::JobName;

/// One job: which entry it is a copy of, which copy, and its name.
#[derive(Debug, Clone)]
pub(crate) struct ExpandedJob {
    pub(crate) entry: u32,
    pub(crate) copy: u32,
    pub(crate) name: Box<str>,
}

/// Everything that the entries of a file expand to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expanded {
    pub(crate) jobs: Vec<ExpandedJob>,
    /// The parameters of each entry of `jobs`.
    pub(crate) grids: Vec<ParameterGrid>,
    /// Each job by its name; where copies share a name, the first.
    pub(crate) job_of: HashMap<Box<str>, u32>,
    /// The copies that share a name, by that name.
    pub(crate) shared: HashMap<Box<str>, Vec<u32>>,
    pub(crate) files: Named<Box<str>>,
    pub(crate) data: Named<DataPlace>,
    /// The texts of each entry of `jobs` that contain placeholders. They are found once, not for
    /// each of up to a million copies.
    texts: Vec<Arc<[Placed]>>,
    /// The scripts of each entry of `failure_handlers` that may read jobs.
    scripts: Vec<Arc<[Placed]>>,
    /// The entries of `failure_handlers` by name; of two with one name, the first.
    handler_of: HashMap<Box<str>, u32>,
    /// The entries of `resource_requirements` by name; of two with one name, the first.
    resources_of: HashMap<Box<str>, u32>,
    pub(crate) constants: ParameterGrid,
}

/// A text and its place.
pub(crate) type Placed = (Box<str>, Span);

fn placed<'t>(texts: impl Iterator<Item = (&'t str, Span)>) -> Arc<[Placed]> {
    texts.map(|(text, span)| (Box::from(text), span)).collect()
}

/// An entry of `user_data` and the number of a copy of it.
#[derive(Debug, Clone)]
pub(crate) struct DataPlace {
    entry: u32,
    copy: u32,
    grid: Arc<ParameterGrid>,
}

/// Named items: files with their paths, or data.
#[derive(Debug, Clone)]
pub(crate) struct Named<T> {
    pub(crate) list: Vec<(Box<str>, T)>,
    pub(crate) number_of: HashMap<Box<str>, u32>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { list: Vec::new(), number_of: HashMap::new() }
    }
}

impl<T> Named<T> {
    fn add(&mut self, name: Box<str>, thing: T) -> bool {
        let number = self.list.len() as u32;
        let is_new = self.number_of.insert(name.clone(), number).is_none();
        self.list.push((name, thing));
        is_new
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|(name, _)| &**name)
    }
}

/// Makes the copies, whose number [`check_size`](super::check_size) has checked.
pub(crate) fn expand(spec: &WorkflowSpec, findings: &mut Findings) -> Expanded {
    let constants = ParameterGrid::constants(&spec.variables);
    let mut expanded = Expanded {
        handler_of: numbered(spec.failure_handlers.iter().map(|handler| &handler.name)),
        resources_of: numbered(spec.resource_requirements.iter().map(|needs| &needs.name)),
        scripts: spec.failure_handlers.iter().map(|it| placed(scripts_that_read(it))).collect(),
        constants: constants.clone(),
        ..Expanded::default()
    };
    expanded.jobs.reserve(spec.jobs.0.len());
    expanded.job_of.reserve(spec.jobs.0.len());
    for (entry, job) in spec.jobs.0.iter().enumerate() {
        let grid = grid_of(spec, job, &constants, findings).unwrap_or_else(ParameterGrid::none);
        let named = spec.jobs.0.as_slice();
        expanded.add_copies(entry as u32, named, &grid, &constants, findings);
        expanded.grids.push(grid);
        let texts = texts_of(job).filter(|(text, _)| text.contains("${"));
        expanded.texts.push(placed(texts));
    }
    for file in &spec.files {
        let written = EntryParameters::of_file(file, spec);
        let grid = written.grid(&constants, findings).unwrap_or_else(ParameterGrid::none);
        let path = |copy| Box::from(text(&file.path.value, &grid, copy, &constants));
        add_named(&mut expanded.files, "file", &file.name, &grid, &constants, path, findings);
    }
    for (entry, data) in spec.user_data.iter().enumerate() {
        let written = EntryParameters::of_data(data, spec);
        let grid = written.grid(&constants, findings).unwrap_or_else(ParameterGrid::none);
        let shared = Arc::new(grid.clone());
        let place =
            |copy| DataPlace { entry: entry as u32, copy: copy as u32, grid: Arc::clone(&shared) };
        add_named(&mut expanded.data, "data entry", &data.name, &grid, &constants, place, findings);
    }
    expanded
}

fn grid_of(
    spec: &WorkflowSpec,
    job: &JobEntry,
    constants: &ParameterGrid,
    findings: &mut Findings,
) -> Option<ParameterGrid> {
    let Some(rest) = &job.rest else { return Some(ParameterGrid::none()) };
    EntryParameters::of_job(rest, spec).grid(constants, findings)
}

/// The position of each name in a list; of two that are equal, the first.
fn numbered<'a>(names: impl Iterator<Item = &'a Text>) -> HashMap<Box<str>, u32> {
    let mut numbers = HashMap::new();
    for (number, name) in (0..).zip(names) {
        numbers.entry(name.value.clone()).or_insert(number);
    }
    numbers
}

/// A text with its parameters and constants substituted.
pub(crate) fn text(
    text: &str,
    grid: &ParameterGrid,
    copy: usize,
    constants: &ParameterGrid,
) -> String {
    let substituted = substitute(text, grid, copy);
    substitute(&substituted, constants, 0).into_owned()
}

fn add_named<T>(
    named: &mut Named<T>,
    what: &str,
    name: &Text,
    grid: &ParameterGrid,
    constants: &ParameterGrid,
    thing: impl Fn(usize) -> T,
    findings: &mut Findings,
) {
    let mut repeated = None;
    for copy in 0..grid.count() {
        let copy_name = text(&name.value, grid, copy, constants).into_boxed_str();
        if named.number_of.contains_key(&copy_name) {
            repeated.get_or_insert(copy_name);
        } else {
            named.add(copy_name, thing(copy));
        }
    }
    if let Some(repeated) = repeated {
        let message = format!("there are two {what}s named `{repeated}`");
        findings
            .error(name.span, message)
            .help("rename one of them, or put each parameter into the name: `data_{i}`");
    }
}

impl Expanded {
    /// A text of a job with its parameters and constants substituted.
    pub(crate) fn substituted(&self, job: u32, written: &str) -> String {
        let job = &self.jobs[job as usize];
        text(written, &self.grids[job.entry as usize], job.copy as usize, &self.constants)
    }

    /// The texts of a job that contain placeholders, as its entry has them.
    pub(crate) fn texts_of(&self, job: u32) -> &[Placed] {
        &self.texts[self.jobs[job as usize].entry as usize]
    }

    /// The scripts of a job's failure handler that may read jobs, as the handler has them.
    pub(crate) fn scripts_of(&self, spec: &WorkflowSpec, job: u32) -> &[Placed] {
        let entry = self.jobs[job as usize].entry as usize;
        let rest = spec.jobs.0[entry].rest.as_deref();
        let Some(name) = rest.and_then(|rest| rest.failure_handler.as_ref()) else { return &[] };
        match self.handler_of.get(&*self.substituted(job, &name.value)) {
            Some(number) => &self.scripts[*number as usize],
            None => &[],
        }
    }

    /// A text that belongs to no job, with constants substituted.
    pub(crate) fn constant(&self, written: &str) -> String {
        substitute(written, &self.constants, 0).into_owned()
    }

    /// The failure handler of this name.
    pub(crate) fn handler<'s>(
        &self,
        spec: &'s WorkflowSpec,
        name: &str,
    ) -> Option<&'s HandlerSpec> {
        self.handler_of.get(name).map(|number| &spec.failure_handlers[*number as usize])
    }

    /// The resource requirements of this name.
    pub(crate) fn resources<'s>(
        &self,
        spec: &'s WorkflowSpec,
        name: &str,
    ) -> Option<&'s ResourceSpec> {
        self.resources_of.get(name).map(|number| &spec.resource_requirements[*number as usize])
    }

    /// Named data with parameters and constants substituted in its texts.
    pub(crate) fn data_of(&self, spec: &WorkflowSpec, name: &str) -> Json {
        let Some(number) = self.data.number_of.get(name) else { return Json::Null };
        let place = &self.data.list[*number as usize].1;
        let written = spec.user_data[place.entry as usize].data.as_ref();
        let fill = |written: &str| text(written, &place.grid, place.copy as usize, &self.constants);
        written.map_or(Json::Null, |written| with_texts(&written.value, &fill))
    }

    fn add_copies(
        &mut self,
        entry: u32,
        entries: &[JobEntry],
        grid: &ParameterGrid,
        constants: &ParameterGrid,
        findings: &mut Findings,
    ) {
        let job = &entries[entry as usize];
        let first = self.jobs.len() as u32;
        let mut sharing = Vec::new();
        for copy in 0..grid.count() {
            let name = text(&job.name.value, grid, copy, constants).into_boxed_str();
            if copy == 0
                && let Err(error) = JobName::new(name.to_string())
            {
                findings.error(job.name.span, format!("invalid job name: {error}"));
                return;
            }
            let number = self.jobs.len() as u32;
            let name = match self.job_of.get(&name).copied() {
                None => name,
                Some(other) if other >= first => {
                    let free = self.share(&name, other, number);
                    sharing.push(name);
                    free
                }
                Some(other) => {
                    let earlier = self.jobs[other as usize].entry as usize;
                    repeated(&name, entries[earlier].name.span, job, findings);
                    return;
                }
            };
            self.job_of.insert(name.clone(), number);
            self.jobs.push(ExpandedJob { entry, copy: copy as u32, name });
        }
        if !sharing.is_empty() {
            self.warn_of_sharing(job, sharing, grid, findings);
        }
        for (name, near) in near_misses(&job.name.value, grid) {
            let span = findings.source().find(job.name.span, name);
            let message = format!("`{{{name}}}` is not a parameter of this job");
            findings.warning(span, message).help(format!("did you mean `{{{near}}}`?"));
        }
    }

    /// Warns about copies that share a name; `repeated` has the names of all but the first of each.
    fn warn_of_sharing(
        &self,
        job: &JobEntry,
        mut repeated: Vec<Box<str>>,
        grid: &ParameterGrid,
        findings: &mut Findings,
    ) {
        let name = repeated[0].clone();
        repeated.sort_unstable();
        repeated.dedup();
        let jobs: usize = repeated.iter().map(|name| self.shared[name].len()).sum();
        let message = match repeated.len() {
            1 => format!("{jobs} jobs share the name `{name}`"),
            names => format!("{jobs} jobs share {names} names, such as `{name}`"),
        };
        let written: Vec<&str> = names_in_braces(&job.name.value).collect();
        let help = match grid.names().find(|parameter| !written.contains(parameter)) {
            Some(parameter) => format!(
                "put `{{{parameter}}}` into the name; or, if one job should wait for all others, \
                 remove `parameters` and use `depends_on_regexes`"
            ),
            None => "different values make the same text here: remove one, or write it \
                     differently"
                .to_owned(),
        };
        findings
            .warning(job.name.span, message)
            .label("their names get `_2`, `_3`, and so on")
            .help(help);
    }

    fn share(&mut self, name: &str, first: u32, number: u32) -> Box<str> {
        let sharing = self.shared.entry(name.into()).or_insert_with(|| vec![first]);
        sharing.push(number);
        let mut nth = sharing.len();
        loop {
            let free = format!("{name}_{nth}").into_boxed_str();
            if !self.job_of.contains_key(&free) {
                return free;
            }
            nth += 1;
        }
    }
}

fn repeated(name: &str, earlier: Span, job: &JobEntry, findings: &mut Findings) {
    findings
        .error(job.name.span, format!("two jobs are named `{name}`"))
        .label("duplicate")
        .also(earlier, "first here")
        .help("give one of them another name");
}

/// A value with its texts changed.
fn with_texts(json: &Json, change: &dyn Fn(&str) -> String) -> Json {
    match json {
        Json::String(text) => Json::String(change(text)),
        Json::Array(items) => items.iter().map(|item| with_texts(item, change)).collect(),
        Json::Object(entries) => {
            let entries = entries.iter();
            entries.map(|(key, value)| (key.clone(), with_texts(value, change))).collect()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_entries_with_one_name_counts() {
        let name = |name: &str| Text { value: name.into(), span: Span::default() };
        let names = [name("small"), name("large"), name("small")];
        let numbers = numbered(names.iter());
        assert_eq!((numbers["small"], numbers["large"], numbers.len()), (0, 1, 2));
    }
}
