//! Events about assets for catalogs that read OpenLineage, version 2-0-2 of its specification.

mod queue;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value as Json, json};
use ureq::Agent;
use url::Url;
use uuid::Uuid;
use workflow_core::asset::{AssetEvent, AssetObserver, Happening};
use workflow_core::event::format_time;
use workflow_core::store::Materialization;

use self::queue::{Delivery, Queue, lost};
use crate::source::tls;
use crate::text::io_reason;

/// Sends a RunEvent of [OpenLineage](https://openlineage.io) to a file or a server when an asset is
/// made: `START`, and then `COMPLETE` or `FAIL`.
///
/// Each attempt to make a partition is a run of a job with the name of the asset; its parent is the
/// run of the workflow. The asset is its output, with schema, version, size and number of rows, and
/// the assets that it was made from are its inputs. A partition is a part of the dataset's version,
/// and not another dataset.
///
/// An attempt that panics sends a `START` only. So does one that times out or is cancelled, unless
/// its function blocks: then its `FAIL` follows when the function returns.
///
/// Events to a server are sent one after the other by a thread of their own, so that no job waits
/// for the server. Up to 1,024 wait for it, and later ones are dropped. The last ones are sent when
/// the value is dropped or [flushed](AssetObserver::flush).
///
/// An event that cannot be delivered is a warning in the log of the program. It fails no asset, and
/// is not sent again.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use workflow_core::Engine;
/// use workflow_core::asset::Assets;
/// use workflow_core::store::{MemoryStore, Store};
/// use workflow_data::OpenLineage;
///
/// let lineage = OpenLineage::to_url("https://lineage.example.com/api/v1/lineage", "shop")?;
/// let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
/// let assets = Assets::new(Arc::clone(&store), "assets")?;
/// let assets = assets.observer(Arc::new(lineage.api_key("key from a secret")));
/// let engine = Engine::builder().store(store).state(assets).build();
/// # drop(engine);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct OpenLineage {
    namespace: String,
    target: Target,
}

enum Target {
    /// A line of JSON for each event. Jobs in other threads append, too.
    File(PathBuf, Mutex<()>),
    Server {
        queue: Queue,
        key: Option<String>,
    },
}

/// Why events cannot be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenLineageError {
    /// The text is no URL of a server.
    #[error("`{url}` is not an address of a server; write it like https://host/api/v1/lineage")]
    Address {
        /// The text.
        url: String,
    },
    /// A variable is missing that the transport needs.
    #[error("`{variable}` is missing; set it, or unset `{TRANSPORT}`")]
    Missing {
        /// The variable.
        variable: &'static str,
    },
    /// There is no such transport.
    #[error("`{TRANSPORT}` is `{transport}`; write `http` or `file`")]
    Transport {
        /// The text.
        transport: String,
    },
    /// The certificates of the system cannot be read.
    #[error("cannot connect to the OpenLineage server: {reason}")]
    Certificates {
        /// The reason.
        reason: String,
    },
    /// The thread that sends events cannot be started.
    #[error(
        "cannot start the thread that sends lineage: {}; allow the program more threads",
        io_reason(error)
    )]
    Thread {
        /// The reason.
        error: std::io::Error,
    },
}

