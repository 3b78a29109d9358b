//! Visibility: a part of every statement that reads or changes workflows and runs, so that none can
//! omit it.

use crate::db::sql::{Sql, SqlError};
use crate::db::statement::Statement;
use crate::db::value::{Value, clean};

/// The viewer of a store: determines what a handle can see and change.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Viewer {
    /// Anonymous, with all permissions.
    #[default]
    All,
    /// The user with this name, with all permissions. The user's own workflows take precedence in
    /// lookups by name.
    Staff(String),
    /// The user with this name, who sees and changes their own workflows, sees and runs registered
    /// workflows without an owner, and sees the runs of their own workflows and the runs that they
    /// started.
    User(String),
}

/// A viewer with its number looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visibility {
    All,
    /// Everything, for the user with this number; 0 for an unknown user.
    Staff(i64),
    /// The number of a user; 0 for an unknown or inactive user.
    User(i64),
}

impl Visibility {
    pub(crate) fn of(sql: &mut dyn Sql, viewer: &Viewer) -> Result<Self, SqlError> {
        let (name, of): (_, fn(i64) -> Self) = match viewer {
            Viewer::All => return Ok(Self::All),
            Viewer::Staff(name) => (name, Self::Staff),
            Viewer::User(name) => (name, Self::User),
        };
        let row = sql.first(
            "SELECT id FROM accounts_user WHERE username = $1 AND is_active",
            &[Value::Text(&clean(name))],
        )?;
        Ok(of(row.map_or(Ok(0), |row| row.int(0))?))
    }

    /// Whether nothing is hidden.
    pub(crate) fn sees_all(self) -> bool {
        matches!(self, Self::All | Self::Staff(_))
    }

    /// The number of the user, unless everything is visible.
    pub(crate) fn user(self) -> Option<i64> {
        match self {
            Self::All | Self::Staff(_) => None,
            Self::User(user) => Some(user),
        }
    }

    /// The number of the caller; `None` for an anonymous one.
    pub(crate) fn caller(self) -> Option<i64> {
        match self {
            Self::All => None,
            Self::Staff(user) | Self::User(user) => Some(user),
        }
    }

    /// Adds the condition that the workflow `w` is visible.
    pub(crate) fn workflow(self, statement: &mut Statement) {
        if let Self::User(user) = self {
            statement.add(" AND (w.user_id = ").number(user);
            statement.add(" OR (w.user_id IS NULL AND w.source = 'registered'))");
        }
    }

    /// Adds the condition that the workflow `w` belongs to the user.
    pub(crate) fn own(self, statement: &mut Statement) {
        if let Self::User(user) = self {
            statement.add(" AND w.user_id = ").number(user);
        }
    }

    /// Adds the condition that the run `r` is visible.
    pub(crate) fn run(self, statement: &mut Statement) {
        if let Self::User(user) = self {
            statement.add(" AND (r.user_id = ").number(user);
            statement.add(" OR r.workflow_user_id = ").number(user).add(")");
        }
    }

    /// Adds the condition that the run `r` is visible, without using an index: an expression in
    /// place of a column prevents that, so another condition decides.
    pub(crate) fn run_of_few(self, statement: &mut Statement) {
        if let Self::User(user) = self {
            statement.add(" AND (coalesce(r.user_id, -1) = ").number(user);
            statement.add(" OR coalesce(r.workflow_user_id, -1) = ").number(user).add(")");
        }
    }
}

impl Viewer {
    /// The name of the user; `None` if anonymous.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Staff(name) | Self::User(name) => Some(name),
        }
    }

    /// Checks that everything is visible.
    ///
    /// # Errors
    ///
    /// Fails for a user without all permissions; `what` names the operation.
    pub(crate) fn check_all(&self, what: &'static str) -> Result<(), NotStaff> {
        match self {
            Self::All | Self::Staff(_) => Ok(()),
            Self::User(user) => Err(NotStaff { user: user.clone(), what }),
        }
    }
}

/// A user requested an operation that needs staff permissions.
#[derive(Debug)]
pub(crate) struct NotStaff {
    pub(crate) user: String,
    /// The operation, to follow "may not".
    pub(crate) what: &'static str,
}
