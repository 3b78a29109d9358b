//! Users, tokens and sessions. What is printed of them holds no hash and no digest.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::rfc3339;

/// Somebody who can be signed in, or owns something.
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
    /// Whether everything may be seen and done.
    pub is_staff: bool,
    /// Whether the account is in use: no token and no session of another is good.
    pub is_active: bool,
    /// When the account was made, where that is known.
    #[serde(serialize_with = "rfc3339::option::serialize")]
    pub created_at: Option<SystemTime>,
}

/// Which users are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserQuery {
    /// Where the page before this one ended.
    pub after: Option<String>,
    /// How many, 1 to 1,000. Default: 50.
    pub limit: Option<usize>,
}

/// A user who is to be added.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct NewUser {
    /// The name, of 1 to 150 characters.
    pub username: String,
    /// The hash of the password. Without one the user cannot sign in.
    pub password_hash: Option<String>,
    /// Whether everything may be seen and done.
    pub is_staff: bool,
}

impl NewUser {
    /// A user with a name and nothing else.
    pub fn new(username: impl Into<String>) -> Self {
        Self { username: username.into(), ..Self::default() }
    }
}

/// What is to become of a user; what is `None` stays as it is.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct UserChange {
    /// The hash of another password.
    pub password_hash: Option<String>,
    /// Whether everything may be seen and done.
    pub is_staff: Option<bool>,
    /// Whether the account is in use.
    pub is_active: Option<bool>,
}

/// What a token is good for. Each is good for what those before it are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TokenScope {
    /// To read.
    #[serde(rename = "read")]
    Read,
    /// To begin, cancel and signal runs.
    #[serde(rename = "run")]
    Run,
    /// To change workflows.
    #[serde(rename = "write")]
    Write,
    /// For everything that its user may do.
    #[serde(rename = "admin")]
    Admin,
}

impl TokenScope {
    /// The scope as it is written.
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

/// There is no such scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no scope `{0}`; use read, run, write or admin")]
pub struct ScopeError(String);

impl FromStr for TokenScope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let all = [Self::Read, Self::Run, Self::Write, Self::Admin];
        let found = all.into_iter().find(|scope| scope.as_str() == text);
        found.ok_or_else(|| ScopeError(text.to_owned()))
    }
}

/// A token that is to be added.
#[derive(Clone, PartialEq, Eq)]
pub struct NewToken {
    /// Whose it is.
    pub user: String,
    /// What it is called, in 1 to 255 characters.
    pub name: String,
    /// The SHA-256 of the token.
    pub digest: [u8; 32],
    /// What it is good for.
    pub scope: TokenScope,
    /// Until when. Default: for ever.
    pub expires_at: Option<SystemTime>,
}

/// A token of a user, apart from what proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiToken {
    /// Its number.
    pub id: i64,
    /// What it is called.
    pub name: String,
    /// Whose it is.
    pub user: String,
    /// What it is good for.
    pub scope: TokenScope,
    /// When it was made.
    #[serde(serialize_with = "rfc3339::serialize")]
    pub created_at: SystemTime,
    /// Until when it is good; for ever without.
    #[serde(serialize_with = "rfc3339::option::serialize")]
    pub expires_at: Option<SystemTime>,
    /// When it was last used, to the minute.
    #[serde(serialize_with = "rfc3339::option::serialize")]
    pub last_used_at: Option<SystemTime>,
}

/// A session that is to be added.
#[derive(Clone, PartialEq, Eq)]
pub struct NewSession {
    /// Whose it is.
    pub user: String,
    /// The SHA-256 of what the browser keeps.
    pub digest: [u8; 32],
    /// What every change must be sent with, in 255 characters at most.
    pub csrf: String,
    /// Until when it is good.
    pub expires_at: SystemTime,
}

/// A session of a browser.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// What every change must be sent with.
    pub csrf: String,
    /// When it was begun.
    pub created_at: SystemTime,
    /// Until when it is good.
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
        let error = "all".parse::<TokenScope>().expect_err("no scope").to_string();
        assert_eq!(error, "there is no scope `all`; use read, run, write or admin");
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
