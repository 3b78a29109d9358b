//! What is to be said about a text: collected while it is read, shown with the lines it is about.

use std::fmt;
use std::sync::Arc;

use annotate_snippets::Renderer;

use super::{Format, Node, SourceText, Span};

/// How much a [`Diagnostic`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something that works, and is likely not what was meant.
    Warning,
    /// Something that cannot be run.
    Error,
}

/// One thing to be said about a file: what is wrong, where, and what to do.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    pub(super) severity: Severity,
    pub(super) message: String,
    pub(super) label: String,
    pub(super) help: Option<String>,
    pub(super) also: Vec<(Span, String)>,
    /// What is shown of the place.
    pub(super) span: Span,
    /// The whole place.
    pub(super) extent: Span,
    pub(super) source: Option<Arc<SourceText>>,
    /// The path of the value inside of its file, where it is shown.
    pub(super) path: Option<String>,
    /// The same, where the place shows it well enough.
    pub(super) path_at: Option<String>,
    /// Whether the text at the place is not to be shown.
    pub(super) concealed: bool,
}

impl Diagnostic {
    /// Whether it is an error or a warning.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// What is wrong, without its place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The path of the value that it is about, such as `source.urls[0]`, where that is known.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref().or(self.path_at.as_deref())
    }

    /// The file, or in words what else it is about: an environment variable.
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

    /// Notes the path of the value that it is about.
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

/// Everything that is to be said about a file, in the order of its lines.
///
/// Prints itself with the lines it is about, one diagnostic after another.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    /// How many more there were.
    more: usize,
}

impl Diagnostics {
    /// Says that a text cannot be read at all, and why.
    pub fn unreadable(name: &str, reason: &str) -> Self {
        let diagnostic = Diagnostic {
            severity: Severity::Error,
            message: format!("`{name}` cannot be read: {reason}"),
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

    /// How many errors there are.
    pub fn errors(&self) -> usize {
        self.more + self.iter().filter(|one| one.severity == Severity::Error).count()
    }

    /// How many warnings there are.
    pub fn warnings(&self) -> usize {
        self.iter().filter(|one| one.severity == Severity::Warning).count()
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds what is to be said about another text.
    pub fn append(&mut self, mut other: Self) {
        let room = MAX_FINDINGS.saturating_sub(self.list.len()).min(other.list.len());
        self.list.extend(other.list.drain(..room));
        self.more += other.errors();
    }

    /// The text with colours, for a terminal.
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

/// So many errors are kept; the rest is counted.
const MAX_FINDINGS: usize = 200;

/// Collects what is found in one source.
pub struct Findings {
    source: Arc<SourceText>,
    found: Diagnostics,
    /// Takes what is said of an error that is not kept.
    surplus: Option<Diagnostic>,
}

impl Findings {
    /// Nothing yet about this text.
    pub fn new(source: &Arc<SourceText>) -> Self {
        Self { source: Arc::clone(source), found: Diagnostics::default(), surplus: None }
    }

    /// Findings that nobody reads, about what has been checked before.
    pub fn silent() -> Self {
        Self::new(&SourceText::new("", ""))
    }

    /// The text that it is about.
    pub fn source(&self) -> &Arc<SourceText> {
        &self.source
    }

    /// Whether anything found so far keeps the file from being run.
    pub fn has_errors(&self) -> bool {
        self.found.errors() > 0
    }

    /// Whether further errors are only counted, so that cures need not be looked for.
    pub fn is_full(&self) -> bool {
        self.found.list.len() >= MAX_FINDINGS
    }

    /// Whether an error has been found inside of the place.
    pub fn has_errors_in(&self, place: Span) -> bool {
        let errors = self.found.list.iter().filter(|one| one.severity == Severity::Error);
        errors.into_iter().any(|one| place.start <= one.span.start && one.span.end <= place.end)
    }

    /// Adds an error at a place; more can be said of it with what is returned.
    pub fn error(&mut self, span: Span, message: impl Into<String>) -> DiagnosticBuilder<'_> {
        self.add(Severity::Error, span, message.into())
    }

    /// Adds a warning at a place, as [`error`](Self::error) does.
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

    /// What was found, in the order of the lines, each with the path of its value in the file.
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

    /// What was found, in the order of the lines.
    pub fn finish(self) -> Diagnostics {
        let mut found = self.found;
        found.list.sort_by_key(|one| one.span.start);
        found
    }
}

/// A diagnostic that can be added to.
pub struct DiagnosticBuilder<'a>(&'a mut Diagnostic);

impl DiagnosticBuilder<'_> {
    /// What stands beside the place.
    pub fn label(self, label: impl Into<String>) -> Self {
        self.0.label = label.into();
        self
    }

    /// What to do.
    pub fn help(self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// The path of the value inside of its file.
    pub fn path(self, path: impl Into<String>) -> Self {
        self.0.path = Some(path.into()).filter(|path| !path.is_empty());
        self
    }

    /// Keeps what is written at the place to itself.
    pub fn conceal(self) -> Self {
        self.0.concealed = true;
        self
    }

    /// Another place that matters.
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
