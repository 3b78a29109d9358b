//! `Quotes`: a CSV file whose quotes are checked while it is read.
//!
//! The parser of the crate `csv` takes every file. A quote that is never closed makes one value of
//! the following records, and text after a closing quote is added to its value. So the bytes pass
//! this first. Most of them are skipped in the search for the next quote.
//!
//! Text after a closing quote is a mistake of one record. If the value has several lines, it is more
//! likely that an earlier quote is not closed, and the following records cannot be told apart.

use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom};

use memchr::memchr;

use super::super::place;

pub(super) struct Quotes<R> {
    file: R,
    /// How many bytes were read.
    offset: u64,
    /// The last one of them.
    last: u8,
    state: State,
    stray: VecDeque<Stray>,
}

/// What the next byte is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A value without quotes, or no value.
    Plain,
    /// A value between quotes. The place of the first one.
    Quoted(u64),
    /// What follows a quote in such a value: it ends the value, or is the first one of two that
    /// stand for a quote.
    AfterQuote(u64),
}

/// Text that follows a closing quote.
#[derive(Debug, Clone, Copy)]
struct Stray {
    place: u64,
    /// The place of the first quote of the value.
    opened: u64,
}

/// The longest value between quotes, in bytes.
const LONGEST: u64 = 64 << 20;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

impl<R: Read + Seek> Quotes<R> {
    pub(super) fn new(file: R) -> Self {
        Self { file, offset: 0, last: b'\n', state: State::Plain, stray: VecDeque::new() }
    }

    /// Whether text follows a closing quote before this byte. Each such text is told once.
    pub(super) fn has_stray_before(&mut self, end: u64) -> bool {
        let before = self.stray.len();
        while self.stray.front().is_some_and(|stray| stray.place < end) {
            self.stray.pop_front();
        }
        self.stray.len() < before
    }

    /// The bytes from one place to another, at most `most`.
    pub(super) fn bytes(&mut self, start: u64, end: u64, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(start))?;
        let length = end.saturating_sub(start).min(most);
        (&mut self.file).take(length).read_to_end(&mut bytes)?;
        self.file.seek(SeekFrom::Start(self.offset))?;
        Ok(bytes)
    }

    fn scan(&mut self, bytes: &[u8]) {
        let is_marked = self.offset == 0 && bytes.starts_with(BYTE_ORDER_MARK);
        let start = if is_marked { BYTE_ORDER_MARK.len() } else { 0 };
        let mut next = start;
        while let Some(rest) = bytes.get(next..).filter(|rest| !rest.is_empty()) {
            if let State::AfterQuote(opened) = self.state {
                self.state = match rest[0] {
                    b'"' => State::Quoted(opened),
                    b',' | b'\r' | b'\n' => State::Plain,
                    _ => {
                        let place = self.offset + next as u64;
                        self.stray.push_back(Stray { place, opened });
                        State::Plain
                    }
                };
                next += 1;
                continue;
            }
            let Some(distance) = memchr(b'"', rest) else { break };
            let place = next + distance;
            let before = if place == start { self.last } else { bytes[place - 1] };
            self.state = match self.state {
                State::Quoted(opened) => State::AfterQuote(opened),
                // A quote within a value is a character like others.
                _ if b",\r\n".contains(&before) => State::Quoted(self.offset + place as u64),
                other => other,
            };
            next = place + 1;
        }
        self.last = bytes.last().copied().unwrap_or(self.last);
        self.offset += bytes.len() as u64;
    }

    /// The place of a quote that is not closed, as far as the bytes so far show.
    fn not_closed(&mut self, known: usize, is_end: bool) -> io::Result<Option<u64>> {
        for index in known..self.stray.len() {
            let Stray { place, opened } = self.stray[index];
            let value = self.bytes(opened, place, LONGEST)?;
            if memchr(b'\n', &value).is_some() {
                return Ok(Some(opened));
            }
        }
        Ok(match self.state {
            State::Quoted(opened) if is_end || self.offset - opened > LONGEST => Some(opened),
            _ => None,
        })
    }
}

impl<R: Read + Seek> Read for Quotes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let known = self.stray.len();
        let count = self.file.read(buffer)?;
        self.scan(&buffer[..count]);
        let Some(opened) = self.not_closed(known, count == 0)? else { return Ok(count) };
        let place = place::describe(&mut self.file, opened)?;
        Err(io::Error::other(format!(
            "the value that begins with the quote at {place} does not end with a quote; \
             add it, and double the quotes within the value"
        )))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// Reads a text in pieces of this size. Returns the places of stray text, or the error.
    fn check(text: &str, size: usize) -> Result<Vec<u64>, String> {
        let mut quotes = Quotes::new(Cursor::new(text));
        let mut buffer = vec![0; size];
        while quotes.read(&mut buffer).map_err(|error| error.to_string())? > 0 {}
        Ok(quotes.stray.iter().map(|stray| stray.place).collect())
    }

    #[test]
    fn quotes_are_checked_across_blocks() {
        let good = "\u{feff}\"id\",\"a \"\"b\"\"\n,\"\r\n\"\"\"\",\r\n5\" x,\"\",\"c\"";
        let broken = ["id\n\"a\"\n2,\"b\"\"\n3", "id\n\"a\"\n2,\"b\n3,\"c\"\n4", "id\n\n2,\""];
        let place = "the value that begins with the quote at line 3, column 3 ";
        for size in 3..20 {
            assert_eq!(check(good, size), Ok(Vec::new()), "{size}");
            assert_eq!(check("id\n\"a\"b,\"c\" ", size), Ok(vec![6, 11]), "{size}");
            for text in broken {
                let error = check(text, size).expect_err(text);
                assert!(error.starts_with(place), "{size}: {error}");
            }
        }
    }
}
