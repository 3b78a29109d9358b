//! Accounts and API tokens, and what is deleted of old runs.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflow_store::{ApiToken, NewUser, Retention, TokenScope, User, UserChange, UserQuery};

use super::problems::Problems;
use crate::app::App;
use crate::extract::{Asked, Body, Path};
use crate::identity::{Admin, Caller, May, NewPassword, NewToken, Read, Write};
use crate::model::time::{span, text};
use crate::model::{Limit, Listed};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(users, add_user))
        .routes(routes!(change_user, delete_user))
        .routes(routes!(tokens, add_token))
        .routes(routes!(revoke_token))
        .routes(routes!(prune))
}

/// Somebody who may sign in.
#[derive(Debug, Serialize, ToSchema)]
struct Account {
    /// The name.
    username: String,
    /// Whether they see everybody's workflows and runs, and may change accounts.
    is_staff: bool,
    /// Whether they may sign in, and their tokens are good.
    is_active: bool,
    /// Whether they have a password; a name that only workflows mention has none.
    has_password: bool,
    /// Since when there is the account.
    #[schema(format = DateTime)]
    created_at: Option<String>,
}

impl From<User> for Account {
    fn from(of: User) -> Self {
        Self {
            has_password: of.password_hash.is_some(),
            username: of.username,
            is_staff: of.is_staff,
            is_active: of.is_active,
            created_at: of.created_at.map(text),
        }
    }
}

/// Which part of a list is asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PageAsked {
    /// How many, 1 to 1,000. Default: 50.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<Limit>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

impl PageAsked {
    fn query(self) -> UserQuery {
        UserQuery { after: self.cursor, limit: self.limit.map(|limit| limit.0) }
    }
}

/// Lists accounts, by name. For staff.
#[utoipa::path(get, path = "/users", tag = "accounts", params(PageAsked),
    responses((status = 200, body = Listed<Account>), Problems))]
async fn users(
    State(app): State<Arc<App>>,
    _caller: May<Admin>,
    Asked(asked): Asked<PageAsked>,
) -> Result<Json<Listed<Account>>, Problem> {
    let page = app.catalog.users(asked.query()).await?;
    Ok(Json(Listed::of(page, Account::from)))
}

/// An account that is to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"username": "ada", "password": "correct horse battery"}))]
struct AccountDraft {
    /// The name, 1 to 150 characters.
    #[schema(min_length = 1, max_length = 150)]
    username: String,
    /// The password, 8 characters or more.
    #[schema(format = Password, min_length = 8)]
    password: String,
    /// Whether they see everybody's workflows and runs, and may change accounts.
    #[serde(default)]
    is_staff: bool,
}

/// Makes an account. For staff.
#[utoipa::path(post, path = "/users", tag = "accounts", request_body = AccountDraft,
    responses((status = 201, body = Account), Problems))]
async fn add_user(
    State(app): State<Arc<App>>,
    _caller: May<Admin>,
    Body(draft): Body<AccountDraft>,
) -> Result<Response, Problem> {
    let AccountDraft { username, password, is_staff } = draft;
    let password = hashed(password).await?;
    let new = NewUser { username, password_hash: Some(password.into_hash()), is_staff };
    let user = app.catalog.add_user(new).await?;
    app.doorman.look_again();
    Ok((StatusCode::CREATED, Json(Account::from(user))).into_response())
}

async fn hashed(password: String) -> Result<NewPassword, Problem> {
    let hash = tokio::task::spawn_blocking(move || NewPassword::new(&password)).await;
    hash.map_err(Problem::internal)?
        .map_err(|error| Problem::invalid("password", error.to_string()))
}

/// What is to change of an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"is_active": false}))]
struct AccountPatch {
    /// Another password, 8 characters or more. Ends their sessions.
    #[schema(format = Password, min_length = 8)]
    password: Option<String>,
    /// Whether they see everybody's workflows and runs, and may change accounts.
    is_staff: Option<bool>,
    /// Whether they may sign in, and their tokens are good.
    is_active: Option<bool>,
}

/// Changes an account: everything for staff, the password for oneself.
#[utoipa::path(patch, path = "/users/{username}", tag = "accounts",
    params(("username" = String, Path, description = "The name")), request_body = AccountPatch,
    responses((status = 200, body = Account), Problems))]
async fn change_user(
    State(app): State<Arc<App>>,
    May(caller, _): May<Write>,
    Path(username): Path<String>,
    Body(patch): Body<AccountPatch>,
) -> Result<Json<Account>, Problem> {
    let AccountPatch { password, is_staff, is_active } = patch;
    let is_own =
        caller.user.as_deref() == Some(&username) && is_staff.is_none() && is_active.is_none();
    if caller.scope < TokenScope::Admin || !(caller.is_staff || is_own) {
        let detail = "only staff may change accounts; of your own you may change the password";
        return Err(Problem::forbidden("staff_only", detail));
    }
    let password = match password {
        Some(password) => Some(hashed(password).await?.into_hash()),
        None => None,
    };
    let change = UserChange { password_hash: password, is_staff, is_active };
    let user = app.catalog.change_user(&username, change).await?;
    app.doorman.look_again();
    Ok(Json(user.into()))
}

