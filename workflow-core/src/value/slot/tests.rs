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
