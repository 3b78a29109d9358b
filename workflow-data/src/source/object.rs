//! Objects of stores: finding them, and reading parts of them.
//!
//! The clients of stores are asynchronous, and a source blocks. So a thread with a runtime of its
//! own makes the requests, and the caller's thread may have a runtime, too.

mod connector;
mod failure;
mod stream;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, future};
use glob::Pattern;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::path::Path;
use object_store::{
    ClientConfigKey, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt, RetryConfig,
};
use tokio::runtime::{Builder, Runtime};
use workflow_config::Secret;

use self::connector::Connector;
use self::failure::Failures;
use self::stream::Stream;
use crate::config::{FileSource, MATCHING, ObjectUrl, StoreKind, WILDCARDS};
use crate::text::{io_reason, suggestion};

/// The bytes of one request.
const CHUNK: u64 = 4 << 20;

/// Where to look for objects. Nothing is requested yet.
pub(crate) struct Search {
    store: Store,
    key: String,
}

/// A bucket, a container or a server.
#[derive(Debug, Clone)]
struct Store {
    client: Arc<dyn ObjectStore>,
    root: Arc<str>,
    failures: Arc<Failures>,
}

/// An object in one state: if it changes, it cannot be read any more.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    store: Store,
    location: Path,
    size: u64,
    tag: Option<String>,
}

impl Search {
    /// Makes the client of a store.
    ///
    /// # Errors
    ///
    /// Fails with an option and what is wrong with it.
    pub(crate) fn new(
        url: &ObjectUrl<'_>,
        options: &FileSource,
        max_retries: u32,
    ) -> Result<Self, (String, String)> {
        let invalid = || ("path".to_owned(), format!("has an invalid key `{}`", url.key));
        // Over HTTP, special characters are encoded already.
        let key = match url.kind {
            StoreKind::Http => Path::from_url_path(url.key),
            _ => Path::parse(url.key),
        };
        let key = key.map_err(|_| invalid())?;
        Pattern::new(url.key).map_err(|_| invalid())?;
        let failures = Failures::new(&options.storage);
        let client = client(url, &options.storage, max_retries, &failures)?;
        let store = Store { client, root: url.root.into(), failures: Arc::new(failures) };
        Ok(Self { store, key: key.as_ref().to_owned() })
    }

    /// Finds the objects, in the order of their names.
    ///
    /// # Errors
    ///
    /// Fails with the reason, also if there is none.
    pub(super) fn run(&self) -> Result<Vec<Object>, String> {
        let Self { store, key } = self;
        let found = if key.contains(WILDCARDS) {
            let pattern = Pattern::new(key).map_err(|error| error.msg.to_owned())?;
            block_on(store.list(&pattern))?
        } else {
            let location = Path::parse(key).map_err(|error| error.to_string())?;
            vec![block_on(store.find(&location))?]
        };
        let objects = found.into_iter().map(|meta| Object {
            store: store.clone(),
            location: meta.location,
            size: meta.size,
            // A weak tag cannot be a condition of a request.
            tag: meta.e_tag.filter(|tag| !tag.starts_with("W/")),
        });
        let mut objects: Vec<_> = objects.collect();
        if objects.is_empty() {
            return Err(format!("no object matches `{}/{key}`", store.root));
        }
        objects.sort_by_cached_key(|object| {
            let parts = object.location.parts();
            parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>()
        });
        Ok(objects)
    }
}

impl Store {
    async fn find(&self, location: &Path) -> Result<ObjectMeta, String> {
        self.client.head(location).await.map_err(|error| self.failures.explain(&error))
    }

    /// The objects that match. The folders before the first wildcard limit what the store lists.
    async fn list(&self, pattern: &Pattern) -> Result<Vec<ObjectMeta>, String> {
        let key = pattern.as_str();
        let fixed = key.find(WILDCARDS).and_then(|end| key[..end].rfind('/'));
        let folder = fixed.and_then(|end| Path::parse(&key[..end]).ok());
        let is_flat = !key[fixed.map_or(0, |end| end + 1)..].contains('/');
        let matches = |meta: &ObjectMeta| pattern.matches_with(meta.location.as_ref(), MATCHING);
        let found = if is_flat {
            let listed = self.client.list_with_delimiter(folder.as_ref()).await;
            listed.map(|listed| listed.objects.into_iter().filter(matches).collect())
        } else {
            let all = self.client.list(folder.as_ref());
            all.try_filter(|meta| future::ready(matches(meta))).boxed().try_collect().await
        };
        found.map_err(|error| self.failures.explain(&error))
    }
}

impl Object {
    pub(super) fn name(&self) -> &str {
        self.location.filename().unwrap_or_else(|| self.location.as_ref())
    }

    /// The size in bytes.
    #[cfg(feature = "parquet")]
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Its bytes from the start. They are requested ahead, within a bound.
    pub(super) fn stream(&self) -> Result<Stream, String> {
        Stream::open(self.clone())
    }

