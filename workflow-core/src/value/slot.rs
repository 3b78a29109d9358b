//! A cell that is written once and then read by any thread, at the cost of one atomic exchange.
//!
//! `OnceLock` can make a second writer wait for the first, which costs a second exchange per write:
//! 5 to 11 % of a chain of trivial jobs. No thread ever waits for a slot.

#![expect(unsafe_code, reason = "the standard library has no such cell")]

use std::mem::MaybeUninit;

use sync::{AtomicU8, Ordering, UnsafeCell};

#[cfg(not(all(test, workflow_loom)))]
mod sync {
    pub(super) use std::sync::atomic::{AtomicU8, Ordering};

    /// The standard library's cell, with the methods of loom's cell.
    pub(super) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(super) fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        #[inline]
        pub(super) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
            read(self.0.get())
        }

        #[inline]
        pub(super) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
            write(self.0.get())
        }
    }
}

#[cfg(all(test, workflow_loom))]
mod sync {
    pub(super) use loom::cell::UnsafeCell;
    pub(super) use loom::sync::atomic::{AtomicU8, Ordering};
}

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

#[cfg(all(test, not(workflow_loom)))]
mod tests {
    use std::sync::Arc;

    use super::Slot;

    #[test]
    fn the_first_value_stays_and_each_is_dropped_once() {
        let (first, second) = (Arc::new(1), Arc::new(2));
        let slot = Slot::new();
        assert!(slot.get().is_none());
        assert!(slot.set(Arc::clone(&first)));
        assert!(!slot.set(Arc::clone(&second)));
        assert_eq!(slot.get().map(|value| **value), Some(1));
        assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (2, 1));
        drop(slot);
        assert_eq!(Arc::strong_count(&first), 1);
    }

    #[test]
    fn a_value_that_is_cleared_is_dropped_once() {
        let value = Arc::new(1);
        let mut slot = Slot::new();
        assert!(slot.set(Arc::clone(&value)));
        slot.clear();
        assert!(slot.get().is_none());
        assert_eq!(Arc::strong_count(&value), 1);
        drop(slot);
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn an_empty_slot_drops_nothing() {
        drop(Slot::<Arc<u8>>::new());
    }
}

/// Checks every interleaving of two writers and a reader: `RUSTFLAGS="--cfg workflow_loom" cargo
/// test -p workflow-core --lib value::slot`.
#[cfg(all(test, workflow_loom))]
mod orders {
    use loom::sync::Arc;
    use loom::thread;

    use super::Slot;

    #[test]
    fn one_of_two_writers_wins_and_a_reader_sees_a_whole_value_or_none() {
        loom::model(|| {
            let slot = Arc::new(Slot::new());
            let writers: Vec<_> = (1..=2_u64)
                .map(|number| {
                    let slot = Arc::clone(&slot);
                    thread::spawn(move || slot.set(Box::new([number; 2])))
                })
                .collect();
            if let Some(seen) = slot.get() {
                assert_eq!(seen[0], seen[1]);
            }
            let won = writers.into_iter().map(|writer| writer.join().expect("it does not panic"));
            assert_eq!(won.filter(|won| *won).count(), 1);
            assert!(slot.get().is_some());
        });
    }
}
