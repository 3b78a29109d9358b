//! Accounts and retention.

mod tokens;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflow_store::{NewUser, Retention, TokenScope, User, UserChange, UserQuery};

use super::problems::Problems;
use crate::app::App;
use crate::auth::{Credential, NewPassword};
use crate::http::extract::{Body, Path, Query};
use crate::http::require::{Admin, Require, Write};
use crate::model::time::{span, text};
use crate::model::{Listed, PageQuery};
use crate::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(users, add_user))
        .routes(routes!(change_user, delete_user))
        .routes(routes!(tokens::tokens, tokens::add_token))
        .routes(routes!(tokens::revoke_token))
        .routes(routes!(prune))
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
struct Account {
    /// User name.
    username: String,
    /// Whether the user sees all workflows and runs, and can manage accounts.
    is_staff: bool,
    /// Whether the user can sign in and use API tokens.
    is_active: bool,
    /// Whether the user has a password. A user that only exists as owner of workflows has none.
    has_password: bool,
    /// When the account was created.
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

/// Lists accounts by name.
///
/// Requires staff.
#[utoipa::path(get, path = "/users", tag = "accounts", params(PageQuery),
    responses((status = 200, body = Listed<Account>), Problems))]
async fn users(
    State(app): State<Arc<App>>,
    _caller: Require<Admin>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Listed<Account>>, Problem> {
    let query = UserQuery { limit: query.limit(), after: query.cursor };
    let page = app.catalog.users(query).await?;
    Ok(Json(Listed::of(page, Account::from)))
}

/// A new account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"username": "ada", "password": "correct horse battery"}))]
struct AccountDraft {
    /// User name, 1 to 150 characters.
    #[schema(min_length = 1, max_length = 150)]
    username: String,
    /// Password, at least 8 characters.
    #[schema(format = Password, min_length = 8)]
    password: String,
    /// Whether the user sees all workflows and runs, and can manage accounts.
    #[serde(default)]
    is_staff: bool,
}

/// Creates an account.
///
/// Requires staff.
#[utoipa::path(post, path = "/users", tag = "accounts", request_body = AccountDraft,
    responses((status = 201, body = Account), Problems))]
async fn add_user(
    State(app): State<Arc<App>>,
    _caller: Require<Admin>,
    Body(draft): Body<AccountDraft>,
) -> Result<Response, Problem> {
    let AccountDraft { username, password, is_staff } = draft;
    let password = hashed(&app, password).await?;
    let new = NewUser { username, password_hash: Some(password.into_hash()), is_staff };
    let user = app.catalog.add_user(new).await?;
    app.auth.accounts_changed();
    Ok((StatusCode::CREATED, Json(Account::from(user))).into_response())
}

async fn hashed(app: &App, password: String) -> Result<NewPassword, Problem> {
    let hash = app.auth.hashing.run(move || NewPassword::new(&password)).await?;
    hash.map_err(|error| Problem::invalid("password", error.to_string()))
}

/// Changes of an account. Omitted fields do not change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"is_active": false}))]
struct AccountPatch {
    /// New password, at least 8 characters. Ends all sessions of the user.
    #[schema(format = Password, min_length = 8)]
    password: Option<String>,
    /// Whether the user sees all workflows and runs, and can manage accounts.
    is_staff: Option<bool>,
    /// Whether the user can sign in and use API tokens.
    is_active: Option<bool>,
}

/// Changes an account.
///
/// Staff can change everything. Users can change their own password while they are signed in: with a
/// token, a short one would be worth as much as the account.
#[utoipa::path(patch, path = "/users/{username}", tag = "accounts",
    params(("username" = String, Path, description = "User name")), request_body = AccountPatch,
    responses((status = 200, body = Account), Problems))]
