//! JSON lines, and JSON arrays of objects.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Seek};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use workflow_core::json;

use super::input::{Input, ReadSeek};
use super::place;
use super::table::{Columns, SAMPLE, TextTable};
use crate::row::RowReason;
use crate::text::{io_reason, of_json, raw};
use crate::value::{ColumnType, Guess};

/// How the objects of a file follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Lines,
    Array,
}

pub(super) struct JsonFile {
    reader: BufReader<Box<dyn ReadSeek>>,
    layout: Layout,
    /// The number of objects, which have been read from an array.
    read: u64,
    /// The line or the object that was read last.
    text: Vec<u8>,
}

/// The longest line, in bytes.
const LONGEST_LINE: u64 = 64 << 20;

/// The next object of a file.
enum Next {
    Object(Fields),
    /// A line that is no object, or an object that would lose something.
    Broken(String),
    End,
}

impl JsonFile {
    pub(super) fn open(input: &Input, layout: Layout) -> Result<Self, String> {
        let mut reader = BufReader::with_capacity(1 << 16, input.open()?);
        let start = reader.fill_buf().map_err(|error| io_reason(&error))?;
        if start.starts_with(BYTE_ORDER_MARK) {
            reader.consume(BYTE_ORDER_MARK.len());
        }
        Ok(Self { reader, layout, read: 0, text: Vec::new() })
    }

    /// Finds the columns of a file and their types.
    pub(super) fn sample(
        input: &Input,
        layout: Layout,
    ) -> Result<Vec<(String, ColumnType)>, String> {
        let mut file = Self::open(input, layout)?;
        let mut sample = Sample::default();
        for _ in 0..SAMPLE {
            match file.advance()? {
                Next::Object(fields) => sample.add(fields),
                Next::Broken(_) => {}
                Next::End => break,
            }
        }
        Ok(sample.columns())
    }

    /// Adds records to a table until it has `most`. Returns whether there may be more.
    pub(super) fn fill(
        &mut self,
        columns: &Columns,
        table: &mut TextTable<'_>,
        most: usize,
    ) -> Result<bool, String> {
        let mut cells: Vec<Option<String>> = vec![None; columns.len()];
        while table.rows() < most {
            match self.advance()? {
                Next::End => return Ok(false),
                Next::Broken(reason) => {
                    table.push_unreadable(RowReason::of_record(reason), self.raw());
                }
                Next::Object(fields) => match fields.spread(columns, &mut cells) {
                    Some(reason) => table.push_unreadable(reason, self.raw()),
                    None => table.push(cells.iter().map(Option::as_deref)),
                },
            }
        }
        Ok(true)
    }

    /// The record as it is in the file.
    fn raw(&self) -> String {
        raw(self.text.trim_ascii())
    }

    fn advance(&mut self) -> Result<Next, String> {
        match self.layout {
            Layout::Lines => self.next_line(),
            Layout::Array => self.next_item(),
        }
    }

    fn next_line(&mut self) -> Result<Next, String> {
        loop {
            self.text.clear();
            let mut limited = (&mut self.reader).take(LONGEST_LINE);
            let count =
                limited.read_until(b'\n', &mut self.text).map_err(|error| io_reason(&error))?;
            if count == 0 {
                return Ok(Next::End);
            }
            if count as u64 == LONGEST_LINE {
                return Err(
                    "a line is longer than 64 MiB; write one object in each line".to_owned()
                );
            }
            let Ok(text) = std::str::from_utf8(&self.text) else {
                return Ok(Next::Broken("the line is not UTF-8".to_owned()));
            };
            if text.trim().is_empty() {
                continue;
            }
            return Ok(match json::read(text) {
                Ok(fields) => Next::Object(fields),
                Err(error) => Next::Broken(format!("the line cannot be read: {error}")),
            });
        }
    }

    fn next_item(&mut self) -> Result<Next, String> {
        let number = self.read + 1;
        match (self.read, self.peek()?) {
            (0, Some(b'[')) => self.reader.consume(1),
            (0, _) => {
                let message = "the file is not a JSON array; use `format: jsonl` for JSON lines";
                return Err(self.failure(message));
            }
            (_, Some(b',')) => self.reader.consume(1),
            (_, Some(b']')) => return self.end(),
            _ => {
                let message = format!("expected `,` or `]` after record {}", self.read);
                return Err(self.failure(&message));
            }
        }
        match self.peek()? {
            Some(b'{') => {}
            Some(b']') if self.read == 0 => return self.end(),
            _ => return Err(self.failure(&format!("record {number} is not an object"))),
        }
        // This reads no byte beyond the object.
        let mut deserializer = serde_json::Deserializer::from_reader(&mut self.reader);
        let text = Box::<RawValue>::deserialize(&mut deserializer);
        let Ok(text) = text else {
            return Err(self.failure(&format!("record {number} is not valid JSON")));
        };
        self.read = number;
        self.text.clear();
        self.text.extend_from_slice(text.get().as_bytes());
        Ok(match json::read(text.get()) {
            Ok(fields) => Next::Object(fields),
            Err(error) => Next::Broken(format!("the object cannot be read: {error}")),
        })
    }

