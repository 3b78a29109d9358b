//! Authenticates requests by the host, an API token or a session.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::ConnectInfo;
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use subtle::ConstantTimeEq as _;
use workflow_store::{Catalog, TokenScope};

use super::{Authenticator, Caller, Credential, Throttle, digest};
use crate::blocking::Blocking;
use crate::options::Options;
use crate::problem::Problem;

/// Authenticates requests by the host, an API token or a session.
pub(crate) struct Authentication {
    catalog: Arc<dyn Catalog>,
    host: Option<Arc<dyn Authenticator>>,
    /// Whether accounts are known to exist.
    has_accounts: AtomicBool,
    /// When the store was last seen without accounts.
    no_accounts_at: Mutex<Option<Instant>>,
    pub(crate) throttle: Throttle,
    /// Runs password hashing, which takes 19 MiB each.
    pub(crate) hashing: Blocking,
}

/// How long the absence of accounts is cached.
const NO_ACCOUNTS_TTL: Duration = Duration::from_millis(100);

/// The lifetime of a session.
pub(crate) const SESSION_TTL: Duration = Duration::from_secs(14 * 86_400);

/// The most passwords that are hashed at the same time.
const MAX_HASHING: usize = 4;

/// The name of the session cookie.
pub(crate) const COOKIE_NAME: &str = "workflow_session";

/// The headers for the CSRF token of a session: ours, and the one of Django clients.
pub(crate) const CSRF_HEADERS: [&str; 2] = ["x-csrf-token", "x-csrftoken"];

impl Authentication {
    pub(crate) fn new(catalog: Arc<dyn Catalog>, host: Option<Arc<dyn Authenticator>>) -> Self {
        let (has_accounts, throttle) = (AtomicBool::new(false), Throttle::default());
        let hashing = Blocking::new(MAX_HASHING);
        Self { catalog, host, has_accounts, no_accounts_at: Mutex::default(), throttle, hashing }
    }

    /// Whether the host authenticates requests.
    pub(crate) fn uses_host(&self) -> bool {
        self.host.is_some()
    }

    /// Whether the server has no accounts, so that every caller has full access.
    ///
    /// # Errors
    ///
    /// Fails if the store cannot be read.
    pub(crate) async fn allows_anonymous(&self) -> Result<bool, Problem> {
        if self.host.is_some() || self.has_accounts.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let now = Instant::now();
        let no_accounts_at = *self.no_accounts_at();
        if no_accounts_at.is_some_and(|at| now.duration_since(at) < NO_ACCOUNTS_TTL) {
            return Ok(true);
        }
        let has_accounts = self.catalog.has_accounts().await?;
        self.has_accounts.store(has_accounts, Ordering::Relaxed);
        *self.no_accounts_at() = (!has_accounts).then_some(now);
        Ok(!has_accounts)
    }

    /// Invalidates the cached absence of accounts.
    pub(crate) fn accounts_changed(&self) {
        *self.no_accounts_at() = None;
    }