async fn change_user(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Write>,
    Path(username): Path<String>,
    Body(patch): Body<AccountPatch>,
) -> Result<Json<Account>, Problem> {
    let AccountPatch { password, is_staff, is_active } = patch;
    let is_own = caller.user.as_deref() == Some(&username);
    let is_password_alone = is_staff.is_none() && is_active.is_none();
    if caller.scope < TokenScope::Admin {
        let detail = "this requires a token with the scope `admin`";
        return Err(Problem::forbidden("scope", detail));
    }
    if !(caller.is_staff || (is_own && is_password_alone)) {
        let detail = "only staff can change accounts; you can change your own password";
        return Err(Problem::forbidden("staff_only", detail));
    }
    if is_own && (is_staff == Some(false) || is_active == Some(false)) {
        let detail = "you cannot remove your own access; ask another admin";
        return Err(Problem::conflict("own_account", detail));
    }
    if is_own && matches!(caller.credential, Credential::Token { .. }) {
        let detail = "a token cannot change the account that it belongs to; sign in";
        return Err(Problem::forbidden("sign_in", detail));
    }
    let password = match password {
        Some(password) => Some(hashed(&app, password).await?.into_hash()),
        None => None,
    };
    let change = UserChange { password_hash: password, is_staff, is_active };
    let user = app.catalog.change_user(&username, change).await?;
    app.auth.accounts_changed();
    // Schedules and triggers of an inactive account do not run.
    app.schedules.workflow_changed();
    Ok(Json(user.into()))
}

/// The result of a deletion.
#[derive(Debug, Serialize, ToSchema)]
struct DeletedAccount {
    /// Number of its workflows, which have no owner now and are inactive.
    deactivated_workflows: u64,
}

/// Deletes an account and its tokens.
///
/// Its workflows become inactive and stay visible to staff. Requires staff.
#[utoipa::path(delete, path = "/users/{username}", tag = "accounts",
    params(("username" = String, Path, description = "User name")),
    responses((status = 200, body = DeletedAccount), Problems))]
async fn delete_user(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Admin>,
    Path(username): Path<String>,
) -> Result<Json<DeletedAccount>, Problem> {
    if caller.user.as_deref() == Some(&username) {
        let detail = "you cannot delete your own account; ask another admin";
        return Err(Problem::conflict("own_account", detail));
    }
    let deactivated_workflows = app.catalog.delete_user(&username).await?;
    app.schedules.workflow_changed();
    tracing::info!(user = username, deactivated_workflows, "account deleted");
    Ok(Json(DeletedAccount { deactivated_workflows }))
}

/// Which finished runs to keep.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"keep_for": "30d", "keep_last": 100}))]
struct RetentionDraft {
    /// Only runs of this workflow (ID, name or slug).
    workflow: Option<String>,
    /// Keeps runs that finished within this time, such as `30d`.
    #[schema(pattern = "^[0-9]{1,4}(s|m|h|d)$")]
    keep_for: Option<String>,
    /// Keeps this number of the latest runs of each workflow.
    keep_last: Option<u64>,
}

/// The result of a retention.
#[derive(Debug, Serialize, ToSchema)]
struct Pruned {
    /// Number of deleted runs.
    deleted: u64,
}

/// Deletes old finished runs.
///
/// Requires staff.
#[utoipa::path(post, path = "/retention", tag = "accounts", request_body = RetentionDraft,
    responses((status = 200, body = Pruned), Problems))]
async fn prune(
    State(app): State<Arc<App>>,
    Require(caller, _): Require<Admin>,
    Body(draft): Body<RetentionDraft>,
) -> Result<Json<Pruned>, Problem> {
    if draft.keep_for.is_none() && draft.keep_last.is_none() {
        let message = "required, unless `keep_last` is given";
        return Err(Problem::invalid("keep_for", message));
    }
    let keep_for = draft.keep_for.map(|text| span("keep_for", &text)).transpose()?;
    let retention = Retention { workflow: draft.workflow, keep_for, keep_last: draft.keep_last };
    Ok(Json(Pruned { deleted: caller.catalog(&app).prune(retention).await? }))
}
