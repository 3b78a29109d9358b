//! Diagnostics: errors and warnings about a text, collected while it is read, and shown with its
//! lines.

use std::fmt;
use std::sync::Arc;

use annotate_snippets::Renderer;

use super::{Format, Node, SourceText, Span};

/// The severity of a [`Diagnostic`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Works, but is probably not what was meant.
    Warning,
    /// Cannot be run.
    Error,
}

/// One error or warning about a file: what is wrong, where, and what to do.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    pub(super) severity: Severity,
    pub(super) message: String,
    pub(super) label: String,
    pub(super) help: Option<String>,
    pub(super) also: Vec<(Span, String)>,
    /// The part of the place that is shown.
    pub(super) span: Span,
    /// The whole place.
    pub(super) extent: Span,
    pub(super) source: Option<Arc<SourceText>>,
    /// The path of the value in its file, if it is shown.
    pub(super) path: Option<String>,
    /// The path, if the shown lines make it clear already.
    pub(super) path_at: Option<String>,
    /// Whether the text at the place is secret.
    pub(super) concealed: bool,
}

impl Diagnostic {
    /// Whether it is an error or a warning.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// The message, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The cure.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The path of the value, such as `source.urls[0]`, if it is known.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref().or(self.path_at.as_deref())
    }

    /// The name of the file, or a description of another source, such as an environment variable.
    pub fn file(&self) -> Option<&str> {
        self.source.as_ref().map(|source| source.name())
    }

    /// The line, from 1.
    pub fn line(&self) -> Option<usize> {
        self.place().map(|(line, _)| line)
    }

    /// The column, in characters from 1.
    pub fn column(&self) -> Option<usize> {
        self.place().map(|(_, column)| column)
    }

    /// Finds the path of the value.
    fn find_path(&mut self, tree: &Node) {
        self.path_at = Some(tree.path_at(self.extent)).filter(|path| !path.is_empty());
    }

    fn place(&self) -> Option<(usize, usize)> {
        let source = self.source.as_ref().filter(|source| source.is_file)?;
        Some(source.line_and_column(self.span.start))
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain()))
    }
}

/// All errors and warnings about a file, in the order of its lines.
///
/// `Display` shows each diagnostic with the lines that it is about.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    /// The number of further errors.
    more: usize,
}

impl Diagnostics {
    /// An error for a text that cannot be read at all.
    pub fn unreadable(name: &str, reason: &str) -> Self {
        let diagnostic = Diagnostic {
            severity: Severity::Error,
            message: format!("cannot read `{name}`: {reason}"),
            label: String::new(),
            help: None,
            also: Vec::new(),
            span: Span::default(),
            extent: Span::default(),
            source: None,
            path: None,
            path_at: None,
            concealed: false,
        };
        Self { list: vec![diagnostic], more: 0 }
    }

    /// The diagnostics, in the order of their lines.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// The number of errors.
    pub fn errors(&self) -> usize {
        self.more + self.iter().filter(|one| one.severity == Severity::Error).count()
    }

    /// The number of warnings.
    pub fn warnings(&self) -> usize {
        self.iter().filter(|one| one.severity == Severity::Warning).count()
    }

    /// Whether there are no errors and no warnings.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds the diagnostics of another text.
    pub fn append(&mut self, mut other: Self) {
        let room = MAX_FINDINGS.saturating_sub(self.list.len()).min(other.list.len());
        self.list.extend(other.list.drain(..room));
        self.more += other.errors();
    }

    /// Adds the diagnostics of another check of the same text, but for those that are there: with the
    /// same message, path and line.
    pub fn append_new(&mut self, mut other: Self) {
        let is_known = |one: &Diagnostic| {
            let same = |other: &Diagnostic| {
                (other.message(), other.path()) == (one.message(), one.path())
                    && other.line() == one.line()
            };
            self.iter().any(same)
        };
        other.list.retain(|one| !is_known(one));
        self.append(other);
    }

    /// The text with colours for a terminal.
    pub fn styled(&self) -> String {
        self.render(&Renderer::styled())
    }

    fn render(&self, renderer: &Renderer) -> String {
        let mut text: Vec<_> = self.list.iter().map(|one| one.render(renderer)).collect();
        if self.more > 0 {
            text.push(format!("and {} more errors", self.more));
        }
        text.join("\n\n")
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain()))
    }
}

impl std::error::Error for Diagnostics {}

/// The most diagnostics that are stored; further errors are only counted.
const MAX_FINDINGS: usize = 200;

/// Collects the diagnostics of one text.
pub struct Findings {
    source: Arc<SourceText>,
    found: Diagnostics,
    /// Receives the details of a diagnostic that is not stored.
    surplus: Option<Diagnostic>,
}

impl Findings {
    /// No diagnostics about this text yet.
    pub fn new(source: &Arc<SourceText>) -> Self {
        Self { source: Arc::clone(source), found: Diagnostics::default(), surplus: None }
    }

