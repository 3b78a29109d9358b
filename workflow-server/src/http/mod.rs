//! The HTTP layer: middleware, extractors and authorization. It does not know the routes.

pub(crate) mod extract;
pub(crate) mod layers;
mod normalize;
pub(crate) mod require;
