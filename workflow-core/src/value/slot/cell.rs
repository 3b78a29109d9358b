//! The cell, with the atomics and the cell of `super::sync`.

#![expect(unsafe_code, reason = "the standard library has no such cell")]

use std::mem::MaybeUninit;

use super::sync::{AtomicU8, Ordering, UnsafeCell};

const EMPTY: u8 = 0;
const WRITING: u8 = 1;
const FULL: u8 = 2;

/// A write-once cell.
pub(crate) struct Slot<T> {
    state: AtomicU8,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: any thread may read the value through a shared slot, which needs `T: Sync`, and the
// thread that drops the value may be another than the one that wrote it, which needs `T: Send`.
unsafe impl<T: Send + Sync> Sync for Slot<T> {}

impl<T> Slot<T> {
    pub(crate) fn new() -> Self {
        Self { state: AtomicU8::new(EMPTY), value: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// The value, if it has been set.
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        if self.state.load(Ordering::Acquire) != FULL {
            return None;
        }
        // SAFETY: FULL is stored, with Release, after the value was written, and a full slot is
        // never written again, so the value is there and stays as long as the slot is borrowed.
        Some(self.value.with(|value| unsafe { (*value).assume_init_ref() }))
    }

    /// Stores the value and returns true; drops it and returns false if there is a value already.
    #[inline]
    pub(crate) fn set(&self, value: T) -> bool {
        let claim =
            self.state.compare_exchange(EMPTY, WRITING, Ordering::Relaxed, Ordering::Relaxed);
        if claim.is_err() {
            return false;
        }
        // SAFETY: of all writers this one alone moved the state away from EMPTY, and readers look
        // at the value only when the state is FULL, so no other thread accesses it now.
        self.value.with_mut(|place| unsafe { (*place).write(value) });
        self.state.store(FULL, Ordering::Release);
        true
    }
}

impl<T> Slot<T> {
    /// Drops the value, if there is one.
    pub(crate) fn clear(&mut self) {
        if self.get().is_some() {
            // First, so that a destructor that panics is not called again.
            self.state.store(EMPTY, Ordering::Relaxed);
            // SAFETY: the value is there, `&mut self` rules out other readers, and from now on the
            // slot is empty.
            self.value.with_mut(|value| unsafe { (*value).assume_init_drop() });
        }
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        self.clear();
    }
}
