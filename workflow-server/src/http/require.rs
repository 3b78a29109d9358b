//! What a route asks of its caller, in its signature, and what the caller may see.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use workflow_store::{Catalog, TokenScope, Viewer};

use crate::app::App;
use crate::auth::Caller;
use crate::problem::Problem;

/// A caller who may do what the route does.
pub(crate) struct Require<R>(pub(crate) Caller, pub(crate) PhantomData<R>);

/// What a route asks for.
pub(crate) trait Permission {
    /// What the caller must be allowed; `None` when anybody may.
    const SCOPE: Option<TokenScope>;
    /// Whether the caller must be staff.
    const STAFF: bool = false;
}

/// Anybody, known or not, may do it.
pub(crate) struct Anyone;
/// It looks.
pub(crate) struct Read;
/// It begins, stops or repeats runs.
pub(crate) struct Run;
/// It changes workflows.
pub(crate) struct Write;
/// It changes accounts, and what is kept.
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
            let nobody = Caller { scope: TokenScope::Read, is_staff: false, ..Caller::anybody() };
            return Ok(Self(caller.unwrap_or(nobody), PhantomData));
        };
        let caller = caller.ok_or_else(|| {
            let detail = "sign in, or send `Authorization: Bearer` with an API token";
            Problem::new(axum::http::StatusCode::UNAUTHORIZED, "sign_in", detail)
        })?;
        if caller.scope < scope {
            let detail = format!("this takes a token of the scope `{}`", scope.as_str());
            return Err(Problem::forbidden("scope", detail));
        }
        if R::STAFF && !caller.is_staff {
            return Err(Problem::forbidden("staff_only", "only staff may do this"));
        }
        Ok(Self(caller, PhantomData))
    }
}

impl Caller {
    /// What is stored, as far as the caller may see it. A name of a workflow means the caller's
    /// own first.
    pub(crate) fn catalog(&self, app: &App) -> Arc<dyn Catalog> {
        match self.user.clone() {
            Some(user) if self.is_staff => app.catalog.seen_by(Viewer::Staff(user)),
            Some(user) => app.catalog.seen_by(Viewer::User(user)),
            None => app.catalog.clone(),
        }
    }
}
