//! Guards calls of code of the host: a panic comes back as a value.
//!
//! All code that catches panics of the host uses this module, so that payloads are handled in one
//! way: the text is copied, and the destructor of the payload, which is code of the host as well,
//! runs behind the same guard. Does not know what it calls.

use std::any::Any;
use std::mem::{forget, needs_drop};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls code of the host.
///
/// # Errors
///
/// Fails with the text of a panic.
#[inline]
pub(crate) fn call<T>(code: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(code)).map_err(panic_text)
}

/// Drops a value of the host, whose destructor may panic.
#[inline]
pub(crate) fn discard<T>(value: T) {
    // The host's panic hook has reported the panic.
    if let Err(panic) = catch_unwind(AssertUnwindSafe(move || drop(value))) {
        discard_payload(panic);
    }
}

/// Returns the text of a panic, and discards the payload.
#[cold]
pub(crate) fn panic_text(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    discard_payload(panic);
    text.unwrap_or_else(|| "a panic without a text".to_owned())
}

/// Drops a payload. If that panics too, the second payload is leaked, because its destructor could
/// do the same for ever.
#[cold]
fn discard_payload(panic: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(move || drop(panic))) {
        forget(again);
    }
}

/// Calls a function with every item of a list, however many calls panic.
///
/// Enters the guard once for the list and once for each panic, not once for each item.
#[inline]
pub(crate) fn for_each<T>(items: &mut [T], mut code: impl FnMut(&mut T)) {
    let mut rest = items.iter_mut();
    loop {
        match catch_unwind(AssertUnwindSafe(|| rest.by_ref().for_each(&mut code))) {
            Ok(()) => return,
            Err(panic) => discard_payload(panic),
        }
    }
}

/// Drops every item of a list, however many of them panic. Two panics in one `drop` of the list
/// would abort the process.
#[inline]
pub(crate) fn clear<T>(items: &mut Vec<T>) {
    if !needs_drop::<T>() {
        return;
    }
    while let Err(panic) = catch_unwind(AssertUnwindSafe(|| while items.pop().is_some() {})) {
        discard_payload(panic);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::*;

    /// Panics when it is dropped, with a payload that panics in turn, this many times.
    struct Bomb(u32);

    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.0 > 0 {
                panic_any(Bomb(self.0 - 1));
            }
        }
    }

    #[test]
    fn a_panic_comes_back_as_its_text() {
        assert_eq!(call(|| 7), Ok(7));
        assert_eq!(call(|| -> u8 { panic!("no {}", 7) }), Err("no 7".to_owned()));
        assert_eq!(call(|| -> u8 { panic!("plain") }), Err("plain".to_owned()));
    }

    #[test]
    fn a_payload_that_panics_when_it_is_dropped_does_no_harm() {
        for depth in 0..5 {
            let panicked = call(|| panic_any(Bomb(depth)));
            assert_eq!(panicked, Err("a panic without a text".to_owned()));
            discard(Bomb(depth));
        }
    }

    #[test]
    fn every_item_of_a_list_is_dropped() {
        let mut bombs: Vec<_> = (0..5).map(|depth| Bomb(depth % 3)).collect();
        clear(&mut bombs);
        assert!(bombs.is_empty());
    }

    #[test]
    fn a_panic_does_not_keep_the_rest_of_a_list_from_its_turn() {
        let mut seen = Vec::new();
        for_each(&mut [1, 2, 3, 4, 5], |number| {
            seen.push(*number);
            assert!(*number % 2 == 0, "odd");
        });
        assert_eq!(seen, [1, 2, 3, 4, 5]);
    }
}
