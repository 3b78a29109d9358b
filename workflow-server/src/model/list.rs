//! Parts of long lists.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use workflow_store::Page;

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Listed<T: ToSchema> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// The cursor to ask with for those that follow; null when there are none.
    pub(crate) next: Option<String>,
}

impl<T: ToSchema> Listed<T> {
    /// A whole list.
    pub(crate) fn all(items: Vec<T>) -> Self {
        Self { items, next: None }
    }

    /// A page of the catalog, item by item.
    pub(crate) fn of<U>(page: Page<U>, item: impl FnMut(U) -> T) -> Self {
        Self { items: page.items.into_iter().map(item).collect(), next: page.next }
    }
}

/// How many items a page is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) usize);

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match u32::deserialize(from)? {
            limit @ 1..=1000 => Ok(Self(limit as usize)),
            limit => Err(serde::de::Error::custom(format!("{limit} is not from 1 to 1000"))),
        }
    }
}
