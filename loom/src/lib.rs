//! Checks every interleaving of two writers and a reader of the slot of `workflow-core`: the same
//! code, with loom's atomics.
#![cfg(test)]

use loom::sync::Arc;
use loom::thread;

use cell::Slot;

#[path = "../../workflow-core/src/value/slot/cell.rs"]
mod cell;

mod sync {
    pub(super) use loom::cell::UnsafeCell;
    pub(super) use loom::sync::atomic::{AtomicU8, Ordering};
}

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
