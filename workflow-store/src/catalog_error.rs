//! Errors of the catalog.

use std::fmt;

use workflow_core::Status;
use workflow_core::definition::MetadataError;
use workflow_core::id::RunId;
use workflow_core::store::StoreError;

use crate::db::sql::SqlError;
use crate::exec::operation::{OperationError, OperationFailure};
use crate::visibility::NotStaff;

/// Why a catalog operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No workflow has this id, name or slug.
    #[error("no workflow `{0}`; list the workflows to see their names")]
    NoWorkflow(String),
    /// Several workflows have this name or slug: other applications added them, their owners were
    /// deleted, or the caller is anonymous.
    #[error("`{wanted}` is the name of several workflows; choose one by its id: {}", candidates.join(", "))]
    Ambiguous {
        /// The requested text.
        wanted: String,
        /// The ids, names and projects of the workflows.
        candidates: Vec<String>,
    },
    /// The caller has no workflow of this name, but others do.
    #[error(
        "you have no workflow named `{wanted}`; choose one of another owner by its id: {}",
        candidates.join(", ")
    )]
    NotYours {
        /// The requested text.
        wanted: String,
        /// The ids, names, owners and projects of the workflows.
        candidates: Vec<String>,
    },
    /// The owner has another workflow of this name.
    #[error(
        "the name `{name}` is taken by workflow {id} of the same owner; change that one, or choose another name"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// The number of the workflow that has it.
        id: i64,
    },
    /// The user of this handle lacks the permission.
    #[error("user `{user}` may not {what}; {cure}")]
    Forbidden {
        /// The name of the user.
        user: String,
        /// The action, such as `delete workflow 3`.
        what: String,
        /// What the user can do.
        cure: &'static str,
    },
    /// An account of this name exists.
    #[error("user `{0}` already exists; choose another name, or change that account")]
    UserExists(String),
    /// No account has this name.
    #[error("no user `{0}`; list the users to see their names")]
    NoUser(String),
    /// The store has no accounts.
    #[error("this store has no accounts; use SQLite or PostgreSQL, or let the host identify users")]
    NoAccounts,
    /// A workflow has no version of this number.
    #[error(
        "workflow `{workflow}` has no version {version}; list its versions to see their numbers"
    )]
    NoVersion {
        /// The workflow, as requested.
        workflow: String,
        /// The number.
        version: i64,
    },
    /// No run has this id.
    #[error("the store has no run {0}")]
    NoRun(RunId),
    /// No visible run has this number or prefix of an id; or there is no run at all.
    #[error("no run `{0}`; list the runs to see their numbers")]
    UnknownRun(String),
    /// The text is not a reference to a run.
    #[error(
        "`{0}` is not a run; use its number, its id, at least the first 8 characters of its id, or `latest`"
    )]
    NotARun(String),
    /// The ids of several runs have this prefix.
    #[error(
        "several run ids begin with `{wanted}`; use more characters, or a number: {}",
        candidates.join(", ")
    )]
    AmbiguousRun {
        /// The requested text.
        wanted: String,
        /// The numbers, ids, workflows and times of the runs.
        candidates: Vec<String>,
    },
    /// An engine is running the run.
    #[error("run {0} is running on an engine, which reports its status; cancel it instead")]
    Driven(RunId),
    /// An engine will run the run; only the engine reports its status.
    #[error(
        "run {run} is pending until an engine starts it, so only the engine can set it to {next}; wait for its end, or cancel it"
    )]
    OfEngine {
        /// The run.
        run: RunId,
        /// The requested status.
        next: Status,
    },
    /// The metadata is invalid.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The schedule in the metadata is invalid or never due.
    #[error("{key}: {reason}")]
    Schedule {
        /// The key of the metadata: `schedule` or `timezone`.
        key: &'static str,
        /// The mistake and its cure.
        reason: String,
    },
    /// Another value is invalid.
    #[error("{field} is {found}; {cure}")]
    Invalid {
        /// The rejected value.
        field: CatalogField,
        /// What is wrong with it, such as `300 characters long`.
        found: String,
        /// What to do instead.
        cure: &'static str,
    },
    /// A line of the import is invalid.
    #[error("line {line} of the import: {reason}; nothing was imported")]
    Import {
        /// The number of the line, from 1.
        line: u64,
        /// The mistake.
        reason: String,
    },
}

/// A value that an operation of the catalog takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CatalogField {
    /// The name of a workflow.
    WorkflowName,
    /// The slug of a workflow.
    Slug,
    /// The project of a workflow.
    Project,
    /// The name of a workflow's project.
    ProjectName,
    /// The domain of a workflow.
    Domain,
    /// The name of the application that a workflow comes from.
    AppName,
    /// The version of a workflow.
    Version,
    /// The file of a workflow.
    Definition,
    /// The user who owns a workflow.
    User,
    /// The name of an account.
    Username,
    /// All texts of a workflow together.
    Workflow,
    /// The reported status of a run.
    Status,
    /// The reported result or error of a run.
    Outcome,
    /// The reported result of a run.
    Result,
    /// The reported error of a run.
    Error,
    /// All conditions of a query together.
    Query,
    /// The offset of a page.
    Offset,
    /// The cursor of a page.
    Cursor,
    /// The digest of a session.
    Session,
    /// The digest of a token.
    Token,
    /// The name of a token.
    TokenName,
}

impl CatalogError {
    /// Creates the error of a user who did what only an admin may do.
    pub(crate) fn for_admins(user: String, what: String) -> Self {
        Self::Forbidden { user, what, cure: "ask an admin" }
    }
}

impl CatalogField {
    /// The name of the parameter or field, such as `project_name`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WorkflowName | Self::TokenName => "name",
            Self::Slug => "slug",
            Self::Project => "project",
            Self::ProjectName => "project_name",
            Self::Domain => "domain",
            Self::AppName => "app_name",
            Self::Version => "version",
            Self::Definition => "definition",
            Self::User => "user",
            Self::Username => "username",
            Self::Workflow => "workflow",
            Self::Status => "status",
            Self::Outcome => "outcome",
            Self::Result => "result",
            Self::Error => "error",
            Self::Query => "query",
            Self::Offset => "offset",
            Self::Cursor => "cursor",
            Self::Session => "session",
            Self::Token => "token",
        }
    }
}

/// The value in words, such as `the name of the project`.
impl fmt::Display for CatalogField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WorkflowName => "the name of the workflow",
            Self::Slug => "the slug",
            Self::Project => "the project",
            Self::ProjectName => "the name of the project",
            Self::Domain => "the domain",
            Self::AppName => "the name of the application",
            Self::Version => "the version",
            Self::Definition => "the file",
            Self::User | Self::Username => "the user",
            Self::Workflow => "the workflow",
            Self::Status => "the status",
            Self::Outcome => "the outcome",
            Self::Result => "the result",
            Self::Error => "the error",
            Self::Query => "the query",
            Self::Offset => "the offset",
            Self::Cursor => "the cursor",
            Self::Session => "the session",
            Self::Token => "the token",
            Self::TokenName => "the name of the token",
        })
    }
}

/// Why an operation of the catalog failed.
#[derive(Debug)]
pub(crate) enum CatalogFailure {
    /// A statement failed, or the store rejected the operation.
    Operation(OperationError),
    /// The catalog rejected the operation, which alone is rolled back.
    Catalog(CatalogError),
}

/// The result of an operation of the catalog.
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

/// Beginning a run also writes its workflow by way of the catalog.
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
        Self::for_admins(user, what.to_owned())
    }
}
