//! A map and a list for data that most runs do not have.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

/// A [`BTreeMap`] that costs a pointer and a branch while it is empty.
///
/// A run has more than a dozen of them, and most stay empty. As plain maps, creating, moving and
/// dropping them would be 5 % of a run of four jobs.
#[derive(Debug, Clone)]
#[expect(clippy::box_collection, reason = "one word while it is empty is the point")]
pub(crate) struct SparseMap<K, V>(Option<Box<BTreeMap<K, V>>>);

impl<K, V> SparseMap<K, V> {
    pub(crate) const fn new() -> Self {
        Self(None)
    }
}

/// A [`Vec`] that costs a pointer while it is empty.
#[derive(Debug, Clone)]
#[expect(clippy::box_collection, reason = "one word while it is empty is the point")]
pub(crate) struct SparseList<T>(Option<Box<Vec<T>>>);

impl<T> SparseList<T> {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|list| list.is_empty())
    }

    /// Returns the list, to add items.
    pub(crate) fn filling(&mut self) -> &mut Vec<T> {
        self.0.get_or_insert_default()
    }

    /// Takes the items.
    pub(crate) fn take(&mut self) -> Vec<T> {
        self.0.take().map_or_else(Vec::new, |list| *list)
    }
}

impl<K: Ord, V> SparseMap<K, V> {
    #[inline]
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.0.as_mut()?.remove(key)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.0.as_mut()?.get_mut(key)
    }
}

impl<K, V> Default for SparseMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> Deref for SparseMap<K, V> {
    type Target = BTreeMap<K, V>;

    #[inline]
    fn deref(&self) -> &BTreeMap<K, V> {
        match &self.0 {
            Some(map) => map,
            None => const { &BTreeMap::new() },
        }
    }
}

impl<K, V> DerefMut for SparseMap<K, V> {
    fn deref_mut(&mut self) -> &mut BTreeMap<K, V> {
        self.0.get_or_insert_default()
    }
}
