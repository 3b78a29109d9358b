//! Rows of sessions.

use std::time::SystemTime;

use super::record::{NewSession, Session, User};
use super::users::{self, WIDTH};
use crate::catalog_error::{Answer, CatalogError, CatalogField};
use crate::db::sql::{Sql, SqlError};
use crate::db::value::{Row, Value, clean, to_micros};
use crate::exec::operation::Cx;

pub(super) fn add(cx: &mut Cx<'_>, new: &NewSession) -> Answer<()> {
    let user = users::known(cx.sql, &new.user)?;
    let values = [
        Value::Bytes(&new.digest),
        Value::Int(user),
        Value::Text(&new.csrf),
        Value::Time(to_micros(SystemTime::now())),
        Value::Time(to_micros(new.expires_at)),
    ];
    let added = cx.sql.execute(
        "INSERT INTO accounts_session (digest, user_id, csrf, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        &values,
    )?;
    if added > 0 {
        return Ok(());
    }
    Err(CatalogError::Invalid {
        field: CatalogField::Session,
        found: "there already".to_owned(),
        cure: "generate a random one",
    }
    .into())
}

fn read(row: &Row) -> Result<(Session, User), SqlError> {
    let session = Session {
        csrf: row.text(WIDTH)?,
        created_at: row.time(WIDTH + 1)?,
        expires_at: row.time(WIDTH + 2)?,
    };
    Ok((session, users::read(row)?))
}

/// The session with this digest, if it is valid.
pub(super) fn find(sql: &mut dyn Sql, digest: &[u8; 32]) -> Answer<Option<(Session, User)>> {
    let query = format!(
        "SELECT {}, s.csrf, s.created_at, s.expires_at FROM accounts_session s \
         JOIN accounts_user u ON u.id = s.user_id \
         WHERE s.digest = $1 AND u.is_active AND s.expires_at > $2",
        users::columns()
    );
    let values = [Value::Bytes(digest), Value::Time(to_micros(SystemTime::now()))];
    let row = sql.first(&query, &values)?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// Ends a session; without `user`, of any user.
pub(super) fn end(cx: &mut Cx<'_>, digest: &[u8; 32], user: Option<&str>) -> Answer<()> {
    match user {
        None => cx
            .sql
            .execute("DELETE FROM accounts_session WHERE digest = $1", &[Value::Bytes(digest)])?,
        Some(user) => cx.sql.execute(
            "DELETE FROM accounts_session WHERE digest = $1 \
             AND user_id = (SELECT id FROM accounts_user WHERE username = $2)",
            &[Value::Bytes(digest), Value::Text(&clean(user))],
        )?,
    };
    Ok(())
}

/// Ends all sessions of a user.
pub(super) fn end_all(cx: &mut Cx<'_>, user: i64) -> Answer<()> {
    cx.sql.execute("DELETE FROM accounts_session WHERE user_id = $1", &[Value::Int(user)])?;
    Ok(())
}
