//! Events as rows. Outputs that are too large for a row are stored once under their SHA-256.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use workflow_core::event::{Event, EventKind, JobOrigin};
use workflow_core::store::StoreError;

use crate::db::sql::{Sql, SqlError, SqlKind};
use crate::db::value::{Value, clean_json, to_micros};

/// An event encoded for its row, by the caller instead of the writer.
#[derive(Debug, Clone)]
pub(crate) struct EncodedEvent {
    /// The event without the values that only its body has.
    pub(crate) event: Event,
    /// When it happened, in microseconds.
    pub(crate) at: i64,
    pub(crate) body: String,
    pub(crate) blob: Option<Blob>,
    /// The result of the run, if this event completes it.
    pub(crate) result: Option<String>,
    /// Whether the run is blocked from here on, and by what; `None` if unchanged.
    pub(crate) blocked: Option<Option<String>>,
}

impl EncodedEvent {
    /// Encodes an event.
    ///
    /// # Errors
    ///
    /// Fails when it has no JSON form, which is impossible for events of an engine.
    pub(crate) fn new(event: &Event) -> Result<Self, StoreError> {
        let light = without_values(event);
        let mut body = write(event)?;
        let mut blob = None;
        if body.len() > MAX_INLINE
            && let Some(heavy) = heavy(&event.kind)
        {
            blob = Some(Blob::new(write(heavy)?));
            body = write(&light)?;
        }
        Ok(Self {
            at: to_micros(event.at),
            result: result(&event.kind, blob.as_ref()),
            blocked: blocked(&event.kind)?,
            event: light,
            body,
            blob,
        })
    }

    /// Encodes events.
    pub(crate) fn all(events: &[Event]) -> Result<Vec<Self>, StoreError> {
        events.iter().map(Self::new).collect()
    }

    pub(crate) fn values(&self, run: i64) -> [Value<'_>; 8] {
        [
            Value::Int(run),
            self.event.sequence.into(),
            Value::Int(self.at),
            Value::Text(self.event.kind.code()),
            self.event.kind.job().into(),
            self.event.kind.attempt().into(),
            Value::Text(&self.body),
            self.blob.as_ref().map(|blob| blob.digest.as_slice()).into(),
        ]
    }
}

/// The largest event, in bytes of JSON, whose output stays in its row. A larger output is stored in
/// a separate table, equal ones once, and restored with the event.
pub const MAX_INLINE: usize = 1024 * 1024;

/// A large output.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    pub(crate) digest: [u8; 32],
    content: String,
}

impl Blob {
    pub(crate) fn new(content: String) -> Self {
        Self { digest: Sha256::digest(content.as_bytes()).into(), content }
    }

    /// The JSON that replaces the blob where it is shown.
    pub(crate) fn reference(&self) -> String {
        let hex: String = self.digest.iter().map(|byte| format!("{byte:02x}")).collect();
        json!({ "blob": format!("sha256:{hex}"), "bytes": self.content.len() }).to_string()
    }

    pub(crate) fn insert(&self, sql: &mut dyn Sql) -> Result<(), SqlError> {
        let values = [Value::Bytes(&self.digest), Value::Bytes(self.content.as_bytes())];
        sql.execute(INSERT_BLOB, &values).map(|_| ())
    }
}

const INSERT_BLOB: &str =
    "INSERT INTO workflows_blob (digest, content) VALUES ($1, $2) ON CONFLICT DO NOTHING";

/// Reads an event from its row.
pub(crate) fn decode(body: &str, heavy: Option<&[u8]>) -> Result<Event, SqlError> {
    let wrong = |error: &dyn std::fmt::Display| {
        let start: String = body.chars().take(80).collect();
        let text = format!("cannot read an event ({error}): {start}");
        SqlError::new(SqlKind::Unusable, text)
    };
    let mut event: Event = workflow_core::json::parse(body).map_err(|error| wrong(&error))?;
    if let Some(heavy) = heavy {
        let heavy = std::str::from_utf8(heavy).map_err(|error| wrong(&error))?;
        let heavy = workflow_core::json::parse(heavy).map_err(|error| wrong(&error))?;
        put_heavy(&mut event.kind, heavy);
    }
    Ok(event)
}