    /// Findings to be discarded, for a text that has been checked before.
    pub fn silent() -> Self {
        Self::new(&SourceText::new("", ""))
    }

    /// The text.
    pub fn source(&self) -> &Arc<SourceText> {
        &self.source
    }

    /// Whether there is an error so far.
    pub fn has_errors(&self) -> bool {
        self.found.errors() > 0
    }

    /// Whether further errors are only counted, so that searching for cures is useless.
    pub fn is_full(&self) -> bool {
        self.found.list.len() >= MAX_FINDINGS
    }

    /// Whether there is an error inside of a span.
    pub fn has_errors_in(&self, place: Span) -> bool {
        let errors = self.found.list.iter().filter(|one| one.severity == Severity::Error);
        errors.into_iter().any(|one| place.start <= one.span.start && one.span.end <= place.end)
    }

    /// Adds an error. Details are added with the returned builder.
    pub fn error(&mut self, span: Span, message: impl Into<String>) -> DiagnosticBuilder<'_> {
        self.add(Severity::Error, span, message.into())
    }

    /// Adds a warning, as [`error`](Self::error) does.
    pub fn warning(&mut self, span: Span, message: impl Into<String>) -> DiagnosticBuilder<'_> {
        self.add(Severity::Warning, span, message.into())
    }

    fn add(&mut self, severity: Severity, span: Span, message: String) -> DiagnosticBuilder<'_> {
        let extent = span;
        let span = if self.is_full() { span } else { self.source.shown(span) };
        let diagnostic = Diagnostic {
            severity,
            message,
            label: String::new(),
            help: None,
            also: Vec::new(),
            span,
            extent,
            source: Some(Arc::clone(&self.source)),
            path: None,
            path_at: None,
            concealed: false,
        };
        if self.found.list.len() < MAX_FINDINGS {
            self.found.list.push(diagnostic);
            let last = self.found.list.len() - 1;
            return DiagnosticBuilder(&mut self.found.list[last]);
        }
        self.found.more += usize::from(severity == Severity::Error);
        DiagnosticBuilder(self.surplus.insert(diagnostic))
    }

    /// Returns the diagnostics in the order of the lines, each with the path of its value.
    pub fn finish_with_paths(self, format: Format) -> Diagnostics {
        let source = Arc::clone(&self.source);
        let mut found = self.finish();
        if !found.list.is_empty()
            && let Some(tree) = source.parse(format, &mut Findings::new(&source))
        {
            found.list.iter_mut().for_each(|one| one.find_path(&tree));
        }
        found
    }

    /// Returns the diagnostics in the order of the lines.
    pub fn finish(self) -> Diagnostics {
        let mut found = self.found;
        found.list.sort_by_key(|one| one.span.start);
        found
    }
}

/// Adds details to a diagnostic.
pub struct DiagnosticBuilder<'a>(&'a mut Diagnostic);

impl DiagnosticBuilder<'_> {
    /// Sets the label beside the span.
    pub fn label(self, label: impl Into<String>) -> Self {
        self.0.label = label.into();
        self
    }

    /// Sets the cure.
    pub fn help(self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Sets the path of the value in its file.
    pub fn path(self, path: impl Into<String>) -> Self {
        self.0.path = Some(path.into()).filter(|path| !path.is_empty());
        self
    }

    /// Hides the text at the span.
    pub fn conceal(self) -> Self {
        self.0.concealed = true;
        self
    }

    /// Adds another span with its label.
    pub fn also(self, span: Span, label: impl Into<String>) -> Self {
        self.0.also.push((span, label.into()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_code_of_a_file_is_shown() {
        let codes = "\u{1b}[2J\u{1b}]0;x\u{7}\u{8}\u{7f}\u{9b}2J\u{202e}\r";
        let source =
            SourceText::new(format!("a{codes}.yaml"), format!("key: {codes}x\nother: y\n"));
        let mut findings = Findings::new(&source);
        findings
            .error(Span::new(5, 6), format!("wrong: {codes}"))
            .label(codes)
            .help(codes)
            .path(codes)
            .also(Span::new(6, 7), codes);
        let found = findings.finish();
        for letter in found.to_string().chars() {
            assert!(letter == '\n' || !letter.is_control() && letter != '\u{202e}', "{letter:?}");
        }
        let styled = found.styled();
        let own = without_colors(&styled);
        assert!(own.chars().all(|letter| letter == '\n' || !letter.is_control()), "{own:?}");
    }

    /// The text without colours.
    fn without_colors(text: &str) -> String {
        let mut parts = text.split("\u{1b}[");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| {
            let (codes, rest) = part.split_once('m').expect("a colour");
            assert!(codes.chars().all(|c| c.is_ascii_digit() || c == ';'), "{codes:?}");
            text + rest
        })
    }
}
