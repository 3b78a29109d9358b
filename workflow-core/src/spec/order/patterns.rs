//! Patterns for names: compiled once, and held against names within a budget.

use regex::{Regex, RegexBuilder};

use super::Finder;
use super::files::Kind;
use crate::document::{Findings, Span};
use crate::spec::Text;
use crate::spec::template::NamedKind;

/// How often, at most, patterns are held against names.
pub(super) const MAX_MATCHES: usize = 50_000_000;
/// The largest compiled pattern, in bytes.
const MAX_PATTERN: usize = 1 << 20;

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

    pub(super) fn wait_for_pattern(&mut self, job: u32, entry: u32, pattern: &Text) {
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

/// A pattern for all that a name with parameters stands for.
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
