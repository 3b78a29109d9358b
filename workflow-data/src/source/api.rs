//! JSON from an HTTP server, page by page.
//!
//! Each page is one batch, or several if it is long. Requests, retries and pages have modules of
//! their own; this one makes batches of them.

mod client;
mod page;
mod paging;
mod retry;

use std::sync::Arc;

use arrow_array::RecordBatch;
use serde_json::value::RawValue;
use url::Url;
use workflow_core::json;

use self::client::{Client, Response};
use self::page::Page;
use self::paging::Pager;
use super::http::is_local;
use super::json::{Fields, Sample};
use super::table::{Columns, SAMPLE, TextTable};
use super::{Reading, Source, SourceError};
use crate::batch::{Batch, BatchMetadata};
use crate::config::ApiSource;
use crate::cursor::Cursor;
use crate::policy::Rejects;
use crate::row::RowReason;

pub(super) struct Api {
    options: ApiSource,
    reading: Reading,
    client: Client,
    pager: Pager,
    /// The URL of the first page, without a cursor.
    first: Url,
    /// The URL of the next page.
    next: Option<Url>,
    /// The number of the open page, from 1.
    page: u64,
    records: std::vec::IntoIter<Box<RawValue>>,
    /// How many records of the open page were read.
    read: u64,
    /// Known from the first page with records on.
    columns: Option<Columns>,
    has_returned: bool,
}

impl Api {
    /// Makes a source. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// Fails with the reason when the URL is not valid, or the system has no certificates.
    pub(super) fn new(options: ApiSource, reading: Reading) -> Result<Self, String> {
        let url = options.parsed_url()?;
        let parameters = options.query_parameters.iter();
        let parameters: Vec<_> =
            parameters.map(|(name, value)| (name.clone(), value.expose().clone())).collect();
        let mut first = paging::with(&url, &parameters);
        first.set_fragment(None);
        if first.scheme() == "http" && !is_local(&first) && options.has_secrets() {
            tracing::warn!("`url` is not encrypted, so everybody on the way can read the secrets");
        }
        let client = Client::new(&options, &first, reading.max_retries, reading.clock)?;
        let initial = options.incremental.as_ref().and_then(|option| option.initial.as_ref());
        let initial = initial.cloned().and_then(crate::text::of_json);
        let (pager, start) = begin(&options, &first, initial.as_deref());
        Ok(Self {
            first,
            next: Some(start),
            options,
            reading,
            client,
            pager,
            page: 0,
            records: Vec::new().into_iter(),
            read: 0,
            columns: None,
            has_returned: false,
        })
    }

    /// Gets the page at this URL.
    fn open(&mut self, url: &Url) -> Result<(), SourceError> {
        self.page += 1;
        self.read = 0;
        tracing::debug!(source = self.reading.label, page = self.page, "getting a page");
        let opened = self.client.get(url).and_then(|response| self.read_page(&response));
        opened.map_err(|reason| {
            let shown = self.client.masks.url(url, &self.pager.numbered());
            let (label, page) = (&self.reading.label, self.page);
            SourceError::Read { place: format!("{label}, page {page}, {shown}"), reason }
        })
    }

    fn read_page(&mut self, response: &Response) -> Result<(), String> {
        let page = match &response.text {
            Some(text) => self.parse(text, &response.content_type)?,
            None => Page { records: Vec::new(), next: page::Next::None },
        };
        self.next = self.pager.advance(&response.url, &response.link, &page)?;
        // Records without fields tell nothing about the columns.
        let is_unknown = self.columns.as_ref().is_none_or(|columns| columns.len() == 0);
        if is_unknown && !page.records.is_empty() {
            self.columns = Some(columns(&page.records, &self.options));
        }
        self.records = page.records.into_iter();
        Ok(())
    }

