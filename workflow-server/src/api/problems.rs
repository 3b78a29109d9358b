//! The error responses of every route, for the OpenAPI document.

use std::collections::BTreeMap;

use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use crate::problem::{FieldError, Problem};

/// The error responses that every route may return.
pub(crate) struct Problems;

const STATUSES: [(&str, &str); 12] = [
    ("400", "Invalid syntax"),
    ("401", "Missing or invalid credentials"),
    ("403", "Missing permission"),
    ("404", "Not found, or not visible to the caller"),
    ("405", "Method not supported by this path"),
    ("408", "Timeout"),
    ("409", "Conflict with the current state"),
    ("413", "Body too large"),
    ("415", "Unsupported content type"),
    ("422", "Invalid fields, listed in `errors`"),
    ("429", "Rate limit exceeded; retry after `Retry-After` seconds"),
    ("503", "Store unavailable or server shutting down; retry after `Retry-After` seconds"),
];

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let response = |description: &str| {
            let content = Content::new(Some(RefOr::Ref(Ref::from_schema_name(Problem::name()))));
            let response = ResponseBuilder::new().description(description);
            RefOr::T(response.content("application/problem+json", content).build())
        };
        STATUSES.iter().map(|(status, says)| ((*status).to_owned(), response(says))).collect()
    }
}

/// Returns the schema of the problem document, which the responses refer to.
pub(super) fn schema() -> (String, RefOr<utoipa::openapi::Schema>) {
    (Problem::name().into_owned(), Problem::schema())
}

/// Returns the schema of an error of one field.
pub(super) fn field_schema() -> (String, RefOr<utoipa::openapi::Schema>) {
    (FieldError::name().into_owned(), FieldError::schema())
}
