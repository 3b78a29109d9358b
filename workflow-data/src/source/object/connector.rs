//! Sends the requests of stores with the client of the source `api`. It blocks, on a thread that
//! has nothing else to do.

use std::io::Read;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body::{Body, Frame};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use object_store::{ClientConfigKey, ClientOptions};
use ureq::tls::TlsConfig;
use ureq::{Agent, Proxy, http};
use url::Url;

use super::failure::Refusal;
use crate::source::http as shared;

/// Makes clients for HTTP.
#[derive(Debug)]
pub(super) struct Connector {
    tls: Result<TlsConfig, String>,
}

impl Connector {
    pub(super) fn new() -> Self {
        Self { tls: shared::tls() }
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let seconds = |key, default| {
            // The library writes what it has read.
            let text = options.get_config_value(&key);
            let given = text.and_then(|text| text.parse::<jiff::SignedDuration>().ok());
            given.map_or(default, |given| given.unsigned_abs())
        };
        let limits = shared::Limits {
            connect: seconds(ClientConfigKey::ConnectTimeout, Duration::from_secs(5)),
            request: seconds(ClientConfigKey::Timeout, Duration::from_secs(30)),
        };
        let agent = |proxy| {
            let config = Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .proxy(proxy)
                .timeout_connect(Some(limits.connect))
                .timeout_global(Some(limits.request))
                .user_agent(shared::USER_AGENT);
            let config = match &self.tls {
                Ok(tls) => config.tls_config(tls.clone()),
                Err(_) => config,
            };
            config.build().new_agent()
        };
        let allows_http = options.get_config_value(&ClientConfigKey::AllowHttp);
        Ok(HttpClient::new(Service {
            direct: agent(None),
            proxied: agent(Proxy::try_from_env()),
            limits,
            allows_http: allows_http.as_deref() == Some("true"),
            missing_roots: self.tls.as_ref().err().cloned(),
        }))
    }
}

#[derive(Debug)]
struct Service {
    /// For servers that no proxy can reach.
    direct: Agent,
    proxied: Agent,
    limits: shared::Limits,
    allows_http: bool,
    /// Why no certificate can be verified.
    missing_roots: Option<String>,
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.send(request).map_err(|(kind, refusal)| HttpError::new(kind, refusal))
    }
}

/// How much of a refused request's response is read, in bytes.
const EXCERPT: u64 = 64 << 10;

impl Service {
    fn send(&self, request: HttpRequest) -> Result<HttpResponse, (HttpErrorKind, Refusal)> {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string();
        let url = Url::parse(&url).map_err(|_| fatal(Refusal::other("the URL is not valid")))?;
        if url.scheme() == "http" && !self.allows_http {
            let reason = "`http` is not encrypted; use `https`, or add `allow_http: \"true\"` to \
                `storage` in a trusted network";
            return Err(fatal(Refusal::other(reason)));
        }
        if let (Some(reason), "https") = (&self.missing_roots, url.scheme()) {
            return Err(fatal(Refusal::other(reason)));
        }
        let is_metadata = is_metadata(&url);
        let is_direct = is_metadata || shared::is_local(&url);
        let agent = if is_direct { &self.direct } else { &self.proxied };
        let sent = match body.as_bytes().filter(|bytes| !bytes.is_empty()) {
            Some(bytes) => agent.run(http::Request::from_parts(parts, bytes.to_vec())),
            None => agent.run(http::Request::from_parts(parts, ())),
        };
        let response = sent.map_err(|error| {
            let host = url.host_str().unwrap_or_default();
            let failed = shared::explain(error, host, &self.limits);
            let refusal =
                if is_metadata { Refusal::NoCredentials } else { Refusal::Other(failed.reason) };
            (kind(failed.is_transient), refusal)
        })?;
        let (parts, body) = response.into_parts();
        let status = parts.status;
        let reader = body.into_with_config().limit(u64::MAX).reader();
        // What the machine says about credentials is for the library.
        if status.is_success() || is_metadata {
            let body = HttpResponseBody::new(Frames(Mutex::new(Box::new(reader))));
            return Ok(http::Response::from_parts(parts, body));
        }
        let mut excerpt = Vec::new();
        // The status tells what an excerpt that breaks off does not.
        let _ = reader.take(EXCERPT).read_to_end(&mut excerpt);
        let excerpt = String::from_utf8_lossy(&excerpt).into_owned();
        let is_transient = shared::is_transient(status.as_u16());
        Err((kind(is_transient), Refusal::Status { status, excerpt }))
    }
}

/// Tells the library whether to try again.
fn kind(is_transient: bool) -> HttpErrorKind {
    if is_transient { HttpErrorKind::Request } else { HttpErrorKind::Unknown }
}

fn fatal(refusal: Refusal) -> (HttpErrorKind, Refusal) {
    (HttpErrorKind::Unknown, refusal)
}

/// Whether this machine is asked for credentials, as in a cloud.
fn is_metadata(url: &Url) -> bool {
    let is_host = matches!(url.host_str(), Some("169.254.169.254" | "metadata.google.internal"));
    is_host || METADATA.iter().any(|path| url.path().starts_with(path))
}

/// The paths of machines in AWS, whose address is an option.
pub(super) const METADATA: [&str; 2] = ["/latest/api/token", "/latest/meta-data/"];

/// The body of a response, read when it is asked for.
struct Frames(Mutex<Box<dyn Read + Send>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let Ok(reader) = self.0.get_mut() else { return Poll::Ready(None) };
        let mut bytes = vec![0; 64 << 10];
        Poll::Ready(match reader.read(&mut bytes) {
            Ok(0) => None,
            Ok(count) => {
                bytes.truncate(count);
                Some(Ok(Frame::data(bytes.into())))
            }
            Err(_) => {
                let refusal = Refusal::other("the response breaks off");
                Some(Err(HttpError::new(HttpErrorKind::Interrupted, refusal)))
            }
        })
    }
}
