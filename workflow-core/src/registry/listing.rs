//! Lists of registered workflows and jobs, with filters.

use serde_json::Value as Json;

use super::{Entry, JobEntry};

/// A list of registered workflows, sorted by name. The methods filter it.
#[derive(Debug, Clone)]
#[must_use]
pub struct Listing(Vec<Entry>);

impl Listing {
    pub(super) fn new(entries: Vec<Entry>) -> Self {
        Self(entries)
    }

    /// Keeps the workflows for which `keep` returns true.
    pub fn filter(mut self, keep: impl Fn(&Entry) -> bool) -> Self {
        self.0.retain(keep);
        self
    }

    /// Keeps the workflows of a project.
    pub fn project(self, project: &str) -> Self {
        self.filter(|entry| entry.project() == Some(project))
    }

    /// Keeps the workflows of a domain.
    pub fn domain(self, domain: &str) -> Self {
        self.filter(|entry| entry.domain() == Some(domain))
    }

    /// Keeps the workflows with a tag.
    pub fn tag(self, tag: &str) -> Self {
        self.filter(|entry| entry.metadata().tags().any(|other| other == tag))
    }

    /// Keeps the workflows whose metadata has this value at a path such as `team.members.0`.
    pub fn metadata(self, path: &str, value: impl Into<Json>) -> Self {
        let value = value.into();
        self.filter(|entry| entry.metadata().at(path) == Some(&value))
    }

    /// The number of workflows.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Iterates over the workflows.
    pub fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.0.iter()
    }
}

impl IntoIterator for Listing {
    type Item = Entry;
    type IntoIter = std::vec::IntoIter<Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Listing {
    type Item = &'a Entry;
    type IntoIter = std::slice::Iter<'a, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// An iterator over registered jobs, sorted by name.
#[derive(Clone)]
pub struct Jobs(std::vec::IntoIter<&'static JobEntry>);

impl Jobs {
    pub(super) fn new() -> Self {
        let mut jobs: Vec<&'static JobEntry> = inventory::iter::<JobEntry>().collect();
        jobs.sort_by_key(|job| (job.name, job.location.file, job.location.line));
        Self(jobs.into_iter())
    }
}

impl Iterator for Jobs {
    type Item = &'static JobEntry;

    fn next(&mut self) -> Option<&'static JobEntry> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Jobs {}