    /// A part of it.
    ///
    /// # Errors
    ///
    /// Fails with the byte and the reason.
    #[cfg(feature = "parquet")]
    pub(super) fn read(&self, part: Range<u64>) -> Result<Bytes, String> {
        block_on(async {
            let length = part.end.saturating_sub(part.start);
            let mut bytes = bytes::BytesMut::with_capacity(length as usize);
            for chunk in chunks(part) {
                bytes.extend_from_slice(&self.get(chunk).await?);
            }
            Ok(bytes.freeze())
        })
    }

    async fn get(&self, part: Range<u64>) -> Result<Bytes, String> {
        let options = GetOptions {
            range: Some(part.clone().into()),
            if_match: self.tag.clone(),
            ..GetOptions::default()
        };
        let found =
            async { self.store.client.get_opts(&self.location, options).await?.bytes().await };
        let found = found.await.map_err(|error| self.store.failures.explain(&error));
        let found = found.and_then(|bytes| {
            let (wanted, got) = (part.end - part.start, bytes.len() as u64);
            let short = || format!("the server sends {got} bytes in place of {wanted}");
            if got == wanted { Ok(bytes) } else { Err(short()) }
        });
        found.map_err(|reason| format!("at byte {}: {reason}", part.start))
    }
}

/// The URL.
impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.store.root, self.location)
    }
}

/// The requests for a part.
fn chunks(part: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let starts = (part.start..part.end).step_by(CHUNK as usize);
    starts.map(move |start| start..part.end.min(start + CHUNK))
}

fn runtime() -> Result<Runtime, String> {
    let runtime = Builder::new_current_thread().enable_time().build();
    runtime.map_err(|error| io_reason(&error))
}

/// Runs a request on a thread of its own, because the caller's may have a runtime.
fn block_on<T: Send>(work: impl Future<Output = Result<T, String>> + Send) -> Result<T, String> {
    let run = || runtime()?.block_on(work);
    let done = std::thread::scope(|scope| scope.spawn(run).join());
    done.unwrap_or_else(|_| Err("the request ended without a reason".to_owned()))
}

/// Makes the client of a store. The builders have the same methods, and no trait in common.
macro_rules! build {
    ($builder:expr, $key:ty, $options:expr, $failures:expr) => {{
        let mut builder = $builder;
        for (name, value) in $options {
            let Ok(key) = name.parse::<$key>() else { return Err(unknown_option(name)) };
            builder = builder.with_config(key, value.expose());
        }
        let built = builder.build();
        built
            .map(|store| Arc::new(store) as Arc<dyn ObjectStore>)
            .map_err(|error| ("storage".to_owned(), $failures.explain(&error)))
    }};
}

fn client(
    url: &ObjectUrl<'_>,
    options: &BTreeMap<String, Secret>,
    max_retries: u32,
    failures: &Failures,
) -> Result<Arc<dyn ObjectStore>, (String, String)> {
    let retry = RetryConfig { max_retries: max_retries as usize, ..RetryConfig::default() };
    macro_rules! client {
        ($builder:expr, $key:ty) => {{
            let builder = $builder.with_url(url.root).with_retry(retry);
            build!(builder.with_http_connector(Connector::new()), $key, options, failures)
        }};
    }
    match url.kind {
        StoreKind::S3 => client!(AmazonS3Builder::from_env(), AmazonS3ConfigKey),
        StoreKind::Gcs => client!(GoogleCloudStorageBuilder::from_env(), GoogleConfigKey),
        StoreKind::Azure => client!(MicrosoftAzureBuilder::from_env(), AzureConfigKey),
        StoreKind::Http => client!(HttpBuilder::new(), ClientConfigKey),
    }
}

fn unknown_option(name: &str) -> (String, String) {
    let known = ["access_key_id", "secret_access_key", "session_token", "region", "endpoint"];
    let more = ["allow_http", "connect_timeout", "timeout", "skip_signature"];
    let near = suggestion(name, known.into_iter().chain(more));
    (format!("storage.{name}"), format!("the store has no such option{near}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_an_object() {
        let parts = |end| chunks(3..end).map(|part| (part.start, part.end)).collect::<Vec<_>>();
        assert_eq!(parts(3), []);
        assert_eq!(parts(5), [(3, 5)]);
        assert_eq!(parts(CHUNK + 4), [(3, CHUNK + 3), (CHUNK + 3, CHUNK + 4)]);
    }

    /// The machine is asked for them last, and only machines in a cloud answer. The environment of
    /// the test may have some, so it is not read.
    #[test]
    fn missing_credentials_have_a_cure() {
        let builder = AmazonS3Builder::new().with_bucket_name("shop");
        let builder = builder.with_metadata_endpoint("http://127.0.0.1:1");
        let builder = builder.with_http_connector(Connector::new());
        let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        let client = Arc::new(builder.with_retry(retry).build().expect("a client"));
        let failures = Arc::new(Failures::new(&BTreeMap::new()));
        let store = Store { client, root: "s3://shop".into(), failures };
        let error = block_on(store.find(&Path::from("a.csv"))).expect_err("no credentials");
        assert!(error.starts_with("there are no credentials; set `access_key_id`"), "{error}");
    }
}
