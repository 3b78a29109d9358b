//! Users, tokens and sessions. `Debug` does not print hashes and digests.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::rfc3339;

/// A user, who can sign in or only owns workflows and runs.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// The number in the store.
    #[serde(skip)]
    pub id: i64,
    /// The name.
    pub username: String,
    /// The hash of the password; without one the user cannot sign in.
    #[serde(skip)]
    pub password_hash: Option<String>,
    /// Whether the user has all permissions.
    pub is_staff: bool,
    /// Whether the account is active. Tokens and sessions of inactive users are rejected.
    pub is_active: bool,
    /// When the account was created, if known.
    #[serde(serialize_with = "rfc3339::option::serialize")]
    pub created_at: Option<SystemTime>,
}

/// A query for users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserQuery {
    /// The cursor from the page before this one.
    pub after: Option<String>,
    /// The size of the page, 1 to 1,000. Default: 50.
    pub limit: Option<usize>,
}

/// A user to add.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct NewUser {
    /// The name: 1 to 150 characters.
    pub username: String,
    /// The hash of the password. Without one the user cannot sign in.
    pub password_hash: Option<String>,
    /// Whether the user has all permissions.
    pub is_staff: bool,
}

impl NewUser {
    /// Creates a user with only a name.
    pub fn new(username: impl Into<String>) -> Self {
        Self { username: username.into(), ..Self::default() }
    }
}

/// Changes to a user; `None` leaves a field unchanged.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct UserChange {
    /// The hash of the new password.
    pub password_hash: Option<String>,
    /// Whether the user has all permissions.
    pub is_staff: Option<bool>,
    /// Whether the account is active.
    pub is_active: Option<bool>,
}

/// The scope of a token. Each scope includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TokenScope {
    /// To read.
    #[serde(rename = "read")]
    Read,
    /// To start, cancel and signal runs.
    #[serde(rename = "run")]
    Run,
    /// To change workflows.
    #[serde(rename = "write")]
    Write,
    /// All permissions of its user.
    #[serde(rename = "admin")]
    Admin,
}

impl TokenScope {
    /// The name of the scope.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Run => "run",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for TokenScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of a scope is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope `{0}`; use read, run, write or admin")]
pub struct ScopeError(String);

impl FromStr for TokenScope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let all = [Self::Read, Self::Run, Self::Write, Self::Admin];
        let found = all.into_iter().find(|scope| scope.as_str() == text);
        found.ok_or_else(|| ScopeError(text.to_owned()))
    }
}

/// A token to add.
#[derive(Clone, PartialEq, Eq)]
pub struct NewToken {
    /// The name of the user.
    pub user: String,
    /// The name: 1 to 255 characters.
    pub name: String,
    /// The SHA-256 of the token.
    pub digest: [u8; 32],
    /// The scope.
    pub scope: TokenScope,
    /// When the token expires. Default: never.
    pub expires_at: Option<SystemTime>,
}

/// A token of a user, without its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiToken {
    /// The number in the store.
    pub id: i64,
    /// The name.
    pub name: String,
    /// The name of the user.
    pub user: String,
    /// The scope.
    pub scope: TokenScope,
    /// When the token was created.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub created_at: SystemTime,
    /// When the token expires; `None` for never.
    #[serde(serialize_with = "rfc3339::option::serialize")]
    pub expires_at: Option<SystemTime>,
    /// When the token was last used, to the minute.
    #[serde(serialize_with = "rfc3339::option::serialize")]
    pub last_used_at: Option<SystemTime>,
}

/// A session to add.
#[derive(Clone, PartialEq, Eq)]
pub struct NewSession {
    /// The name of the user.
    pub user: String,
    /// The SHA-256 of the browser's secret.
    pub digest: [u8; 32],
    /// The CSRF token that every change must carry, at most 255 characters.
    pub csrf: String,
    /// When the session expires.
    pub expires_at: SystemTime,
}

/// A browser session.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// The CSRF token that every change must carry.
    pub csrf: String,
    /// When the session started.
    pub created_at: SystemTime,
    /// When the session expires.
    pub expires_at: SystemTime,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("username", &self.username)
            .field("is_staff", &self.is_staff)
            .field("is_active", &self.is_active)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for NewUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewUser")
            .field("username", &self.username)
            .field("is_staff", &self.is_staff)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for UserChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserChange")
            .field("has_password", &self.password_hash.is_some())
            .field("is_staff", &self.is_staff)
            .field("is_active", &self.is_active)
            .finish()
    }
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewToken")
            .field("user", &self.user)
            .field("name", &self.name)
            .field("scope", &self.scope)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for NewSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSession")
            .field("user", &self.user)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_ordered_and_written_as_they_are_read() {
        assert!(TokenScope::Read < TokenScope::Run && TokenScope::Write < TokenScope::Admin);
        assert_eq!("write".parse(), Ok(TokenScope::Write));
        let error = "all".parse::<TokenScope>().expect_err("unknown").to_string();
        assert_eq!(error, "unknown scope `all`; use read, run, write or admin");
    }

    #[test]
    fn nothing_secret_is_printed() {
        let user = NewUser { password_hash: Some("secret".into()), ..NewUser::new("alice") };
        let change = UserChange { password_hash: Some("secret".into()), ..Default::default() };
        let token = NewToken {
            user: "alice".into(),
            name: "ci".into(),
            digest: *b"secret secret secret secret secr",
            scope: TokenScope::Read,
            expires_at: None,
        };
        let session = NewSession {
            user: "alice".into(),
            digest: token.digest,
            csrf: "secret".into(),
            expires_at: SystemTime::UNIX_EPOCH,
        };
        let printed = format!("{user:?} {change:?} {token:?} {session:?}");
        assert!(!printed.contains("secret") && !printed.contains("115"), "{printed}");
    }
}