/// Deletes an account with its tokens. Its workflows stay, for staff to see. For staff.
#[utoipa::path(delete, path = "/users/{username}", tag = "accounts",
    params(("username" = String, Path, description = "The name")),
    responses((status = 204, description = "There is no such account any more"), Problems))]
async fn delete_user(
    State(app): State<Arc<App>>,
    May(caller, _): May<Admin>,
    Path(username): Path<String>,
) -> Result<StatusCode, Problem> {
    if caller.user.as_deref() == Some(&username) {
        let detail = "nobody deletes their own account; have somebody else of the staff do it";
        return Err(Problem::conflict("own_account", detail));
    }
    app.catalog.delete_user(&username).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An API token; the token itself is shown once, when it is made.
#[derive(Debug, Serialize, ToSchema)]
struct Token {
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
struct TokensAsked {
    /// Only this user's. Others than staff are only shown their own.
    user: Option<String>,
}

/// Lists API tokens.
#[utoipa::path(get, path = "/tokens", tag = "accounts", params(TokensAsked),
    responses((status = 200, body = Listed<Token>), Problems))]
async fn tokens(
    State(app): State<Arc<App>>,
    May(caller, _): May<Read>,
    Asked(asked): Asked<TokensAsked>,
) -> Result<Json<Listed<Token>>, Problem> {
    let whose = if caller.is_staff { asked.user } else { caller.user };
    let tokens = app.catalog.tokens(whose.as_deref()).await?;
    Ok(Json(Listed::all(tokens.into_iter().map(Token::from).collect())))
}

/// A token that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "nightly", "scope": "run", "expires_in": "30d"}))]
struct TokenDraft {
    /// What it is for.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// The most that it allows: `read`, `run`, `write` or `admin`.
    #[schema(value_type = String, pattern = "^(read|run|write|admin)$")]
    scope: TokenScope,
    /// For how long it is good, such as `30d`. Default: 90 days.
    #[schema(pattern = "^[1-9][0-9]{0,2}(m|h|d)$")]
    expires_in: Option<String>,
}

/// Makes an API token for oneself. It is shown this once.
#[utoipa::path(post, path = "/tokens", tag = "accounts", request_body = TokenDraft,
    responses((status = 201, body = Token), Problems))]
async fn add_token(
    State(app): State<Arc<App>>,
    May(caller, _): May<Write>,
    Body(draft): Body<TokenDraft>,
) -> Result<Response, Problem> {
    let Caller { user: Some(user), scope, .. } = caller else {
        let detail = "tokens belong to accounts; add one with `workflow user add`";
        return Err(Problem::conflict("no_account", detail));
    };
    if draft.scope > scope {
        let detail = "a token cannot make another that allows more than it does itself";
        return Err(Problem::forbidden("scope", detail));
    }
    let time = span("expires_in", draft.expires_in.as_deref().unwrap_or("90d"))?;
    let expires_at = SystemTime::now().checked_add(time);
    let (new, token) = NewToken { user, name: draft.name, scope: draft.scope, expires_at }
        .make()
        .map_err(Problem::internal)?;
    let made = app.catalog.add_token(new).await?;
    let shown = Token { token: Some(token), ..Token::from(made) };
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

/// Makes an API token of no use from now on.
#[utoipa::path(delete, path = "/tokens/{token}", tag = "accounts",
    params(("token" = i64, Path, description = "Its number")),
    responses((status = 204, description = "It is of no use any more"), Problems))]
async fn revoke_token(
    State(app): State<Arc<App>>,
    May(caller, _): May<Write>,
    Path(token): Path<i64>,
) -> Result<StatusCode, Problem> {
    let whose = if caller.is_staff { None } else { caller.user.as_deref() };
    match app.catalog.revoke_token(token, whose).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("no_token", format!("there is no token {token}"))),
    }
}

/// Which runs are kept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"keep_for": "30d", "keep_last": 100}))]
struct RetentionDraft {
    /// Of this workflow only: its id, slug or name.
    workflow: Option<String>,
    /// Those that ended within this time, such as `30d`.
    #[schema(pattern = "^[0-9]{1,4}(s|m|h|d)$")]
    keep_for: Option<String>,
    /// The last so many of each workflow.
    keep_last: Option<u64>,
}

/// What was deleted.
#[derive(Debug, Serialize, ToSchema)]
struct Pruned {
    /// How many runs.
    deleted: u64,
}

/// Deletes runs that ended long ago, or that many have followed. For staff.
#[utoipa::path(post, path = "/retention", tag = "accounts", request_body = RetentionDraft,
    responses((status = 200, body = Pruned), Problems))]
async fn prune(
    State(app): State<Arc<App>>,
    _caller: May<Admin>,
    Body(draft): Body<RetentionDraft>,
) -> Result<Json<Pruned>, Problem> {
    if draft.keep_for.is_none() && draft.keep_last.is_none() {
        let message = "or `keep_last` must be given: which runs are to stay";
        return Err(Problem::invalid("keep_for", message));
    }
    let keep_for = draft.keep_for.map(|text| span("keep_for", &text)).transpose()?;
    let retention = Retention { workflow: draft.workflow, keep_for, keep_last: draft.keep_last };
    Ok(Json(Pruned { deleted: app.catalog.prune(retention).await? }))
}
