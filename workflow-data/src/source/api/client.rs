//! Sends requests, and tries failed ones again.

use std::io::Read;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ureq::{Agent, Body, Proxy, http};
use url::Url;
use workflow_core::RetryPolicy;

use super::super::http::{self as shared, Limits, Masks};
use super::paging::elsewhere;
use super::retry;
use crate::clock::RecordClock;
use crate::config::{ApiSource, AuthType};

/// A client for one server.
pub(super) struct Client {
    agent: Agent,
    headers: Vec<(String, String)>,
    pub(super) masks: Masks,
    retries: RetryPolicy,
    limits: Limits,
    /// The size of the largest response, in bytes.
    largest: u64,
    /// The time between two requests.
    interval: Duration,
    last: Option<Instant>,
    clock: RecordClock,
}

/// A successful response.
pub(super) struct Response {
    /// Where it was found, after redirects.
    pub(super) url: Url,
    /// The header `Link`.
    pub(super) link: String,
    /// The header `Content-Type`, without parameters.
    pub(super) content_type: String,
    /// `None` if the server says that there is nothing.
    pub(super) text: Option<String>,
}

/// Why an attempt fails, and when the next one may be made.
struct Failure {
    reason: String,
    retry: Retry,
}

#[derive(Clone, Copy)]
enum Retry {
    Never,
    WithBackoff,
    /// As the server asks.
    After(Duration),
}

impl Failure {
    fn terminal(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), retry: Retry::Never }
    }

    fn transient(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), retry: Retry::WithBackoff }
    }
}

/// The most redirects of one request.
const MOST_REDIRECTS: usize = 5;

/// How much of a failed response is read, in bytes.
const EXCERPT: u64 = 64 << 10;

impl Client {
    /// Makes a client for the server of this URL.
    ///
    /// # Errors
    ///
    /// Fails with the reason when certificates are needed, and the system has none.
    pub(super) fn new(
        options: &ApiSource,
        url: &Url,
        max_retries: u32,
        clock: RecordClock,
    ) -> Result<Self, String> {
        let seconds =
            |given: Option<f64>, default| Duration::from_secs_f64(given.unwrap_or(default));
        let limits = Limits {
            connect: seconds(options.connect_timeout, 10.0),
            request: seconds(options.timeout, 60.0),
        };
        let authorization = authorization(options);
        // A server may repeat the credentials without their scheme, such as `Basic`.
        let credentials = authorization.iter().flat_map(|(_, value)| {
            let bare = value.split_once(' ').map(|(_, bare)| bare);
            std::iter::once(value.as_str()).chain(bare).map(str::to_owned)
        });
        let masks = Masks::new(secrets(options).chain(credentials));
        let mut headers: Vec<_> = authorization.into_iter().collect();
        let more = options.headers.iter();
        headers.extend(more.map(|(name, value)| (name.clone(), value.expose().clone())));
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(if shared::is_local(url) { None } else { Proxy::try_from_env() })
            .timeout_connect(Some(limits.connect))
            .timeout_global(Some(limits.request))
            .user_agent(shared::USER_AGENT)
            .accept("application/json");
        let config =
            if url.scheme() == "https" { config.tls_config(shared::tls()?) } else { config };
        Ok(Self {
            agent: config.build().new_agent(),
            headers,
            masks,
            retries: retry::policy(max_retries),
            limits,
            largest: options.max_response_mib.unwrap_or(32) << 20,
            interval: options
                .requests_per_second
                .map_or(Duration::ZERO, |most| Duration::from_secs_f64(1.0 / most)),
            last: None,
            clock,
        })
    }

    /// Gets a page. Blocks until it is complete, and between attempts.
    ///
    /// # Errors
    ///
    /// Fails with the reason of the last attempt.
    pub(super) fn get(&mut self, url: &Url) -> Result<Response, String> {
        let mut attempts = 0;
        loop {
            let Failure { reason, retry } = match self.follow(url) {
                Ok(response) => return Ok(response),
                Err(failure) => failure,
            };
            attempts += 1;
            let tried =
                if attempts == 1 { String::new() } else { format!(", after {attempts} attempts") };
            let backoff = self.retries.delay(attempts, retry::chance());
            let wait = match retry {
                Retry::Never => return Err(reason),
                Retry::WithBackoff => backoff,
                Retry::After(wait) if wait > retry::LONGEST_ASKED => {
                    let (wait, most) = (wait.as_secs(), retry::LONGEST_ASKED.as_secs());
                    return Err(format!(
                        "{reason}; it asks to wait {wait} s, more than {most} s; run again later"
                    ));
                }
                Retry::After(wait) => backoff.map(|_| wait),
            };
            let Some(wait) = wait else { return Err(format!("{reason}{tried}")) };
            let wait_ms = wait.as_millis() as u64;
            tracing::warn!(attempt = attempts, wait_ms, reason, "request failed, trying again");
            self.clock.pause(wait);
        }
    }

    /// Waits until the next request is allowed.
    fn keep_rate(&mut self) {
        if let Some(last) = self.last {
            let wait = self.interval.saturating_sub(last.elapsed());
            if !wait.is_zero() {
                self.clock.pause(wait);
            }
        }
        self.last = Some(Instant::now());
    }

