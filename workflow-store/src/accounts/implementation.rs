//! Implements `Accounts` for both databases.

use async_trait::async_trait;

use super::record::{
    ApiToken, NewSession, NewToken, NewUser, Session, User, UserChange, UserQuery,
};
use super::{Accounts, sessions, tokens, users};
use crate::catalog_error::CatalogError;
use crate::exec::operation::TxMode;
use crate::page::Page;
use crate::store::{Database, SqlStore};
use crate::visibility::Viewer;

impl<D: Database> SqlStore<D> {
    /// Checks that the operation is about the viewer's own account.
    fn check_self(&self, name: &str, what: &str) -> Result<(), CatalogError> {
        match &self.viewer {
            Viewer::User(user) if user != name => {
                Err(CatalogError::for_admins(user.clone(), format!("{what} user `{name}`")))
            }
            _ => Ok(()),
        }
    }

    /// The user of an operation; without a name, the viewer.
    fn whose(&self, name: Option<&str>, what: &str) -> Result<Option<String>, CatalogError> {
        match (name, &self.viewer) {
            (Some(name), _) => self.check_self(name, what).map(|()| Some(name.to_owned())),
            (None, Viewer::User(user)) => Ok(Some(user.clone())),
            (None, Viewer::All | Viewer::Staff(_)) => Ok(None),
        }
    }

    /// Whether the viewer may see what was found.
    fn sees(&self, user: &User) -> bool {
        !matches!(&self.viewer, Viewer::User(name) if *name != user.username)
    }
}

#[async_trait]
impl<D: Database> Accounts for SqlStore<D> {
    async fn users(&self, query: UserQuery) -> Result<Page<User>, CatalogError> {
        self.viewer.check_all("list the users")?;
        Ok(self.pool.read(move |sql| users::list(sql, &query)).await?)
    }

    async fn user(&self, name: &str) -> Result<Option<User>, CatalogError> {
        self.check_self(name, "see")?;
        let name = name.to_owned();
        Ok(self.pool.read(move |sql| users::find(sql, &name)).await?)
    }

    async fn add_user(&self, new: NewUser) -> Result<User, CatalogError> {
        self.viewer.check_all("add users")?;
        Ok(self.pool.write(TxMode::Exclusive, move |cx| users::add(cx, &new)).await?)
    }

    async fn change_user(&self, name: &str, change: UserChange) -> Result<User, CatalogError> {
        self.check_self(name, "change")?;
        if change.is_staff.is_some() || change.is_active.is_some() {
            self.viewer.check_all("change the permissions of users")?;
        }
        let name = name.to_owned();
        let change =
            move |cx: &mut crate::exec::operation::Cx<'_>| users::change(cx, &name, &change);
        Ok(self.pool.write(TxMode::Exclusive, change).await?)
    }

    async fn delete_user(&self, name: &str) -> Result<u64, CatalogError> {
        self.viewer.check_all("delete users")?;
        let name = name.to_owned();
        Ok(self.pool.write(TxMode::Exclusive, move |cx| users::delete(cx, &name)).await?)
    }

    async fn has_accounts(&self) -> Result<bool, CatalogError> {
        Ok(self.pool.read(users::has_accounts).await?)
    }

    async fn add_token(&self, new: NewToken) -> Result<ApiToken, CatalogError> {
        self.check_self(&new.user, "add tokens of")?;
        Ok(self.pool.write(TxMode::Batched, move |cx| tokens::add(cx, &new)).await?)
    }

    async fn tokens(&self, user: Option<&str>) -> Result<Vec<ApiToken>, CatalogError> {
        let user = self.whose(user, "list the tokens of")?;
        Ok(self.pool.read(move |sql| tokens::list(sql, user.as_deref())).await?)
    }

    async fn token(&self, digest: [u8; 32]) -> Result<Option<(ApiToken, User)>, CatalogError> {
        let found = self.pool.read(move |sql| tokens::find(sql, &digest)).await?;
        let Some((token, user)) = found.filter(|(_, user)| self.sees(user)) else {
            return Ok(None);
        };
        if tokens::is_stale(&token) {
            let id = token.id;
            let noted = self.pool.write(TxMode::Batched, move |cx| tokens::note_use(cx, id));
            // Reading must work even if the store cannot be written.
            noted.await.ok();
        }
        Ok(Some((token, user)))
    }

    async fn revoke_token(&self, id: i64, user: Option<&str>) -> Result<bool, CatalogError> {
        let user = self.whose(user, "revoke tokens of")?;
        let revoke =
            move |cx: &mut crate::exec::operation::Cx<'_>| tokens::revoke(cx, id, user.as_deref());
        Ok(self.pool.write(TxMode::Batched, revoke).await?)
    }

    async fn add_session(&self, new: NewSession) -> Result<(), CatalogError> {
        self.check_self(&new.user, "start sessions of")?;
        Ok(self.pool.write(TxMode::Batched, move |cx| sessions::add(cx, &new)).await?)
    }

    async fn session(&self, digest: [u8; 32]) -> Result<Option<(Session, User)>, CatalogError> {
        let found = self.pool.read(move |sql| sessions::find(sql, &digest)).await?;
        Ok(found.filter(|(_, user)| self.sees(user)))
    }

    async fn end_session(&self, digest: [u8; 32]) -> Result<(), CatalogError> {
        let user = self.whose(None, "end sessions of")?;
        let end = move |cx: &mut crate::exec::operation::Cx<'_>| {
            sessions::end(cx, &digest, user.as_deref())
        };
        Ok(self.pool.write(TxMode::Batched, end).await?)
    }

    async fn end_sessions(&self, user: &str) -> Result<(), CatalogError> {
        self.check_self(user, "end sessions of")?;
        let user = user.to_owned();
        let end = move |cx: &mut crate::exec::operation::Cx<'_>| {
            let id = users::known(cx.sql, &user)?;
            sessions::end_all(cx, id)
        };
        Ok(self.pool.write(TxMode::Batched, end).await?)
    }

    async fn remove_expired(&self) -> Result<u64, CatalogError> {
        self.viewer.check_all("remove expired tokens and sessions")?;
        Ok(self.pool.write(TxMode::Batched, tokens::remove_expired).await?)
    }
}