    fn parse(&self, text: &str, content_type: &str) -> Result<Page, String> {
        let next_path = self.options.pagination.as_ref();
        let next_path = next_path.and_then(|paging| paging.next_path.as_deref());
        let page = Page::read(text, self.options.records_path.as_deref(), next_path);
        let masks = &self.client.masks;
        page.map_err(|reason| {
            let (reason, excerpt) = (masks.apply(&reason), masks.excerpt(text));
            let kind = masks.apply(content_type);
            match content_type {
                "" => format!("{reason}: `{excerpt}`"),
                _ => format!("{reason}; its type is `{kind}`: `{excerpt}`"),
            }
        })
    }

    /// Makes a batch of the next records of the open page. `None` if no columns are known.
    fn batch(&mut self, rejects: &mut Rejects) -> Result<Option<Batch>, SourceError> {
        let (metadata, place) = (self.metadata(), self.place());
        let Some(columns) = &self.columns else { return Ok(None) };
        let mut table = TextTable::new(columns);
        let mut cells: Vec<Option<String>> = vec![None; columns.len()];
        for record in self.records.by_ref().take(self.reading.batch_size) {
            let text = || crate::text::raw(record.get().as_bytes());
            match json::read::<Fields>(record.get()) {
                Err(error) => {
                    let reason =
                        format!("the record is not a JSON object that can be kept: {error}");
                    table.push_unreadable(RowReason::of_record(reason), text());
                }
                Ok(fields) => match fields.spread(columns, &mut cells) {
                    Some(reason) => table.push_unreadable(reason, text()),
                    None => table.push(cells.iter().map(Option::as_deref)),
                },
            }
        }
        let first = self.read + 1;
        self.read += table.rows() as u64;
        table.into_batch(metadata, &place, first, rejects)
    }

    fn place(&self) -> Arc<str> {
        format!("{}: page {}", self.reading.label, self.page).into()
    }

    fn metadata(&self) -> BatchMetadata {
        BatchMetadata::new(&self.reading.label, 0, self.reading.clock.timestamp())
    }

    /// A batch without records, so that sinks know the columns.
    fn empty(&self) -> Option<Batch> {
        let columns = Columns::of_objects(Vec::new(), &self.options.columns, UNKNOWN);
        let schema = (columns.len() > 0).then(|| columns.schema())?;
        Some(Batch::new(RecordBatch::new_empty(schema), self.metadata(), self.place(), 1))
    }
}

/// A pager, and the URL of the first page, of the records after the cursor.
fn begin(options: &ApiSource, first: &Url, cursor: Option<&str>) -> (Pager, Url) {
    let parameter = options.incremental.as_ref();
    let parameter = parameter.and_then(|option| option.parameter.clone());
    let cursor = parameter.zip(cursor.map(str::to_owned));
    let first = paging::with(first, cursor.as_slice());
    let mut pager = Pager::new(first, options.pagination.clone(), options.max_pages());
    let start = pager.start();
    (pager, start)
}

/// The columns of the first records. Records that cannot be read have none.
fn columns(records: &[Box<RawValue>], options: &ApiSource) -> Columns {
    let mut sample = Sample::default();
    let readable = records.iter().take(SAMPLE).filter_map(|record| json::read(record.get()).ok());
    readable.for_each(|fields| sample.add(fields));
    Columns::of_objects(sample.columns(), &options.columns, UNKNOWN)
}

/// What is wrong with a value of a column that is not known.
const UNKNOWN: &str = "is not on the first page with records, so its column is unknown; \
    add its type to `columns` of the source";

impl Source for Api {
    fn resume(&mut self, cursor: &Cursor) {
        let (pager, start) = begin(&self.options, &self.first, Some(&cursor.value));
        (self.pager, self.next) = (pager, Some(start));
    }

    fn next(&mut self, rejects: &mut Rejects) -> Result<Option<Batch>, SourceError> {
        loop {
            if self.records.len() > 0 {
                if let Some(batch) = self.batch(rejects)? {
                    self.has_returned = true;
                    return Ok(Some(batch));
                }
                continue;
            }
            let Some(url) = self.next.take() else { break };
            self.open(&url)?;
        }
        let is_first = !std::mem::replace(&mut self.has_returned, true);
        Ok(if is_first { self.empty() } else { None })
    }
}
