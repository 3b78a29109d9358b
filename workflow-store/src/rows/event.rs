//! Events as rows. Outputs that are too large for a row are stored once under their SHA-256.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use workflow_core::Status;
use workflow_core::event::{Event, EventKind, JobOrigin, Waiting};
use workflow_core::store::StoreError;

use crate::db::sql::{Sql, SqlError, SqlKind};
use crate::db::value::{Value, clean, clean_json, to_micros};

/// An event encoded for its row, by the caller instead of the writer.
#[derive(Debug)]
pub(crate) struct EncodedEvent {
    pub(crate) sequence: u64,
    pub(crate) at: i64,
    pub(crate) body: String,
    pub(crate) blob: Option<Blob>,
    /// The new status of the run.
    pub(crate) status: Option<Status>,
    pub(crate) subject: Subject,
    /// Whether the run is blocked from here on, and by what; `None` if unchanged.
    pub(crate) blocked: Option<Option<String>>,
    attempt: Option<u32>,
}

/// The part of an event that is also projected.
#[derive(Debug)]
pub(crate) enum Subject {
    Run,
    Resumed,
    Completed {
        result: String,
    },
    Failed {
        error: String,
    },
    Job {
        job: Box<str>,
    },
    JobStarted {
        job: Box<str>,
        counts_as: Option<Box<str>>,
        parent: Option<Box<str>>,
    },
    AttemptEnded {
        job: Box<str>,
    },
    Waits {
        job: Box<str>,
        waiting: Box<Waiting>,
    },
    WaitsNoMore {
        job: Box<str>,
    },
    /// A sleep too short to record, which ends an earlier one.
    SleepsBriefly {
        job: Box<str>,
    },
    JobEnded {
        job: Box<str>,
        status: Status,
    },
}

impl EncodedEvent {
    /// Encodes an event.
    ///
    /// # Errors
    ///
    /// Fails when it has no JSON form, which is impossible for events of an engine.
    pub(crate) fn new(event: &Event) -> Result<Self, StoreError> {
        let mut body = write(event)?;
        let mut blob = None;
        if body.len() > MAX_INLINE {
            let mut light = event.clone();
            if let Some(heavy) = take_heavy(&mut light.kind) {
                blob = Some(Blob::new(write(&heavy)?));
                body = write(&light)?;
            }
        }
        Ok(Self {
            sequence: event.sequence,
            at: to_micros(event.at),
            status: event.kind.run_status(),
            subject: subject(event, blob.as_ref()),
            blocked: blocked(&event.kind)?,
            attempt: event.kind.attempt(),
            body,
            blob,
        })
    }

    /// Encodes events.
    pub(crate) fn all(events: &[Event]) -> Result<Vec<Self>, StoreError> {
        events.iter().map(Self::new).collect()
    }

    /// The kind of the event.
    pub(crate) fn kind(&self) -> &str {
        // The sequence number and the time, which come first, cannot contain this text.
        let tag = "\"event\":\"";
        let from = self.body.find(tag).map(|at| &self.body[at + tag.len()..]);
        from.and_then(|rest| rest.split('"').next()).unwrap_or_default()
    }

    pub(crate) fn job(&self) -> Option<&str> {
        match &self.subject {
            Subject::Job { job }
            | Subject::JobStarted { job, .. }
            | Subject::AttemptEnded { job }
            | Subject::Waits { job, .. }
            | Subject::WaitsNoMore { job }
            | Subject::SleepsBriefly { job }
            | Subject::JobEnded { job, .. } => Some(job),
            _ => None,
        }
    }

    pub(crate) fn values(&self, run: i64) -> [Value<'_>; 8] {
        [
            Value::Int(run),
            self.sequence.into(),
            Value::Int(self.at),
            Value::Text(self.kind()),
            self.job().into(),
            self.attempt.into(),
            Value::Text(&self.body),
            self.blob.as_ref().map(|blob| blob.digest.as_slice()).into(),
        ]
    }
}

/// The largest event, in bytes of JSON, whose output stays in its row. A larger output is stored in
/// a separate table, equal ones once, and restored with the event.
pub const MAX_INLINE: usize = 1024 * 1024;

