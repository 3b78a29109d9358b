//! Parts of long lists.

use serde::Serialize;

use crate::catalog_error::CatalogError;

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to ask with for those that follow; none, when there are none. It says where the list
    /// was left, so that what is added meanwhile neither repeats nor hides an item.
    pub next: Option<String>,
}

/// How many items a page has when nobody says otherwise, and at most.
pub(crate) const USUAL: usize = 50;
const MOST: usize = 1000;

/// The number of items that a page is to have.
pub(crate) fn size(limit: Option<usize>) -> usize {
    limit.unwrap_or(USUAL).clamp(1, MOST)
}

/// Where a list was left: in which order, after which key and number.
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
            field: "the cursor",
            found: format!("`{text}`, which no page of this list has given"),
            cure: "use the `next` of a page that was asked for in the same order",
        })
    }

    pub(crate) fn number(&self) -> Result<i64, CatalogError> {
        self.key.parse().map_err(|_| CatalogError::Invalid {
            field: "the cursor",
            found: format!("`{}`, which no page has given", self.key),
            cure: "use the `next` of a page that was asked for in the same order",
        })
    }
}

/// A page of what was found, which is one more than fits when more follow.
pub(crate) fn cut<T>(mut items: Vec<T>, size: usize, cursor: impl Fn(&T) -> String) -> Page<T> {
    let more = items.len() > size;
    items.truncate(size);
    let next = if more { items.last().map(cursor) } else { None };
    Page { items, next }
}