impl OpenLineage {
    /// Appends events to a file, a line each. `namespace` is that of jobs and datasets.
    pub fn to_file(path: impl Into<PathBuf>, namespace: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), target: Target::File(path.into(), Mutex::default()) }
    }

    /// Posts events to a server, each within 5 s. `namespace` is that of jobs and datasets.
    ///
    /// # Errors
    ///
    /// Fails when the URL is invalid, when no thread can be started, and for HTTPS if the system has
    /// no certificates.
    pub fn to_url(url: &str, namespace: impl Into<String>) -> Result<Self, OpenLineageError> {
        let invalid = || OpenLineageError::Address { url: url.to_owned() };
        let parsed = Url::parse(url).map_err(|_| invalid())?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.host().is_none() {
            return Err(invalid());
        }
        let config = Agent::config_builder()
            .http_status_as_error(true)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(5)))
            .user_agent(concat!("workflow-data/", env!("CARGO_PKG_VERSION")));
        let config = match parsed.scheme() {
            "https" => {
                let tls = tls().map_err(|reason| OpenLineageError::Certificates { reason })?;
                config.tls_config(tls)
            }
            _ => config,
        };
        let agent = config.build().new_agent();
        let post = move |delivery: &Delivery| post(&agent, &parsed, delivery);
        let queue = Queue::new(post).map_err(|error| OpenLineageError::Thread { error })?;
        let target = Target::Server { queue, key: None };
        Ok(Self { namespace: namespace.into(), target })
    }

    /// Sends events to where environment variables say, by the names that other clients of OpenLineage
    /// read. `find` looks them up. Empty ones are as good as none.
    ///
    /// | variable | meaning |
    /// |---|---|
    /// | `OPENLINEAGE_URL` | the server, such as `http://localhost:5000` |
    /// | `OPENLINEAGE_ENDPOINT` | the path on the server; default: `api/v1/lineage` |
    /// | `OPENLINEAGE_API_KEY` | the key that the server requires |
    /// | `OPENLINEAGE__TRANSPORT__TYPE` | `http`, or `file`; default: `http` |
    /// | `OPENLINEAGE__TRANSPORT__LOG_FILE_PATH` | for `file`: the file to which events are appended |
    /// | `OPENLINEAGE_NAMESPACE` | the namespace of jobs and datasets; default: `default` |
    /// | `OPENLINEAGE_DISABLED` | `true`, `1`, `yes` or `on`: nothing is sent |
    ///
    /// ```
    /// use workflow_data::OpenLineage;
    ///
    /// let lineage = OpenLineage::from_environment(|name| std::env::var(name).ok())?;
    /// # drop(lineage);
    /// # Ok::<(), workflow_data::OpenLineageError>(())
    /// ```
    ///
    /// Returns `None` if they name no place.
    ///
    /// # Errors
    ///
    /// Fails when the place is invalid, with the variable and the cure, and as [`to_url`](Self::to_url)
    /// does.
    pub fn from_environment(
        find: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, OpenLineageError> {
        let find = |name: &'static str| find(name).filter(|text| !text.is_empty());
        let is_yes = |text: String| {
            ["true", "1", "yes", "on"].iter().any(|yes| text.trim().eq_ignore_ascii_case(yes))
        };
        if find("OPENLINEAGE_DISABLED").is_some_and(is_yes) {
            return Ok(None);
        }
        let namespace = find("OPENLINEAGE_NAMESPACE").unwrap_or_else(|| "default".to_owned());
        let (transport, url) = (find(TRANSPORT), find("OPENLINEAGE_URL"));
        match (transport.as_deref(), url) {
            (None, None) => Ok(None),
            (Some("file"), _) => {
                let path =
                    find(LOG_FILE).ok_or(OpenLineageError::Missing { variable: LOG_FILE })?;
                Ok(Some(Self::to_file(path, namespace)))
            }
            (None | Some("http"), Some(url)) => {
                let endpoint = find("OPENLINEAGE_ENDPOINT");
                let endpoint = endpoint.as_deref().unwrap_or("api/v1/lineage");
                let (url, endpoint) = (url.trim_end_matches('/'), endpoint.trim_start_matches('/'));
                let lineage = Self::to_url(&format!("{url}/{endpoint}"), namespace)?;
                Ok(Some(match find("OPENLINEAGE_API_KEY") {
                    Some(key) => lineage.api_key(key),
                    None => lineage,
                }))
            }
            (Some("http"), None) => Err(OpenLineageError::Missing { variable: "OPENLINEAGE_URL" }),
            (Some(other), _) => Err(OpenLineageError::Transport { transport: other.to_owned() }),
        }
    }

    /// Sets the key that the server requires, sent as a bearer token. It has no effect on a file.
    #[must_use]
    pub fn api_key(mut self, secret: impl Into<String>) -> Self {
        if let Target::Server { key, .. } = &mut self.target {
            *key = Some(secret.into());
        }
        self
    }

    /// Writes an event, or queues it for the server.
    fn send(&self, asset: &str, event: &Json) -> Result<(), String> {
        match &self.target {
            Target::File(path, one_writer) => {
                let _alone = one_writer.lock().unwrap_or_else(PoisonError::into_inner);
                let file = OpenOptions::new().create(true).append(true).open(path);
                let line = format!("{event}\n");
                file.and_then(|mut file| file.write_all(line.as_bytes())).map_err(|error| {
                    format!("cannot append to `{}`: {}", path.display(), io_reason(&error))
                })
            }
            Target::Server { queue, key } => {
                let (asset, body) = (asset.to_owned(), event.to_string());
                queue.add(Delivery { asset, body, key: key.clone() });
                Ok(())
            }
        }
    }

    fn event(&self, of: &AssetEvent<'_>, kind: &str) -> Json {
        let name = of.asset.name.as_str();
        let step = format!("{} {} {name} {}", of.run, of.attempt, of.partition);
        let mut facets = json!({
            "parent": facet("1-0-1/ParentRunFacet", json!({
                "run": { "runId": of.run.to_string() },
                "job": { "namespace": self.namespace, "name": of.workflow },
            })),
        });
        if let Happening::Failed(error) = of.happening {
            let facet = facet(
                "1-0-1/ErrorMessageRunFacet",
                json!({ "message": error.chain(), "programmingLanguage": "Rust" }),
            );
            facets["errorMessage"] = facet;
        }
        let made = match of.happening {
            Happening::Made(made) => Some(made),
            _ => None,
        };
        json!({
            "eventType": kind,
            "eventTime": format_time(of.at),
            "producer": PRODUCER,
            "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
            "run": {
                "runId": Uuid::new_v5(&Uuid::NAMESPACE_OID, step.as_bytes()).to_string(),
                "facets": facets,
            },
            "job": { "namespace": self.namespace, "name": name },
            "inputs": made.map(|made| self.inputs(made)).unwrap_or_default(),
            "outputs": [self.output(name, made)],
        })
    }

    fn inputs(&self, made: &Materialization) -> Vec<Json> {
        let input = |(asset, version): (&str, String)| {
            json!({
                "namespace": self.namespace,
                "name": asset,
                "facets": { "version": version_facet(&version) },
            })
        };
        // All partitions of an input are one dataset.
        let mut inputs: Vec<(&str, String)> = Vec::new();
        for one in &made.details.inputs {
            let version = version(&one.partition, &one.data_version);
            match inputs.last_mut().filter(|(asset, _)| *asset == one.asset) {
                Some((_, versions)) => {
                    versions.push(',');
                    versions.push_str(&version);
                }
                None => inputs.push((&one.asset, version)),
            }
        }
        inputs.into_iter().map(input).collect()
    }

    fn output(&self, name: &str, made: Option<&Materialization>) -> Json {
        let mut output = json!({ "namespace": self.namespace, "name": name });
        let Some(made) = made else { return output };
        let version = version(&made.partition, &made.data_version);
        let mut facets = json!({ "version": version_facet(&version) });
        if !made.details.schema.is_empty() {
            let fields = json!({ "fields": made.details.schema });
            facets["schema"] = facet("1-1-1/SchemaDatasetFacet", fields);
        }
        output["facets"] = facets;
        let mut statistics = json!({});
        if made.details.file.is_some() {
            statistics["size"] = made.details.bytes.into();
        }
        if let Some(rows) = made.details.rows {
            statistics["rowCount"] = rows.into();
        }
        output["outputFacets"] = json!({
            "outputStatistics": facet("1-0-2/OutputStatisticsOutputDatasetFacet", statistics),
        });
        output
    }
}

