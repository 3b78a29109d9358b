//! Reads `manifest.json`, in which dbt describes a project. Knows no processes, runs or jobs.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value as Json;
use workflow_core::json::{self, JsonError};
use workflow_core::store::SchemaField;

use crate::event::text;

/// The nodes and sources of a dbt project, by their unique IDs.
///
/// ```
/// use workflow_dbt::{Manifest, NodeKind};
///
/// let manifest = Manifest::parse(r#"{
///     "metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json"},
///     "nodes": {"model.shop.orders": {
///         "resource_type": "model", "name": "orders", "original_file_path": "models/orders.sql",
///         "depends_on": {"nodes": ["source.shop.files.raw"]}}},
///     "sources": {"source.shop.files.raw": {"resource_type": "source", "name": "raw"}}
/// }"#)?;
/// let orders = &manifest.nodes()["model.shop.orders"];
/// assert_eq!((orders.kind, orders.path.as_str()), (NodeKind::Model, "models/orders.sql"));
/// # Ok::<(), workflow_dbt::ManifestError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    version: u32,
    nodes: BTreeMap<String, DbtNode>,
}

/// A node of a dbt project: something that `dbt build` can build, or a source.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DbtNode {
    /// The unique ID, such as `model.shop.orders`.
    pub id: String,
    /// What it is.
    pub kind: NodeKind,
    /// The name.
    pub name: String,
    /// The file that defines it, relative to the project.
    pub path: String,
    /// The unique IDs of what it depends on.
    pub depends_on: Vec<String>,
    /// Its documentation, if it has any.
    pub description: Option<String>,
    /// The hash of its file, if it has one.
    pub checksum: Option<String>,
    /// The columns whose types are declared.
    pub columns: Vec<SchemaField>,
    /// The node that a test was declared for; none for a test with a file of its own.
    pub attached_node: Option<String>,
    /// Whether a failure of a test stops what depends on the node: `severity` is not `warn`.
    pub is_blocking: bool,
    /// The name of its asset, from `meta: {asset: NAME}`; if there is none, that is the unique ID.
    pub asset: Option<String>,
}

impl DbtNode {
    /// The name of its asset.
    pub(crate) fn asset(&self) -> &str {
        self.asset.as_deref().unwrap_or(&self.id)
    }
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NodeKind {
    /// A model with a relation in the database.
    Model,
    /// A model without a relation; dbt writes its query into those that use it.
    Ephemeral,
    /// A CSV file that dbt loads.
    Seed,
    /// A table with the history of another one.
    Snapshot,
    /// A test of data.
    Test,
    /// A test of a model with given rows, before the model is built.
    UnitTest,
    /// A function of the database.
    Function,
    /// A table that others write.
    Source,
    /// Anything else, such as an analysis or a hook, which is no part of a build.
    Other,
}

impl NodeKind {
    /// Whether `dbt build` builds it.
    pub fn is_built(self) -> bool {
        !matches!(self, Self::Ephemeral | Self::Source | Self::Other)
    }

    /// Whether a build makes a table or view of it.
    pub(crate) fn is_made(self) -> bool {
        matches!(self, Self::Model | Self::Seed | Self::Snapshot)
    }

    /// Whether it has data: it is made, or comes from elsewhere.
    pub(crate) fn is_asset(self) -> bool {
        self.is_made() || self == Self::Source
    }

    fn of(resource_type: &str, materialized: Option<&str>) -> Self {
        match resource_type {
            "model" if materialized == Some("ephemeral") => Self::Ephemeral,
            "model" => Self::Model,
            "seed" => Self::Seed,
            "snapshot" => Self::Snapshot,
            "test" => Self::Test,
            "unit_test" => Self::UnitTest,
            "function" => Self::Function,
            "source" => Self::Source,
            _ => Self::Other,
        }
    }
}

impl Manifest {
    /// Reads the file, which `dbt parse`, `dbt ls` and `dbt build` write into the target folder.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read, and as [`parse`](Self::parse) does.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let unreadable = |source| ManifestError::Read { path: path.to_owned(), source };
        let bytes = fs::metadata(path).map_err(unreadable)?.len();
        if bytes > MAX_BYTES {
            return Err(ManifestError::TooLarge { what: "bytes", found: bytes, most: MAX_BYTES });
        }
        Self::parse(&fs::read_to_string(path).map_err(unreadable)?)
    }