    /// Gets a page, through redirects on its server.
    fn follow(&mut self, url: &Url) -> Result<Response, Failure> {
        let mut url = url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let response = self.send(&url)?;
            let status = response.status();
            if status.is_success() {
                return self.read(url, response);
            }
            match header(&response, "location") {
                Some(location) if status.is_redirection() => {
                    url = redirect(&url, &location).map_err(Failure::terminal)?;
                }
                _ => return Err(self.refusal(response)),
            }
        }
        Err(Failure::terminal(format!("the server redirects more than {MOST_REDIRECTS} times")))
    }

    fn send(&mut self, url: &Url) -> Result<http::Response<Body>, Failure> {
        self.keep_rate();
        let mut request = self.agent.get(url.as_str());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.call().map_err(|error| self.failure(error, url))
    }

    fn read(&self, url: Url, mut response: http::Response<Body>) -> Result<Response, Failure> {
        let link = response.headers().get_all("link").iter();
        let link: Vec<_> = link.filter_map(|value| value.to_str().ok()).collect();
        let link = link.join(", ");
        let content_type = response.body().mime_type().unwrap_or_default().to_owned();
        let bytes = self.body(&mut response, &url)?;
        let text = String::from_utf8(bytes).map_err(|_| Failure::terminal(not_text(&response)))?;
        let text = (response.status() != http::StatusCode::NO_CONTENT).then_some(text);
        Ok(Response { url, link, content_type, text })
    }

    fn body(&self, response: &mut http::Response<Body>, url: &Url) -> Result<Vec<u8>, Failure> {
        let mib = self.largest >> 20;
        let too_large = || {
            Failure::terminal(format!(
                "the response is larger than {mib} MiB; ask for smaller pages, \
                 or raise `max_response_mib`"
            ))
        };
        let promised = response.body().content_length();
        if promised.is_some_and(|length| length > self.largest) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        let reader = response.body_mut().with_config().limit(u64::MAX).reader();
        let read = reader.take(self.largest + 1).read_to_end(&mut bytes);
        read.map_err(|error| match ureq::Error::from(error) {
            ureq::Error::Io(_) => {
                Failure::transient(format!("the response breaks off after {} bytes", bytes.len()))
            }
            other => self.failure(other, url),
        })?;
        if bytes.len() as u64 > self.largest { Err(too_large()) } else { Ok(bytes) }
    }

    /// Why a response is no page.
    fn refusal(&self, mut response: http::Response<Body>) -> Failure {
        let status = response.status();
        let mut bytes = Vec::new();
        let asked = header(&response, "retry-after");
        let asked = asked.and_then(|text| retry::asked(&text, self.clock.now()));
        let body = response.body_mut().with_config().limit(u64::MAX).reader();
        // What arrives is an excerpt of an error, which the status tells anyway.
        let _ = body.take(EXCERPT).read_to_end(&mut bytes);
        let excerpt = self.masks.excerpt(&String::from_utf8_lossy(&bytes));
        let excerpt = if excerpt.is_empty() { excerpt } else { format!(": `{excerpt}`") };
        let cure = match status.as_u16() {
            401 | 403 => "; check `auth_type` and its secrets",
            404 | 410 => "; check `url`",
            _ => "",
        };
        let reason = format!("the server answers {status}{excerpt}{cure}");
        let retry = match asked {
            _ if !shared::is_transient(status.as_u16()) => Retry::Never,
            Some(wait) => Retry::After(wait),
            None => Retry::WithBackoff,
        };
        Failure { reason, retry }
    }

    /// What an error of the library means.
    fn failure(&self, error: ureq::Error, url: &Url) -> Failure {
        let failed = shared::explain(error, url.host_str().unwrap_or_default(), &self.limits);
        let reason = self.masks.apply(&failed.reason);
        if failed.is_transient { Failure::transient(reason) } else { Failure::terminal(reason) }
    }
}

/// The secrets of a source.
fn secrets(options: &ApiSource) -> impl Iterator<Item = String> {
    let secrets = options.token.iter().chain(&options.password);
    let secrets = secrets.chain(options.headers.values());
    secrets.chain(options.query_parameters.values()).map(|secret| secret.expose().clone())
}

/// The header that authorizes requests.
fn authorization(options: &ApiSource) -> Option<(String, String)> {
    let exposed = |secret: &Option<workflow_config::Secret>| {
        secret.as_ref().map(|secret| secret.expose().clone()).unwrap_or_default()
    };
    let header = "Authorization".to_owned();
    match options.auth_type? {
        AuthType::None => None,
        AuthType::BearerToken => Some((header, format!("Bearer {}", exposed(&options.token)))),
        AuthType::Basic => {
            let user = options.username.as_deref().unwrap_or_default();
            let pair = format!("{user}:{}", exposed(&options.password));
            Some((header, format!("Basic {}", BASE64_STANDARD.encode(pair))))
        }
        AuthType::Header => Some((options.header.clone()?, exposed(&options.token))),
    }
}

/// Where a redirect leads.
fn redirect(from: &Url, location: &str) -> Result<Url, String> {
    let mut to =
        from.join(location).map_err(|_| "the URL of the redirect is not valid".to_owned())?;
    if to.origin() != from.origin() {
        return Err(elsewhere("the server redirects to a page", &to));
    }
    to.set_fragment(None);
    // The credentials are those of the configuration. URLs with a host can have a user.
    let _ = (to.set_username(""), to.set_password(None));
    Ok(to)
}

fn header(response: &http::Response<Body>, name: &str) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

/// Why a response is not UTF-8, by its headers.
fn not_text(response: &http::Response<Body>) -> String {
    let encoding = response.headers().get(http::header::CONTENT_ENCODING);
    // What the client decodes has no such header any more.
    let encoding =
        encoding.and_then(|value| value.to_str().ok()).filter(|name| *name != "identity");
    match (encoding, response.body().charset()) {
        (Some(encoding), _) => format!(
            "the response is compressed as `{encoding}`, which was not asked for; let the server send \
             gzip or plain text"
        ),
        (None, Some(charset)) if !charset.eq_ignore_ascii_case("utf-8") => {
            format!("the charset of the response is `{charset}`; let the server send UTF-8")
        }
        _ => "the response is not UTF-8".to_owned(),
    }
}
