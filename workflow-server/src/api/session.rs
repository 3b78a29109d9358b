//! Signing in and out.

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
use workflow_store::NewSession;

use super::problems::Problems;
use crate::app::App;
use crate::auth::{
    COOKIE_NAME, Caller, Credential, SESSION_TIME, Secret, digest, is_for_this_machine,
    session_cookie, verify_password,
};
use crate::http::extract::Body;
use crate::http::require::{Anyone, Require};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(show, sign_in, sign_out))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
}

/// Who is signed in, and what this server allows.
#[derive(Debug, Serialize, ToSchema)]
struct Session {
    /// Who is signed in.
    user: Option<SignedIn>,
    /// Whether everybody may do everything, because there are no accounts.
    open: bool,
    /// What changes of a browser's session name in the header `X-CSRF-Token`; `X-CSRFToken` is
    /// accepted, too.
    csrf: Option<String>,
    /// Whether workflow files that come over the API may name commands.
    allow_commands: bool,
    /// The version of the server.
    version: &'static str,
}

/// Somebody who is signed in.
#[derive(Debug, Serialize, ToSchema)]
struct SignedIn {
    /// The name.
    username: String,
    /// Whether they see everybody's workflows and runs, and may change accounts.
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

/// Shows who is signed in.
#[utoipa::path(get, path = "/session", tag = "session",
    responses((status = 200, body = Session), Problems))]
async fn show(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Anyone>,
) -> Result<Json<Session>, Problem> {
    let open = app.auth.allows_anonymous().await?;
    Ok(Json(session(&app, Some(caller), open)))
}

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"username": "ada", "password": "correct horse battery"}))]
struct Credentials {
    /// The name.
    username: String,
    /// The password.
    #[schema(format = Password)]
    password: String,
}

/// Signs in, with a cookie for a browser. After five failures, each next try waits longer.
#[utoipa::path(post, path = "/session", tag = "session", request_body = Credentials,
    responses((status = 200, body = Session), Problems))]
async fn sign_in(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Body(said): Body<Credentials>,
) -> Result<Response, Problem> {
    if app.auth.uses_host() {
        let detail = "this program signs its users in by itself";
        return Err(Problem::conflict("host_authenticates", detail));
    }
    app.auth.check_origin(&headers, &app.options)?;
    // What no account has is not looked up, and above all not remembered.
    check_length("username", &said.username, LONGEST_NAME)?;
    check_length("password", &said.password, LONGEST_PASSWORD)?;
    let throttle = &app.auth.throttle;
    if let Some(wait) = throttle.wait(&said.username, Instant::now()) {
        let detail = "too many failed tries to sign in under this name; wait";
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "throttled", detail)
            .retry_after(wait.as_secs() + 1));
    }
    // It counts before it is checked, so that tries at the same time are counted, too.
    throttle.failed(&said.username, Instant::now());
    let user = app.catalog.user(&said.username).await?.filter(|user| user.is_active);
    let hash = user.as_ref().and_then(|user| user.password_hash.clone());
    let Credentials { username, password } = said;
    // For nobody that is known it takes as long.
    let is_right =
        app.auth.hashing.run(move || verify_password(&password, hash.as_deref())).await?;
    let Some(user) = user.filter(|_| is_right) else { return Err(wrong()) };
    throttle.passed(&username);
    let cookie = Secret::random("").map_err(Problem::internal)?;
    let csrf = Secret::random("").map_err(Problem::internal)?.into_text();
    let new = NewSession {
        digest: cookie.digest(),
        user: username.clone(),
        csrf: csrf.clone(),
        expires_at: SystemTime::now() + SESSION_TIME,
    };
    app.catalog.add_session(new).await?;
    let caller = Caller {
        user: Some(username),
        is_staff: user.is_staff,
        scope: workflow_store::TokenScope::Admin,
        credential: Credential::Session { csrf },
    };
    let mut response = Json(session(&app, Some(caller), false)).into_response();
    set_cookie(&mut response, &cookie.into_text(), SESSION_TIME.as_secs(), &headers);
    Ok(response)
}

/// The longest name of a user, in bytes: 150 characters.
const LONGEST_NAME: usize = 600;
/// The longest password, in bytes.
const LONGEST_PASSWORD: usize = 1024;
/// The largest body of a request to sign in, in bytes.
const LARGEST_BODY: usize = 16 << 10;

fn check_length(field: &str, text: &str, longest: usize) -> Result<(), Problem> {
    if text.len() <= longest {
        return Ok(());
    }
    Err(Problem::invalid(field, format!("is longer than {longest} bytes, as none is")))
}

fn wrong() -> Problem {
    let detail = "there is no such account, or the password is another one";
    Problem::new(StatusCode::UNAUTHORIZED, "credentials", detail)
}

fn set_cookie(response: &mut Response, value: &str, seconds: u64, headers: &HeaderMap) {
    // Browsers send it over plain HTTP to this machine alone.
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
    responses((status = 204, description = "Nobody is signed in"), Problems))]
async fn sign_out(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Anyone>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if let (Credential::Session { .. }, Some(cookie)) =
        (&caller.credential, session_cookie(&headers))
    {
        app.catalog.end_session(digest(cookie)).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&mut response, "", 0, &headers);
    Ok(response)
}
