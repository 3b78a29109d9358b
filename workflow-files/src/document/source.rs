//! A text: where it came from, its lines, and the places in it.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::{Diagnostics, Findings, Format, Node, Span, json, yaml};
use crate::bounds::file;

/// A text and where it came from.
pub struct SourceText {
    name: String,
    text: String,
    /// Whether there are lines to show.
    pub(super) is_file: bool,
    /// Where each line begins.
    lines: Vec<u32>,
}

impl SourceText {
    /// A text, and the name that stands for it in diagnostics.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        let mut text: String = text.into();
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        let after_breaks = text.match_indices('\n').map(|(at, _)| at as u32 + 1);
        let lines = std::iter::once(0).chain(after_breaks).collect();
        Arc::new(Self { name: name.into(), text, is_file: true, lines })
    }

    /// What is no file and has no text to show, such as an environment variable; `name` says
    /// what it is.
    pub fn elsewhere(name: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: String::new(), is_file: false, lines: vec![0] })
    }

    /// Reads a file whole.
    pub fn load(path: &Path) -> Result<Arc<Self>, Diagnostics> {
        let name = path.display().to_string();
        let read = || -> Result<String, String> {
            let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
            if length > file::BYTES as u64 {
                return Err(too_long(length));
            }
            let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
            String::from_utf8(bytes).map_err(|error| {
                format!("it is not UTF-8 text, from byte {} on", error.utf8_error().valid_up_to())
            })
        };
        match read() {
            Ok(text) => Ok(Self::new(name, text)),
            Err(reason) => Err(Diagnostics::unreadable(&name, &reason)),
        }
    }

    /// The name that stands for it in diagnostics: the path of a file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All of it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is written at the place.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// Line and column, both from 1, the column in characters.
    pub fn line_and_column(&self, at: u32) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= at);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        (line.max(1), self.slice(Span { start, end: at }).chars().count() + 1)
    }

    /// The lines that the place touches, and where they begin.
    pub fn lines_around(&self, span: Span) -> (usize, Span) {
        let first = self.lines.partition_point(|start| *start <= span.start).max(1);
        let last = self.lines.partition_point(|start| *start < span.end.max(span.start + 1));
        let end = self.lines.get(last.max(first)).map_or(self.text.len() as u32, |next| *next);
        (first, Span { start: self.lines[first - 1], end })
    }

    /// The smallest place of whole characters that holds this one.
    fn whole(&self, span: Span) -> Span {
        let mut start = (span.start as usize).min(self.text.len());
        while !self.text.is_char_boundary(start) {
            start -= 1;
        }
        let mut end = (span.end as usize).min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        Span::new(start, end)
    }

    /// The place in whole characters, and of one that goes over more than a few lines the first:
    /// enough to find it.
    pub(super) fn shown(&self, span: Span) -> Span {
        let span = self.whole(span);
        let mut breaks = self.slice(span).match_indices('\n').map(|(at, _)| at as u32);
        match (breaks.next(), breaks.nth(2)) {
            (Some(first), Some(_)) => Span { start: span.start, end: span.start + first },
            _ => span,
        }
    }

    /// The place with a little of what is around it.
    pub(super) fn window(&self, span: Span) -> Span {
        let from = (span.start as usize).saturating_sub(AROUND);
        let to = (span.end as usize).min(span.start as usize + AROUND) + AROUND;
        let Span { start, end } = self.whole(Span::new(from, to));
        // Nothing of the lines before and after.
        let before = self.slice(Span { start, end: span.start }).rfind('\n').map_or(0, |at| at + 1);
        let after = self.slice(Span { start: span.start, end });
        let length = after.find(['\n', '\r']).unwrap_or(after.len());
        Span::new(start as usize + before, span.start as usize + length)
    }

    /// The place of a part of what is written there, if the part is written as it reads.
    pub fn find(&self, within: Span, part: &str) -> Span {
        self.find_range(within, part, 0..part.len())
    }

    /// The place of a range of a text that is a part of what is written there.
    pub fn find_range(&self, within: Span, text: &str, range: Range<usize>) -> Span {
        match self.slice(within).find(text) {
            Some(at) if !text.is_empty() => {
                let start = within.start as usize + at;
                Span::new(start + range.start, start + range.end)
            }
            _ => within,
        }
    }

    /// The tree of values; `None` when the text cannot be read far enough to have one.
    pub fn parse(self: &Arc<Self>, format: Format, findings: &mut Findings) -> Option<Node> {
        if self.text.len() > file::BYTES {
            findings.error(Span::default(), too_long(self.text.len() as u64));
            return None;
        }
        match format {
            Format::Yaml => yaml::parse(self, findings),
            Format::Json => json::parse(self, findings),
        }
    }
}

fn too_long(length: u64) -> String {
    format!("it has {length} bytes; the limit is {}", file::BYTES)
}

impl fmt::Debug for SourceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SourceText").field(&self.name).finish()
    }
}

/// So many bytes are shown on both sides of a place in a long line.
const AROUND: usize = 100;
