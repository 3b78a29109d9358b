//! Reads the outputs of a command from the file in `$WORKFLOW_OUTPUT`.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::Lines;

use rustix::fs::OFlags;
use serde_json::{Map, Value};

use workflow_core::json::{self, JsonError};

/// Why the file in `$WORKFLOW_OUTPUT` is invalid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputsError {
    /// A line is neither `name=value` nor the beginning of a longer value.
    #[error(
        "line {line} of $WORKFLOW_OUTPUT is {text:?}; write `name=value`, or `name<<END`, the lines, `END`"
    )]
    Line {
        /// Its number, from 1.
        line: usize,
        /// Its first 40 characters.
        text: String,
    },
    /// A multi-line value is not closed.
    #[error(
        "the value that begins in line {line} of $WORKFLOW_OUTPUT is not closed; write `{end}` on a line of its own after it"
    )]
    Unended {
        /// The number of the line with `<<`, from 1.
        line: usize,
        /// The line that is missing.
        end: String,
    },
    /// It begins with `{` but is not a JSON object.
    #[error(
        "$WORKFLOW_OUTPUT begins with `{{` but is not a JSON object; write one object and nothing else"
    )]
    Json(#[source] json::SyntaxError),
    /// Its JSON is nested too deeply, or has a number that would lose digits.
    #[error("invalid $WORKFLOW_OUTPUT: {0}")]
    Value(JsonError),
    /// It is not UTF-8 text.
    #[error(
        "line {line} of $WORKFLOW_OUTPUT is not UTF-8; encode binary data, for example as base64"
    )]
    Encoding {
        /// The number of the line, from 1.
        line: usize,
    },
    /// It is longer than 1 MiB.
    #[error(
        "$WORKFLOW_OUTPUT is longer than {LIMIT} bytes; write large data to a file of its own, and its path as an output"
    )]
    TooLong,
    /// It is a folder, a pipe or another special file.
    #[error("$WORKFLOW_OUTPUT is no longer a regular file; only write to it, do not replace it")]
    NoFile,
    /// The system could not read it.
    #[error("cannot read $WORKFLOW_OUTPUT")]
    Read(#[source] io::Error),
}

/// The path in `$WORKFLOW_OUTPUT`; the file is removed on drop.
///
/// The command creates the file: most publish nothing, so there is nothing to create and remove.
pub(super) struct OutputFile(PathBuf);

impl OutputFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn read(&self) -> Result<Map<String, Value>, OutputsError> {
        // If the command put a pipe there, this must not wait for a writer.
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(&self.0) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Map::new()),
            Err(error) => return Err(OutputsError::Read(error)),
        };
        if !file.metadata().map_err(OutputsError::Read)?.is_file() {
            return Err(OutputsError::NoFile);
        }
        let mut bytes = Vec::new();
        file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(OutputsError::Read)?;
        if bytes.len() as u64 > LIMIT {
            return Err(OutputsError::TooLong);
        }
        parse(&bytes)
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        // Usually it does not exist. A file that cannot be removed is removed with the folder.
        let _ = fs::remove_file(&self.0);
    }
}

fn parse(bytes: &[u8]) -> Result<Map<String, Value>, OutputsError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        OutputsError::Encoding { line: 1 + before.iter().filter(|byte| **byte == b'\n').count() }
    })?;
    if text.trim_start().starts_with('{') {
        return json::read(text).map_err(|error| match error {
            JsonError::Syntax(error) => OutputsError::Json(error),
            error => OutputsError::Value(error),
        });
    }
    let mut outputs = Map::new();
    let mut lines = NumberedLines { lines: text.lines(), last: 0 };
    while let Some(line) = lines.next() {
        if !line.trim().is_empty() {
            let (name, value) = lines.pair(line)?;
            outputs.insert(name.to_owned(), value);
        }
    }
    Ok(outputs)
}

struct NumberedLines<'a> {
    lines: Lines<'a>,
    /// The number of the line that was read last.
    last: usize,
}

impl<'a> NumberedLines<'a> {
    fn next(&mut self) -> Option<&'a str> {
        self.last += 1;
        self.lines.next()
    }

    /// The name and the value that begin in this line.
    fn pair(&mut self, line: &'a str) -> Result<(&'a str, Value), OutputsError> {
        let wrong = OutputsError::Line { line: self.last, text: line.chars().take(40).collect() };
        let (name, value) = match (line.find('='), line.find("<<")) {
            (Some(equals), arrows) if arrows.is_none_or(|arrows| equals < arrows) => {
                (&line[..equals], scalar(&line[equals + 1..]))
            }
            (_, Some(arrows)) if !line[arrows + 2..].trim().is_empty() => {
                let value = self.long_value(line[arrows + 2..].trim())?;
                (&line[..arrows], Value::String(value))
            }
            _ => return Err(wrong),
        };
        let name = name.trim();
        if name.is_empty() { Err(wrong) } else { Ok((name, value)) }
    }

    fn long_value(&mut self, end: &str) -> Result<String, OutputsError> {
        let first = self.last;
        let mut value: Vec<&str> = Vec::new();
        loop {
            match self.next() {
                Some(line) if line == end => return Ok(value.join("\n")),
                Some(line) => value.push(line),
                None => return Err(OutputsError::Unended { line: first, end: end.to_owned() }),
            }
        }
    }
}

