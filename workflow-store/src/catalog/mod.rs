//! The half of the store that people and programs ask: workflows, runs, figures.

mod error;

pub use error::CatalogError;
