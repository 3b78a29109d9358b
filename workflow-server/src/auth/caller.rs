//! The sender of a request: the host's view and the server's.

use std::time::SystemTime;

use async_trait::async_trait;
use axum::http::request::Parts;
use workflow_store::TokenScope;

/// The user of a request, as identified by a host's [`Authenticator`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user name, which owns their workflows and runs.
    pub user: String,
    /// Whether they see all workflows and runs, and can manage accounts.
    pub is_staff: bool,
    /// The permissions of the request.
    pub scope: TokenScope,
}

/// Identifies the user of a request, instead of the accounts of the store.
///
/// The host must protect its users against cross-site request forgery: if it identifies them by
/// cookies, it must also check a CSRF token.
#[async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// Returns the user of the request; `None` if there is none, which results in status 401.
    async fn identify(&self, request: &Parts) -> Option<Identity>;
}

/// The authenticated sender of a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The user name; `None` if the server has no accounts.
    pub(crate) user: Option<String>,
    pub(crate) is_staff: bool,
    pub(crate) scope: TokenScope,
    pub(crate) credential: Credential,
}

/// How a request was authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// Not at all: the server has no accounts, and every caller has full access.
    AnonymousAccess,
    /// By a browser session, with the CSRF token that changes must send.
    Session { csrf: String },
    /// By an API token, with its expiry; `None` if it never expires.
    Token { expires_at: Option<SystemTime> },
    /// By the host's [`Authenticator`].
    Host,
}

impl Caller {
    pub(crate) fn anonymous() -> Self {
        let (user, credential) = (None, Credential::AnonymousAccess);
        Self { user, is_staff: true, scope: TokenScope::Admin, credential }
    }

    /// Whether the caller may manage the accounts and tokens of others.
    pub(crate) fn is_admin(&self) -> bool {
        self.is_staff && self.scope >= TokenScope::Admin
    }

    /// When the credential of the caller expires; `None` for never.
    pub(crate) fn expires_at(&self) -> Option<SystemTime> {
        match self.credential {
            Credential::Token { expires_at } => expires_at,
            Credential::AnonymousAccess | Credential::Session { .. } | Credential::Host => None,
        }
    }

    /// Whether the caller may change the workflows and runs they see.
    pub(crate) fn may_write(&self) -> bool {
        self.scope >= TokenScope::Write
    }
}
