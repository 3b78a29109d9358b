//! The names that jobs may refer to, with lookup in constant time.

use std::collections::HashSet;

use super::{Text, WorkflowSpec};
use crate::document::Findings;
use crate::words::did_you_mean;

/// What jobs may refer to, apart from other jobs.
pub(super) struct Known<'a> {
    pub(super) handlers: Names<'a>,
    pub(super) resources: Names<'a>,
    pub(super) limits: Names<'a>,
}

impl<'a> Known<'a> {
    pub(super) fn of(spec: &'a WorkflowSpec) -> Self {
        let handlers = spec.failure_handlers.iter().map(|handler| &handler.name);
        let resources = spec.resource_requirements.iter().map(|needs| &needs.name);
        let limits = spec.limits.0.iter().map(|(name, _)| name);
        Self {
            handlers: Names::new("failure handler", "failure_handlers", handlers),
            resources: Names::new("resource requirements", "resource_requirements", resources),
            limits: Names::new("limit", "limits", limits),
        }
    }
}

/// The names in a list of the file.
pub(super) struct Names<'a> {
    what: &'static str,
    list: &'static str,
    in_order: Vec<&'a str>,
    set: HashSet<&'a str>,
}

impl<'a> Names<'a> {
    fn new(what: &'static str, list: &'static str, names: impl Iterator<Item = &'a Text>) -> Self {
        let in_order: Vec<&str> = names.map(|name| &*name.value).collect();
        let set = in_order.iter().copied().collect();
        Self { what, list, in_order, set }
    }

    /// Reports an unknown name.
    pub(super) fn check(&self, name: Option<&Text>, findings: &mut Findings) {
        let Some(name) = name else { return };
        if name.value.contains('{') || self.set.contains(&*name.value) {
            return;
        }
        let otherwise = || format!("define it under `{}`", self.list);
        let help = did_you_mean(&name.value, self.in_order.iter().copied(), otherwise);
        findings
            .error(name.span, format!("no {} `{}` in this file", self.what, name.value))
            .help(help);
    }
}