    fn no_accounts_at(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.no_accounts_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the sender of a request; `None` without credentials.
    ///
    /// # Errors
    ///
    /// Fails if a credential is invalid, or if another origin seems to have sent the request.
    pub(crate) async fn authenticate(
        &self,
        parts: &Parts,
        options: &Options,
    ) -> Result<Option<Caller>, Problem> {
        if let Some(host) = &self.host {
            let identity = host.identify(parts).await;
            return Ok(identity.map(|identity| Caller {
                user: Some(identity.user),
                is_staff: identity.is_staff,
                scope: identity.scope,
                credential: Credential::Host,
            }));
        }
        if let Some(token) = bearer(&parts.headers)? {
            return self.token_caller(token).await.map(Some);
        }
        if self.allows_anonymous().await? {
            check_anonymous(parts, options)?;
            return Ok(Some(Caller::anonymous()));
        }
        let Some(cookie) = session_cookies(&parts.headers).next() else { return Ok(None) };
        let caller = self.session_caller(cookie).await?;
        if let Some(Caller { credential: Credential::Session { csrf }, .. }) = &caller
            && changes(&parts.method)
        {
            check_origin(&parts.headers, options)?;
            check_csrf(&parts.headers, csrf)?;
        }
        Ok(caller)
    }

    async fn token_caller(&self, token: &str) -> Result<Caller, Problem> {
        let found = self.catalog.token(digest(token)).await?;
        let (token, user) = found.ok_or_else(|| {
            let detail = "unknown, expired or revoked API token; create a new one";
            Problem::new(StatusCode::UNAUTHORIZED, "token", detail)
        })?;
        Ok(Caller {
            user: Some(user.username),
            is_staff: user.is_staff,
            scope: token.scope,
            credential: Credential::Token { expires_at: token.expires_at },
        })
    }

    async fn session_caller(&self, cookie: &str) -> Result<Option<Caller>, Problem> {
        let found = self.catalog.session(digest(cookie)).await?;
        Ok(found.map(|(session, user)| Caller {
            user: Some(user.username),
            is_staff: user.is_staff,
            scope: TokenScope::Admin,
            credential: Credential::Session { csrf: session.csrf },
        }))
    }
}

/// Whether a request may change something.
pub(crate) fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Returns the bearer token of a request.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(header) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let token = header.to_str().ok().and_then(|header| {
        let (scheme, token) = header.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    token.map(Some).ok_or_else(|| {
        let detail = "the header `Authorization` must be `Bearer` and an API token";
        Problem::new(StatusCode::UNAUTHORIZED, "token", detail)
    })
}

/// Returns the session cookies of a request. The first one counts; browsers send several if they were
/// set for different paths.
pub(crate) fn session_cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let cookies = headers.get_all(COOKIE).into_iter().filter_map(|header| header.to_str().ok());
    let pairs = cookies.flat_map(|cookies| cookies.split(';'));
    pairs.filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE_NAME).then_some(value)
    })
}

fn check_csrf(headers: &HeaderMap, expected: &str) -> Result<(), Problem> {
    let sent = CSRF_HEADERS.iter().find_map(|name| headers.get(*name));
    let sent = sent.map(|header| header.as_bytes()).unwrap_or_default();
    if bool::from(sent.ct_eq(expected.as_bytes())) {
        return Ok(());
    }
    let detail = "missing or wrong CSRF token; send the `csrf` of `GET /api/v1/session` in the \
                  header `X-CSRF-Token`";
    Err(Problem::forbidden("csrf", detail))
}

/// Rejects a request from a page of another origin.
pub(crate) fn check_origin(headers: &HeaderMap, options: &Options) -> Result<(), Problem> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let is_ours = origin.split_once("://").is_some_and(|(_, from)| from == host);
    if is_ours || options.origins.iter().any(|allowed| allowed == origin) {
        return Ok(());
    }
    let detail = format!("the origin `{origin}` is not allowed to make changes on this server");
    Err(Problem::forbidden("origin", detail))
}

/// Rejects anonymous requests from other machines, and changes from pages of other origins.
fn check_anonymous(parts: &Parts, options: &Options) -> Result<(), Problem> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    if peer.is_some_and(|peer| !peer.to_canonical().is_loopback()) {
        let detail = "without accounts, this server accepts requests only from this machine; add \
                      an account with `workflow user add`";
        return Err(Problem::forbidden("no_accounts", detail));
    }
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let name = host.or(parts.uri.host()).unwrap_or_default();
    if options.loopback_only && !is_loopback(name) {
        let detail = format!(
            "`{name}` is not a name of this machine; use `localhost`, or add an account with \
             `workflow user add`"
        );
        return Err(Problem::forbidden("host", detail));
    }
    if changes(&parts.method) { check_origin(&parts.headers, options) } else { Ok(()) }
}

/// Whether the `Host` header of a request names this machine.
pub(crate) fn is_for_this_machine(headers: &HeaderMap) -> bool {
    headers.get(HOST).and_then(|host| host.to_str().ok()).is_some_and(is_loopback)
}

/// Whether a host, with or without a port, is this machine.
fn is_loopback(host: &str) -> bool {
    let bracketed = host.strip_prefix('[').and_then(|host| host.split_once(']'));
    let name = match bracketed {
        Some((name, _)) => name,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for host in ["localhost", "localhost:8080", "127.0.0.1:80", "[::1]:80", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["example.com", "localhost.example.com", "10.0.0.1", "", "[::2]:80"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