impl AssetObserver for OpenLineage {
    fn observe(&self, event: &AssetEvent<'_>) {
        let kind = match event.happening {
            Happening::Started => "START",
            Happening::Made(_) => "COMPLETE",
            Happening::Failed(_) => "FAIL",
            // The failure follows.
            _ => return,
        };
        if let Err(problem) = self.send(&event.asset.name, &self.event(event, kind)) {
            lost(&event.asset.name, &problem);
        }
    }

    fn flush(&self) {
        if let Target::Server { queue, .. } = &self.target {
            queue.flush();
        }
    }
}

/// The variable that says how events are sent.
const TRANSPORT: &str = "OPENLINEAGE__TRANSPORT__TYPE";

/// The variable with the file of events.
const LOG_FILE: &str = "OPENLINEAGE__TRANSPORT__LOG_FILE_PATH";

/// Posts an event to a server.
fn post(agent: &Agent, url: &Url, delivery: &Delivery) -> Result<(), String> {
    let mut request = agent.post(url.as_str()).content_type("application/json");
    if let Some(key) = &delivery.key {
        request = request.header("Authorization", format!("Bearer {key}"));
    }
    let sent = request.send(delivery.body.as_str());
    let host = url.host_str().unwrap_or_default();
    sent.map(drop).map_err(|error| format!("cannot send it to `{host}`: {error}"))
}

/// The program that makes the events, as a URI.
const PRODUCER: &str = concat!("urn:workflow-data:", env!("CARGO_PKG_VERSION"));

/// A facet of the specification: its version and name, and its fields.
fn facet(name: &str, mut fields: Json) -> Json {
    let kind = name.rsplit('/').next().unwrap_or_default();
    fields["_producer"] = PRODUCER.into();
    let schema = format!("https://openlineage.io/spec/facets/{name}.json#/$defs/{kind}");
    fields["_schemaURL"] = schema.into();
    fields
}

fn version_facet(version: &str) -> Json {
    facet("1-0-1/DatasetVersionDatasetFacet", json!({ "datasetVersion": version }))
}

/// The version of a partition in that of its dataset.
fn version(partition: &str, data_version: &str) -> String {
    match partition {
        "" => data_version.to_owned(),
        key => format!("{key}={data_version}"),
    }
}
