//! The texts of a job that may contain placeholders.

use serde_json::Value as Json;

use crate::document::{Findings, Span, Spanned};
use crate::spec::template::TemplateError;
use crate::spec::{Expression, HandlerSpec, JobEntry, JobSpec, Text};

/// The texts of an entry that may contain placeholders; `when` is itself an expression.
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

/// The recovery scripts of a failure handler that seem to read results of jobs.
pub(crate) fn scripts_that_read(handler: &HandlerSpec) -> impl Iterator<Item = (&str, Span)> {
    let scripts = handler.rules.iter().filter_map(|rule| rule.recovery_script.as_ref());
    let reading = scripts.filter(|text| text.value.contains("${{") && text.value.contains("jobs"));
    reading.map(|text| (&*text.value, text.span))
}

/// The most scripts of one failure handler that may read jobs: each job of the handler checks all.
pub(super) const MAX_SCRIPTS: usize = 100;

/// The texts in a value.
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

/// Reports the mistake in a text with placeholders.
pub(super) fn report(error: &TemplateError, within: Span, findings: &mut Findings) {
    let span = findings.source().find(within, &error.part);
    findings.error(span, error.message.clone()).help(error.help);
}

/// Reports the unknown names in expressions, each once.
pub(super) fn report_unknown<'e>(
    expressions: impl IntoIterator<Item = &'e Expression>,
    within: Span,
    findings: &mut Findings,
) {
    for expression in expressions {
        for unknown in expression.unknown_names() {
            let source = expression.source();
            let span = findings.source().find_range(within, source, unknown.place);
            if !findings.has_errors_in(span) {
                findings.error(span, unknown.message).help(unknown.help);
            }
        }
    }
}
