//! The configuration of a pipeline: typed sections, their defaults and their checks.
//!
//! The sections are read with `workflow-config`, so each mistake has its file, line and column.
//! Stages read and check their own options.

mod api;
mod database;
mod files;
mod incremental;
mod one_or_many;
mod output;
mod source;
mod storage;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use workflow_config::{Rules, Violations};
use workflow_cron::{Cron, zone};

pub use api::{ApiSource, AuthType, Pagination, PagingKind};
pub use database::DatabaseSource;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) use database::System;
pub(crate) use files::{MATCHING, WILDCARDS, invalid_pattern};
pub use incremental::Incremental;
pub(crate) use one_or_many::OneOrMany;
pub(crate) use output::cursor_file;
pub use output::{OutputConfig, SinkKind, WriteMode};
pub use source::{
    FileFormat, FileSource, IngestionSource, MockSource, SourceConfig, SourceKind, SourceSection,
};
pub(crate) use storage::ObjectUrl;
#[cfg(feature = "object-store")]
pub(crate) use storage::StoreKind;

/// What the outputs of a pipeline do with a record that they have already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeated {
    /// They keep one.
    Merged,
    /// At least one of them adds another.
    Added,
}

/// What happens with a record that fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FailurePolicy {
    /// The pipeline fails, and writes nothing.
    #[default]
    Fail,
    /// The record is left out and counted.
    Skip,
    /// The record is left out, counted, and written to the quarantine with its reasons.
    Quarantine,
}

/// The configuration of a pipeline.
///
/// The source is in `ingestion.source`, or in `source`. Batch size and retries are in
/// `ingestion.parameters`, or in `processing`. If both are there, they must agree.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PipelineConfig {
    /// Name, description and schedule.
    pub workflow: Option<WorkflowSection>,
    /// The source and its parameters.
    pub ingestion: Option<Ingestion>,
    /// The source, with its options in a section that is named as its type.
    pub source: Option<SourceSection>,
    /// Batch size, retries and failing records.
    pub processing: Option<Processing>,
    /// The stages.
    pub transformation: Option<Transformation>,
    /// One sink, or a list of sinks.
    output: Option<OneOrMany<OutputConfig>>,
    /// When the workflow runs. The host's metadata has it after
    /// [`describe_registered`](workflow_config::describe_registered), which the command line calls.
    pub schedule: Option<ScheduleSection>,
    /// What a run does with the dashboard, for the crate `workflow-evidence`. A pipeline does not
    /// read it.
    pub dashboard: Option<Value>,
}

/// The section `workflow`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WorkflowSection {
    /// The name.
    pub name: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// A cron expression, weaker than the section `schedule`.
    pub schedule: Option<String>,
}

/// The section `ingestion`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Ingestion {
    /// The source, with its options beside its type.
    pub source: Option<IngestionSource>,
    /// Batch size and retries.
    pub parameters: Option<Parameters>,
}

/// The section `ingestion.parameters`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Parameters {
    /// The most records of a batch.
    pub batch_size: Option<usize>,
    /// How often an API or an object store is asked again after a failed request.
    pub max_retries: Option<u32>,
}

/// The section `processing`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Processing {
    /// The most records of a batch.
    pub batch_size: Option<usize>,
    /// How often an API or an object store is asked again after a failed request.
    pub max_retries: Option<u32>,
    /// What happens with a record that fails. Default: `fail`.
    pub on_failure: Option<FailurePolicy>,
    /// The file of quarantined records, as JSON lines. Each run adds its records.
    pub quarantine: Option<PathBuf>,
}

/// The section `transformation`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Transformation {
    /// The stages, in order.
    #[serde(default)]
    pub stages: Vec<StageConfig>,
}

/// A stage by name, with its options.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StageConfig {
    /// The name of a built-in stage, or of one that the host added.
    pub name: String,
    /// The options, which the stage reads.
    #[serde(default)]
    pub options: Option<Map<String, Value>>,
}

/// The section `schedule`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ScheduleSection {
    /// The cron expression.
    pub cron: Option<String>,
    /// The name of the time zone. Default: UTC.
    pub timezone: Option<String>,
    /// What happens while a run is in progress: `skip`, `queue`, `cancel` or `allow`.
    pub overlap: Option<String>,
    /// How late a missed time may be made up for, such as `1h`.
    pub catch_up: Option<String>,
    /// The longest random delay, such as `5m`.
    pub jitter: Option<String>,
}

/// The most records of a batch, unless the configuration says otherwise.
const BATCH_SIZE: usize = 1_000;

/// A batch of more records is a mistake: it would hold a table in memory.
const LARGEST_BATCH: usize = 1_000_000;

impl PipelineConfig {
    /// The source. `None` if the configuration names none.
    pub fn source(&self) -> Option<SourceConfig> {
        let of_ingestion = self.ingestion.as_ref().and_then(|section| section.source.as_ref());
        let source = of_ingestion.and_then(IngestionSource::normalize);
        source.or_else(|| self.source.as_ref().and_then(SourceSection::normalize))
    }

