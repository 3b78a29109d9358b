//! Who sends a request, and what they may do.

use std::time::SystemTime;

use async_trait::async_trait;
use axum::http::request::Parts;
use workflow_store::TokenScope;

/// Who sent a request, as a host's [`Authenticator`] knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name under which their workflows and runs are kept.
    pub user: String,
    /// Whether they see everybody's workflows and runs, and may change accounts.
    pub is_staff: bool,
    /// The most that they may do.
    pub scope: TokenScope,
}

/// Finds out who sent a request, in place of the accounts of the store.
///
/// The host sees to it that other sites cannot make its users' browsers send requests: with
/// cookies of its own, it checks a token.
#[async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// Who sent the request; `None` for nobody that is known, which is answered with 401.
    async fn identify(&self, request: &Parts) -> Option<Identity>;
}

/// Who sent a request, and how that is known.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Their name; `None`, when the server is open.
    pub(crate) user: Option<String>,
    pub(crate) is_staff: bool,
    pub(crate) scope: TokenScope,
    pub(crate) credential: Credential,
}

/// How it is known who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// There are no accounts: everybody may do everything.
    AnonymousAccess,
    /// By a session of a browser, with the token that its changes must name.
    Session { csrf: String },
    /// By an API token, which is good until this time; for ever without one.
    Token { expires_at: Option<SystemTime> },
    /// By the host.
    Host,
}

impl Caller {
    pub(crate) fn anybody() -> Self {
        let (user, credential) = (None, Credential::AnonymousAccess);
        Self { user, is_staff: true, scope: TokenScope::Admin, credential }
    }

    /// Whether the caller may see and change the accounts and tokens of others.
    pub(crate) fn is_admin(&self) -> bool {
        self.is_staff && self.scope >= TokenScope::Admin
    }

    /// When the rights that the caller asks with end; never, without a time.
    pub(crate) fn expires_at(&self) -> Option<SystemTime> {
        match self.credential {
            Credential::Token { expires_at } => expires_at,
            Credential::AnonymousAccess | Credential::Session { .. } | Credential::Host => None,
        }
    }

    /// Whether the caller may change workflows and runs that they see.
    pub(crate) fn may_write(&self) -> bool {
        self.scope >= TokenScope::Write
    }
}
