//! Sessions: sign in and sign out.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflow_store::{NewSession, TokenScope, User};

use super::problems::Problems;
use crate::app::App;
use crate::auth::{
    COOKIE_NAME, Caller, Credential, SESSION_TTL, Secret, check_origin, digest,
    is_for_this_machine, session_cookies, verify_password,
};
use crate::http::extract::Body;
use crate::http::require::{Anyone, Require};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(show, sign_in, sign_out))
        .layer(DefaultBodyLimit::max(MAX_BODY))
}

/// The current session, and permissions of the server.
#[derive(Debug, Serialize, ToSchema)]
struct Session {
    /// Signed-in user.
    user: Option<SignedIn>,
    /// Whether the server has no accounts, so that every caller has full access.
    open: bool,
    /// CSRF token, which changes with a session cookie must send in the header `X-CSRF-Token` (or
    /// `X-CSRFToken`).
    csrf: Option<String>,
    /// Whether workflow files sent to the API may contain shell commands.
    allow_commands: bool,
    /// Version of the server.
    version: &'static str,
}

/// A signed-in user.
#[derive(Debug, Serialize, ToSchema)]
struct SignedIn {
    /// User name.
    username: String,
    /// Whether the user sees all workflows and runs, and can manage accounts.
    is_staff: bool,
}

fn session(app: &App, caller: Option<Caller>, open: bool) -> Session {
    let (user, csrf) = match caller {
        Some(Caller { user: Some(username), is_staff, credential, .. }) => {
            let csrf = match credential {
                Credential::Session { csrf } => Some(csrf),
                _ => None,
            };
            (Some(SignedIn { username, is_staff }), csrf)
        }
        _ => (None, None),
    };
    let allow_commands = app.options.allow_commands;
    Session { user, open, csrf, allow_commands, version: env!("CARGO_PKG_VERSION") }
}

/// Returns the current session.
#[utoipa::path(get, path = "/session", tag = "session",
    responses((status = 200, body = Session), Problems))]
async fn show(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Anyone>,
) -> Result<Json<Session>, Problem> {
    let open = app.auth.allows_anonymous().await?;
    Ok(Json(session(&app, Some(caller), open)))
}

/// The credentials of a user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"username": "ada", "password": "correct horse battery"}))]
struct Credentials {
    /// User name.
    username: String,
    /// Password.
    #[schema(format = Password)]
    password: String,
}

/// Signs in and sets a session cookie.
///
/// After five failures, further attempts are rate limited.
#[utoipa::path(post, path = "/session", tag = "session", request_body = Credentials,
    responses((status = 200, body = Session), Problems))]
async fn sign_in(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Body(credentials): Body<Credentials>,
) -> Result<Response, Problem> {
    if app.auth.uses_host() {
        let detail = "the host of this server authenticates its users; sign in there";
        return Err(Problem::conflict("host_authenticates", detail));
    }
    check_origin(&headers, &app.options)?;
    let user = verify(&app, credentials).await?;
    let cookie = Secret::random("").map_err(Problem::internal)?;
    let csrf = Secret::random("").map_err(Problem::internal)?.into_text();
    let new = NewSession {
        digest: cookie.digest(),
        user: user.username.clone(),
        csrf: csrf.clone(),
        expires_at: SystemTime::now() + SESSION_TTL,
    };
    app.catalog.add_session(new).await?;
    let caller = Caller {
        user: Some(user.username),
        is_staff: user.is_staff,
        scope: TokenScope::Admin,
        credential: Credential::Session { csrf },
    };
    let mut response = Json(session(&app, Some(caller), false)).into_response();
    set_cookie(&mut response, &cookie.into_text(), SESSION_TTL.as_secs(), &headers);
    Ok(response)
}

/// Verifies credentials, with a rate limit.
///
/// # Errors
///
/// Fails if they are wrong, or after too many failures.
async fn verify(app: &App, credentials: Credentials) -> Result<User, Problem> {
    // No account can have longer values, so they need no lookup and no entry in the rate limiter.
    check_length("username", &credentials.username, MAX_NAME)?;
    check_length("password", &credentials.password, MAX_PASSWORD)?;
    let throttle = &app.auth.throttle;
    if let Some(wait) = throttle.wait(&credentials.username, Instant::now()) {
        let detail = "too many failed sign-ins for this user name; try again later";
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "throttled", detail)
            .retry_after(wait.as_secs() + 1));
    }
    // Count the failure before the check, so that concurrent attempts are counted.
    throttle.failed(&credentials.username, Instant::now());
    let user = app.catalog.user(&credentials.username).await?.filter(|user| user.is_active);
    let hash = user.as_ref().and_then(|user| user.password_hash.clone());
    let Credentials { username, password } = credentials;
    // Takes the same time for unknown users.
    let is_correct =
        app.auth.hashing.run(move || verify_password(&password, hash.as_deref())).await?;
    let Some(user) = user.filter(|_| is_correct) else { return Err(wrong_credentials()) };
    throttle.passed(&username);
    Ok(user)
}

/// The longest user name in bytes: 150 characters.
const MAX_NAME: usize = 600;
/// The longest password in bytes.
const MAX_PASSWORD: usize = 1024;
/// The largest body of a sign-in request in bytes.
const MAX_BODY: usize = 16 << 10;

fn check_length(field: &str, text: &str, max: usize) -> Result<(), Problem> {
    if text.len() <= max {
        return Ok(());
    }
    Err(Problem::invalid(field, format!("must have at most {max} bytes")))
}

fn wrong_credentials() -> Problem {
    let detail = "wrong user name or password";
    Problem::new(StatusCode::UNAUTHORIZED, "credentials", detail)
}

fn set_cookie(response: &mut Response, value: &str, seconds: u64, headers: &HeaderMap) {
    // Allow plain HTTP only for this machine.
    let secure = if is_for_this_machine(headers) { "" } else { "; Secure" };
    let cookie = format!(
        "{COOKIE_NAME}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    );
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// Signs out.
#[utoipa::path(delete, path = "/session", tag = "session",
    responses((status = 204, description = "Signed out"), Problems))]
async fn sign_out(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Anyone>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if matches!(caller.credential, Credential::Session { .. }) {
        for cookie in session_cookies(&headers) {
            app.catalog.end_session(digest(cookie)).await?;
        }
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&mut response, "", 0, &headers);
    Ok(response)
}
