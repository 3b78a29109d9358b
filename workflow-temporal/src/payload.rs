//! JSON in Temporal's payloads.

use serde_json::Value as Json;
use temporalio_common::data_converters::{PayloadConverter, RawValue};
use temporalio_common::protos::temporal::api::common::v1::Payload;

/// Reads the first payload as JSON; null without one.
///
/// # Errors
///
/// Fails when the payload is not JSON.
pub(crate) fn read(payloads: &[Payload]) -> Result<Json, serde_json::Error> {
    match payloads.first() {
        Some(payload) if !payload.data.is_empty() => serde_json::from_slice(&payload.data),
        _ => Ok(Json::Null),
    }
}

/// Writes JSON as one payload.
pub(crate) fn write(value: &Json) -> RawValue {
    RawValue::from_value(value, &PayloadConverter::default())
}

/// Writes the input of a workflow: no payload without one.
pub(crate) fn write_input(input: Option<&Json>) -> RawValue {
    input.map_or_else(|| RawValue { payloads: Vec::new() }, write)
}
