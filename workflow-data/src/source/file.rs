//! Files of all formats, one after the other.

mod newer;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use self::newer::Newer;
use super::csv::CsvFile;
use super::input::Input;
use super::json::{self, JsonFile, Layout};
#[cfg(feature = "object-store")]
use super::object::Search;
#[cfg(feature = "parquet")]
use super::parquet::ParquetFile;
use super::table::{Columns, TextTable};
use super::{Reading, Source, SourceError};
use crate::batch::{Batch, BatchMetadata};
use crate::config::{FileFormat, FileSource, MATCHING, ObjectUrl, WILDCARDS, invalid_pattern};
use crate::cursor::Cursor;
#[cfg(feature = "parquet")]
use crate::normalize;
use crate::policy::Rejects;
use crate::value::ColumnType;

/// What a path or pattern stands for.
pub(crate) enum Found {
    Inputs(Vec<Input>),
    /// Objects are looked for when the first of them is read.
    #[cfg(feature = "object-store")]
    Objects(Search),
}

impl From<Vec<PathBuf>> for Found {
    fn from(paths: Vec<PathBuf>) -> Self {
        Self::Inputs(paths.into_iter().map(Input::File).collect())
    }
}

/// Finds the files of a path or pattern, in the order of their names. No store is asked yet.
///
/// # Errors
///
/// Fails with an option and the reason when there is none.
pub(crate) fn find(options: &FileSource, reading: &Reading) -> Result<Found, (String, String)> {
    let fail = |reason| ("path".to_owned(), reason);
    match ObjectUrl::read(&options.path) {
        Some(url) => objects(&url.map_err(fail)?, options, reading),
        None => local(options).map(Found::from).map_err(fail),
    }
}

#[cfg(feature = "object-store")]
fn objects(
    url: &ObjectUrl<'_>,
    options: &FileSource,
    reading: &Reading,
) -> Result<Found, (String, String)> {
    Search::new(url, options, reading.max_retries).map(Found::Objects)
}

#[cfg(not(feature = "object-store"))]
fn objects(_: &ObjectUrl<'_>, _: &FileSource, _: &Reading) -> Result<Found, (String, String)> {
    Err(("path".to_owned(), crate::text::missing_feature("object-store")))
}

