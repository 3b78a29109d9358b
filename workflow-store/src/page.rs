//! Pages of long lists.

use serde::Serialize;

use crate::catalog_error::{CatalogError, CatalogField};

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The cursor of the next page; `None` on the last. It marks a position, so items that are
    /// added meanwhile do not repeat or hide others.
    pub next: Option<String>,
}

/// The default and the largest number of items of a page.
pub(crate) const USUAL: usize = 50;
const MOST: usize = 1000;

/// The number of items of a page.
pub(crate) fn size(limit: Option<usize>) -> usize {
    limit.unwrap_or(USUAL).clamp(1, MOST)
}

/// A position in a list: the order, the last key and the last number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) key: String,
    pub(crate) id: i64,
}

impl Cursor {
    pub(crate) fn write(&self, order: &str) -> String {
        format!("{order}.{}.{}", self.id, self.key)
    }

    pub(crate) fn read(text: Option<&str>, order: &str) -> Result<Option<Self>, CatalogError> {
        let Some(text) = text else { return Ok(None) };
        let cursor = text
            .strip_prefix(order)
            .and_then(|rest| rest.strip_prefix('.')?.split_once('.'))
            .and_then(|(id, key)| Some(Self { key: key.to_owned(), id: id.parse().ok()? }));
        cursor.map(Some).ok_or_else(|| CatalogError::Invalid {
            field: CatalogField::Cursor,
            found: format!("`{text}`, which is not a cursor of this list"),
            cure: "use `next` of a page in the same order",
        })
    }

    pub(crate) fn number(&self) -> Result<i64, CatalogError> {
        self.key.parse().map_err(|_| CatalogError::Invalid {
            field: CatalogField::Cursor,
            found: format!("`{}`, which is not a cursor of a page", self.key),
            cure: "use `next` of a page in the same order",
        })
    }
}

/// Makes a page of rows, of which there is one too many if more follow.
pub(crate) fn cut<T>(mut items: Vec<T>, size: usize, cursor: impl Fn(&T) -> String) -> Page<T> {
    let more = items.len() > size;
    items.truncate(size);
    let next = if more { items.last().map(cursor) } else { None };
    Page { items, next }
}
