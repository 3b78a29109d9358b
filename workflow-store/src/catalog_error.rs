//! Why a catalog does not do as asked.

use workflow_core::{MetadataError, RunId, Status, StoreError};

use crate::db::sql::SqlError;
use crate::exec::operation::{OperationError, OperationFailure};
use crate::visibility::NotStaff;

/// Why a catalog did not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The store cannot be read or changed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No workflow has this id, name or slug.
    #[error("there is no workflow `{0}`; list the workflows to see which there are")]
    NoWorkflow(String),
    /// Several workflows have this name or slug: other applications added them, their owners are
    /// gone, or whoever asks is nobody in particular.
    #[error("`{wanted}` is the name of several workflows; say which by its id: {}", candidates.join(", "))]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// The ids, names and projects of the workflows.
        candidates: Vec<String>,
    },
    /// No workflow of whoever asks has this name, and others have one.
    #[error(
        "no workflow of yours is named `{wanted}`; say whose is meant by its id: {}",
        candidates.join(", ")
    )]
    NotYours {
        /// What was asked for.
        wanted: String,
        /// The ids, names, owners and projects of the workflows.
        candidates: Vec<String>,
    },
    /// The owner has another workflow of this name.
    #[error(
        "the name `{name}` is taken by workflow {id} of the same owner; change that one, or take \
         another name"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// The number of the workflow that has it.
        id: i64,
    },
    /// The user of this handle may not do this.
    #[error("user `{user}` may not {what}; {cure}")]
    Forbidden {
        /// The name of the user.
        user: String,
        /// What was asked for.
        what: String,
        /// What would help.
        cure: &'static str,
    },
    /// There is an account of this name.
    #[error("there is a user `{0}` already; take another name, or change that account")]
    UserExists(String),
    /// There is no account of this name.
    #[error("there is no user `{0}`; list the users to see which there are")]
    NoUser(String),
    /// The store keeps no accounts.
    #[error(
        "this store keeps no accounts; use a store of SQLite or PostgreSQL, or let the host say who \
         sends a request"
    )]
    NoAccounts,
    /// A workflow has no version of this number.
    #[error(
        "workflow `{workflow}` has no version {version}; list its versions to see which there are"
    )]
    NoVersion {
        /// The workflow, as it was asked for.
        workflow: String,
        /// The number.
        version: i64,
    },
    /// There is no such run.
    #[error("the store has no run {0}")]
    NoRun(RunId),
    /// No run that is seen has this number, or an id that begins so; or there is none at all.
    #[error("there is no run `{0}`; list the runs to see which there are")]
    UnknownRun(String),
    /// The text cannot name a run.
    #[error(
        "`{0}` is no run; give its number, its id, the first 8 characters of its id or more, or \
         `latest`"
    )]
    NotARun(String),
    /// The ids of several runs begin so.
    #[error(
        "the ids of several runs begin with `{wanted}`; give more of it, or a number: {}",
        candidates.join(", ")
    )]
    AmbiguousRun {
        /// What was asked for.
        wanted: String,
        /// The numbers, ids, workflows and times of the runs.
        candidates: Vec<String>,
    },
    /// An engine drives the run.
    #[error("run {0} is driven by an engine, which says what becomes of it; cancel it instead")]
    Driven(RunId),
    /// An engine will take the run up: only the engine says how it ends.
    #[error(
        "run {run} is pending until an engine takes it up, which alone can say that it is {next}; \
         wait for its end, or cancel it"
    )]
    OfEngine {
        /// The run.
        run: RunId,
        /// What it was said to be.
        next: Status,
    },
    /// The metadata is not fit.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The schedule in the metadata never comes, or not as it is written.
    #[error("{key}: {reason}")]
    Schedule {
        /// The key of the metadata: `schedule` or `timezone`.
        key: &'static str,
        /// What is wrong with it, and what to write.
        reason: String,
    },
    /// Something else that was given is not fit.
    #[error("{field} is {found}; {cure}")]
    Invalid {
        /// What was given.
        field: &'static str,
        /// What is wrong with it.
        found: String,
        /// What would be right.
        cure: &'static str,
    },
    /// A line that was to be imported is not fit.
    #[error("line {line} of the import: {reason}; nothing was imported")]
    Import {
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why an operation of the catalog was not done.
#[derive(Debug)]
pub(crate) enum CatalogFailure {
    /// A statement failed, or the store refused.
    Operation(OperationError),
    /// The catalog refused; this operation alone is rolled back.
    Catalog(CatalogError),
}

/// What an operation of the catalog comes to.
pub(crate) type Answer<T> = Result<T, CatalogFailure>;

impl OperationFailure for CatalogFailure {
    fn into_sql(self) -> Result<SqlError, Self> {
        match self {
            Self::Operation(error) => error.into_sql().map_err(Self::Operation),
            refusal => Err(refusal),
        }
    }
}

impl From<SqlError> for CatalogFailure {
    fn from(error: SqlError) -> Self {
        Self::Operation(error.into())
    }
}

impl From<StoreError> for CatalogFailure {
    fn from(error: StoreError) -> Self {
        Self::Operation(error.into())
    }
}

impl From<OperationError> for CatalogFailure {
    fn from(error: OperationError) -> Self {
        Self::Operation(error)
    }
}

impl From<CatalogError> for CatalogFailure {
    fn from(error: CatalogError) -> Self {
        Self::Catalog(error)
    }
}

impl From<SqlError> for CatalogError {
    fn from(error: SqlError) -> Self {
        Self::Store(error.into())
    }
}

impl From<OperationError> for CatalogError {
    fn from(error: OperationError) -> Self {
        Self::Store(error.into())
    }
}

impl From<CatalogFailure> for CatalogError {
    fn from(failure: CatalogFailure) -> Self {
        match failure {
            CatalogFailure::Operation(error) => error.into(),
            CatalogFailure::Catalog(error) => error,
        }
    }
}

/// A run begins with what the catalog does with its workflow.
impl From<CatalogFailure> for OperationError {
    fn from(failure: CatalogFailure) -> Self {
        match failure {
            CatalogFailure::Operation(error) => error,
            CatalogFailure::Catalog(CatalogError::Store(error)) => error.into(),
            CatalogFailure::Catalog(error) => StoreError::Unusable(Box::new(error)).into(),
        }
    }
}

impl From<NotStaff> for CatalogError {
    fn from(NotStaff { user, what }: NotStaff) -> Self {
        Self::Forbidden { user, what: what.to_owned(), cure: "ask a member of the staff" }
    }
}
