//! Files of all formats, one after the other.

mod newer;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use glob::MatchOptions;

use self::newer::Newer;
use super::csv::CsvFile;
use super::json::{JsonFile, Layout};
#[cfg(feature = "parquet")]
use super::parquet::ParquetFile;
use super::table::{Columns, TextTable};
use super::{Reading, Source, SourceError};
use crate::batch::{Batch, BatchMetadata};
use crate::config::{FileFormat, FileSource};
use crate::cursor::Cursor;
#[cfg(feature = "parquet")]
use crate::normalize;
use crate::policy::Rejects;

/// Finds the files of a path or pattern, in the order of their names.
///
/// # Errors
///
/// Fails with the reason when there is none.
pub(crate) fn find(options: &FileSource) -> Result<Vec<PathBuf>, String> {
    let path = options.as_path();
    if path.is_file() {
        return Ok(vec![path]);
    }
    let pattern = &options.path;
    if !pattern.contains(['*', '?', '[']) {
        let what = if path.is_dir() {
            "is a folder; add a pattern such as `/*.csv`"
        } else {
            "does not exist"
        };
        return Err(format!("the file `{pattern}` {what}"));
    }
    // Hidden files are not tables: pipelines write theirs under hidden names first.
    let options = MatchOptions { require_literal_leading_dot: true, ..MatchOptions::new() };
    let matches = glob::glob_with(pattern, options).map_err(|error| {
        format!("invalid pattern `{pattern}`: {}, at character {}", error.msg, error.pos + 1)
    })?;
    let mut files = Vec::new();
    for found in matches {
        let found = found.map_err(|error| {
            let (folder, reason) = (error.path().display(), crate::text::io_reason(error.error()));
            format!("cannot read the folder `{folder}`: {reason}")
        })?;
        if found.is_file() {
            files.push(found);
        }
    }
    if files.is_empty() { Err(format!("no file matches `{pattern}`")) } else { Ok(files) }
}

pub(super) struct Files {
    options: FileSource,
    format: FileFormat,
    reading: Reading,
    /// Of an incremental load.
    newer: Option<Newer>,
    waiting: VecDeque<PathBuf>,
    open: Option<OpenFile>,
    /// The columns of text formats, from the first file.
    columns: Option<Columns>,
    /// The columns of Parquet files, from the first file.
    schema: Option<SchemaRef>,
    has_several: bool,
    has_returned: bool,
}

struct OpenFile {
    place: Arc<str>,
    content: Content,
    /// The number of the next record.
    next: u64,
}

enum Content {
    Csv(CsvFile),
    Json(JsonFile),
    #[cfg(feature = "parquet")]
    Parquet(ParquetFile),
}

impl Files {
    pub(super) fn new(options: FileSource, paths: Vec<PathBuf>, reading: Reading) -> Self {
        let format = options.format.or_else(|| FileFormat::of(Path::new(&options.path)));
        Self {
            // The rules of the configuration demand a format.
            format: format.unwrap_or(FileFormat::Csv),
            newer: options.incremental.as_ref().map(Newer::new),
            options,
            reading,
            has_several: paths.len() > 1,
            waiting: paths.into(),
            open: None,
            columns: None,
            schema: None,
            has_returned: false,
        }
    }

    fn open_next(&mut self, path: &Path) -> Result<OpenFile, SourceError> {
        let place: Arc<str> = match path.file_name() {
            Some(name) if !self.has_several => name.to_string_lossy().into(),
            _ => path.display().to_string().into(),
        };
        let content = self.content(path);
        let content = content.map_err(|reason| read_error(&path.display().to_string(), reason))?;
        Ok(OpenFile { place, content, next: 1 })
    }

    fn content(&mut self, path: &Path) -> Result<Content, String> {
        let layout = match self.format {
            FileFormat::Csv => {
                let columns = self.columns_of(|| CsvFile::sample(path))?;
                return CsvFile::with_columns(path, columns).map(Content::Csv);
            }
            FileFormat::Jsonl => Layout::Lines,
            FileFormat::Json => Layout::Array,
            FileFormat::Parquet => return self.parquet(path),
        };
        self.columns_of(|| JsonFile::sample(path, layout))?;
        JsonFile::open(path, layout).map(Content::Json)
    }

