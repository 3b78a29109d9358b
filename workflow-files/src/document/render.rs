//! Renders diagnostics with the lines that they are about.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::{Diagnostic, Severity, SourceText, Span};

impl Diagnostic {
    pub(super) fn render(&self, renderer: &Renderer) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = match &self.path {
            Some(path) => shown(&format!("`{path}`: {}", self.message)),
            None => shown(&self.message),
        };
        let help = self.help.as_deref().map(shown);
        let mut group = Group::with_title(level.primary_title(title));
        if let Some(source) =
            self.source.as_ref().filter(|source| self.concealed || !source.is_file)
        {
            group = group.element(self.whereabouts(source));
            if !self.label.is_empty() {
                group = group.element(Level::NOTE.message(shown(&self.label)));
            }
        } else if let Some(source) = &self.source {
            group = self.excerpts(source, group);
        }
        if let Some(help) = &help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        // The renderer shows the control codes of ASCII in the lines of the file, and no others.
        let rendered = renderer.render(&[group]);
        rendered.chars().map(|letter| if is_odd(letter) { UNSEEN } else { letter }).collect()
    }

    /// Adds the lines of its spans.
    fn excerpts<'a>(&'a self, source: &'a SourceText, mut group: Group<'a>) -> Group<'a> {
        let primary = AnnotationKind::Primary;
        let (line, lines) = source.lines_around(self.span);
        if lines.len() > LONG {
            let part = source.window(self.span);
            let snippet = Snippet::source(source.slice(part)).line_start(line);
            let mut shown = Shown { part, snippet };
            shown.annotate(primary, self.span, &self.label);
            // The columns of the snippet count from where it was cut.
            return group.element(self.whereabouts(source)).element(shown.snippet);
        }
        let near: Vec<_> =
            self.also.iter().filter(|(span, _)| self.is_near(source, *span)).collect();
        let spans = near.iter().map(|(span, _)| *span).chain([self.span]);
        let all = spans.reduce(|a, b| Span { start: a.start.min(b.start), end: a.end.max(b.end) });
        let mut snippet = snippet(source, all.unwrap_or(self.span));
        snippet.annotate(primary, self.span, &self.label);
        for (span, label) in near {
            snippet.annotate(AnnotationKind::Context, *span, label);
        }
        group = group.element(snippet.snippet);
        for (span, label) in self.also.iter().filter(|(span, _)| !self.is_near(source, *span)) {
            let mut other = self::snippet(source, *span);
            other.annotate(AnnotationKind::Context, *span, label);
            group = group.element(other.snippet);
        }
        group
    }

    /// Its position, without the text there.
    fn whereabouts<'a>(&self, source: &'a SourceText) -> Origin<'a> {
        let origin = Origin::path(shown(source.name()));
        if !source.is_file {
            return origin;
        }
        let (line, column) = source.line_and_column(self.span.start);
        origin.line(line).char_column(column)
    }

    fn is_near(&self, source: &SourceText, other: Span) -> bool {
        let (line, _) = source.line_and_column(self.span.start);
        let (other, _) = source.line_and_column(other.start);
        line.abs_diff(other) <= NEAR
    }
}

/// A text with control codes replaced, which would act on a terminal.
fn shown(text: &str) -> String {
    let is_control = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t');
    text.chars().map(|letter| if is_control(letter) { UNSEEN } else { letter }).collect()
}

/// Whether it is a control code beyond ASCII, or reorders the text around it.
fn is_odd(letter: char) -> bool {
    let reorders = matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    matches!(letter, '\u{80}'..='\u{9f}') || reorders
}

/// Replaces a control code.
const UNSEEN: char = '\u{fffd}';

/// The largest distance, in lines, of spans in one snippet.
const NEAR: usize = 6;

/// Of longer lines, in bytes, only the text near the span is shown.
const LONG: usize = 4096;

/// An excerpt of a source, with spans inside of it.
struct Shown<'a> {
    part: Span,
    snippet: Snippet<'a, annotate_snippets::Annotation<'a>>,
}

fn snippet(source: &SourceText, span: Span) -> Shown<'_> {
    let (line, part) = source.lines_around(span);
    let text = source.slice(part).trim_end_matches(['\n', '\r']);
    let snippet = Snippet::source(text).path(shown(source.name())).line_start(line).fold(true);
    let part = Span { end: part.start + text.len() as u32, ..part };
    Shown { part, snippet }
}

impl<'a> Shown<'a> {
    fn annotate(&mut self, kind: AnnotationKind, span: Span, label: &'a str) {
        let within =
            |at: u32| (at.clamp(self.part.start, self.part.end) - self.part.start) as usize;
        let label = (!label.is_empty()).then(|| shown(label));
        let annotation = kind.span(within(span.start)..within(span.end)).label(label);
        let empty = Snippet::source("");
        let snippet = std::mem::replace(&mut self.snippet, empty);
        self.snippet = snippet.annotation(annotation);
    }
}
