//! Places of values: the layer, and the position in a file.

use std::sync::Arc;

use super::path::Path;
use workflow_files::document::{Diagnostics, Findings, SourceText, Span};

/// The layer of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Layer {
    Default,
    File,
    /// The variable.
    Environment(Arc<str>),
    /// The path of the override.
    Override(Arc<str>),
}

#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) layer: Layer,
    pub(super) source: Arc<SourceText>,
    pub(super) span: Span,
}

impl Place {
    /// The place of the program's defaults.
    pub(super) fn defaults() -> Self {
        Self::elsewhere(Layer::Default, "defaults".to_owned())
    }

    pub(super) fn environment(variable: &str) -> Self {
        let name = format!("environment variable `{variable}`");
        Self::elsewhere(Layer::Environment(variable.into()), name)
    }

    pub(super) fn given(path: &str) -> Self {
        Self::elsewhere(Layer::Override(path.into()), format!("override `{path}`"))
    }

    fn elsewhere(layer: Layer, name: String) -> Self {
        Self { layer, source: SourceText::elsewhere(name), span: Span::default() }
    }

    /// The first line of a place with several.
    pub(super) fn first_line(&self) -> Self {
        let line = self.source.slice(self.span).lines().next().unwrap_or_default();
        let start = self.span.start as usize;
        Self { span: Span::new(start, start + line.len()), ..self.clone() }
    }

    /// Makes an error at this place.
    pub(super) fn error(&self, path: &Path<'_>, message: String, help: &str) -> Diagnostics {
        let mut findings = Findings::new(&self.source);
        let diagnostic = findings.error(self.span, message).path(path.to_string());
        if !help.is_empty() {
            diagnostic.help(help);
        }
        findings.finish()
    }
}
