//! The two forms in which a configuration describes its source, and the one form they stand for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use glob::Pattern;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use workflow_config::{Rules, Secret, Violations};

use super::api::{ApiSource, AuthType, Pagination};
use super::database::DatabaseSource;
use super::files::invalid_pattern;
use super::incremental::Incremental;
use super::storage;
use crate::value::ColumnType;

/// A source: what both forms of the configuration stand for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SourceConfig {
    /// The name.
    pub name: Option<String>,
    /// What it is.
    pub kind: SourceKind,
}

/// What a source is, with its options.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SourceKind {
    /// An HTTP API (feature `api`).
    Api(Box<ApiSource>),
    /// Files.
    File(FileSource),
    /// A query to a database (features `sqlite` and `postgres`).
    Database(DatabaseSource),
    /// Data that is made up.
    Mock(MockSource),
}

impl SourceConfig {
    /// The name; without a name, the type.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(self.kind.name())
    }
}

impl SourceKind {
    /// The option `incremental`.
    pub(crate) fn incremental(&self) -> Option<&Incremental> {
        match self {
            Self::Api(api) => api.incremental.as_ref(),
            Self::Database(database) => database.incremental.as_ref(),
            Self::File(file) => file.incremental.as_ref(),
            Self::Mock(_) => None,
        }
    }

    /// The name of the type, as in configurations.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Api(_) => "api",
            Self::File(_) => "file",
            Self::Database(_) => "database",
            Self::Mock(_) => "mock",
        }
    }
}

/// Options of a source of type `file`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FileSource {
    /// A file, or a pattern such as `data/*.csv`. Files are read in the order of their names. With
    /// the feature `object-store` also objects, such as `s3://bucket/sales/*.parquet`.
    pub path: String,
    /// The format. Default: by the extension.
    pub format: Option<FileFormat>,
    /// Types of columns. The others are found from the first 1,000 records. Columns of JSON that are
    /// here may appear later.
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnType>,
    /// Keeps the records after the last load only. All files are read, and records without a value
    /// in the column are kept by the first load alone.
    pub incremental: Option<Incremental>,
    /// Options of an object store, such as `region`, `endpoint`, `access_key_id` and
    /// `secret_access_key`. The others are taken from the environment, such as `AWS_REGION`.
    #[serde(default)]
    pub storage: BTreeMap<String, Secret>,
}

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FileFormat {
    /// CSV with a header.
    Csv,
    /// A JSON object in each line.
    #[serde(alias = "ndjson")]
    Jsonl,
    /// A JSON array of objects.
    Json,
    /// Parquet (feature `parquet`).
    Parquet,
}

impl FileFormat {
    /// The format by a file's extension.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "json" => Some(Self::Json),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// Options of a source of type `mock`, which makes up records: `id`, `name`, `amount`,
/// `created_at`. The same options give the same records.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct MockSource {
    /// The number of records. Default: 100.
    pub records: u64,
    /// How many of them, at the end, repeat the first ones.
    pub duplicates: u64,
    /// How many of them, at the start, have no amount.
    pub nulls: u64,
}

impl Default for MockSource {
    fn default() -> Self {
        Self { records: 100, duplicates: 0, nulls: 0 }
    }
}

/// The type of a source, as configurations name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SourceType {
    Api,
    File,
    Database,
    Mock,
}

impl SourceType {
    fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::File => "file",
            Self::Database => "database",
            Self::Mock => "mock",
        }
    }
}

/// The section `ingestion.source`: the options stand beside the type.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngestionSource {
    #[serde(rename = "type")]
    kind: SourceType,
    name: Option<String>,
    url: Option<Secret>,
    auth_type: Option<AuthType>,
    token: Option<Secret>,
    username: Option<String>,
    password: Option<Secret>,
    header: Option<String>,
    headers: Option<BTreeMap<String, Secret>>,
    query_parameters: Option<BTreeMap<String, Secret>>,
    records_path: Option<String>,
    pagination: Option<Pagination>,
    requests_per_second: Option<f64>,
    connect_timeout: Option<f64>,
    timeout: Option<f64>,
    max_response_mib: Option<u64>,
    query: Option<String>,
    parameters: Option<Vec<Value>>,
    incremental: Option<Incremental>,
    path: Option<String>,
    format: Option<FileFormat>,
    columns: Option<BTreeMap<String, ColumnType>>,
    storage: Option<BTreeMap<String, Secret>>,
    records: Option<u64>,
    duplicates: Option<u64>,
    nulls: Option<u64>,
}

