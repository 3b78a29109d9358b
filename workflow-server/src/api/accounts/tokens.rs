//! API tokens. They are shown once; the store has only digests.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use workflow_store::{ApiToken, TokenScope};

use super::super::problems::Problems;
use crate::app::App;
use crate::auth::{Caller, TokenRequest};
use crate::http::extract::{Body, Path, Query};
use crate::http::require::{Read, Require, Write};
use crate::model::Listed;
use crate::model::time::{span, text};
use crate::problem::Problem;

/// An API token. The secret is only returned at creation.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Token {
    /// ID of the token.
    id: i64,
    /// Name of the token.
    name: String,
    /// User who owns it.
    user: String,
    /// Permissions: `read`, `run`, `write` or `admin`. Each includes the ones before.
    #[schema(value_type = String, examples("run"))]
    scope: &'static str,
    /// When it was created.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it expires; null for never.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// When it was last used.
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
    /// The secret, to send as `Authorization: Bearer <token>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl From<ApiToken> for Token {
    fn from(of: ApiToken) -> Self {
        Self {
            id: of.id,
            name: of.name,
            user: of.user,
            scope: of.scope.as_str(),
            created_at: text(of.created_at),
            expires_at: of.expires_at.map(text),
            last_used_at: of.last_used_at.map(text),
            token: None,
        }
    }
}

/// The filter of a list of tokens.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TokensQuery {
    /// Only tokens of this user. Other users' tokens require staff and the scope `admin`.
    user: Option<String>,
}

/// Lists API tokens: the caller's own; for staff with the scope `admin`, all.
#[utoipa::path(get, path = "/tokens", tag = "accounts", params(TokensQuery),
    responses((status = 200, body = Listed<Token>), Problems))]
pub(super) async fn tokens(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Read>,
    Query(query): Query<TokensQuery>,
) -> Result<Json<Listed<Token>>, Problem> {
    let whose = match query.user {
        user if caller.is_admin() => user,
        Some(user) if caller.user.as_ref() != Some(&user) => {
            let detail = "tokens of other users require staff, with a session or a token with the \
                          scope `admin`";
            return Err(Problem::forbidden("staff_only", detail));
        }
        _ => caller.user,
    };
    let tokens = app.catalog.tokens(whose.as_deref()).await?;
    Ok(Json(Listed::all(tokens.into_iter().map(Token::from).collect())))
}

/// A new token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "nightly", "scope": "run", "expires_in": "30d"}))]
pub(super) struct TokenDraft {
    /// Name of the token.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// Permissions: `read`, `run`, `write` or `admin`. Each includes the ones before.
    #[schema(value_type = String, pattern = "^(read|run|write|admin)$")]
    scope: TokenScope,
    /// Lifetime, such as `30d`. Default: 90 days, or the remaining lifetime of the token that
    /// creates it.
    #[schema(pattern = "^[1-9][0-9]{0,2}(m|h|d)$")]
    expires_in: Option<String>,
}

/// Creates an API token for the caller.
///
/// The secret is only returned here. A token cannot create tokens with more permissions or a longer
/// lifetime than its own.
#[utoipa::path(post, path = "/tokens", tag = "accounts", request_body = TokenDraft,
    responses((status = 201, body = Token), Problems))]
pub(super) async fn add_token(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Write>,
    Body(draft): Body<TokenDraft>,
) -> Result<Response, Problem> {
    let Some(user) = caller.user.clone() else {
        let detail = "API tokens require an account; add one with `workflow user add`";
        return Err(Problem::conflict("no_account", detail));
    };
    if draft.scope > caller.scope {
        let detail = "a token cannot create a token with more permissions than its own";
        return Err(Problem::forbidden("scope", detail));
    }
    let expires_at = Some(expiry(&caller, draft.expires_in.as_deref())?);
    let (new, token) = TokenRequest { user, name: draft.name, scope: draft.scope, expires_at }
        .issue()
        .map_err(Problem::internal)?;
    let made = app.catalog.add_token(new).await?;
    let token = Token { token: Some(token), ..Token::from(made) };
    Ok((StatusCode::CREATED, Json(token)).into_response())
}

/// Returns when a token created by this caller expires.
///
/// # Errors
///
/// Fails if the requested lifetime exceeds the one of the caller's token.
fn expiry(caller: &Caller, expires_in: Option<&str>) -> Result<SystemTime, Problem> {
    let time = span("expires_in", expires_in.unwrap_or("90d"))?;
    if time.is_zero() {
        return Err(Problem::invalid("expires_in", "must be longer than zero"));
    }
    let at = SystemTime::now().checked_add(time);
    let at = at.ok_or_else(|| Problem::invalid("expires_in", "must be at most 999d"))?;
    match caller.expires_at().filter(|end| *end < at) {
        None => Ok(at),
        Some(end) if expires_in.is_none() => Ok(end),
        Some(end) => {
            let detail = format!(
                "this token expires at {} and cannot create a token with a longer lifetime; \
                 request a shorter one, or sign in",
                text(end)
            );
            Err(Problem::forbidden("outlives", detail))
        }
    }
}

/// Revokes an API token: the caller's own; for staff with the scope `admin`, any.
#[utoipa::path(delete, path = "/tokens/{token}", tag = "accounts",
    params(("token" = i64, Path, description = "ID of the token")),
    responses((status = 204, description = "Token revoked"), Problems))]
pub(super) async fn revoke_token(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Write>,
    Path(token): Path<i64>,
) -> Result<StatusCode, Problem> {
    let whose = if caller.is_admin() { None } else { caller.user.as_deref() };
    match app.catalog.revoke_token(token, whose).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found(
            "no_token",
            format!("no token {token}; list the tokens for their IDs"),
        )),
    }
}
