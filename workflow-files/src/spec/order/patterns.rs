//! Patterns for names: compiled once, and matched within a budget.

use regex::Regex;

use super::Finder;
use super::files::Kind;
use crate::document::{Findings, Span};
use crate::spec::Text;
use crate::spec::expression::beginning;
use crate::spec::template::NamedKind;

const PATTERN_CURE: &str = "remove parameters from the pattern, so that it is evaluated once";
/// The size of the cache of compiled patterns.
const KEPT: usize = 64;

impl Finder<'_> {
    pub(super) fn matching(
        &mut self,
        job: u32,
        kind: NamedKind,
        pattern: &Text,
    ) -> Vec<(Kind, u32)> {
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
        let found: Vec<_> = matching.map(|(number, _)| (kind as Kind, number as u32)).collect();
        match self.spend_dependencies(found.len(), pattern.span) {
            true => found,
            false => Vec::new(),
        }
    }

    fn regex(&mut self, job: u32, pattern: &Text) -> Option<Regex> {
        let written = self.substituted(job, &pattern.value).into_boxed_str();
        if let Some(known) = self.regexes.get(&written) {
            return known.clone();
        }
        let regex = match self.limits.compile(&written) {
            Ok(regex) => Some(regex),
            Err(reason) => {
                no_pattern(&written, &reason, pattern.span, self.findings);
                None
            }
        };
        if self.regexes.len() >= KEPT {
            self.regexes.clear();
        }
        self.regexes.insert(written, regex.clone());
        regex
    }

    fn spend(&mut self, matches: usize, span: Span) -> bool {
        match self.limits.hold_against(matches) {
            Ok(()) => true,
            Err(message) => {
                self.stop(span, message, PATTERN_CURE);
                false
            }
        }
    }

    pub(super) fn wait_for_pattern(&mut self, job: u32, entry: u32, pattern: &Text) {
        let key = (entry, self.substituted(job, &pattern.value).into_boxed_str());
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
                .help("a pattern matches anywhere in a name: `^a$` matches only `a`");
            return None;
        }
        if !self.spend_dependencies(members.len(), pattern.span) {
            return None;
        }
        self.order.groups.push(members);
        Some((self.order.groups.len() - 1) as u32)
    }
}

/// A pattern that matches every copy of a name with parameters.
pub(super) fn pattern_of(name: &str) -> String {
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

/// Reports an invalid pattern.
pub(crate) fn no_pattern(pattern: &str, reason: &str, span: Span, findings: &mut Findings) {
    findings
        .error(span, format!("`{}` is not a valid pattern: {reason}", beginning(pattern)))
        .help("put `\\` before each of `.+*?()|[]{}^$` to match the character itself");
}