/// A large output.
#[derive(Debug)]
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
    let wrong = |error: serde_json::Error| {
        let start: String = body.chars().take(80).collect();
        let text = format!("cannot read an event ({error}): {start}");
        SqlError::new(SqlKind::Unusable, text)
    };
    let mut event: Event = serde_json::from_str(body).map_err(wrong)?;
    if let Some(heavy) = heavy {
        put_heavy(&mut event.kind, serde_json::from_slice(heavy).map_err(wrong)?);
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

/// Takes out the output, which may be large.
fn take_heavy(kind: &mut EventKind) -> Option<Arc<Json>> {
    match kind {
        EventKind::JobCompleted { output, .. } | EventKind::RunCompleted { output } => {
            output.take()
        }
        EventKind::ValueKept { value: json, .. }
        | EventKind::SignalReceived { payload: json, .. } => Some(Arc::new(std::mem::take(json))),
        _ => None,
    }
}

fn put_heavy(kind: &mut EventKind, heavy: Json) {
    match kind {
        EventKind::JobCompleted { output, .. } | EventKind::RunCompleted { output } => {
            *output = Some(Arc::new(heavy));
        }
        EventKind::ValueKept { value: json, .. }
        | EventKind::SignalReceived { payload: json, .. } => *json = heavy,
        _ => {}
    }
}

pub(crate) fn subject(event: &Event, blob: Option<&Blob>) -> Subject {
    let since = event.at;
    let waits =
        |waiting: Waiting| Subject::Waits { job: waiting.job().into(), waiting: Box::new(waiting) };
    let ended = |job: &String, status| Subject::JobEnded { job: job.as_str().into(), status };
    match &event.kind {
        EventKind::RunResumed { .. } => Subject::Resumed,
        EventKind::RunCompleted { output } => Subject::Completed {
            result: match (blob, output) {
                (Some(blob), _) => blob.reference(),
                (None, Some(output)) => clean_json(output),
                (None, None) => "null".to_owned(),
            },
        },
        EventKind::RunFailed { reason } => Subject::Failed { error: clean(reason).into_owned() },
        EventKind::JobStarted { job, origin, .. } => Subject::JobStarted {
            job: job.as_str().into(),
            counts_as: origin.as_deref().and_then(counts_as),
            parent: origin.as_deref().and_then(parent),
        },
        EventKind::AttemptFailed { job, .. } => Subject::AttemptEnded { job: job.as_str().into() },
        EventKind::SignalAwaited { job, signal, .. } => {
            waits(Waiting::Signal { job: job.clone(), signal: signal.clone(), since })
        }
        EventKind::SleepStarted { job, until, duration, .. } if *duration >= SHORTEST_TOLD => {
            waits(Waiting::Time { job: job.clone(), until: *until, since })
        }
        EventKind::SleepStarted { job, .. } => Subject::SleepsBriefly { job: job.as_str().into() },
        EventKind::SignalReceived { job, .. } => Subject::WaitsNoMore { job: job.as_str().into() },
        EventKind::JobCompleted { job, .. } => ended(job, Status::Completed),
        EventKind::JobFailed { job, .. } => ended(job, Status::Failed),
        EventKind::JobCancelled { job, .. } => ended(job, Status::Cancelled),
        other => match other.job() {
            Some(job) => Subject::Job { job: job.into() },
            None => Subject::Run,
        },
    }
}

/// The name in statistics of all jobs with one origin.
pub(crate) fn counts_as(origin: &JobOrigin) -> Option<Box<str>> {
    match origin {
        JobOrigin::Called { job, .. } => Some(job.as_str().into()),
        JobOrigin::Element { of, .. } => Some(of.as_str().into()),
        _ => None,
    }
}

/// The shortest sleep that is projected for lists: a shorter one would be over before anyone reads
/// it.
const SHORTEST_TOLD: Duration = Duration::from_secs(5);

/// The job that waits for a job of this origin.
fn parent(origin: &JobOrigin) -> Option<Box<str>> {
    match origin {
        JobOrigin::Called { by, .. } => Some(by.as_str().into()),
        JobOrigin::Element { of, .. } => Some(of.as_str().into()),
        _ => None,
    }
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
            columns.sequences.push(crate::db::value::signed(event.sequence));
            columns.times.push(event.at);
            columns.kinds.push(Some(event.kind()));
            columns.jobs.push(event.job());
            columns.attempts.push(event.attempt.unwrap_or(0).into());
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
