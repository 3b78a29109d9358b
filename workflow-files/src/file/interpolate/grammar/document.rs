//! Here-documents, whose text begins after their line.

use std::ops::Range;

use super::{Document, Item, Parsed, Reader, Unread};

impl Reader<'_> {
    pub(super) fn read_documents(&mut self) -> Parsed<()> {
        for document in std::mem::take(&mut self.documents) {
            let body = self.document_lines(&document)?;
            let after = self.pos;
            if document.is_literal {
                let reason = "is in a here-document whose end is quoted, which the shell \
                              does not expand";
                self.refuse(body.clone(), reason);
            } else {
                self.within(body.clone(), |reader| reader.nested(Self::document_text))?;
            }
            if let Some(reason) = document.code {
                self.evaluated(body, reason);
            }
            self.pos = after;
        }
        Ok(())
    }

    /// Skips a here-document, and returns the range of its text.
    fn document_lines(&mut self, document: &Document) -> Parsed<Range<usize>> {
        let begin = self.pos;
        loop {
            let line = self.pos;
            let rest = &self.items[line..self.end];
            let length = rest.iter().position(|item| *item == Item::Char('\n'));
            let text = &rest[..length.unwrap_or(rest.len())];
            let tabs = text.iter().take_while(|item| **item == Item::Char('\t')).count();
            let shown = if document.strips_tabs { &text[tabs..] } else { text };
            let is_end = shown.iter().copied().eq(document.end.chars().map(Item::Char));
            self.pos = line + text.len() + usize::from(length.is_some());
            if is_end {
                return Ok(begin..line);
            }
            if length.is_none() {
                return Err(Unread("a here-document is not closed"));
            }
            if !document.is_literal && text.last() == Some(&Item::Char('\\')) {
                return Err(Unread("a line of a here-document ends in `\\`"));
            }
        }
    }

    /// Reads a part of the text as if nothing followed.
    pub(super) fn within<T>(
        &mut self,
        range: Range<usize>,
        read: impl FnOnce(&mut Self) -> Parsed<T>,
    ) -> Parsed<T> {
        let outer = (self.pos, self.end, std::mem::take(&mut self.documents));
        (self.pos, self.end) = (range.start, range.end);
        let read = read(self)?;
        if self.pos != self.end || !self.documents.is_empty() {
            return Err(Unread("the text between quotes does not end there"));
        }
        (self.pos, self.end, self.documents) = outer;
        Ok(read)
    }
}
