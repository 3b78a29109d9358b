//! CSV files with a header.

mod quotes;

use arrow_cast::parse::string_to_timestamp_nanos;
use csv::{ByteRecord, ReaderBuilder};

use self::quotes::Quotes;
use super::input::{Input, ReadSeek};
use super::table::{self, Columns, SAMPLE, TextTable};
use crate::row::RowReason;
use crate::text::{LONGEST_RAW, io_reason, raw};
use crate::value::{ColumnType, Guess};

pub(super) struct CsvFile {
    reader: csv::Reader<Quotes<Box<dyn ReadSeek>>>,
    header: Vec<String>,
    /// For each column of the table, its place in this file.
    order: Vec<usize>,
    record: ByteRecord,
}

impl CsvFile {
    /// Finds the columns of a file and their types.
    pub(super) fn sample(input: &Input) -> Result<Vec<(String, ColumnType)>, String> {
        let mut file = Self::open(input)?;
        let mut guesses = vec![Guess::default(); file.header.len()];
        for _ in 0..SAMPLE {
            if !file.advance()? {
                break;
            }
            for (guess, cell) in guesses.iter_mut().zip(file.record.iter()) {
                match (kind_of(cell), integer(cell)) {
                    (Some(ColumnType::Integer), Some(integer)) => guess.add_integer(integer),
                    (Some(kind), _) => guess.add(kind),
                    (None, _) => {}
                }
            }
        }
        Ok(file.header.into_iter().zip(guesses.into_iter().map(Guess::kind)).collect())
    }

    /// Opens a file to read these columns.
    pub(super) fn with_columns(input: &Input, columns: &Columns) -> Result<Self, String> {
        let mut file = Self::open(input)?;
        if let Some(other) = file.header.iter().find(|name| !columns.names.contains(name)) {
            return Err(table::new_column(other));
        }
        for name in &columns.names {
            let place = file.header.iter().position(|known| known == name);
            file.order.push(place.ok_or_else(|| table::missing_column(name))?);
        }
        Ok(file)
    }

    fn open(input: &Input) -> Result<Self, String> {
        let mut options = ReaderBuilder::new();
        options.flexible(true).has_headers(true).buffer_capacity(1 << 16);
        let mut reader = options.from_reader(Quotes::new(input.open()?));
        let header = names(reader.byte_headers().map_err(|error| reason(&error))?)?;
        let end = reader.position().byte();
        if reader.get_mut().has_stray_before(end) {
            return Err(format!("the header cannot be read: {STRAY}"));
        }
        Ok(Self { reader, header, order: Vec::new(), record: ByteRecord::new() })
    }

    /// Adds records to a table until it has `most`. Returns whether there may be more.
    pub(super) fn fill(&mut self, table: &mut TextTable<'_>, most: usize) -> Result<bool, String> {
        while table.rows() < most {
            if !self.advance()? {
                return Ok(false);
            }
            match self.check() {
                Some(reason) => table.push_unreadable(reason, self.raw()?),
                None => table.push(self.order.iter().map(|place| cell(&self.record, *place))),
            }
        }
        Ok(true)
    }

    /// What is wrong with the record as a whole.
    fn check(&mut self) -> Option<RowReason> {
        let end = self.reader.position().byte();
        if self.reader.get_mut().has_stray_before(end) {
            return Some(RowReason::of_record(STRAY));
        }
        let (cells, columns) = (self.record.len(), self.header.len());
        if cells != columns {
            let message = format!("the record has {cells} values, the header {columns}");
            return Some(RowReason::of_record(message));
        }
        let mut cells = self.header.iter().zip(self.record.iter());
        let (name, bytes) = cells.find(|(_, cell)| std::str::from_utf8(cell).is_err())?;
        Some(RowReason::of_value(name, Some(raw(bytes)), "is not UTF-8; convert the file to UTF-8"))
    }

    /// The record as it is in the file.
    fn raw(&mut self) -> Result<String, String> {
        let start = self.record.position().map_or(0, csv::Position::byte);
        let end = self.reader.position().byte();
        let bytes = self.reader.get_mut().bytes(start, end, LONGEST_RAW_BYTES);
        Ok(raw(bytes.map_err(|error| io_reason(&error))?.trim_ascii()))
    }

    fn advance(&mut self) -> Result<bool, String> {
        self.reader.read_byte_record(&mut self.record).map_err(|error| reason(&error))
    }
}

/// What is wrong with a record such as `1,"a"b`.
const STRAY: &str = "text follows the closing quote of a value; double the quotes within values";

/// No character has more than four bytes.
const LONGEST_RAW_BYTES: u64 = 4 * LONGEST_RAW as u64 + 1;

/// The text of a cell; `None` if it is empty. The record is UTF-8.
fn cell(record: &ByteRecord, place: usize) -> Option<&str> {
    let text = record.get(place).and_then(|bytes| std::str::from_utf8(bytes).ok())?;
    (!text.is_empty()).then_some(text)
}

