//! Finds out who sends a request.

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

/// Finds out who sends a request: by the host, by an API token, or by a session.
pub(crate) struct Authentication {
    catalog: Arc<dyn Catalog>,
    host: Option<Arc<dyn Authenticator>>,
    /// Whether it is known that there are accounts.
    has_accounts: AtomicBool,
    /// When it was seen last that there are none.
    none_at: Mutex<Option<Instant>>,
    pub(crate) throttle: Throttle,
    /// Hashes passwords: each takes 19 MiB.
    pub(crate) hashing: Blocking,
}

/// How long it is taken for granted that there are still no accounts.
const NONE_FOR: Duration = Duration::from_millis(100);

/// How long a session lasts.
pub(crate) const SESSION_TIME: Duration = Duration::from_secs(14 * 86_400);

/// How many passwords are hashed at once.
const AT_ONCE: usize = 4;

/// The cookie of a session.
pub(crate) const COOKIE_NAME: &str = "workflow_session";

/// The headers in which changes of a session name its token: ours, and the one that clients of
/// Django send.
pub(crate) const CSRF: [&str; 2] = ["x-csrf-token", "x-csrftoken"];

impl Authentication {
    pub(crate) fn new(catalog: Arc<dyn Catalog>, host: Option<Arc<dyn Authenticator>>) -> Self {
        let (has_accounts, throttle) = (AtomicBool::new(false), Throttle::default());
        let hashing = Blocking::new(AT_ONCE);
        Self { catalog, host, has_accounts, none_at: Mutex::default(), throttle, hashing }
    }

    /// Whether the host says who sends a request.
    pub(crate) fn uses_host(&self) -> bool {
        self.host.is_some()
    }

    /// Whether everybody may do everything, because there are no accounts.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    pub(crate) async fn allows_anonymous(&self) -> Result<bool, Problem> {
        if self.host.is_some() || self.has_accounts.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let now = Instant::now();
        let none_at = *self.none_at();
        if none_at.is_some_and(|at| now.duration_since(at) < NONE_FOR) {
            return Ok(true);
        }
        let has_accounts = self.catalog.has_accounts().await?;
        self.has_accounts.store(has_accounts, Ordering::Relaxed);
        *self.none_at() = (!has_accounts).then_some(now);
        Ok(!has_accounts)
    }

    /// Says that accounts were changed: there may be some from now on.
    pub(crate) fn accounts_changed(&self) {
        *self.none_at() = None;
    }

    fn none_at(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.none_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who sends this request; `None` for nobody that is known.
    ///
    /// # Errors
    ///
    /// Fails when what the request says of its sender is not good, or it seems to be sent by
    /// another site.
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
            return self.by_token(token).await.map(Some);
        }
        if self.allows_anonymous().await? {
            check_anonymous(parts, options)?;
            return Ok(Some(Caller::anybody()));
        }
        let Some(cookie) = session_cookie(&parts.headers) else { return Ok(None) };
        let caller = self.by_session(cookie).await?;
        if let Some(Caller { credential: Credential::Session { csrf }, .. }) = &caller
            && changes(&parts.method)
        {
            check_origin(&parts.headers, options)?;
            check_csrf(&parts.headers, csrf)?;
        }
        Ok(caller)
    }

    /// Refuses what a page of another site sends.
    ///
    /// # Errors
    ///
    /// Fails when the request names another site as its origin.
    pub(crate) fn check_origin(
        &self,
        headers: &HeaderMap,
        options: &Options,
    ) -> Result<(), Problem> {
        check_origin(headers, options)
    }

    async fn by_token(&self, token: &str) -> Result<Caller, Problem> {
        let found = self.catalog.token(digest(token)).await?;
        let (token, user) = found.ok_or_else(|| {
            let detail = "there is no such API token, or it is not good any more; make another";
            Problem::new(StatusCode::UNAUTHORIZED, "token", detail)
        })?;
        Ok(Caller {
            user: Some(user.username),
            is_staff: user.is_staff,
            scope: token.scope,
            credential: Credential::Token { expires_at: token.expires_at },
        })
    }

    async fn by_session(&self, cookie: &str) -> Result<Option<Caller>, Problem> {
        let found = self.catalog.session(digest(cookie)).await?;
        Ok(found.map(|(session, user)| Caller {
            user: Some(user.username),
            is_staff: user.is_staff,
            scope: TokenScope::Admin,
            credential: Credential::Session { csrf: session.csrf },
        }))
    }
}

/// Whether a request changes something.
fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The token that a request names.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(header) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let token = header.to_str().ok().and_then(|header| {
        let (scheme, token) = header.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    token.map(Some).ok_or_else(|| {
        let detail = "the header `Authorization` is to be `Bearer` and an API token";
        Problem::new(StatusCode::UNAUTHORIZED, "token", detail)
    })
}

/// The session that a request names.
pub(crate) fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).into_iter().filter_map(|header| header.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';'));
    pairs.find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE_NAME).then_some(value)
    })
}

fn check_csrf(headers: &HeaderMap, wanted: &str) -> Result<(), Problem> {
    let said = CSRF.iter().find_map(|name| headers.get(*name));
    let said = said.map(|header| header.as_bytes()).unwrap_or_default();
    if bool::from(said.ct_eq(wanted.as_bytes())) {
        return Ok(());
    }
    let detail = "the header `X-CSRF-Token`, or `X-CSRFToken`, is to be what `GET session` gives as \
        `csrf`";
    Err(Problem::forbidden("csrf", detail))
}

/// Refuses what a page of another site sends.
fn check_origin(headers: &HeaderMap, options: &Options) -> Result<(), Problem> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let is_ours = origin.split_once("://").is_some_and(|(_, from)| from == host);
    if is_ours || options.origins.iter().any(|allowed| allowed == origin) {
        return Ok(());
    }
    let detail = format!("pages of `{origin}` may not change anything here");
    Err(Problem::forbidden("origin", detail))
}

/// An open server does what programs of this machine ask for, and not what pages of other sites,
/// or other machines, do.
fn check_anonymous(parts: &Parts, options: &Options) -> Result<(), Problem> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    if peer.is_some_and(|peer| !peer.to_canonical().is_loopback()) {
        let detail = "there are no accounts, so only this machine is served; add one with \
                      `workflow user add`";
        return Err(Problem::forbidden("no_accounts", detail));
    }
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let name = host.or(parts.uri.host()).unwrap_or_default();
    if options.loopback_only && !is_loopback(name) {
        let detail = format!(
            "`{name}` is no name of this machine; ask for `localhost`, or add an account with \
             `workflow user add`"
        );
        return Err(Problem::forbidden("host", detail));
    }
    if changes(&parts.method) { check_origin(&parts.headers, options) } else { Ok(()) }
}

/// Whether a request names this machine as whom it asks.
pub(crate) fn is_for_this_machine(headers: &HeaderMap) -> bool {
    headers.get(HOST).and_then(|host| host.to_str().ok()).is_some_and(is_loopback)
}

/// Whether a host, which may have a port, means this machine.
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
    fn only_names_of_this_machine_are_taken_for_it() {
        for host in ["localhost", "localhost:8080", "127.0.0.1:80", "[::1]:80", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["example.com", "localhost.example.com", "10.0.0.1", "", "[::2]:80"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
