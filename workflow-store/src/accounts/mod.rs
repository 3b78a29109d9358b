//! Authentication data: accounts, API tokens and browser sessions.
//!
//! The store only stores hashes and digests; it never sees passwords or tokens.

mod implementation;
mod record;
mod sessions;
mod tokens;
mod users;

use async_trait::async_trait;

pub use record::{
    ApiToken, NewSession, NewToken, NewUser, ScopeError, Session, TokenScope, User, UserChange,
    UserQuery,
};
pub(crate) use users::{known, named, number};

use crate::catalog_error::CatalogError;
use crate::page::Page;

/// The accounts, tokens and sessions of a store.
///
/// The default methods are for a store without accounts, such as one behind a host's own sign-in:
/// it has no users, and adding some fails.
///
/// A handle [for a user](crate::Catalog::seen_by) only accesses the user's own account, of which it
/// can change the password, and the user's own tokens and sessions.
///
/// ```
/// use workflow_store::{Accounts, NewUser, SqliteStore};
///
/// # pollster::block_on(async {
/// let store = SqliteStore::open(":memory:").await?;
/// assert!(!store.has_accounts().await?);
/// let alice = NewUser { password_hash: Some("$argon2id$...".into()), ..NewUser::new("alice") };
/// store.add_user(alice).await?;
/// assert!(store.has_accounts().await?);
/// # Ok::<(), workflow_store::CatalogError>(())
/// # })?;
/// # Ok::<(), workflow_store::CatalogError>(())
/// ```
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Returns a page of the users, by name.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read, or the cursor belongs to another list.
    async fn users(&self, query: UserQuery) -> Result<Page<User>, CatalogError> {
        let _ = query;
        Ok(Page { items: Vec::new(), next: None })
    }

    /// Returns the user with this name, if there is one.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn user(&self, name: &str) -> Result<Option<User>, CatalogError> {
        let _ = name;
        Ok(None)
    }

    /// Adds a user. A name that only owned workflows or runs so far becomes this user and keeps
    /// them.
    ///
    /// # Errors
    ///
    /// Fails when the name has an account already or is invalid.
    async fn add_user(&self, new: NewUser) -> Result<User, CatalogError> {
        let _ = new;
        Err(CatalogError::NoAccounts)
    }

    /// Changes a user and returns the new state. Changing the password or deactivating the user
    /// ends the user's sessions.
    ///
    /// # Errors
    ///
    /// Fails when the user does not exist.
    async fn change_user(&self, name: &str, change: UserChange) -> Result<User, CatalogError> {
        let _ = change;
        Err(CatalogError::NoUser(name.to_owned()))
    }

    /// Deletes a user with their tokens and sessions. Their workflows and runs stay without an
    /// owner, and the workflows become inactive, so that no schedule goes on running them. Returns the
    /// number of these workflows.
    ///
    /// # Errors
    ///
    /// Fails when the user does not exist.
    async fn delete_user(&self, name: &str) -> Result<u64, CatalogError> {
        Err(CatalogError::NoUser(name.to_owned()))
    }

    /// Whether any user has a password.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn has_accounts(&self) -> Result<bool, CatalogError> {
        Ok(false)
    }

    /// Adds a token.
    ///
    /// # Errors
    ///
    /// Fails when the user does not exist, the name is invalid, or the digest exists already.
    async fn add_token(&self, new: NewToken) -> Result<ApiToken, CatalogError> {
        let _ = new;
        Err(CatalogError::NoAccounts)
    }

    /// Returns the tokens of a user, or of all users, including expired ones, oldest first.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn tokens(&self, user: Option<&str>) -> Result<Vec<ApiToken>, CatalogError> {
        let _ = user;
        Ok(Vec::new())
    }

    /// Returns the token with this digest and its user, if it has not expired and the user is
    /// active. Records its use, to the minute.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn token(&self, digest: [u8; 32]) -> Result<Option<(ApiToken, User)>, CatalogError> {
        let _ = digest;
        Ok(None)
    }

    /// Revokes the token with this number, if it belongs to this user; without `user`, any token.
    /// Returns whether it existed.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed.
    async fn revoke_token(&self, id: i64, user: Option<&str>) -> Result<bool, CatalogError> {
        let _ = (id, user);
        Ok(false)
    }

    /// Adds a session.
    ///
    /// # Errors
    ///
    /// Fails when the user does not exist, or the digest exists already.
    async fn add_session(&self, new: NewSession) -> Result<(), CatalogError> {
        let _ = new;
        Err(CatalogError::NoAccounts)
    }

    /// Returns the session with this digest and its user, if it has not expired and the user is
    /// active.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn session(&self, digest: [u8; 32]) -> Result<Option<(Session, User)>, CatalogError> {
        let _ = digest;
        Ok(None)
    }

    /// Ends the session with this digest, if there is one.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed.
    async fn end_session(&self, digest: [u8; 32]) -> Result<(), CatalogError> {
        let _ = digest;
        Ok(())
    }

    /// Ends all sessions of a user.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed.
    async fn end_sessions(&self, user: &str) -> Result<(), CatalogError> {
        let _ = user;
        Ok(())
    }

    /// Deletes expired tokens and sessions, and returns their number.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed.
    async fn remove_expired(&self) -> Result<u64, CatalogError> {
        Ok(0)
    }
}
