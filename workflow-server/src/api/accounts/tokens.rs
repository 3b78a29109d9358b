//! API tokens: shown once, kept as digests.

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

/// An API token; the token itself is shown once, when it is made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Token {
    /// Its number.
    id: i64,
    /// What it is for.
    name: String,
    /// Whose it is.
    user: String,
    /// The most that it allows: `read`, `run`, `write` or `admin`.
    #[schema(value_type = String, examples("run"))]
    scope: &'static str,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// Until when it is good.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// When it was used last.
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
    /// The token, to be sent as `Authorization: Bearer ..`.
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

/// Whose tokens.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TokensQuery {
    /// Only this user's. Without the scope `admin` and staff rights, there are only one's own.
    user: Option<String>,
}

/// Lists API tokens: one's own, and for staff with the scope `admin` everybody's.
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
            let detail = "the tokens of others are for staff, with a session or a token of the \
                          scope `admin`";
            return Err(Problem::forbidden("staff_only", detail));
        }
        _ => caller.user,
    };
    let tokens = app.catalog.tokens(whose.as_deref()).await?;
    Ok(Json(Listed::all(tokens.into_iter().map(Token::from).collect())))
}

/// A token that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "nightly", "scope": "run", "expires_in": "30d"}))]
pub(super) struct TokenDraft {
    /// What it is for.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// The most that it allows: `read`, `run`, `write` or `admin`.
    #[schema(value_type = String, pattern = "^(read|run|write|admin)$")]
    scope: TokenScope,
    /// For how long it is good, such as `30d`. Default: 90 days, or as long as the token that
    /// makes it.
    #[schema(pattern = "^[1-9][0-9]{0,2}(m|h|d)$")]
    expires_in: Option<String>,
}

/// Makes an API token for oneself. It is shown this once. A token makes none that allows more than
/// it does itself, or is good for longer.
#[utoipa::path(post, path = "/tokens", tag = "accounts", request_body = TokenDraft,
    responses((status = 201, body = Token), Problems))]
pub(super) async fn add_token(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Write>,
    Body(draft): Body<TokenDraft>,
) -> Result<Response, Problem> {
    let Some(user) = caller.user.clone() else {
        let detail = "tokens belong to accounts; add one with `workflow user add`";
        return Err(Problem::conflict("no_account", detail));
    };
    if draft.scope > caller.scope {
        let detail = "a token cannot make another that allows more than it does itself";
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

/// When a token that this caller makes expires.
///
/// # Errors
///
/// Fails when it was asked for longer than the token lives that asks for it.
fn expiry(caller: &Caller, expires_in: Option<&str>) -> Result<SystemTime, Problem> {
    let time = span("expires_in", expires_in.unwrap_or("90d"))?;
    let at = SystemTime::now().checked_add(time);
    let at = at.ok_or_else(|| Problem::invalid("expires_in", "is too long; use 999d at most"))?;
    match caller.expires_at().filter(|end| *end < at) {
        None => Ok(at),
        Some(end) if expires_in.is_none() => Ok(end),
        Some(end) => {
            let detail = format!(
                "this token is good until {}, and cannot make one that is good for longer; ask \
                 for less, or sign in",
                text(end)
            );
            Err(Problem::forbidden("outlives", detail))
        }
    }
}

/// Revokes an API token: one's own, and for staff with the scope `admin` anybody's.
#[utoipa::path(delete, path = "/tokens/{token}", tag = "accounts",
    params(("token" = i64, Path, description = "Its number")),
    responses((status = 204, description = "It is revoked"), Problems))]
pub(super) async fn revoke_token(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Write>,
    Path(token): Path<i64>,
) -> Result<StatusCode, Problem> {
    let whose = if caller.is_admin() { None } else { caller.user.as_deref() };
    match app.catalog.revoke_token(token, whose).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("no_token", format!("there is no token {token}"))),
    }
}