    /// Reads the text of a manifest.
    ///
    /// # Errors
    ///
    /// Fails when the text is not a manifest, when its version is unknown, and when it has more
    /// than 200,000 nodes.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let raw: Raw = json::parse(text).map_err(|error| refused(text, error))?;
        let version = schema_version(&raw.metadata.dbt_schema_version)?;
        let groups = [raw.nodes, raw.sources, raw.unit_tests, raw.functions];
        let count: usize = groups.iter().map(BTreeMap::len).sum();
        if count > MAX_NODES {
            let (found, most) = (count as u64, MAX_NODES as u64);
            return Err(ManifestError::TooLarge { what: "nodes", found, most });
        }
        let nodes = groups.into_iter().flatten().map(|(id, raw)| (id.clone(), raw.node(id)));
        Ok(Self { version, nodes: nodes.collect() })
    }

    /// The version of its schema, such as 12.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The nodes and sources, by their unique IDs.
    pub fn nodes(&self) -> &BTreeMap<String, DbtNode> {
        &self.nodes
    }
}

/// The largest manifest that is read. That of a project with 10,000 models has some 100 MB.
const MAX_BYTES: u64 = 1 << 30;
const MAX_NODES: usize = 200_000;

/// The schema of dbt 1.8 to 1.12, and that of dbt 2.
const VERSIONS: [u32; 2] = [12, 20];

/// Why a text cannot be read. Its version comes first: another one may differ anywhere.
fn refused(text: &str, error: JsonError) -> ManifestError {
    match json::parse::<Head>(text) {
        Err(error) => ManifestError::Json(error.into()),
        Ok(head) => match schema_version(&head.metadata.dbt_schema_version) {
            Err(version) => version,
            Ok(_) => ManifestError::Json(error.into()),
        },
    }
}

fn schema_version(url: &str) -> Result<u32, ManifestError> {
    let version = url.rsplit('/').next().and_then(|file| file.strip_prefix('v'));
    let version = version.and_then(|file| file.strip_suffix(".json"));
    match version.and_then(|digits| digits.parse().ok()) {
        Some(version) if VERSIONS.contains(&version) => Ok(version),
        _ => Err(ManifestError::Version { found: url.chars().take(200).collect() }),
    }
}

#[derive(Deserialize)]
struct Head {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    dbt_schema_version: String,
}

#[derive(Deserialize)]
struct Raw {
    metadata: Metadata,
    nodes: BTreeMap<String, RawNode>,
    #[serde(default)]
    sources: BTreeMap<String, RawNode>,
    #[serde(default)]
    unit_tests: BTreeMap<String, RawNode>,
    #[serde(default)]
    functions: BTreeMap<String, RawNode>,
}

#[derive(Deserialize)]
struct RawNode {
    resource_type: String,
    name: String,
    #[serde(default)]
    original_file_path: Option<String>,
    #[serde(default)]
    depends_on: Option<RawDependencies>,
    #[serde(default)]
    config: Option<RawConfig>,
    #[serde(default)]
    description: Option<String>,
    /// An object, or the hash alone.
    #[serde(default)]
    checksum: Json,
    #[serde(default)]
    columns: Json,
    #[serde(default)]
    attached_node: Option<String>,
    #[serde(default)]
    meta: Option<RawMeta>,
}

/// What users write there can have any form.
#[derive(Deserialize)]
struct RawMeta {
    #[serde(default)]
    asset: Json,
}

#[derive(Deserialize)]
struct RawDependencies {
    #[serde(default)]
    nodes: Vec<String>,
}

#[derive(Default, Deserialize)]
struct RawConfig {
    #[serde(default)]
    materialized: Option<String>,
    #[serde(default)]
    severity: Option<String>,
    #[serde(default)]
    meta: Option<RawMeta>,
}