    /// The end of the array, which is also that of the file.
    fn end(&mut self) -> Result<Next, String> {
        self.reader.consume(1);
        match self.peek()? {
            None => Ok(Next::End),
            Some(_) => Err(self.failure(
                "more text follows the array; write one array, or use `format: jsonl` and one \
                 object in each line",
            )),
        }
    }

    /// What is wrong with the array, and where.
    fn failure(&mut self, message: &str) -> String {
        let place = self.reader.stream_position();
        match place.and_then(|offset| place::describe(&mut self.reader, offset)) {
            Ok(place) => format!("{place}: {message}"),
            Err(error) => io_reason(&error),
        }
    }

    /// The next byte that is no space, which stays.
    fn peek(&mut self) -> Result<Option<u8>, String> {
        loop {
            let bytes = self.reader.fill_buf().map_err(|error| io_reason(&error))?;
            match bytes.first() {
                Some(byte) if byte.is_ascii_whitespace() => self.reader.consume(1),
                first => return Ok(first.copied()),
            }
        }
    }
}

/// Joins the columns of a file with those of the configuration, which may appear later.
#[expect(clippy::unnecessary_wraps, reason = "files of other formats have an error here")]
pub(super) fn columns(
    found: Vec<(String, ColumnType)>,
    given: &BTreeMap<String, ColumnType>,
) -> Result<Columns, String> {
    let unknown = "is in none of the first 1000 records, so its column is unknown; \
        add its type to `columns` of the source";
    Ok(Columns::of_objects(found, given, unknown))
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Finds the columns of objects and their types.
#[derive(Default)]
pub(super) struct Sample(Vec<(String, Guess)>);

impl Sample {
    pub(super) fn add(&mut self, Fields(fields): Fields) {
        let Self(found) = self;
        for (name, value) in fields {
            let known = found.iter().position(|(known, _)| *known == name);
            let place = known.unwrap_or_else(|| {
                found.push((name, Guess::default()));
                found.len() - 1
            });
            match (value.as_i64(), kind_of(&value)) {
                (Some(integer), _) => found[place].1.add_integer(integer),
                (None, Some(kind)) => found[place].1.add(kind),
                (None, None) => {}
            }
        }
    }

    pub(super) fn columns(self) -> Vec<(String, ColumnType)> {
        self.0.into_iter().map(|(name, guess)| (name, guess.kind())).collect()
    }
}

/// The fields of an object, in their order.
pub(super) struct Fields(Vec<(String, Value)>);

impl Fields {
    /// Puts the values into the cells of their columns. Returns what is wrong with the record.
    pub(super) fn spread(
        self,
        columns: &Columns,
        cells: &mut [Option<String>],
    ) -> Option<RowReason> {
        cells.fill(None);
        for (index, (name, value)) in self.0.into_iter().enumerate() {
            // Most objects have their fields in one order.
            let same = columns.names.get(index).is_some_and(|column| *column == name);
            let place = if same {
                Some(index)
            } else {
                columns.names.iter().position(|column| *column == name)
            };
            let Some(place) = place else {
                return Some(RowReason::of_value(&name, of_json(value), columns.unknown));
            };
            cells[place] = of_json(value);
        }
        None
    }
}

/// The type of a value; `None` for null. Texts stay texts, and lists and objects become texts.
fn kind_of(value: &Value) -> Option<ColumnType> {
    match value {
        Value::Null => None,
        Value::Bool(_) => Some(ColumnType::Boolean),
        Value::Number(number) if number.is_i64() => Some(ColumnType::Integer),
        Value::Number(number) if number.is_f64() => Some(ColumnType::Number),
        // An integer of more than 64 bits would change as a number.
        Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            Some(ColumnType::Text)
        }
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Vec::with_capacity(map.size_hint().unwrap_or(0));
        while let Some(entry) = map.next_entry()? {
            fields.push(entry);
        }
        Ok(Fields(fields))
    }
}
