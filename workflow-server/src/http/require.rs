//! The extractor that authorizes a request, and the catalog that is visible to its caller.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use workflow_store::{Catalog, TokenScope, Viewer};

use crate::app::App;
use crate::auth::Caller;
use crate::problem::Problem;

/// Extracts the caller, and requires the permission `R`.
pub(crate) struct Require<R>(pub(crate) Caller, pub(crate) PhantomData<R>);

/// The permission that a route requires.
pub(crate) trait Permission {
    /// The required scope; `None` allows anonymous callers.
    const SCOPE: Option<TokenScope>;
    /// Whether the route requires staff.
    const STAFF: bool = false;
}

/// Requires nothing.
pub(crate) struct Anyone;
/// For routes that only read.
pub(crate) struct Read;
/// For routes that start, cancel or retry runs.
pub(crate) struct Run;
/// For routes that change workflows.
pub(crate) struct Write;
/// For routes that manage accounts and retention.
pub(crate) struct Admin;

impl Permission for Anyone {
    const SCOPE: Option<TokenScope> = None;
}
impl Permission for Read {
    const SCOPE: Option<TokenScope> = Some(TokenScope::Read);
}
impl Permission for Run {
    const SCOPE: Option<TokenScope> = Some(TokenScope::Run);
}
impl Permission for Write {
    const SCOPE: Option<TokenScope> = Some(TokenScope::Write);
}
impl Permission for Admin {
    const SCOPE: Option<TokenScope> = Some(TokenScope::Admin);
    const STAFF: bool = true;
}

impl<R: Permission> FromRequestParts<Arc<App>> for Require<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        app.sync_registered().await?;
        let caller = app.auth.authenticate(parts, &app.options).await?;
        let Some(scope) = R::SCOPE else {
            let anonymous =
                Caller { scope: TokenScope::Read, is_staff: false, ..Caller::anonymous() };
            return Ok(Self(caller.unwrap_or(anonymous), PhantomData));
        };
        let caller = caller.ok_or_else(|| {
            let detail =
                "authentication required; sign in, or send an API token in `Authorization: Bearer`";
            Problem::new(axum::http::StatusCode::UNAUTHORIZED, "sign_in", detail)
        })?;
        if caller.scope < scope {
            let detail = format!("this requires a token with scope `{}`", scope.as_str());
            return Err(Problem::forbidden("scope", detail));
        }
        if R::STAFF && !caller.is_staff {
            return Err(Problem::forbidden("staff_only", "this requires staff rights"));
        }
        Ok(Self(caller, PhantomData))
    }
}

impl Caller {
    /// Returns the catalog as visible to the caller. A workflow name resolves to the caller's own
    /// workflow first.
    pub(crate) fn catalog(&self, app: &App) -> Arc<dyn Catalog> {
        match self.user.clone() {
            Some(user) if self.is_staff => app.catalog.seen_by(Viewer::Staff(user)),
            Some(user) => app.catalog.seen_by(Viewer::User(user)),
            None => app.catalog.clone(),
        }
    }
}
