//! Rows of tokens.

use std::time::{Duration, SystemTime};

use super::record::{ApiToken, NewToken, ScopeError, TokenScope, User};
use super::users::{self, WIDTH};
use crate::catalog_error::{Answer, CatalogError, CatalogField};
use crate::db::sql::{Sql, SqlError, SqlKind};
use crate::db::statement::Statement;
use crate::db::value::{Row, Value, clean, to_micros};
use crate::exec::operation::Cx;

const COLUMNS: &str = "t.id, t.name, t.scope, t.created_at, t.expires_at, t.last_used_at";

/// The time after a recorded use before the next one is recorded.
const MINUTE: Duration = Duration::from_secs(60);

fn select() -> Statement {
    let mut statement = Statement::default();
    let users = users::columns();
    statement.add(&format!(
        "SELECT {users}, {COLUMNS} FROM accounts_token t JOIN accounts_user u ON u.id = t.user_id"
    ));
    statement
}

fn read(row: &Row) -> Result<(ApiToken, User), SqlError> {
    let user = users::read(row)?;
    let scope: TokenScope = row.text(WIDTH + 2)?.parse().map_err(|error: ScopeError| {
        SqlError::new(SqlKind::Unusable, format!("a token of `{}`: {error}", user.username))
    })?;
    let token = ApiToken {
        id: row.int(WIDTH)?,
        name: row.text(WIDTH + 1)?,
        user: user.username.clone(),
        scope,
        created_at: row.time(WIDTH + 3)?,
        expires_at: row.maybe_time(WIDTH + 4)?,
        last_used_at: row.maybe_time(WIDTH + 5)?,
    };
    Ok((token, user))
}

pub(super) fn add(cx: &mut Cx<'_>, new: &NewToken) -> Answer<ApiToken> {
    let name = &new.name;
    let cure = "use 1 to 255 printable characters, without blanks at its ends";
    users::check_name(CatalogField::TokenName, name, 255, cure)?;
    let user = users::known(cx.sql, &new.user)?;
    let values = [
        Value::Int(user),
        Value::Text(name),
        Value::Bytes(&new.digest),
        Value::Text(new.scope.as_str()),
        Value::Time(to_micros(SystemTime::now())),
        new.expires_at.map(|at| Value::Time(to_micros(at))).unwrap_or(Value::Null),
    ];
    let row = cx.sql.first(
        "INSERT INTO accounts_token (user_id, name, digest, scope, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING id",
        &values,
    )?;
    let taken = || CatalogError::Invalid {
        field: CatalogField::Token,
        found: "there already".to_owned(),
        cure: "generate a random one",
    };
    let mut one = select();
    one.add(" WHERE t.id = ").number(row.ok_or_else(taken)?.int(0)?);
    let row = one.first(cx.sql)?.ok_or_else(taken)?;
    Ok(read(&row)?.0)
}

pub(super) fn list(sql: &mut dyn Sql, user: Option<&str>) -> Answer<Vec<ApiToken>> {
    let mut all = select();
    if let Some(user) = user {
        all.add(" WHERE u.username = ").text(&clean(user));
    }
    let rows = all.add(" ORDER BY t.id").query(sql)?;
    rows.iter().map(|row| Ok(read(row)?.0)).collect()
}

/// The token with this digest, if it is valid.
pub(super) fn find(sql: &mut dyn Sql, digest: &[u8; 32]) -> Answer<Option<(ApiToken, User)>> {
    let query = format!(
        "SELECT {}, {COLUMNS} FROM accounts_token t JOIN accounts_user u ON u.id = t.user_id \
         WHERE t.digest = $1 AND u.is_active AND (t.expires_at IS NULL OR t.expires_at > $2)",
        users::columns()
    );
    let values = [Value::Bytes(digest), Value::Time(to_micros(SystemTime::now()))];
    let row = sql.first(&query, &values)?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// Whether a use must be recorded. That includes a recorded use in the future, after the clock was
/// set back.
pub(super) fn is_stale(token: &ApiToken) -> bool {
    let since = token.last_used_at.map(|at| SystemTime::now().duration_since(at));
    !since.is_some_and(|since| since.is_ok_and(|since| since <= MINUTE))
}

pub(super) fn note_use(cx: &mut Cx<'_>, id: i64) -> Answer<()> {
    let values = [Value::Time(to_micros(SystemTime::now())), Value::Int(id)];
    cx.sql.execute("UPDATE accounts_token SET last_used_at = $1 WHERE id = $2", &values)?;
    Ok(())
}

pub(super) fn revoke(cx: &mut Cx<'_>, id: i64, user: Option<&str>) -> Answer<bool> {
    let deleted = match user {
        None => cx.sql.execute("DELETE FROM accounts_token WHERE id = $1", &[Value::Int(id)])?,
        Some(user) => cx.sql.execute(
            "DELETE FROM accounts_token WHERE id = $1 \
             AND user_id = (SELECT id FROM accounts_user WHERE username = $2)",
            &[Value::Int(id), Value::Text(&clean(user))],
        )?,
    };
    Ok(deleted > 0)
}

pub(super) fn remove_expired(cx: &mut Cx<'_>) -> Answer<u64> {
    let now = [Value::Time(to_micros(SystemTime::now()))];
    let tokens = cx.sql.execute("DELETE FROM accounts_token WHERE expires_at <= $1", &now)?;
    let sessions = cx.sql.execute("DELETE FROM accounts_session WHERE expires_at <= $1", &now)?;
    Ok(tokens + sessions)
}
