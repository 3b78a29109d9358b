//! Parquet files in stores: one row group at a time is in memory.

use bytes::{Buf, Bytes};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

use super::object::Object;
use super::parquet::{NOT_VALID, not_decoded};

/// The row groups of an object that are still to be read.
pub(super) struct RowGroups {
    object: Object,
    metadata: ArrowReaderMetadata,
    next: usize,
    batch_size: usize,
}

/// What the first request reads from the end. Most files have all of their metadata there.
const TAIL: u64 = 64 << 10;

/// The length of the metadata, and the magic number.
const FOOTER: u64 = 8;

/// The largest metadata and the largest row group, in bytes.
const LARGEST: u64 = 1 << 30;

impl RowGroups {
    /// Reads the metadata of an object.
    ///
    /// # Errors
    ///
    /// Fails with the reason.
    pub(super) fn open(object: Object, batch_size: usize) -> Result<Self, String> {
        let size = object.size();
        let mut tail = Part::read(&object, size.saturating_sub(TAIL)..size)?;
        let needed = tail.metadata_length().map(|length| length + FOOTER);
        let needed = needed.filter(|needed| *needed <= size.min(LARGEST)).ok_or(NOT_VALID)?;
        if needed > TAIL {
            tail = Part::read(&object, size - needed..size)?;
        }
        let metadata = ArrowReaderMetadata::load(&tail, ArrowReaderOptions::new());
        let metadata = metadata.map_err(|_| NOT_VALID.to_owned())?;
        Ok(Self { object, metadata, next: 0, batch_size })
    }

    pub(super) fn schema(&self) -> arrow_schema::SchemaRef {
        self.metadata.schema().clone()
    }

    /// A reader of nothing.
    pub(super) fn empty(&self) -> Result<ParquetRecordBatchReader, String> {
        let part = Part { start: 0, bytes: Bytes::new(), size: self.object.size() };
        self.reader(part, Vec::new())
    }

    /// Reads the next row group; `None` after the last one.
    ///
    /// # Errors
    ///
    /// Fails with the reason.
    pub(super) fn next(&mut self) -> Result<Option<ParquetRecordBatchReader>, String> {
        let index = self.next;
        let Some(group) = self.metadata.metadata().row_groups().get(index) else {
            return Ok(None);
        };
        self.next += 1;
        let ranges = group.columns().iter().map(|column| {
            let (start, length) = column.byte_range();
            start..start.saturating_add(length)
        });
        let (start, end) = ranges.fold((u64::MAX, 0), |(start, end), range| {
            (start.min(range.start), end.max(range.end))
        });
        let part = start.min(end)..end;
        if part.end > self.object.size() {
            return Err(NOT_VALID.to_owned());
        }
        let length = part.end - part.start;
        if length > LARGEST {
            let (mib, most) = (length >> 20, LARGEST >> 20);
            return Err(format!(
                "row group {} has {mib} MiB, more than {most} MiB; write smaller row groups",
                index + 1
            ));
        }
        let part = Part::read(&self.object, part)?;
        self.reader(part, vec![index]).map(Some)
    }

    fn reader(&self, part: Part, groups: Vec<usize>) -> Result<ParquetRecordBatchReader, String> {
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(part, self.metadata.clone());
        let builder = builder.with_row_groups(groups).with_batch_size(self.batch_size);
        builder.build().map_err(|error| not_decoded(&error))
    }
}

/// A part of an object, under the places that it has there.
struct Part {
    start: u64,
    bytes: Bytes,
    /// The size of the object.
    size: u64,
}

impl Part {
    fn read(object: &Object, part: std::ops::Range<u64>) -> Result<Self, String> {
        let start = part.start;
        Ok(Self { start, bytes: object.read(part)?, size: object.size() })
    }

    /// The length of the metadata; `None` if this is no end of a Parquet file.
    fn metadata_length(&self) -> Option<u64> {
        let length = self.bytes.strip_suffix(b"PAR1")?.last_chunk::<4>()?;
        Some(u32::from_le_bytes(*length).into())
    }
}

impl Length for Part {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Part {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        let end = self.start + self.bytes.len() as u64;
        let length = end.saturating_sub(start);
        Ok(self.get_bytes(start, length as usize)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let first = start.checked_sub(self.start).and_then(|first| usize::try_from(first).ok());
        let last = first.and_then(|first| first.checked_add(length));
        match (first, last) {
            (Some(first), Some(last)) if last <= self.bytes.len() => {
                Ok(self.bytes.slice(first..last))
            }
            _ => Err(ParquetError::EOF(format!("no {length} bytes at byte {start}"))),
        }
    }
}
