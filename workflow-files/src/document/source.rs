//! Source texts: their names, their lines, and the positions in them.

use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::{Diagnostics, Findings, Format, Node, Span, json, yaml};
use crate::bounds::file;
use workflow_core::error_text::io_reason;

/// A text with its name, such as the path of its file.
pub struct SourceText {
    name: String,
    text: String,
    /// Whether there is text to show.
    pub(super) is_file: bool,
    /// Where each line begins.
    lines: Vec<u32>,
}

impl SourceText {
    /// A text with its name in diagnostics.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        let mut text: String = text.into();
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        let after_breaks = text.match_indices('\n').map(|(at, _)| at as u32 + 1);
        let lines = std::iter::once(0).chain(after_breaks).collect();
        Arc::new(Self { name: name.into(), text, is_file: true, lines })
    }

    /// A source without text to show, such as an environment variable; `name` describes it.
    pub fn elsewhere(name: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: String::new(), is_file: false, lines: vec![0] })
    }

    /// Reads a whole file, or what another program writes into `/dev/stdin` or `/dev/fd/3`.
    pub fn load(path: &Path) -> Result<Arc<Self>, Diagnostics> {
        let name = path.display().to_string();
        match read_file(path) {
            Ok(text) => Ok(Self::new(name, text)),
            Err(reason) => Err(Diagnostics::unreadable(&name, &reason)),
        }
    }

    /// The name in diagnostics, such as the path of the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of a span.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// Line and column, both from 1, the column in characters.
    pub fn line_and_column(&self, at: u32) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= at);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        (line.max(1), self.slice(Span { start, end: at }).chars().count() + 1)
    }

    /// The lines that a span touches, and where they begin.
    pub fn lines_around(&self, span: Span) -> (usize, Span) {
        let first = self.lines.partition_point(|start| *start <= span.start).max(1);
        let last = self.lines.partition_point(|start| *start < span.end.max(span.start + 1));
        let end = self.lines.get(last.max(first)).map_or(self.text.len() as u32, |next| *next);
        (first, Span { start: self.lines[first - 1], end })
    }

    /// The smallest span of whole characters around this one.
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

    /// The span in whole characters; of one with many lines, only the first line.
    pub(super) fn shown(&self, span: Span) -> Span {
        let span = self.whole(span);
        let mut breaks = self.slice(span).match_indices('\n').map(|(at, _)| at as u32);
        match (breaks.next(), breaks.nth(2)) {
            (Some(first), Some(_)) => Span { start: span.start, end: span.start + first },
            _ => span,
        }
    }

    /// The span with a little of the text around it.
    pub(super) fn window(&self, span: Span) -> Span {
        let from = (span.start as usize).saturating_sub(AROUND);
        let to = (span.end as usize).min(span.start as usize + AROUND) + AROUND;
        let Span { start, end } = self.whole(Span::new(from, to));
        // Without the lines before and after.
        let before = self.slice(Span { start, end: span.start }).rfind('\n').map_or(0, |at| at + 1);
        let after = self.slice(Span { start: span.start, end });
        let length = after.find(['\n', '\r']).unwrap_or(after.len());
        Span::new(start as usize + before, span.start as usize + length)
    }

    /// The span of a part of the text there, if it is written literally.
    pub fn find(&self, within: Span, part: &str) -> Span {
        self.find_range(within, part, 0..part.len())
    }

    /// The span of a range of a text that is a part of the text there.
    pub fn find_range(&self, within: Span, text: &str, range: Range<usize>) -> Span {
        match self.slice(within).find(text) {
            Some(at) if !text.is_empty() => {
                let start = within.start as usize + at;
                Span::new(start + range.start, start + range.end)
            }
            _ => within,
        }
    }

    /// Parses the text; `None` if it is too damaged for a tree.
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

/// Reads a text of at most 64 MiB from a file, or what another program writes into `/dev/stdin` or
/// `/dev/fd/3`.
///
/// # Errors
///
/// Fails with the reason when the text is longer or is not UTF-8, and when the path names a device,
/// a pipe, or something that cannot be read.
pub fn read_file(path: &Path) -> Result<String, String> {
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if metadata.len() > file::BYTES as u64 {
        return Err(too_long(metadata.len()));
    }
    // Devices have no end, and nobody may write into a pipe.
    if !metadata.is_file() && !metadata.is_dir() && !is_open(path) {
        return Err("it is a device or a pipe; name a file, or `/dev/stdin`".to_owned());
    }
    read_text(std::fs::File::open(path).map_err(unreadable)?)
}

/// Reads a text of at most 64 MiB from an open stream, such as standard input.
///
/// # Errors
///
/// Fails with the reason when the text is longer, is not UTF-8, or cannot be read.
pub fn read_text(stream: impl Read) -> Result<String, String> {
    let mut bytes = Vec::new();
    stream.take(file::BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > file::BYTES {
        return Err(format!("it has more than {} bytes, the limit", file::BYTES));
    }
    String::from_utf8(bytes).map_err(|error| {
        format!("it is not UTF-8 text, from byte {} on", error.utf8_error().valid_up_to())
    })
}

/// Whether a path names a file that the process has open: its stdin, or a pipe of the shell.
fn is_open(path: &Path) -> bool {
    let folders = ["/dev/fd", "/proc/self/fd"];
    path == Path::new("/dev/stdin") || folders.iter().any(|folder| path.starts_with(folder))
}

fn unreadable(error: io::Error) -> String {
    let reason = io_reason(&error);
    match error.kind() {
        io::ErrorKind::NotFound => format!("{reason}; check the path"),
        _ => reason,
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

/// The bytes shown on each side of a span in a long line.
const AROUND: usize = 100;
