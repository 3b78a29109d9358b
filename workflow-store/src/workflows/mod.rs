//! Rows of workflows, as runs and the catalog write them.

pub(crate) mod search_index;
pub(crate) mod slug;