    /// The columns of the first file.
    fn columns_of(
        &mut self,
        sample: impl FnOnce() -> Result<Vec<(String, crate::value::ColumnType)>, String>,
    ) -> Result<&Columns, String> {
        let columns = match self.columns.take() {
            Some(columns) => columns,
            None => Columns::of_file(sample()?, &self.options.columns)?,
        };
        Ok(self.columns.insert(columns))
    }

    #[cfg(feature = "parquet")]
    fn parquet(&mut self, path: &Path) -> Result<Content, String> {
        let file = ParquetFile::open(path, self.reading.batch_size)?;
        super::table::check_given(file.schema(), &self.options.columns)?;
        let found = normalize::schema(file.schema(), &self.options.columns);
        let schema = self.schema.get_or_insert_with(|| Arc::clone(&found));
        if schema.fields() != found.fields() {
            return Err("its columns are not those of the first file".to_owned());
        }
        Ok(Content::Parquet(file))
    }

    #[cfg(not(feature = "parquet"))]
    #[expect(clippy::unused_self, reason = "the twin with the feature uses it")]
    fn parquet(&mut self, _: &Path) -> Result<Content, String> {
        Err(crate::text::missing_feature("parquet"))
    }

    fn metadata(&self) -> BatchMetadata {
        BatchMetadata::new(&self.reading.label, 0, self.reading.clock.timestamp())
    }

    /// Reads a batch from the open file, and closes it at its end.
    fn read(&mut self, rejects: &mut Rejects) -> Result<Option<Batch>, SourceError> {
        let metadata = self.metadata();
        let Some(file) = &mut self.open else { return Ok(None) };
        let place = Arc::clone(&file.place);
        let fail = |reason| read_error(&place, reason);
        let columns = self.columns.get_or_insert_default();
        let mut table = TextTable::new(columns);
        let most = self.reading.batch_size;
        let may_have_more = match &mut file.content {
            Content::Csv(csv) => csv.fill(&mut table, most).map_err(fail)?,
            Content::Json(json) => json.fill(columns, &mut table, most).map_err(fail)?,
            #[cfg(feature = "parquet")]
            Content::Parquet(parquet) => {
                let Some(records) = parquet.next().map_err(fail)? else {
                    self.open = None;
                    return Ok(None);
                };
                let first = file.next;
                file.next += records.num_rows() as u64;
                let batch = Batch::new(records, metadata, Arc::clone(&place), first);
                let normal = normalize::batch(batch, &self.options.columns, rejects);
                return normal.map(Some).map_err(|error| SourceError::of_types(&place, error));
            }
        };
        let (first, rows) = (file.next, table.rows());
        file.next += rows as u64;
        if !may_have_more {
            self.open = None;
        }
        if rows == 0 {
            return Ok(None);
        }
        table.into_batch(metadata, &place, first, rejects).map(Some)
    }

    fn keep_newer(&self, batch: Batch) -> Result<Batch, SourceError> {
        let Some(newer) = &self.newer else { return Ok(batch) };
        newer.keep(batch).map_err(|reason| read_error(&self.options.path, reason))
    }

    /// A batch without records, so that sinks know the columns.
    fn empty(&self) -> Option<Batch> {
        let of_text = self.columns.as_ref().filter(|columns| columns.len() > 0);
        let schema = self.schema.clone().or_else(|| of_text.map(Columns::schema))?;
        let place = self.reading.label.as_str();
        Some(Batch::new(RecordBatch::new_empty(schema), self.metadata(), place, 1))
    }
}

impl Source for Files {
    fn next(&mut self, rejects: &mut Rejects) -> Result<Option<Batch>, SourceError> {
        loop {
            if self.open.is_none() {
                let Some(path) = self.waiting.pop_front() else { break };
                self.open = Some(self.open_next(&path)?);
            }
            if let Some(batch) = self.read(rejects)? {
                self.has_returned = true;
                return self.keep_newer(batch).map(Some);
            }
        }
        let is_first = !std::mem::replace(&mut self.has_returned, true);
        Ok(if is_first { self.empty() } else { None })
    }

    fn resume(&mut self, cursor: &Cursor) {
        if let Some(newer) = &mut self.newer {
            newer.resume(cursor);
        }
    }
}

fn read_error(place: &str, reason: String) -> SourceError {
    SourceError::Read { place: place.to_owned(), reason }
}
