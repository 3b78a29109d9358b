//! CSV files and JSON lines.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_json::LineDelimitedWriter;

use super::cursor::Saved;
use super::{CursorName, Sink, SinkError};
use crate::batch::Batch;
use crate::config::{FileFormat, WriteMode};
use crate::staged::{StagedFile, Start};

pub(super) struct FileSink {
    path: PathBuf,
    format: FileFormat,
    mode: WriteMode,
    /// From the first batch to the commit.
    writer: Option<Writer>,
    /// To keep at the commit.
    cursor: Option<Saved>,
}

enum Writer {
    Csv(Box<arrow_csv::Writer<StagedFile>>),
    Json(Box<LineDelimitedWriter<StagedFile>>),
}

impl FileSink {
    pub(super) fn new(path: PathBuf, format: FileFormat, mode: WriteMode) -> Self {
        Self { path, format, mode, writer: None, cursor: None }
    }

    /// Begins the file, and checks that the records fit what is there.
    fn open(&self, records: &RecordBatch) -> Result<Writer, SinkError> {
        let mut content = Content::Empty;
        if self.mode == WriteMode::Append {
            content = Content::of(&self.path).map_err(|error| SinkError::io(&self.path, &error))?;
        }
        let mut file = self.begin()?;
        if content == Content::Unfinished {
            file.write_all(b"\n").map_err(|error| SinkError::io(&self.path, &error))?;
        }
        if self.format != FileFormat::Csv {
            let writer = arrow_json::WriterBuilder::new().with_explicit_nulls(true).build(file);
            return Ok(Writer::Json(Box::new(writer)));
        }
        if content != Content::Empty {
            self.check_header(records)?;
        }
        let has_header = content == Content::Empty;
        let writer = arrow_csv::WriterBuilder::new().with_header(has_header).build(file);
        Ok(Writer::Csv(Box::new(writer)))
    }

    fn begin(&self) -> Result<StagedFile, SinkError> {
        let start = if self.mode == WriteMode::Append { Start::Existing } else { Start::Empty };
        StagedFile::begin(&self.path, start).map_err(|error| SinkError::io(&self.path, &error))
    }

    /// Begins a file without records. A CSV file keeps its header, and without one is left out.
    fn begin_empty(&self) -> Result<Option<StagedFile>, SinkError> {
        if self.format != FileFormat::Csv {
            return self.begin().map(Some);
        }
        let io = |error: io::Error| SinkError::io(&self.path, &error);
        let old = match File::open(&self.path) {
            Ok(old) => old,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(error)),
        };
        let mut file = self.begin()?;
        if self.mode == WriteMode::Replace {
            let mut header = csv::ByteRecord::new();
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(old);
            let invalid = |_| SinkError::of_path(&self.path, "its header is not valid CSV");
            if reader.read_byte_record(&mut header).map_err(invalid)? {
                let mut writer = csv::Writer::from_writer(&mut file);
                writer.write_byte_record(&header).map_err(invalid)?;
                writer.flush().map_err(io)?;
            }
        }
        Ok(Some(file))
    }

    fn check_header(&self, records: &RecordBatch) -> Result<(), SinkError> {
        let file = File::open(&self.path).map_err(|error| SinkError::io(&self.path, &error))?;
        let mut reader = csv::Reader::from_reader(file);
        let header = reader.headers();
        let header =
            header.map_err(|_| SinkError::of_path(&self.path, "its header is not valid CSV"))?;
        let schema = records.schema();
        let names = schema.fields().iter().map(|field| field.name().as_str());
        if header.iter().eq(names) {
            return Ok(());
        }
        let found = header.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let wanted = crate::value::columns(records);
        let reason = format!(
            "the file has the columns {found}, the records {wanted}; \
             use `mode: replace` or another `path`"
        );
        Err(SinkError::of_path(&self.path, reason))
    }
}

/// What a file contains before records are appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Empty,
    Lines,
    /// Lines, the last of which does not end.
    Unfinished,
}

impl Content {
    fn of(path: &Path) -> io::Result<Self> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Empty),
            Err(error) => return Err(error),
        };
        if file.metadata()?.len() == 0 {
            return Ok(Self::Empty);
        }
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        Ok(if last == *b"\n" { Self::Lines } else { Self::Unfinished })
    }
}

impl Sink for FileSink {
    fn write(&mut self, batch: &Batch) -> Result<(), SinkError> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.open(batch.records())?,
        };
        let written = match self.writer.insert(writer) {
            Writer::Csv(writer) => writer.write(batch.records()),
            Writer::Json(writer) => writer.write(batch.records()),
        };
        written.map_err(|error| SinkError::of_path(&self.path, error.to_string()))
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        let file = match self.writer.take() {
            None => match self.begin_empty()? {
                Some(file) => file,
                None => return Ok(()),
            },
            Some(Writer::Csv(writer)) => writer.into_inner(),
            Some(Writer::Json(writer)) => writer.into_inner(),
        };
        file.commit().map_err(|error| SinkError::io(&self.path, &error))?;
        let Some(Saved { name, value }) = self.cursor.take() else { return Ok(()) };
        // A crash before this rename repeats the records that were just appended.
        let mut cursors = self.cursors()?;
        cursors.entry(name.pipeline).or_default().insert(name.source, value);
        let path = self.cursor_path();
        let written = StagedFile::begin(&path, Start::Empty).and_then(|mut file| {
            serde_json::to_writer(&mut file, &cursors)?;
            file.commit()
        });
        written.map_err(|error| SinkError::io(&path, &error))
    }

    fn saved_cursor(&mut self, name: &CursorName) -> Result<Option<String>, SinkError> {
        // Somebody who removes the records wants all of them again.
        if !self.path.exists() {
            return Ok(None);
        }
        let cursors = self.cursors()?;
        Ok(cursors.get(&name.pipeline).and_then(|sources| sources.get(&name.source)).cloned())
    }

    fn save_cursor(&mut self, name: &CursorName, value: &str) {
        self.cursor = Some(Saved::new(name, value));
    }
}

/// Cursors by pipeline and source.
type Cursors = BTreeMap<String, BTreeMap<String, String>>;

impl FileSink {
    /// The file of cursors, beside the records.
    fn cursor_path(&self) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.path.with_file_name(format!("{name}.cursor.json"))
    }

    fn cursors(&self) -> Result<Cursors, SinkError> {
        let path = self.cursor_path();
        match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|_| {
                let reason = "the file of cursors is damaged; remove it to load all records again";
                SinkError::of_path(&path, reason)
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Cursors::new()),
            Err(error) => Err(SinkError::io(&path, &error)),
        }
    }
}