/// A number or a boolean if JSON writes it in the same letters; otherwise a text: `007` and `3.10`
/// stay unchanged.
fn scalar(text: &str) -> Value {
    let value: Option<Value> = serde_json::from_str(text).ok();
    let is_written_so = |value: &Value| {
        let written = value.to_string();
        (value.is_number() || value.is_boolean()) && written == text
    };
    value.filter(is_written_so).unwrap_or_else(|| Value::String(text.to_owned()))
}

const LIMIT: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Value {
        Value::Object(parse(text.as_bytes()).expect("the outputs are well formed"))
    }

    fn wrong(bytes: &[u8]) -> String {
        parse(bytes).expect_err("the outputs are malformed").to_string()
    }

    #[test]
    fn output_lines_are_scalars_and_the_last_one_wins() {
        let text = "rows=1\n\nrows=42\nurl=http://x/?a=b<<c\r\n empty=\n";
        assert_eq!(read(text), json!({"rows": 42, "url": "http://x/?a=b<<c", "empty": ""}));
        assert_eq!(read(" \n"), json!({}));
    }

    #[test]
    fn a_long_value_ends_at_its_delimiter() {
        let text = "before=1\nnotes<<END\na=b\n\n END\nEND\nafter=2";
        assert_eq!(read(text), json!({"before": 1, "notes": "a=b\n\n END", "after": 2}));
        assert_eq!(read("one<<E\n1\nE\n"), json!({"one": "1"}));
        assert_eq!(read("none<<E\nE\n"), json!({"none": ""}));
    }

    #[test]
    fn a_value_of_a_line_has_a_type_if_json_writes_it_so() {
        for (text, value) in [
            ("0", json!(0)),
            ("-7", json!(-7)),
            ("2.5", json!(2.5)),
            ("2.0", json!(2.0)),
            ("true", json!(true)),
            ("false", json!(false)),
            ("18446744073709551615", json!(u64::MAX)),
        ] {
            assert_eq!(read(&format!("x={text}\n")), json!({ "x": value }));
            assert_eq!(value.to_string(), text);
        }
        let texts = [
            "007",
            "3.10",
            "1e5",
            "-0",
            "+1",
            ".5",
            "1.",
            "True",
            "null",
            "nan",
            " 1",
            "1 ",
            "\"1\"",
            "18446744073709551616",
            "0x10",
            "[1]",
            "0.1000000000000000055511151231257827",
            "1_000",
        ];
        for text in texts {
            assert_eq!(read(&format!("x={text}\n")), json!({ "x": text }), "{text}");
        }
    }

    #[test]
    fn json_keeps_its_types() {
        assert_eq!(read(" \n{\"rows\": 42, \"ok\": true}\n"), json!({"rows": 42, "ok": true}));
    }

    #[test]
    fn a_mistake_is_named_with_its_line_and_cure() {
        assert_eq!(
            wrong(b"a=1\njust words\n"),
            "line 2 of $WORKFLOW_OUTPUT is \"just words\"; write `name=value`, or `name<<END`, \
             the lines, `END`"
        );
        assert!(wrong(b"=x").starts_with("line 1"));
        assert!(wrong(b"a<<\n").starts_with("line 1"));
        assert_eq!(
            wrong(b"\na<<END\nx\n"),
            "the value that begins in line 2 of $WORKFLOW_OUTPUT is not closed; write `END` on a \
             line of its own after it"
        );
        assert!(wrong(b"a=1\nb=\xff\n").starts_with("line 2 of $WORKFLOW_OUTPUT is not UTF-8"));
        assert!(wrong(b"{\"a\": 1} and more").contains("is not a JSON object"));
        assert_eq!(
            wrong(b"{\"a\": [1, 18446744073709551616]}"),
            "invalid $WORKFLOW_OUTPUT: `a[1]`: the number 18446744073709551616 has more than 64 \
             bits; write it as text, in quotes"
        );
        let fits = r#"{"a\\": "18446744073709551616", "b": [18446744073709551615, -9223372036854775808, 1e30]}"#;
        assert!(parse(fits.as_bytes()).is_ok());
    }
}