    /// The path of the section with the source's options, for errors.
    pub(crate) fn source_path(&self) -> &'static str {
        let in_ingestion = self.ingestion.as_ref().is_some_and(|section| section.source.is_some());
        if in_ingestion { "ingestion.source" } else { "source" }
    }

    /// The sinks, in order.
    pub fn outputs(&self) -> &[OutputConfig] {
        self.output.as_ref().map_or(&[], OneOrMany::items)
    }

    /// What the sinks do with a record that they have already.
    pub(crate) fn repeated(&self) -> Repeated {
        match self.outputs().iter().all(|output| output.mode == WriteMode::Merge) {
            true => Repeated::Merged,
            false => Repeated::Added,
        }
    }

    /// The path of a sink, for errors.
    pub(crate) fn output_path(&self, index: usize) -> String {
        match &self.output {
            Some(OneOrMany::Many(_)) => format!("output[{index}]"),
            _ => "output".to_owned(),
        }
    }

    /// The stages, in order.
    pub fn stages(&self) -> &[StageConfig] {
        self.transformation.as_ref().map_or(&[], |section| &section.stages)
    }

    /// The most records of a batch. Default: 1,000.
    pub fn batch_size(&self) -> usize {
        let given = self.parameters().and_then(|section| section.batch_size);
        let given = given.or_else(|| self.processing.as_ref()?.batch_size);
        given.unwrap_or(BATCH_SIZE)
    }

    /// How often an API is asked again after a failed request. Default: never.
    pub fn max_retries(&self) -> u32 {
        let given = self.parameters().and_then(|section| section.max_retries);
        given.or_else(|| self.processing.as_ref()?.max_retries).unwrap_or_default()
    }

    /// What happens with a record that fails.
    pub fn on_failure(&self) -> FailurePolicy {
        self.processing.as_ref().and_then(|section| section.on_failure).unwrap_or_default()
    }

    /// The file of quarantined records.
    pub fn quarantine(&self) -> Option<&PathBuf> {
        self.processing.as_ref()?.quarantine.as_ref()
    }

    /// The cron expression: that of `schedule`, or else that of `workflow`.
    pub fn cron(&self) -> Option<&str> {
        let strong = self.schedule.as_ref().and_then(|section| section.cron.as_deref());
        strong.or_else(|| self.workflow.as_ref()?.schedule.as_deref())
    }

    fn parameters(&self) -> Option<&Parameters> {
        self.ingestion.as_ref()?.parameters.as_ref()
    }
}

impl Rules for PipelineConfig {
    fn check(&self, violations: &mut Violations) {
        self.check_source(violations);
        self.check_processing(violations);
        self.check_schedule(violations);
        self.check_outputs(violations);
        self.check_loops(violations);
        self.check_incremental(violations);
    }
}

impl PipelineConfig {
    fn check_source(&self, violations: &mut Violations) {
        let of_ingestion = self.ingestion.as_ref().and_then(|section| section.source.as_ref());
        if let Some(source) = of_ingestion {
            violations.field("ingestion.source", source);
        }
        if let Some(source) = &self.source {
            violations.field("source", source);
        }
        match (of_ingestion.map(IngestionSource::normalize), &self.source) {
            (None, None) => violations.add(
                "",
                "no source; add `ingestion:` with `source: {type: mock}`, \
                 or `source: {type: mock}`",
            ),
            (Some(one), Some(other)) if !agree(one.as_ref(), other.normalize().as_ref()) => {
                violations.add(
                    "source",
                    "`ingestion.source` and `source` describe different sources; keep one of them",
                );
            }
            _ => {}
        }
    }

    fn check_processing(&self, violations: &mut Violations) {
        let (parameters, processing) = (self.parameters(), self.processing.as_ref());
        let batch_sizes = [
            ("ingestion.parameters", parameters.and_then(|section| section.batch_size)),
            ("processing", processing.and_then(|section| section.batch_size)),
        ];
        for (section, size) in batch_sizes {
            if size.is_some_and(|size| size == 0 || size > LARGEST_BATCH) {
                let message = format!("must be from 1 to {LARGEST_BATCH}");
                violations.add(format!("{section}.batch_size"), message);
            }
        }
        let retries = (
            parameters.and_then(|section| section.max_retries),
            processing.and_then(|section| section.max_retries),
        );
        let sizes = (batch_sizes[0].1, batch_sizes[1].1);
        for (field, differ) in [("batch_size", differ(sizes)), ("max_retries", differ(retries))] {
            if differ {
                let message =
                    format!("`ingestion.parameters.{field}` has another value; keep one of them");
                violations.add(format!("processing.{field}"), message);
            }
        }
        let quarantine = self.quarantine().and_then(|path| path.to_str());
        if let Some((scheme, _)) = quarantine.and_then(files::scheme) {
            violations.add("processing.quarantine", output::no_url(scheme));
        }
        if self.on_failure() == FailurePolicy::Quarantine && self.quarantine().is_none() {
            violations.add(
                "processing.on_failure",
                "`quarantine` needs a file; add `quarantine: quarantine.jsonl` to `processing`",
            );
        }
    }