fn names(header: &ByteRecord) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = Vec::new();
    for (index, bytes) in header.iter().enumerate() {
        let name = std::str::from_utf8(bytes);
        let name = name.map_err(|_| "the header is not UTF-8; convert the file to UTF-8")?.trim();
        if name.is_empty() {
            return Err(format!("column {} of the header has no name", index + 1));
        }
        if names.iter().any(|known| known == name) {
            return Err(format!("the header names `{name}` twice; rename one of the columns"));
        }
        names.push(name.to_owned());
    }
    if names.is_empty() {
        return Err("the file is empty; a CSV file begins with a header".to_owned());
    }
    Ok(names)
}

/// The narrowest type of a cell; `None` if it is empty.
fn kind_of(cell: &[u8]) -> Option<ColumnType> {
    let Ok(text) = std::str::from_utf8(cell) else { return Some(ColumnType::Text) };
    if text.is_empty() {
        return None;
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_integer = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty();
    // Codes such as 007 and numbers of more than 64 bits would change as numbers.
    let is_code = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    Some(if is_integer {
        let fits = !is_code && text.parse::<i64>().is_ok();
        if fits { ColumnType::Integer } else { ColumnType::Text }
    } else if !is_code && is_number(text) {
        ColumnType::Number
    } else if matches!(text, "true" | "false") {
        ColumnType::Boolean
    } else if text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok() {
        ColumnType::Date
    } else if is_timestamp(text) {
        ColumnType::Timestamp
    } else {
        ColumnType::Text
    })
}

fn integer(cell: &[u8]) -> Option<i64> {
    std::str::from_utf8(cell).ok()?.parse().ok()
}

/// Whether a text is a time with an offset and at most microseconds.
fn is_timestamp(text: &str) -> bool {
    let fraction = text.split_once('.').map_or("", |(_, rest)| rest);
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    // The name of a time zone in brackets would be lost.
    let is_short = digits <= 6 && !text.contains('[');
    // One parser demands the offset, and the other one converts the column later.
    is_short && text.parse::<jiff::Timestamp>().is_ok() && string_to_timestamp_nanos(text).is_ok()
}

fn is_number(text: &str) -> bool {
    let is_numeric = |byte: u8| byte.is_ascii_digit() || b".-eE".contains(&byte);
    text.bytes().all(is_numeric) && text.parse::<f64>().is_ok_and(f64::is_finite)
}

fn reason(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Io(error) => io_reason(error),
        _ => "the file is not valid CSV".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_the_narrowest_type_that_keeps_them() {
        let kind = |text: &str| kind_of(text.as_bytes());
        assert_eq!(kind(""), None);
        assert_eq!(kind("-12"), Some(ColumnType::Integer));
        assert_eq!(kind("007"), Some(ColumnType::Text));
        assert_eq!(kind("9223372036854775808"), Some(ColumnType::Text));
        assert_eq!(kind("0.5"), Some(ColumnType::Number));
        assert_eq!(kind("inf"), Some(ColumnType::Text));
        assert_eq!(kind("true"), Some(ColumnType::Boolean));
        assert_eq!(kind("2026-01-31"), Some(ColumnType::Date));
        assert_eq!(kind("2026-01-31T09:30:00Z"), Some(ColumnType::Timestamp));
        assert_eq!(kind("2026-01-31T09:30:00.1234567Z"), Some(ColumnType::Text));
        assert_eq!(kind("2026-01-31T09:30:00+01:00[Europe/Berlin]"), Some(ColumnType::Text));
        assert_eq!(kind("-"), Some(ColumnType::Text));
    }

    /// What is found from the data is accepted by the conversion.
    #[test]
    fn types_that_are_found_fit() {
        let texts = [
            "1",
            "-1",
            "0",
            "0.5",
            ".5",
            "1.",
            "-.5",
            "1e5",
            "1E-3",
            "1e+3",
            "-0.0",
            "12.50",
            "+1",
            "true",
            "false",
            "TRUE",
            "2026-01-31",
            "2026-13-31",
            "2024-02-29",
            "2026-W05-6",
            "2026-01-31T09:30:00Z",
            "2026-01-31 09:30:00Z",
            "2026-01-31T09:30:00.123456+02:00",
            "2026-01-31T09:30Z",
            "2026-01-31T09:30:00-0500",
            "2026-01-31T09:30:00+02",
            "e",
            ".",
            "--1",
        ];
        for text in texts {
            let kind = kind_of(text.as_bytes()).unwrap_or(ColumnType::Text);
            let column: arrow_array::ArrayRef =
                std::sync::Arc::new(arrow_array::StringArray::from(vec![text]));
            let misfits = crate::value::convert(&column, kind).map(|converted| converted.misfits);
            assert!(misfits.is_ok_and(|misfits| misfits.is_empty()), "{text} as {kind:?}");
        }
    }
}