/// JSON as text.
///
/// # Errors
///
/// Fails when the value has no JSON form, or is nested too deeply to be read again.
pub(crate) fn write(value: &impl serde::Serialize) -> Result<String, StoreError> {
    let refused = |reason: String| {
        StoreError::Unusable(format!("cannot store a value of a run: {reason}").into())
    };
    let text = serde_json::to_string(value).map_err(|error| refused(error.to_string()))?;
    let depth = depth(&text);
    if depth > DEEPEST {
        let reason =
            format!("it is nested {depth} levels deep; the limit is {DEEPEST}; flatten it");
        return Err(refused(reason));
    }
    Ok(text)
}

/// How deeply JSON may be nested. The reader stops at 128; an event adds some around a value.
const DEEPEST: usize = 120;

/// How deeply the JSON of a text is nested.
fn depth(text: &str) -> usize {
    if text.len() <= DEEPEST * 2 {
        return 0;
    }
    let (mut depth, mut deepest, mut is_text, mut is_escaped) = (0usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_text = !is_text,
            _ if is_text => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The value of an event that may be stored apart from it.
fn heavy(kind: &EventKind) -> Option<&Json> {
    match kind {
        EventKind::JobCompleted { output, .. } | EventKind::RunCompleted { output } => {
            output.as_deref()
        }
        EventKind::ValuePersisted { value: json, .. }
        | EventKind::SignalReceived { payload: json, .. } => Some(json),
        _ => None,
    }
}

fn put_heavy(kind: &mut EventKind, heavy: Json) {
    match kind {
        EventKind::JobCompleted { output, .. } | EventKind::RunCompleted { output } => {
            *output = Some(Arc::new(heavy));
        }
        EventKind::ValuePersisted { value: json, .. }
        | EventKind::SignalReceived { payload: json, .. } => *json = heavy,
        _ => {}
    }
}

/// A copy of an event without its [heavy] value, and without the input of a job that a function
/// called: small enough to be kept beside the body.
fn without_values(event: &Event) -> Event {
    let kind = match &event.kind {
        EventKind::JobStarted { job, attempt, origin } => EventKind::JobStarted {
            job: job.clone(),
            attempt: *attempt,
            origin: origin.as_deref().map(|origin| Box::new(without_input(origin))),
        },
        EventKind::JobCompleted { job, attempt, annotations, .. } => EventKind::JobCompleted {
            job: job.clone(),
            attempt: *attempt,
            output: None,
            annotations: annotations.clone(),
        },
        EventKind::RunCompleted { .. } => EventKind::RunCompleted { output: None },
        EventKind::ValuePersisted { job, key, .. } => {
            EventKind::ValuePersisted { job: job.clone(), key: key.clone(), value: Json::Null }
        }
        EventKind::SignalReceived { job, attempt, signal, message, .. } => {
            EventKind::SignalReceived {
                job: job.clone(),
                attempt: *attempt,
                signal: signal.clone(),
                payload: Json::Null,
                message: *message,
            }
        }
        other => other.clone(),
    };
    Event::new(event.sequence, event.at, kind)
}

fn without_input(origin: &JobOrigin) -> JobOrigin {
    match origin {
        JobOrigin::Called { by, attempt, job, .. } => JobOrigin::Called {
            by: by.clone(),
            attempt: *attempt,
            job: job.clone(),
            input: Json::Null,
        },
        other => other.clone(),
    }
}

/// The result that the row of a completed run shows.
fn result(kind: &EventKind, blob: Option<&Blob>) -> Option<String> {
    let EventKind::RunCompleted { output } = kind else { return None };
    Some(match (blob, output) {
        (Some(blob), _) => blob.reference(),
        (None, Some(output)) => clean_json(output),
        (None, None) => "null".to_owned(),
    })
}

/// The projection of an event that blocks or unblocks a run. The end of a run does not change it.
fn blocked(kind: &EventKind) -> Result<Option<Option<String>>, StoreError> {
    Ok(match kind {
        EventKind::RunBlocked { blocked } => Some(Some(write(blocked)?)),
        EventKind::RunResumed { .. } | EventKind::RunUnblocked => Some(None),
        _ => None,
    })
}

/// Inserts events with their blobs.
pub(crate) fn insert(sql: &mut dyn Sql, run: i64, events: &[EncodedEvent]) -> Result<(), SqlError> {
    for blob in events.iter().filter_map(|event| event.blob.as_ref()) {
        blob.insert(sql)?;
    }
    with_insert(sql, run, events, None).map(|_| ())
}

/// Inserts events after another statement, in the same round trip.
pub(crate) fn with_insert(
    sql: &mut dyn Sql,
    run: i64,
    events: &[EncodedEvent],
    first: Option<(&str, &[Value<'_>])>,
) -> Result<Vec<u64>, SqlError> {
    #[cfg(feature = "postgres")]
    if events.len() > 1 && sql.dialect().is_postgres() {
        let columns = Columns::new(events.iter().map(|event| (run, event)));
        let values = columns.values();
        let statements: Vec<_> = first.into_iter().chain([(INSERT_MANY, &values[..])]).collect();
        return sql.pipeline(&statements);
    }
    let rows: Vec<[Value<'_>; 8]> = events.iter().map(|event| event.values(run)).collect();
    let inserts = rows.iter().map(|values| (INSERT, values.as_slice()));
    let statements: Vec<_> = first.into_iter().chain(inserts).collect();
    sql.pipeline(&statements)
}

/// Events as lists, one for each column.
#[derive(Default)]
pub(crate) struct Columns<'a> {
    runs: Vec<i64>,
    sequences: Vec<i64>,
    times: Vec<i64>,
    kinds: Vec<Option<&'a str>>,
    jobs: Vec<Option<&'a str>>,
    attempts: Vec<i64>,
    bodies: Vec<Option<&'a str>>,
    blobs: Vec<Option<&'a [u8]>>,
}

impl<'a> Columns<'a> {
    /// Builds the lists from events with the numbers of their runs.
    pub(crate) fn new(events: impl Iterator<Item = (i64, &'a EncodedEvent)>) -> Self {
        let mut columns = Self::default();
        for (run, event) in events {
            columns.runs.push(run);
            let Event { sequence, kind, .. } = &event.event;
            columns.sequences.push(crate::db::value::signed(*sequence));
            columns.times.push(event.at);
            columns.kinds.push(Some(kind.code()));
            columns.jobs.push(kind.job());
            columns.attempts.push(kind.attempt().unwrap_or(0).into());
            columns.bodies.push(Some(&event.body));
            columns.blobs.push(event.blob.as_ref().map(|blob| blob.digest.as_slice()));
        }
        columns
    }

    pub(crate) fn values(&self) -> [Value<'_>; 8] {
        [
            Value::Ints(&self.runs),
            Value::Ints(&self.sequences),
            Value::Ints(&self.times),
            Value::Texts(&self.kinds),
            Value::Texts(&self.jobs),
            Value::Ints(&self.attempts),
            Value::Texts(&self.bodies),
            Value::Blobs(&self.blobs),
        ]
    }
}

const INSERT: &str = "INSERT INTO workflows_event \
    (run, sequence, at, kind, job, attempt, body, blob) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

pub(crate) const INSERT_MANY: &str = "INSERT INTO workflows_event \
    (run, sequence, at, kind, job, attempt, body, blob) \
    SELECT run, sequence, at, kind, job, nullif(attempt, 0)::integer, body::json, blob \
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], \
    $7::text[], $8::bytea[]) AS row (run, sequence, at, kind, job, attempt, body, blob)";