fn local(options: &FileSource) -> Result<Vec<PathBuf>, String> {
    let path = options.as_path();
    if path.is_file() {
        return Ok(vec![path]);
    }
    let pattern = &options.path;
    if !pattern.contains(WILDCARDS) {
        let what = if path.is_dir() {
            "is a folder; add a pattern such as `/*.csv`"
        } else {
            "does not exist"
        };
        return Err(format!("the file `{pattern}` {what}"));
    }
    let matches = glob::glob_with(pattern, MATCHING);
    let matches = matches.map_err(|error| invalid_pattern(pattern, &error))?;
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
    waiting: VecDeque<Input>,
    /// Of objects, until the first one is read.
    #[cfg(feature = "object-store")]
    search: Option<Search>,
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
    pub(super) fn new(options: FileSource, found: Found, reading: Reading) -> Self {
        let format = options.format.or_else(|| FileFormat::of(Path::new(&options.path)));
        let mut files = Self {
            // The rules of the configuration demand a format.
            format: format.unwrap_or(FileFormat::Csv),
            newer: options.incremental.as_ref().map(|it| Newer::new(it, reading.repeated)),
            options,
            reading,
            has_several: false,
            waiting: VecDeque::new(),
            #[cfg(feature = "object-store")]
            search: None,
            open: None,
            columns: None,
            schema: None,
            has_returned: false,
        };
        match found {
            Found::Inputs(inputs) => files.set_inputs(inputs),
            #[cfg(feature = "object-store")]
            Found::Objects(search) => files.search = Some(search),
        }
        files
    }

    fn set_inputs(&mut self, inputs: Vec<Input>) {
        self.has_several = inputs.len() > 1;
        self.waiting = inputs.into();
    }

    /// Looks for the objects, once.
    #[cfg(feature = "object-store")]
    fn find_objects(&mut self) -> Result<(), SourceError> {
        let Some(search) = self.search.take() else { return Ok(()) };
        let found = search.run().map_err(|reason| read_error(&self.options.path, reason))?;
        self.set_inputs(found.into_iter().map(Input::Object).collect());
        Ok(())
    }

    fn open_next(&mut self, input: &Input) -> Result<OpenFile, SourceError> {
        let place: Arc<str> = match input.name() {
            Some(name) if !self.has_several => name.into(),
            _ => input.to_string().into(),
        };
        let content = self.content(input);
        let content = content.map_err(|reason| read_error(&input.to_string(), reason))?;
        Ok(OpenFile { place, content, next: 1 })
    }

    fn content(&mut self, input: &Input) -> Result<Content, String> {
        let layout = match self.format {
            FileFormat::Csv => {
                let columns = self.columns_of(Columns::of_file, || CsvFile::sample(input))?;
                return CsvFile::with_columns(input, columns).map(Content::Csv);
            }
            FileFormat::Jsonl => Layout::Lines,
            FileFormat::Json => Layout::Array,
            FileFormat::Parquet => return self.parquet(input),
        };
        self.columns_of(json::columns, || JsonFile::sample(input, layout))?;
        JsonFile::open(input, layout).map(Content::Json)
    }

    /// The columns of the first file that has some: those that are found in it, joined with those
    /// of the configuration.
    fn columns_of(
        &mut self,
        join: impl FnOnce(Sampled, &BTreeMap<String, ColumnType>) -> Result<Columns, String>,
        sample: impl FnOnce() -> Result<Sampled, String>,
    ) -> Result<&Columns, String> {
        let columns = match self.columns.take().filter(|columns| columns.len() > 0) {
            Some(columns) => columns,
            None => join(sample()?, &self.options.columns)?,
        };
        Ok(self.columns.insert(columns))
    }

    #[cfg(feature = "parquet")]
    fn parquet(&mut self, input: &Input) -> Result<Content, String> {
        let mut file = ParquetFile::open(input, self.reading.batch_size)?;
        super::table::check_given(file.schema(), &self.options.columns)?;
        let found = normalize::schema(file.schema(), &self.options.columns);
        let schema = self.schema.get_or_insert_with(|| Arc::clone(&found));
        file.project(super::table::order(schema, &found)?);
        Ok(Content::Parquet(file))
    }

    #[cfg(not(feature = "parquet"))]
    #[expect(clippy::unused_self, reason = "the twin with the feature uses it")]
    fn parquet(&mut self, _: &Input) -> Result<Content, String> {
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
            Content::Json(file) => file.fill(columns, &mut table, most).map_err(fail)?,
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
        table.into_batch(metadata, &place, first, rejects)
    }

    fn keep_newer(&mut self, batch: Batch, rejects: &mut Rejects) -> Result<Batch, SourceError> {
        let Some(newer) = &mut self.newer else { return Ok(batch) };
        let valid = newer.reject_without_value(batch, rejects)?;
        newer.keep(valid).map_err(|reason| read_error(&self.options.path, reason))
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
        #[cfg(feature = "object-store")]
        self.find_objects()?;
        loop {
            if self.open.is_none() {
                let Some(input) = self.waiting.pop_front() else { break };
                self.open = Some(self.open_next(&input)?);
            }
            if let Some(batch) = self.read(rejects)? {
                self.has_returned = true;
                return self.keep_newer(batch, rejects).map(Some);
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

    fn left_out(&self) -> u64 {
        self.newer.as_ref().map_or(0, Newer::left_out)
    }
}

/// The columns of a file, with the types of their values.
type Sampled = Vec<(String, ColumnType)>;

fn read_error(place: &str, reason: String) -> SourceError {
    SourceError::Read { place: place.to_owned(), reason }
}
