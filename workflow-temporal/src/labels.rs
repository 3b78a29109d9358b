//! What Temporal shows of a run beside its history: memo and search attributes.

use std::time::{Duration, SystemTime};

use temporalio_common::search_attributes::{SearchAttributeKey, SearchAttributes};
use temporalio_common::{Memo, MemoValues};
use workflow_core::definition::Metadata;
use workflow_core::id::RunId;

use crate::payload;

const PROJECT: SearchAttributeKey<String> = SearchAttributeKey::keyword("Project");
const DOMAIN: SearchAttributeKey<String> = SearchAttributeKey::keyword("Domain");
const TAGS: SearchAttributeKey<Vec<String>> = SearchAttributeKey::keyword_list("Tags");

/// The keys of the memo of an execution that resumes a run.
const RUN: &str = "run";
const STARTED_AT: &str = "started_at";

/// Project, domain and tags, for people.
pub(crate) fn memo(metadata: &Metadata) -> MemoValues {
    let mut memo = MemoValues::new();
    for (key, value) in [("project", metadata.project()), ("domain", metadata.domain())] {
        if let Some(value) = value {
            memo.insert(key, value.to_owned());
        }
    }
    let tags: Vec<String> = metadata.tags().map(str::to_owned).collect();
    if !tags.is_empty() {
        memo.insert("tags", tags);
    }
    memo
}

pub(crate) fn search_attributes(metadata: &Metadata) -> SearchAttributes {
    let tags: Vec<String> = metadata.tags().map(str::to_owned).collect();
    let updates = [
        metadata.project().map(|project| PROJECT.value_set(project.to_owned())),
        metadata.domain().map(|domain| DOMAIN.value_set(domain.to_owned())),
        (!tags.is_empty()).then(|| TAGS.value_set(tags)),
    ];
    SearchAttributes::new(updates.into_iter().flatten())
}

/// The memo of an execution that resumes a run.
pub(crate) fn memo_of_next(metadata: &Metadata, origin: Origin) -> MemoValues {
    let mut memo = memo(metadata);
    memo.insert(RUN, origin.run.to_string());
    if let Some(started_at) = origin.started_at {
        memo.insert(STARTED_AT, seconds(started_at));
    }
    memo
}

/// Where a run began, if this execution only resumes it.
pub(crate) struct Origin {
    pub(crate) run: RunId,
    pub(crate) started_at: Option<SystemTime>,
}

impl Origin {
    /// Reads it from the memo of an execution.
    pub(crate) fn of(memo: &Memo) -> Option<Self> {
        let read = |key: &str| payload::read(std::slice::from_ref(memo.raw_value(key)?)).ok();
        let run = read(RUN)?.as_str()?.parse().ok()?;
        let started_at = read(STARTED_AT).and_then(|seconds| seconds.as_u64());
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        Some(Self { run, started_at: started_at.map(at) })
    }
}

/// Seconds since 1970.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default()
}
