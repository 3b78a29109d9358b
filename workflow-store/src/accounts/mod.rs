//! Who may sign in, and with what: accounts, API tokens, sessions of browsers.
//!
//! The store keeps hashes and digests, and makes none: passwords and tokens are no concern of it.

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

/// Accounts, tokens and sessions of a store.
///
/// The defaults are those of a store that keeps no accounts, as one that is behind a host's own
/// sign-in: it has no users, and refuses to add some.
///
/// On a handle that a user [sees](crate::Catalog::seen_by) the store through, there is only what
/// is the user's own: their account, of which they change the password, their tokens and their
/// sessions.
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
    /// A page of the users, by name.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read, or the cursor is of another list.
    async fn users(&self, query: UserQuery) -> Result<Page<User>, CatalogError> {
        let _ = query;
        Ok(Page { items: Vec::new(), next: None })
    }

    /// The user with this name; `None` when there is none.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn user(&self, name: &str) -> Result<Option<User>, CatalogError> {
        let _ = name;
        Ok(None)
    }

    /// Adds a user. One that was only named so far, as the owner of a workflow or of a run, becomes
    /// this one and keeps them.
    ///
    /// # Errors
    ///
    /// Fails when there is an account of this name, or the name is not fit.
    async fn add_user(&self, new: NewUser) -> Result<User, CatalogError> {
        let _ = new;
        Err(CatalogError::NoAccounts)
    }

    /// Changes a user, and returns them as they are then. A new password, and not being active any
    /// more, end the user's sessions.
    ///
    /// # Errors
    ///
    /// Fails when there is no such user.
    async fn change_user(&self, name: &str, change: UserChange) -> Result<User, CatalogError> {
        let _ = change;
        Err(CatalogError::NoUser(name.to_owned()))
    }

    /// Deletes a user with their tokens and sessions. Their workflows and runs stay, and are
    /// nobody's.
    ///
    /// # Errors
    ///
    /// Fails when there is no such user.
    async fn delete_user(&self, name: &str) -> Result<(), CatalogError> {
        Err(CatalogError::NoUser(name.to_owned()))
    }

    /// Whether anybody has a password.
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
    /// Fails when there is no such user, the name is not fit, or there is a token with this digest.
    async fn add_token(&self, new: NewToken) -> Result<ApiToken, CatalogError> {
        let _ = new;
        Err(CatalogError::NoAccounts)
    }

    /// The tokens of a user, or of all, oldest first; those that have expired among them.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn tokens(&self, user: Option<&str>) -> Result<Vec<ApiToken>, CatalogError> {
        let _ = user;
        Ok(Vec::new())
    }

    /// The token with this digest and whose it is, if it has not expired and its user is active.
    /// Notes that it was used, to the minute.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be read.
    async fn token(&self, digest: [u8; 32]) -> Result<Option<(ApiToken, User)>, CatalogError> {
        let _ = digest;
        Ok(None)
    }

    /// Deletes the token with this number, if it is this user's; of anybody, without `user`.
    /// Returns whether there was one.
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
    /// Fails when there is no such user, or there is a session with this digest.
    async fn add_session(&self, new: NewSession) -> Result<(), CatalogError> {
        let _ = new;
        Err(CatalogError::NoAccounts)
    }

    /// The session with this digest and whose it is, if it has not expired and its user is active.
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

    /// Deletes tokens and sessions that have expired, and returns how many these were.
    ///
    /// # Errors
    ///
    /// Fails when the store cannot be changed.
    async fn remove_expired(&self) -> Result<u64, CatalogError> {
        Ok(0)
    }
}
