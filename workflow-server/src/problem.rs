//! Error responses: problem documents (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use workflow_config::ConfigError;
use workflow_core::RunError;
use workflow_core::flow_control::FlowControlError;
use workflow_core::store::StoreError;
use workflow_files::Diagnostics;
use workflow_store::{CatalogError, CatalogField, RetryError};

/// A problem document (RFC 9457): why a request failed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(example = json!({
    "type": "about:blank", "title": "Not Found", "status": 404, "code": "no_workflow",
    "detail": "no workflow `etl`; list the workflows to see their names"
}))]
pub(crate) struct Problem {
    /// Always `about:blank`: the title describes the status.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The meaning of the status.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// A stable error code for programs.
    code: &'static str,
    /// What failed, why, and what to do, in English.
    detail: String,
    /// Errors of single fields of the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(skip)]
    retry_after: Option<u64>,
}

/// An error of one field of a request.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// The path of the field, such as `metadata.tags[0]`. For a workflow file, the path inside the
    /// file, such as `jobs[2].command`, or `document` for the whole file.
    field: String,
    /// What is wrong with the field; for a workflow file, with line and column.
    message: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
        }
    }

    /// Adds an error of one field.
    pub(crate) fn field(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors.push(FieldError { field: field.into(), message: message.into() });
        self
    }

    /// Returns the description of the problem.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// Whether the same request may succeed later: the store is unavailable, or the server stops.
    pub(crate) fn is_temporary(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE.as_u16()
    }

    /// Sets the `Retry-After` header in seconds.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// An invalid field: status 422.
    pub(crate) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        let (field, message) = (field.into(), message.into());
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", format!("{field}: {message}"))
            .field(field, message)
    }

    /// A cursor that is none of the list: status 422.
    pub(crate) fn cursor() -> Self {
        let message = "is not a cursor of this list; send `next` of the previous page";
        Self::invalid("cursor", message)
    }

    /// Something that does not exist or is not visible to the caller: status 404.
    pub(crate) fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// A conflict with the current state: status 409.
    pub(crate) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// A missing permission: status 403.
    pub(crate) fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// A timeout: status 408.
    pub(crate) fn timeout(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", detail)
    }

    /// An unexpected error: status 500. The error is only logged.
    pub(crate) fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "internal error");
        let detail = "internal error; see the log of the server";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// The server is shutting down: status 503.
    fn stopping(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", detail).retry_after(1)
    }

    fn unavailable(error: impl std::fmt::Display) -> Self {
        tracing::warn!(%error, "the store is unavailable");
        let detail = format!("the store is unavailable, nothing was changed: {error}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail).retry_after(1)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let kind = HeaderValue::from_static("application/problem+json");
        let mut response = (status, [(header::CONTENT_TYPE, kind)], body).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

impl From<&StoreError> for Problem {
    fn from(error: &StoreError) -> Self {
        let text = error.to_string();
        match error {
            StoreError::NoWorkflow { .. } => Self::not_found("no_workflow", text),
            StoreError::NoRun { .. } => Self::not_found("no_run", text),
            StoreError::External { .. } => Self::conflict("external", text),
            StoreError::Ended { .. } => Self::conflict("run_ended", text),
            StoreError::Transition { .. } => Self::conflict("transition", text),
            StoreError::Exists { .. } => Self::conflict("run_exists", text),
            StoreError::KeyConflict { .. } => Self::conflict("idempotency_key_used", text),
            StoreError::InvalidKey(error) => Self::invalid("idempotency_key", error.to_string()),
            StoreError::InvalidSignal(error) => Self::invalid("name", error.to_string()),
            StoreError::TooManySignals { .. } => Self::conflict("too_many_signals", text),
            StoreError::NotActive { .. } => Self::conflict("not_active", text),
            StoreError::NotBlocked { .. } => Self::conflict("not_blocked", text),
            StoreError::LeaseLost { .. } => Self::conflict("driven_elsewhere", text),
            StoreError::Payload { .. } => Self::invalid("payload", text),
            StoreError::ShutDown { .. } | StoreError::Abandoned { .. } => Self::stopping(text),
            StoreError::Unavailable(error) => Self::unavailable(error),
            other => Self::internal(other),
        }
    }
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Self {
        let text = error.to_string();
        match error {
            CatalogError::Store(error) => error.into(),
            CatalogError::NoWorkflow(_) => Self::not_found("no_workflow", text),
            CatalogError::NotYours { candidates, .. } => {
                let problem = Self::not_found("no_workflow", text);
                candidates.into_iter().fold(problem, |problem, one| problem.field("workflow", one))
            }
            CatalogError::NameTaken { .. } => {
                Self::conflict("name_taken", text.clone()).field("name", text)
            }
            CatalogError::Forbidden { .. } => Self::forbidden("not_yours", text),
            CatalogError::NoUser(_) => Self::not_found("no_user", text),
            CatalogError::UserExists(_) => Self::conflict("user_exists", text),
            CatalogError::NoAccounts => Self::conflict("no_accounts", text),
            CatalogError::OfEngine { .. } => Self::conflict("transition", text),
            CatalogError::Driven(_) => Self::conflict("driven", text),
            CatalogError::NoVersion { .. } => Self::not_found("no_version", text),
            CatalogError::NoRun(_) | CatalogError::UnknownRun(_) | CatalogError::NotARun(_) => {
                Self::not_found("no_run", text)
            }
            CatalogError::AmbiguousRun { candidates, .. } => {
                let problem = Self::conflict("ambiguous", text);
                candidates.into_iter().fold(problem, |problem, one| problem.field("run", one))
            }
            CatalogError::Ambiguous { candidates, .. } => {
                let problem = Self::conflict("ambiguous", text);
                candidates.into_iter().fold(problem, |problem, one| problem.field("workflow", one))
            }
            CatalogError::Metadata(_) => Self::invalid("metadata", text),
            CatalogError::Schedule { key, reason } => {
                Self::invalid(format!("metadata.{key}"), reason)
            }
            CatalogError::Invalid { field, found, cure } => {
                Self::invalid(field_of(field), format!("is {found}; {cure}"))
            }
            CatalogError::Import { .. } => Self::invalid("body", text),
            other => Self::internal(other),
        }
    }
}

/// The field of a request for a value of the store.
fn field_of(value: CatalogField) -> &'static str {
    match value {
        CatalogField::Definition => "yaml",
        CatalogField::Outcome | CatalogField::Result => "result_data",
        CatalogField::Error => "error_message",
        other => other.as_str(),
    }
}

impl From<RetryError> for Problem {
    fn from(error: RetryError) -> Self {
        let text = error.to_string();
        match error {
            RetryError::Catalog(error) => error.into(),
            RetryError::NoJob { .. } => Self::invalid("from", text),
            _ => Self::conflict("cannot_repeat", text),
        }
    }
}

impl From<RunError> for Problem {
    fn from(error: RunError) -> Self {
        let text = error.to_string();
        match error {
            RunError::Input { .. } => Self::invalid("input", text),
            RunError::KeyConflict { .. } => Self::conflict("idempotency_key_used", text),
            RunError::InvalidKey { error, .. } => {
                Self::invalid("idempotency_key", error.to_string())
            }
            RunError::InvalidQueue { error, .. } => Self::invalid("task_queue", error.to_string()),
            RunError::FlowControl { error, .. } => error.into(),
            RunError::NotActive { .. } => Self::conflict("not_active", text),
            // The same response as for a direct error of the store: the workflow may have been
            // deleted in the meantime.
            RunError::Store { error, .. } => Self::from(&*error),
            RunError::ShutDown { .. } | RunError::Abandoned { .. } => Self::stopping(text),
            RunError::Registry(_)
            | RunError::Plan { .. }
            | RunError::NotReady { .. }
            | RunError::UnknownLimit { .. }
            | RunError::LimitsNotEnforced { .. }
            | RunError::MissingState { .. }
            | RunError::Parameter { .. } => Self::conflict("cannot_run", text),
            RunError::NotSerializable { .. }
            | RunError::NestedTooDeep { .. }
            | RunError::Resume { .. } => Self::conflict("cannot_run", text),
            other => Self::internal(other),
        }
    }
}

impl From<FlowControlError> for Problem {
    fn from(FlowControlError { part, reason }: FlowControlError) -> Self {
        Self::invalid(part, reason)
    }
}

impl From<ConfigError> for Problem {
    fn from(error: ConfigError) -> Self {
        let text = error.to_string();
        match &error {
            ConfigError::NotFound { .. } | ConfigError::Name(_) | ConfigError::Folder(_) => {
                Self::not_found("no_config", text)
            }
            ConfigError::Invalid { problems, .. } => problems.into(),
            _ => Self::conflict("config", text),
        }
    }
}

impl From<&Diagnostics> for Problem {
    /// Makes a field error of each diagnostic, with line and column.
    fn from(diagnostics: &Diagnostics) -> Self {
        let detail = match diagnostics.errors() {
            1 => "the document has an error".to_owned(),
            count => format!("the document has {count} errors"),
        };
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail);
        diagnostics.iter().fold(problem, |problem, one| {
            let place = match (one.line(), one.column()) {
                (Some(line), Some(column)) => format!(" (line {line}, column {column})"),
                _ => String::new(),
            };
            let message = match one.help() {
                Some(help) => format!("{}; {help}{place}", one.message()),
                None => format!("{}{place}", one.message()),
            };
            problem.field(one.path().unwrap_or("document"), message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unavailable_store_suggests_a_retry() {
        let error = StoreError::Unavailable("the disk is full".into());
        let response = Problem::from(error).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    }

    #[test]
    fn errors_of_the_store_keep_their_status() {
        let run = workflow_core::id::RunId::random();
        let of_run =
            |error| Problem::from(RunError::Store { run, error: std::sync::Arc::new(error) });
        let code = |problem: Problem| (problem.status, problem.code);
        assert_eq!(code(of_run(StoreError::Exists { run })), (409, "run_exists"));
        let gone = StoreError::NoWorkflow { workflow: "etl".to_owned() };
        assert_eq!(code(of_run(gone)), (404, "no_workflow"));
        let broken = StoreError::Unavailable("the disk is full".into());
        assert_eq!(code(of_run(broken)), (503, "store_unavailable"));
        let (workflow, reason) = ("etl".to_owned(), "no job writes the file `raw`".to_owned());
        let missing = RunError::NotReady { workflow: workflow.clone(), reason };
        assert_eq!(code(missing.into()), (409, "cannot_run"));
        let ending = RunError::ShutDown { workflow, run: None };
        assert_eq!(code(ending.into()), (503, "stopping"));
    }

    #[test]
    fn values_of_the_store_are_fields_of_requests() {
        for (value, field) in [
            (CatalogField::WorkflowName, "name"),
            (CatalogField::TokenName, "name"),
            (CatalogField::ProjectName, "project_name"),
            (CatalogField::AppName, "app_name"),
            (CatalogField::Definition, "yaml"),
            (CatalogField::User, "user"),
            (CatalogField::Username, "username"),
            (CatalogField::Outcome, "result_data"),
            (CatalogField::Result, "result_data"),
            (CatalogField::Error, "error_message"),
            (CatalogField::Cursor, "cursor"),
        ] {
            let (found, cure) = ("too long".to_owned(), "shorten it");
            let text = format!("{value} is too long; shorten it");
            let error = CatalogError::Invalid { field: value, found, cure };
            assert_eq!(error.to_string(), text);
            let problem = Problem::from(error);
            assert_eq!((problem.status, problem.code), (422, "invalid"));
            let message = "is too long; shorten it".to_owned();
            assert_eq!(problem.errors, [FieldError { field: field.to_owned(), message }]);
        }
    }

    #[test]
    fn diagnostics_name_their_key_and_position() {
        let job = "name: etl\njobs:\n  - name: load\n    command: x\n    retry: never\n";
        for (text, field, place) in [
            ("name: etl\njobs: 7\n", "jobs", "(line 2, column 7)"),
            (job, "jobs[0].retry", "(line 5, column 12)"),
            ("name: etl\njobs:\n  - command: x\n", "jobs[0]", "(line 3, column 5)"),
            ("name: etl\nnmae: x\njobs: []\n", "nmae", "(line 2, column 1)"),
            ("jobs: []\n", "document", "(line 1, column 1)"),
            ("name: [\n", "document", "(line 1, column 7)"),
        ] {
            let wrong = workflow_files::WorkflowFile::parse("a.yaml", text).expect_err(text);
            let problem = Problem::from(&wrong);
            assert_eq!(problem.status, 422);
            assert_eq!(problem.errors[0].field, field, "{text}: {problem:?}");
            assert!(problem.errors[0].message.ends_with(place), "{text}: {problem:?}");
        }
    }

    #[test]
    fn an_invalid_setting_is_named_by_its_key() {
        #[derive(Debug, serde::Deserialize)]
        struct Settings {
            #[expect(dead_code, reason = "only deserialized")]
            processing: Processing,
        }
        #[derive(Debug, serde::Deserialize)]
        struct Processing {
            #[expect(dead_code, reason = "only deserialized")]
            batch_size: u32,
        }
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("etl")).expect("a folder");
        let file = folder.path().join("etl/config.yaml");
        std::fs::write(file, "processing:\n  batch_size: many\n").expect("a file");
        let none: [(&str, &str); 0] = [];
        let loader = workflow_config::Loader::new().dir(folder.path()).environment(none);
        let config = loader.open("etl").expect("a configuration");
        let wrong = config.read_without_rules::<Settings>().expect_err("no number");
        let problem = Problem::from(wrong);
        assert_eq!((problem.status, problem.errors.len()), (422, 1));
        let FieldError { field, message } = &problem.errors[0];
        assert_eq!(field, "processing.batch_size");
        assert!(message.ends_with("(line 2, column 15)"), "{message}");
    }
}
