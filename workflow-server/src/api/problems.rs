//! The problems that every route may answer with, for the OpenAPI document.

use std::collections::BTreeMap;

use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use crate::problem::{FieldError, Problem};

/// What every route may answer with when something is not done.
pub(crate) struct Problems;

const STATUSES: [(&str, &str); 12] = [
    ("400", "The request cannot be read"),
    ("401", "Nobody is known by what the request says"),
    ("403", "The caller may not do this"),
    ("404", "There is no such thing, or the caller may not see it"),
    ("405", "Nothing answers to this method here"),
    ("408", "It took too long"),
    ("409", "It is not in a state for this"),
    ("413", "The body is too large"),
    ("415", "The body is of another kind"),
    ("422", "What was sent is not fit; `errors` names each part"),
    ("429", "Too many requests; `Retry-After` says when to try again"),
    ("503", "The store is out of reach, or full; `Retry-After` says when to try again"),
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

/// The problem document as a component, which the responses refer to.
pub(super) fn schema() -> (String, RefOr<utoipa::openapi::Schema>) {
    (Problem::name().into_owned(), Problem::schema())
}

/// The part of it that names a part of the request.
pub(super) fn field_schema() -> (String, RefOr<utoipa::openapi::Schema>) {
    (FieldError::name().into_owned(), FieldError::schema())
}