impl IngestionSource {
    /// The source; `None` if a required option is missing, which the rules report.
    pub(crate) fn normalize(&self) -> Option<SourceConfig> {
        let url = || self.url.clone();
        let kind = match self.kind {
            SourceType::Api => SourceKind::Api(Box::new(self.api(url()?.into_exposed()))),
            SourceType::File => SourceKind::File(FileSource {
                path: self.path.clone()?,
                format: self.format,
                columns: self.columns.clone().unwrap_or_default(),
                incremental: self.incremental.clone(),
                storage: self.storage.clone().unwrap_or_default(),
            }),
            SourceType::Database => SourceKind::Database(DatabaseSource {
                url: url()?,
                query: self.query.clone()?,
                parameters: self.parameters.clone().unwrap_or_default(),
                incremental: self.incremental.clone(),
                columns: self.columns.clone().unwrap_or_default(),
            }),
            SourceType::Mock => {
                let default = MockSource::default();
                SourceKind::Mock(MockSource {
                    records: self.records.unwrap_or(default.records),
                    duplicates: self.duplicates.unwrap_or(default.duplicates),
                    nulls: self.nulls.unwrap_or(default.nulls),
                })
            }
        };
        Some(SourceConfig { name: self.name.clone(), kind })
    }

    fn api(&self, url: String) -> ApiSource {
        ApiSource {
            url,
            auth_type: self.auth_type,
            token: self.token.clone(),
            username: self.username.clone(),
            password: self.password.clone(),
            header: self.header.clone(),
            headers: self.headers.clone().unwrap_or_default(),
            query_parameters: self.query_parameters.clone().unwrap_or_default(),
            records_path: self.records_path.clone(),
            pagination: self.pagination.clone(),
            incremental: self.incremental.clone(),
            columns: self.columns.clone().unwrap_or_default(),
            requests_per_second: self.requests_per_second,
            connect_timeout: self.connect_timeout,
            timeout: self.timeout,
            max_response_mib: self.max_response_mib,
        }
    }

    /// Each option: its name, whether it is given, and the types that have it.
    fn options(&self) -> [(&'static str, bool, &'static [SourceType]); 24] {
        use SourceType::{Api, Database, File, Mock};
        [
            ("url", self.url.is_some(), &[Api, Database]),
            ("auth_type", self.auth_type.is_some(), &[Api]),
            ("token", self.token.is_some(), &[Api]),
            ("username", self.username.is_some(), &[Api]),
            ("password", self.password.is_some(), &[Api]),
            ("header", self.header.is_some(), &[Api]),
            ("headers", self.headers.is_some(), &[Api]),
            ("query_parameters", self.query_parameters.is_some(), &[Api]),
            ("records_path", self.records_path.is_some(), &[Api]),
            ("pagination", self.pagination.is_some(), &[Api]),
            ("requests_per_second", self.requests_per_second.is_some(), &[Api]),
            ("connect_timeout", self.connect_timeout.is_some(), &[Api]),
            ("timeout", self.timeout.is_some(), &[Api]),
            ("max_response_mib", self.max_response_mib.is_some(), &[Api]),
            ("query", self.query.is_some(), &[Database]),
            ("parameters", self.parameters.is_some(), &[Database]),
            ("incremental", self.incremental.is_some(), &[Api, Database, File]),
            ("path", self.path.is_some(), &[File]),
            ("format", self.format.is_some(), &[File]),
            ("columns", self.columns.is_some(), &[Api, Database, File]),
            ("storage", self.storage.is_some(), &[File]),
            ("records", self.records.is_some(), &[Mock]),
            ("duplicates", self.duplicates.is_some(), &[Mock]),
            ("nulls", self.nulls.is_some(), &[Mock]),
        ]
    }
}

