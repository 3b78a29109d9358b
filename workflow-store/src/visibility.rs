//! Who asks: a part of every statement that reads or changes workflows and runs, so that none
//! can leave it out.

use crate::db::sql::{Sql, SqlError};
use crate::db::statement::Statement;
use crate::db::value::{Value, clean};

/// Who a handle on a store answers to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Viewer {
    /// Whoever may do everything, and is nobody in particular.
    #[default]
    All,
    /// The user with this name, who may do everything. A name of a workflow means their own first.
    Staff(String),
    /// The user with this name. They see and change the workflows that they own, see and run those
    /// that are registered and that nobody owns, and see the runs of their own workflows and the
    /// runs that they asked for.
    User(String),
}

/// A viewer, looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visibility {
    All,
    /// All, for the user with this number; 0 for one who is unknown.
    Staff(i64),
    /// The number of a user; 0 for one who is unknown or not active.
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

    /// The user's number, unless all is seen.
    pub(crate) fn user(self) -> Option<i64> {
        match self {
            Self::All | Self::Staff(_) => None,
            Self::User(user) => Some(user),
        }
    }

    /// The number of whoever asks; none for nobody in particular.
    pub(crate) fn caller(self) -> Option<i64> {
        match self {
            Self::All => None,
            Self::Staff(user) | Self::User(user) => Some(user),
        }
    }

    /// Adds that the workflow `w` is seen.
    pub(crate) fn workflow(self, statement: &mut Statement) {
        if let Self::User(user) = self {
            statement.add(" AND (w.user_id = ").number(user);
            statement.add(" OR (w.user_id IS NULL AND w.source = 'registered'))");
        }
    }

    /// Adds that the workflow `w` is the user's own.
    pub(crate) fn own(self, statement: &mut Statement) {
        if let Self::User(user) = self {
            statement.add(" AND w.user_id = ").number(user);
        }
    }

    /// Adds that the run `r` is seen.
    pub(crate) fn run(self, statement: &mut Statement) {
        if let Self::User(user) = self {
            statement.add(" AND (r.user_id = ").number(user);
            statement.add(" OR r.workflow_user_id = ").number(user).add(")");
        }
    }

    /// Adds that the run `r` is seen, where another condition leads: an expression in place of a
    /// column keeps its index from being used.
    pub(crate) fn run_of_few(self, statement: &mut Statement) {
        if let Self::User(user) = self {
            statement.add(" AND (coalesce(r.user_id, -1) = ").number(user);
            statement.add(" OR coalesce(r.workflow_user_id, -1) = ").number(user).add(")");
        }
    }
}

impl Viewer {
    /// Who it is; `None` for nobody in particular.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Staff(name) | Self::User(name) => Some(name),
        }
    }

    /// Sees to it that everything is seen.
    ///
    /// # Errors
    ///
    /// Fails for a user, with what it is that only others may do.
    pub(crate) fn check_all(&self, what: &'static str) -> Result<(), NotStaff> {
        match self {
            Self::All | Self::Staff(_) => Ok(()),
            Self::User(user) => Err(NotStaff { user: user.clone(), what }),
        }
    }
}

/// A user asked for what only staff may do.
#[derive(Debug)]
pub(crate) struct NotStaff {
    pub(crate) user: String,
    /// What was asked for, after "may not".
    pub(crate) what: &'static str,
}
