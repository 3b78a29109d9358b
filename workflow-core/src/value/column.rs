//! Storage for values: slots that are read in place, and places that values are moved out of.

use std::any::Any;
use std::mem::needs_drop;
use std::sync::{Mutex, MutexGuard, PoisonError};

use smallvec::SmallVec;

use super::slot::Slot;
use crate::guard;

/// Write-once slots for values of one type.
pub(crate) struct Column<T>(SmallVec<[Slot<T>; 4]>);

impl<T> Column<T> {
    /// Creates a column with this many empty slots.
    pub(crate) fn new(rows: usize) -> Self {
        Self((0..rows).map(|_| Slot::new()).collect())
    }

    /// The value in the slot, if it has been set.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<&T> {
        self.0.get(row)?.get()
    }

    /// Fills the slot, unless it is full: the first outcome of a job stands.
    #[inline]
    pub(crate) fn set(&self, row: usize, value: T) {
        if let Some(slot) = self.0.get(row) {
            let _first_wins = slot.set(value);
        }
    }
}

/// Drops every value even if a destructor panics, and does not let the panic unwind into the code
/// that happens to drop the run.
impl<T> Drop for Column<T> {
    fn drop(&mut self) {
        if const { needs_drop::<T>() } {
            guard::for_each(&mut self.0, Slot::clear);
        }
    }
}

/// Write-once places for values that will be moved out: the outputs that children leave for their
/// parent.
pub(crate) struct ChildOutputs<T>(Mutex<Vec<Option<T>>>);

impl<T> ChildOutputs<T> {
    pub(crate) fn new(rows: usize) -> Self {
        Self(Mutex::new((0..rows).map(|_| None).collect()))
    }

    /// Fills the place, unless it is full.
    pub(crate) fn set(&self, row: usize, value: T) {
        if let Some(place) = self.lock().get_mut(row) {
            place.get_or_insert(value);
        }
    }

    pub(super) fn peek(&self, row: usize, look: &mut dyn FnMut(&dyn Any))
    where
        T: 'static,
    {
        if let Some(Some(value)) = self.lock().get(row) {
            look(value);
        }
    }

    /// Moves the values out, in order; `None` when a place is empty.
    pub(crate) fn take(&self) -> Option<Vec<T>> {
        std::mem::take(&mut *self.lock()).into_iter().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As for [`Column`].
impl<T> Drop for ChildOutputs<T> {
    fn drop(&mut self) {
        if const { needs_drop::<T>() } {
            let values = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
            guard::for_each(values, |value| drop(value.take()));
        }
    }
}