/// Options without which a source cannot be read.
const REQUIRED: [&str; 3] = ["url", "query", "path"];

impl Rules for IngestionSource {
    fn check(&self, violations: &mut Violations) {
        let kind = self.kind.name();
        for (option, is_given, types) in self.options() {
            let belongs = types.contains(&self.kind);
            if is_given && !belongs {
                let owners: Vec<_> = types.iter().map(|owner| owner.name()).collect();
                let message = format!(
                    "`type: {kind}` has no such option; it is one of `{}`",
                    owners.join("`, `")
                );
                violations.add(option, message);
            }
            if belongs && !is_given && REQUIRED.contains(&option) {
                violations.add("", format!("`type: {kind}` needs `{option}`; add `{option}:`"));
            }
        }
        if let Some(source) = self.normalize() {
            check_kind(&source.kind, "", violations);
        }
    }
}

/// The section `source`: the options stand in a section that is named as the type.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSection {
    name: Option<String>,
    #[serde(rename = "type")]
    kind: SourceType,
    api: Option<ApiSource>,
    file: Option<FileSource>,
    database: Option<DatabaseSource>,
    mock: Option<MockSource>,
}

impl SourceSection {
    /// The source; `None` if the section of its options is missing, which the rules report.
    pub(crate) fn normalize(&self) -> Option<SourceConfig> {
        let kind = match self.kind {
            SourceType::Api => SourceKind::Api(Box::new(self.api.clone()?)),
            SourceType::File => SourceKind::File(self.file.clone()?),
            SourceType::Database => SourceKind::Database(self.database.clone()?),
            SourceType::Mock => SourceKind::Mock(self.mock.clone().unwrap_or_default()),
        };
        Some(SourceConfig { name: self.name.clone(), kind })
    }
}

impl Rules for SourceSection {
    // Sections of other types may stay, so that `type` alone switches between sources.
    fn check(&self, violations: &mut Violations) {
        match self.normalize() {
            None => {
                let kind = self.kind.name();
                let message =
                    format!("`type: {kind}` needs its options; add `{kind}:` beside `type:`");
                violations.add("type", message);
            }
            Some(source) => check_kind(&source.kind, source.kind.name(), violations),
        }
    }
}

fn check_kind(kind: &SourceKind, section: &str, violations: &mut Violations) {
    let path = |field: &str| {
        if section.is_empty() { field.to_owned() } else { format!("{section}.{field}") }
    };
    match kind {
        SourceKind::File(file) => {
            if file.path.is_empty() {
                violations.add(path("path"), "must not be empty");
            } else if file.format.or_else(|| FileFormat::of(Path::new(&file.path))).is_none() {
                let message = "the file extension does not determine the format; \
                add `format: csv`, `jsonl`, `json` or `parquet`";
                violations.add(path("path"), message);
            }
            if let Err(error) = Pattern::new(&file.path)
                && !file.as_path().is_file()
            {
                violations.add(path("path"), invalid_pattern(&file.path, &error));
            }
            storage::check(file, path, violations);
            if let Some(incremental) = &file.incremental {
                violations.field(path("incremental"), incremental);
                if incremental.parameter.is_some() {
                    let message = "only an API has parameters; remove it";
                    violations.add(path("incremental.parameter"), message);
                }
            }
        }
        SourceKind::Mock(mock) => {
            if mock.duplicates > 0 && mock.duplicates.saturating_mul(2) > mock.records {
                violations.add(path("duplicates"), "must be at most half of `records`");
            }
            if mock.nulls > mock.records {
                violations.add(path("nulls"), "must be at most `records`");
            }
        }
        SourceKind::Api(api) => violations.field(section, api.as_ref()),
        SourceKind::Database(database) => violations.field(section, database),
    }
}

impl FileSource {
    /// The path as a path, for its extension.
    pub(crate) fn as_path(&self) -> PathBuf {
        PathBuf::from(&self.path)
    }
}
