//! The arguments of an execution: the input of its run, and the record of an earlier execution that
//! has grown long.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde_json::Value as Json;
use temporalio_common::data_converters::RawValue;
use temporalio_common::protos::temporal::api::common::v1::Payload;
use workflow_core::executor::RecordedRun;

use crate::payload;

/// The arguments of an execution.
#[derive(Default)]
pub(crate) struct Arguments {
    /// The input of the run; `None` without one.
    pub(crate) input: Option<Json>,
    /// What happened so far.
    pub(crate) record: Option<RecordedRun>,
}

/// The key that marks the payload of a record, with the name of its compression.
const MARK: &str = "workflow-record";
const COMPRESSION: &[u8] = b"zlib";

/// The longest arguments that an execution is started with. Temporal rejects 2 MiB.
const LONGEST: usize = 2_000_000;

/// The longest record that is read.
const LONGEST_RECORD: u64 = 1 << 30;

impl Arguments {
    /// Reads the arguments of an execution.
    ///
    /// # Errors
    ///
    /// Fails if they are not JSON, or a damaged record.
    pub(crate) fn read(payloads: &[Payload]) -> Result<Self, String> {
        let (record, input) = match payloads.split_last() {
            Some((last, others)) if last.metadata.contains_key(MARK) => (Some(last), others),
            _ => (None, payloads),
        };
        let input = match input.is_empty() {
            true => None,
            false => Some(
                payload::read(input)
                    .map_err(|error| format!("the input of the workflow is not JSON: {error}"))?,
            ),
        };
        let damaged = |error: String| format!("the record of the run is damaged: {error}");
        let record = record.map(decode).transpose().map_err(damaged)?;
        Ok(Self { input, record })
    }

    /// Writes the arguments of the next execution. `None` if they are too long for Temporal.
    pub(crate) fn write(input: Option<&Json>, record: &RecordedRun) -> Option<RawValue> {
        let mut arguments = payload::write_input(input);
        arguments.payloads.push(encode(record)?);
        let length: usize = arguments.payloads.iter().map(|payload| payload.data.len()).sum();
        (length <= LONGEST).then_some(arguments)
    }
}

fn encode(record: &RecordedRun) -> Option<Payload> {
    let json = serde_json::to_vec(record).ok()?;
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(&json).ok()?;
    let metadata = HashMap::from([
        ("encoding".to_owned(), b"binary/plain".to_vec()),
        (MARK.to_owned(), COMPRESSION.to_vec()),
    ]);
    Some(Payload { metadata, data: zlib.finish().ok()?, ..Payload::default() })
}

fn decode(payload: &Payload) -> Result<RecordedRun, String> {
    if payload.metadata.get(MARK).map(Vec::as_slice) != Some(COMPRESSION) {
        return Err("its compression is unknown; use a newer worker".to_owned());
    }
    let mut json = Vec::new();
    let mut zlib = ZlibDecoder::new(payload.data.as_slice()).take(LONGEST_RECORD);
    zlib.read_to_end(&mut json).map_err(|error| error.to_string())?;
    serde_json::from_slice(&json).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use workflow_core::id::RunId;

    use super::*;

    fn record() -> RecordedRun {
        RecordedRun {
            run: RunId::random(),
            fingerprint: "graph".into(),
            events: Vec::new(),
            signals: vec![("approved".to_owned(), json!({ "by": "Ada" }))],
        }
    }

    #[test]
    fn arguments_are_read_as_written() {
        for input in [None, Some(Json::Null), Some(json!([1, "two"]))] {
            let record = record();
            let written = Arguments::write(input.as_ref(), &record).expect("it is short");
            let read = Arguments::read(&written.payloads).expect("they are valid");
            assert_eq!((read.input, read.record), (input, Some(record)));
        }
        let read = Arguments::read(&payload::write(&json!(7)).payloads).expect("they are valid");
        assert_eq!((read.input, read.record), (Some(json!(7)), None));
        let read = Arguments::read(&[]).expect("they are valid");
        assert_eq!((read.input, read.record), (None, None));
    }

    #[test]
    fn damaged_and_long_records_are_refused() {
        let mut written = Arguments::write(None, &record()).expect("it is short");
        written.payloads[0].data.truncate(10);
        let error = Arguments::read(&written.payloads).map(drop).expect_err("it is damaged");
        assert!(error.starts_with("the record of the run is damaged: "), "{error}");
        // Letters in a random order compress to six of their eight bits.
        let mut state = 1_u64;
        let mut letter = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'0' + (state >> 58) as u8)
        };
        let payload: String = (0..3_000_000).map(|_| letter()).collect();
        let long = RecordedRun { signals: vec![("x".to_owned(), json!(payload))], ..record() };
        assert!(Arguments::write(None, &long).is_none());
    }
}
