//! Rows of users.

use std::time::SystemTime;

use super::record::{NewUser, User, UserChange, UserQuery};
use crate::catalog_error::{Answer, CatalogError, CatalogField};
use crate::db::sql::{Sql, SqlError, SqlKind};
use crate::db::statement::Statement;
use crate::db::value::{Row, Value, beginning, clean, to_micros};
use crate::exec::operation::Cx;
use crate::page::{Cursor, Page, cut, size as page_size};

const COLUMNS: &str = "u.id, u.username, u.password_hash, u.is_staff, u.is_active, u.created_at";

/// The number of columns of a user, which other columns follow.
pub(super) const WIDTH: usize = 6;

pub(super) fn columns() -> &'static str {
    COLUMNS
}

pub(super) fn read(row: &Row) -> Result<User, SqlError> {
    Ok(User {
        id: row.int(0)?,
        username: row.text(1)?,
        password_hash: row.maybe_text(2)?,
        is_staff: row.bool(3)?,
        is_active: row.bool(4)?,
        created_at: row.maybe_time(5)?,
    })
}

/// The number of a user.
pub(crate) fn number(sql: &mut dyn Sql, name: &str) -> Answer<Option<i64>> {
    let row = sql
        .first("SELECT id FROM accounts_user WHERE username = $1", &[Value::Text(&clean(name))])?;
    Ok(row.map(|row| row.int(0)).transpose()?)
}

/// The number of a user; an unknown one is added without an account.
pub(crate) fn named(sql: &mut dyn Sql, name: &str) -> Answer<i64> {
    check_username(name)?;
    if let Some(id) = number(sql, name)? {
        return Ok(id);
    }
    let values = [Value::Text(&clean(name)), Value::Time(to_micros(SystemTime::now()))];
    let add = "INSERT INTO accounts_user (username, created_at) VALUES ($1, $2) \
        ON CONFLICT DO NOTHING";
    sql.execute(add, &values)?;
    Ok(number(sql, name)?.ok_or_else(|| gone(name))?)
}

fn gone(name: &str) -> SqlError {
    SqlError::new(SqlKind::Conflict, format!("user `{name}` was deleted meanwhile"))
}

/// Checks a user name, which is a part of paths.
fn check_username(name: &str) -> Answer<()> {
    let cure = "use 1 to 150 printable characters, without blanks at its ends";
    check_name(CatalogField::Username, name, 150, cure)?;
    match name {
        "." | ".." => Err(CatalogError::Invalid {
            field: CatalogField::Username,
            found: format!("`{name}`"),
            cure: "choose another: paths of URLs cannot contain it",
        }
        .into()),
        _ => Ok(()),
    }
}

/// Checks the name of a user or token.
pub(super) fn check_name(
    field: CatalogField,
    name: &str,
    longest: usize,
    cure: &'static str,
) -> Answer<()> {
    let count = name.chars().count();
    if (1..=longest).contains(&count) && name.trim() == name && !name.contains(char::is_control) {
        return Ok(());
    }
    Err(CatalogError::Invalid { field, found: format!("{:?}", beginning(name)), cure }.into())
}

/// A page of the users.
pub(super) fn list(sql: &mut dyn Sql, query: &UserQuery) -> Answer<Page<User>> {
    const ORDER: &str = "users";
    let cursor = Cursor::read(query.after.as_deref(), ORDER)?;
    let size = page_size(query.limit);
    let mut statement = Statement::default();
    statement.add(&format!("SELECT {COLUMNS} FROM accounts_user u"));
    if let Some(after) = cursor {
        statement.add(" WHERE u.username > ").text(&after.key);
    }
    statement.add(" ORDER BY u.username LIMIT ").number(size as i64 + 1);
    let rows = statement.query(sql)?;
    let items = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let cursor = |last: &User| Cursor { key: last.username.clone(), id: last.id }.write(ORDER);
    Ok(cut(items, size, cursor))
}

pub(super) fn find(sql: &mut dyn Sql, name: &str) -> Answer<Option<User>> {
    let query = format!("SELECT {COLUMNS} FROM accounts_user u WHERE u.username = $1");
    let row = sql.first(&query, &[Value::Text(&clean(name))])?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// The number of an existing user.
pub(crate) fn known(sql: &mut dyn Sql, name: &str) -> Answer<i64> {
    Ok(number(sql, name)?.ok_or_else(|| CatalogError::NoUser(name.to_owned()))?)
}

pub(super) fn has_accounts(sql: &mut dyn Sql) -> Answer<bool> {
    let any = "SELECT id FROM accounts_user WHERE password_hash IS NOT NULL LIMIT 1";
    Ok(sql.first(any, &[])?.is_some())
}

/// Adds a user, or turns a name into an account.
pub(super) fn add(cx: &mut Cx<'_>, new: &NewUser) -> Answer<User> {
    let name = &new.username;
    check_username(name)?;
    // Staff of an application that shares the table stay staff.
    let is_demoted = |user: &User| user.is_staff && !new.is_staff;
    if find(cx.sql, name)?.is_some_and(|user| user.password_hash.is_some() || is_demoted(&user)) {
        return Err(CatalogError::UserExists(name.clone()).into());
    }
    let values = [
        Value::Text(&clean(name)),
        new.password_hash.as_deref().into(),
        Value::Bool(new.is_staff),
        Value::Time(to_micros(SystemTime::now())),
    ];
    let added = cx.sql.execute(ADD, &values)?;
    if added == 0 {
        return Err(CatalogError::UserExists(name.clone()).into());
    }
    Ok(find(cx.sql, name)?.ok_or_else(|| gone(name))?)
}

const ADD: &str = "INSERT INTO accounts_user \
    (username, password_hash, is_staff, is_active, created_at) VALUES ($1, $2, $3, TRUE, $4) \
    ON CONFLICT (username) DO UPDATE SET password_hash = excluded.password_hash, \
    is_staff = excluded.is_staff, is_active = TRUE, created_at = excluded.created_at \
    WHERE accounts_user.password_hash IS NULL";

pub(super) fn change(cx: &mut Cx<'_>, name: &str, change: &UserChange) -> Answer<User> {
    let old = find(cx.sql, name)?.ok_or_else(|| CatalogError::NoUser(name.to_owned()))?;
    let is_active = change.is_active.unwrap_or(old.is_active);
    let values = [
        change.password_hash.as_deref().or(old.password_hash.as_deref()).into(),
        Value::Bool(change.is_staff.unwrap_or(old.is_staff)),
        Value::Bool(is_active),
        Value::Int(old.id),
    ];
    cx.sql.execute(
        "UPDATE accounts_user SET password_hash = $1, is_staff = $2, is_active = $3 WHERE id = $4",
        &values,
    )?;
    if change.password_hash.is_some() || !is_active {
        super::sessions::end_all(cx, old.id)?;
    }
    Ok(find(cx.sql, name)?.ok_or_else(|| gone(name))?)
}

/// Deletes a user; returns the number of workflows that this leaves without an owner.
pub(super) fn delete(cx: &mut Cx<'_>, name: &str) -> Answer<u64> {
    let id = known(cx.sql, name)?;
    // Tables of other applications may lack cascading deletes.
    let leave = "UPDATE workflows_workflow SET user_id = NULL, is_active = FALSE, updated_at = $1 \
        WHERE user_id = $2";
    let now = Value::Time(to_micros(SystemTime::now()));
    let left = cx.sql.execute(leave, &[now, Value::Int(id)])?;
    cx.sql.execute("DELETE FROM accounts_user WHERE id = $1", &[Value::Int(id)])?;
    cx.write_cache.clear();
    Ok(left)
}