    fn check_outputs(&self, violations: &mut Violations) {
        let outputs = self.outputs();
        let is_quarantine =
            |path: &Path| self.quarantine().is_some_and(|other| files::is_same(path, other));
        for (index, output) in outputs.iter().enumerate() {
            let path = self.output_path(index);
            violations.field(&path, output);
            let is_taken = outputs[..index].iter().any(|other| output.collides_with(other));
            if is_taken && output.url.is_some() {
                violations.add(format!("{path}.table"), "another output has this table");
            } else if is_taken || is_quarantine(&output.path) {
                let message =
                    "another output, or the quarantine, has this path; choose another one";
                violations.add(format!("{path}.path"), message);
            }
        }
    }

    /// A pipeline that reads what it writes has other records in each run.
    fn check_loops(&self, violations: &mut Violations) {
        match self.source().map(|source| source.kind) {
            Some(SourceKind::File(options)) => {
                for Written { option, file, .. } in self.written() {
                    if files::matches(&options.path, &file) {
                        let (file, pattern) = (file.display(), &options.path);
                        let message = format!(
                            "the source reads `{file}`, because its path is `{pattern}`; \
                             choose another path"
                        );
                        violations.add(option, message);
                    }
                }
            }
            Some(SourceKind::Database(options)) => {
                let is_source = |file: &Path| {
                    options.sqlite_file().is_some_and(|other| files::is_same(other, file))
                };
                for Written { option, file, is_database } in self.written() {
                    if !is_database && is_source(&file) {
                        violations
                            .add(option, "is the database of the source; choose another path");
                    }
                }
                for (index, output) in self.outputs().iter().enumerate() {
                    if output.grows_from(&options) {
                        let message = "the query of the source selects from this table, so each \
                            run would add all of its records again; choose another table, or \
                            `mode: merge` with a key";
                        violations.add(format!("{}.table", self.output_path(index)), message);
                    }
                }
            }
            Some(SourceKind::Api(_) | SourceKind::Mock(_)) | None => {}
        }
    }

    /// The files that a run writes.
    fn written(&self) -> Vec<Written> {
        let source = self.source();
        let is_incremental = source.is_some_and(|source| source.kind.incremental().is_some());
        let mut written = Vec::new();
        for (index, output) in self.outputs().iter().enumerate() {
            let option = format!("{}.path", self.output_path(index));
            let is_database = output.kind == SinkKind::Sqlite;
            let files = output.files(is_incremental);
            written.extend(files.map(|file| Written { option: option.clone(), file, is_database }));
        }
        if let Some(file) = self.quarantine().cloned() {
            let option = "processing.quarantine".to_owned();
            written.push(Written { option, file, is_database: false });
        }
        written
    }

    /// An incremental load adds to what is there.
    fn check_incremental(&self, violations: &mut Violations) {
        let Some(source) = self.source().filter(|source| source.kind.incremental().is_some())
        else {
            return;
        };
        if self.outputs().is_empty() {
            let path = self.source_path();
            let kind =
                if path == "source" { format!(".{}", source.kind.name()) } else { String::new() };
            let message = "an output keeps the cursor; add `output:`";
            violations.add(format!("{path}{kind}.incremental"), message);
        }
        for (index, output) in self.outputs().iter().enumerate() {
            if output.mode == WriteMode::Replace {
                let path = self.output_path(index);
                let message = "`replace` would remove the records of earlier loads; \
                    an `incremental` source needs `append` or `merge`";
                violations.add(format!("{path}.mode"), message);
            }
        }
    }

    fn check_schedule(&self, violations: &mut Violations) {
        let of_workflow = self.workflow.as_ref().and_then(|section| section.schedule.as_deref());
        let section = self.schedule.as_ref();
        let of_section = section.and_then(|section| section.cron.as_deref());
        for (path, cron) in [("workflow.schedule", of_workflow), ("schedule.cron", of_section)] {
            if let Some(Err(error)) = cron.map(Cron::parse) {
                violations.add(path, error);
            }
        }
        let zone = section.and_then(|section| section.timezone.as_deref());
        if let Some(problem) = zone.and_then(zone::problem) {
            violations.add("schedule.timezone", problem);
        }
    }
}

/// A file that a run writes.
struct Written {
    /// The option that names it.
    option: String,
    file: PathBuf,
    /// Whether a table is written in it, and the rest of it stays.
    is_database: bool,
}

/// Whether two descriptions are of one source. A description that does not say what it is has an
/// error of its own.
fn agree(one: Option<&SourceConfig>, other: Option<&SourceConfig>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => {
            let same_name = one.name.is_none() || other.name.is_none() || one.name == other.name;
            same_name && one.kind == other.kind
        }
        _ => true,
    }
}

fn differ<T: PartialEq>(values: (Option<T>, Option<T>)) -> bool {
    matches!(values, (Some(one), Some(other)) if one != other)
}
