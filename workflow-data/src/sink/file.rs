//! CSV files and JSON lines.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use arrow_array::RecordBatch;
use arrow_json::LineDelimitedWriter;
use arrow_schema::ArrowError;

use super::cursor::Saved;
use super::{CursorName, Sink, SinkError};
use crate::batch::Batch;
use crate::config::{FileFormat, WriteMode, cursor_file};
use crate::staged::{Content, FileLock, StagedFile};
use crate::text::listed;

pub(super) struct FileSink {
    path: PathBuf,
    format: FileFormat,
    mode: WriteMode,
    /// From the first batch to the commit.
    writer: Option<Writer>,
    /// Of a CSV file that records are appended to. It comes with the commit, because only then it is
    /// known whether the file has one.
    header: Option<Header>,
    /// To keep at the commit.
    cursor: Option<Saved>,
}

enum Writer {
    Csv(Box<arrow_csv::Writer<StagedFile>>),
    Json(Box<LineDelimitedWriter<StagedFile>>),
}

/// The header of a CSV file.
struct Header {
    names: Vec<String>,
    line: Vec<u8>,
}

impl FileSink {
    pub(super) fn new(path: PathBuf, format: FileFormat, mode: WriteMode) -> Self {
        Self { path, format, mode, writer: None, header: None, cursor: None }
    }

    /// Begins the file, and checks that the records fit what is there.
    fn open(&mut self, records: &RecordBatch) -> Result<Writer, SinkError> {
        let file = self.begin()?;
        if self.format != FileFormat::Csv {
            let writer = arrow_json::WriterBuilder::new().with_explicit_nulls(true).build(file);
            return Ok(Writer::Json(Box::new(writer)));
        }
        if self.mode == WriteMode::Append {
            let header = Header::of(records);
            let header =
                header.map_err(|error| SinkError::of_path(&self.path, error.to_string()))?;
            self.check_header(&header)?;
            self.header = Some(header);
        }
        let writer = arrow_csv::WriterBuilder::new().with_header(self.header.is_none()).build(file);
        Ok(Writer::Csv(Box::new(writer)))
    }

    fn begin(&self) -> Result<StagedFile, SinkError> {
        StagedFile::begin(&self.path).map_err(|error| SinkError::io(&self.path, &error))
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

    /// Checks that a file with content has this header.
    fn check_header(&self, wanted: &Header) -> Result<(), SinkError> {
        let fail = |error: io::Error| SinkError::io(&self.path, &error);
        if Content::of(&self.path).map_err(fail)? == Content::Empty {
            return Ok(());
        }
        let mut reader = csv::Reader::from_reader(File::open(&self.path).map_err(fail)?);
        let header = reader.headers();
        let header =
            header.map_err(|_| SinkError::of_path(&self.path, "its header is not valid CSV"))?;
        if header.iter().eq(wanted.names.iter()) {
            return Ok(());
        }
        let (found, wanted) = (listed(header), listed(wanted.names.iter().map(String::as_str)));
        let reason = format!(
            "the file has the columns {found}, the records {wanted}; \
             use `mode: replace` or another `path`"
        );
        Err(SinkError::of_path(&self.path, reason))
    }
}

impl Header {
    fn of(records: &RecordBatch) -> Result<Self, ArrowError> {
        let schema = records.schema();
        let names = schema.fields().iter().map(|field| field.name().clone()).collect();
        let mut line = Vec::new();
        arrow_csv::Writer::new(&mut line).write(&RecordBatch::new_empty(schema))?;
        Ok(Self { names, line })
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
        // It also keeps others from writing the cursors.
        let lock = FileLock::acquire(&self.path);
        let lock = lock.map_err(|error| SinkError::io(&self.path, &error))?;
        let header = self.header.take();
        if let Some(header) = &header {
            self.check_header(header)?;
        }
        let line = header.map_or_else(Vec::new, |header| header.line);
        let written = match self.mode {
            WriteMode::Append => file.append(&lock, &line),
            WriteMode::Replace | WriteMode::Merge => file.replace(&lock),
        };
        written.map_err(|error| SinkError::io(&self.path, &error))?;
        let Some(Saved { name, value }) = self.cursor.take() else { return Ok(()) };
        // A crash before this rename repeats the records that were just appended.
        let mut cursors = self.cursors()?;
        cursors.entry(name.pipeline).or_default().insert(name.source, value);
        let path = cursor_file(&self.path);
        let written = StagedFile::begin(&path).and_then(|mut file| {
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
    fn cursors(&self) -> Result<Cursors, SinkError> {
        let path = cursor_file(&self.path);
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