impl RawNode {
    fn node(self, id: String) -> DbtNode {
        let config = self.config.unwrap_or_default();
        let severity = config.severity.unwrap_or_default();
        let asset = |meta: RawMeta| text(&meta.asset);
        let column = |column: &Json| {
            let (name, kind) = (text(&column["name"])?, text(&column["data_type"])?);
            Some(SchemaField { name, kind })
        };
        let columns = self.columns.as_object().into_iter().flatten();
        DbtNode {
            id,
            kind: NodeKind::of(&self.resource_type, config.materialized.as_deref()),
            description: self.description.filter(|text| !text.is_empty()),
            checksum: [&self.checksum["checksum"], &self.checksum].into_iter().find_map(text),
            columns: columns.filter_map(|(_, it)| column(it)).collect(),
            attached_node: self.attached_node,
            is_blocking: !severity.eq_ignore_ascii_case("warn"),
            asset: config.meta.and_then(asset).or_else(|| self.meta.and_then(asset)),
            name: self.name,
            path: self.original_file_path.unwrap_or_default(),
            depends_on: self.depends_on.map(|on| on.nodes).unwrap_or_default(),
        }
    }
}

/// Why a manifest cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The file cannot be read.
    #[error("cannot read `{}`; `dbt parse` writes it", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The text is not a manifest.
    #[error("manifest.json is not a dbt manifest: {0}; write it again with `dbt parse`")]
    Json(Box<JsonError>),
    /// The version of the schema is unknown.
    #[error(
        "manifest.json has the schema `{found}`; only v12 (dbt 1.8 to 1.12) and v20 (dbt 2) are \
         known; use one of these dbt versions"
    )]
    Version {
        /// The schema.
        found: String,
    },
    /// The manifest is too large.
    #[error("manifest.json has {found} {what}, more than {most}; split the project")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: u64,
        /// The limit.
        most: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(version: &str, nodes: &str) -> String {
        format!(
            r#"{{"metadata": {{"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/{version}.json"}},
                "nodes": {nodes}}}"#
        )
    }

    fn error(text: &str) -> String {
        Manifest::parse(text).expect_err("it is refused").to_string()
    }

    #[test]
    fn versions_of_dbt_1_and_2_are_read() {
        for version in [12, 20] {
            let manifest = Manifest::parse(&text(&format!("v{version}"), "{}")).expect("is read");
            assert_eq!(manifest.version(), version);
        }
        for version in ["v11", "v13", "v99999999999999", "", "latest"] {
            let error = error(&text(version, "7"));
            assert!(error.contains("only v12 (dbt 1.8 to 1.12) and v20"), "{error}");
        }
    }

    #[test]
    fn hostile_manifests_are_errors() {
        let node = r#"{"a": {"resource_type": 3, "name": "a"}}"#;
        assert!(
            error(&text("v12", node)).contains("resource_type"),
            "{}",
            error(&text("v12", node))
        );
        let deep = format!(r#"{{"a": {}"#, "[".repeat(200_000));
        for wrong in ["", "[]", "null", "{}", r#"{"metadata": null}"#, deep.as_str()] {
            assert!(error(wrong).starts_with("manifest.json is not a dbt manifest"));
        }
        for nodes in ["null", "[]", "{\"a\": null}", &deep] {
            assert!(error(&text("v12", nodes)).starts_with("manifest.json is not a dbt manifest"));
        }
        let null = r#"{"a": {"resource_type": "model", "name": "a", "depends_on": null,
            "config": {"materialized": null, "meta": {"n": 1e999}}}}"#;
        drop(Manifest::parse(&text("v12", null)));
    }

    #[test]
    fn too_many_nodes_are_refused() {
        let node = r#"{"resource_type": "model", "name": "m"}"#;
        let nodes: Vec<String> = (0..=MAX_NODES).map(|n| format!("\"n{n}\": {node}")).collect();
        let error = error(&text("v12", &format!("{{{}}}", nodes.join(","))));
        assert_eq!(error, "manifest.json has 200001 nodes, more than 200000; split the project");
    }

    #[test]
    fn ephemeral_models_are_not_built() {
        let nodes = r#"{"model.a.b": {"resource_type": "model", "name": "b",
            "config": {"materialized": "ephemeral"}}}"#;
        let manifest = Manifest::parse(&text("v12", nodes)).expect("is read");
        assert!(!manifest.nodes()["model.a.b"].kind.is_built());
    }
}
