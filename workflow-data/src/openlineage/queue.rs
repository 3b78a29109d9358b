//! Events that wait for a server, and the thread that sends them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

/// An event to send.
pub(super) struct Delivery {
    /// The asset that it is about.
    pub(super) asset: String,
    pub(super) body: String,
    /// The key that the server requires.
    pub(super) key: Option<String>,
}

/// Deliveries in their order, and the thread that makes them.
pub(super) struct Queue {
    /// `None` once it is dropped.
    sender: Option<SyncSender<Delivery>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    /// Whether the last delivery found no place.
    is_full: AtomicBool,
}

#[derive(Default)]
struct Shared {
    /// The number of deliveries that are waiting or being made.
    open: Mutex<usize>,
    changed: Condvar,
    /// Whether somebody waits for the end, so that a server that is away is not tried for each.
    is_ending: AtomicBool,
}

impl Queue {
    /// Starts the thread, which makes deliveries with `send`.
    pub(super) fn new(
        send: impl Fn(&Delivery) -> Result<(), String> + Send + 'static,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(CAPACITY);
        let shared = Arc::new(Shared::default());
        let thread = std::thread::Builder::new().name("openlineage".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || {
                let _ending = Ending(Arc::clone(&shared));
                deliver(receiver, &shared, send);
            }
        })?;
        let (sender, thread) = (Some(sender), Some(thread));
        Ok(Self { sender, thread, shared, is_full: AtomicBool::new(false) })
    }

    /// Adds a delivery, unless too many wait.
    pub(super) fn add(&self, delivery: Delivery) {
        let Some(sender) = &self.sender else { return };
        self.shared.opened();
        match sender.try_send(delivery) {
            Ok(()) => self.is_full.store(false, Ordering::Relaxed),
            Err(TrySendError::Full(delivery)) => {
                self.shared.closed();
                // One warning for all that find no place.
                if !self.is_full.swap(true, Ordering::Relaxed) {
                    lost(&delivery.asset, "too many wait for the server; others are lost, too");
                }
            }
            Err(TrySendError::Disconnected(delivery)) => {
                self.shared.closed();
                lost(&delivery.asset, "the thread that sends them has ended");
            }
        }
    }

    /// Waits until nothing is left to deliver. What a server does not accept by then is lost.
    pub(super) fn flush(&self) {
        self.shared.is_ending.store(true, Ordering::Relaxed);
        let open = self.shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        let emptied = self.shared.changed.wait_while(open, |open| *open > 0);
        drop(emptied.unwrap_or_else(PoisonError::into_inner));
        self.shared.is_ending.store(false, Ordering::Relaxed);
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.shared.is_ending.store(true, Ordering::Relaxed);
        // The thread ends when it has received everything.
        drop(self.sender.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the thread that sends OpenLineage events has panicked");
        }
    }
}

impl Shared {
    fn opened(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }

    fn closed(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        *open = open.saturating_sub(1);
        self.changed.notify_all();
    }
}

/// Says at the end of the thread that nothing is open, also if it panics.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        *self.0.open.lock().unwrap_or_else(PoisonError::into_inner) = 0;
        self.0.changed.notify_all();
    }
}

/// Makes deliveries until the queue is dropped.
fn deliver(
    receiver: Receiver<Delivery>,
    shared: &Shared,
    send: impl Fn(&Delivery) -> Result<(), String>,
) {
    // Whether the server has failed while somebody waits for the end.
    let mut has_given_up = false;
    for delivery in receiver {
        let is_ending = shared.is_ending.load(Ordering::Relaxed);
        has_given_up &= is_ending;
        if has_given_up {
            lost(&delivery.asset, "the program ends, and the server did not accept the one before");
        } else if let Err(problem) = send(&delivery) {
            lost(&delivery.asset, &problem);
            has_given_up = is_ending;
        }
        shared.closed();
    }
}

/// Warns of an event that is not delivered.
pub(super) fn lost(asset: &str, problem: &str) {
    tracing::warn!("an OpenLineage event about `{asset}` is lost: {problem}");
}

/// The number of deliveries that may wait.
const CAPACITY: usize = 1024;

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn delivery(number: usize) -> Delivery {
        Delivery { asset: "orders".to_owned(), body: number.to_string(), key: None }
    }

    /// A queue whose deliveries wait until the sender is dropped, and their texts.
    fn held(has_server: bool) -> (Queue, mpsc::Sender<()>, Receiver<String>) {
        let (release, held) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let queue = Queue::new(move |delivery: &Delivery| {
            // An error, once the sender is gone.
            let _released = held.recv();
            tell.send(delivery.body.clone()).map_err(|error| error.to_string())?;
            if has_server { Ok(()) } else { Err("nobody listens".to_owned()) }
        });
        (queue.expect("a thread"), release, told)
    }

    #[test]
    fn nobody_waits_for_a_slow_server_and_what_waits_is_delivered_at_the_end() {
        let (queue, release, told) = held(true);
        for number in 0..CAPACITY + 10 {
            queue.add(delivery(number));
        }
        drop(release);
        queue.flush();
        let first: Vec<String> = told.try_iter().collect();
        // The thread may have taken one out of the queue by then.
        assert!((CAPACITY..=CAPACITY + 1).contains(&first.len()), "{}", first.len());
        assert_eq!((&*first[0], &*first[CAPACITY - 1]), ("0", "1023"));
        queue.add(delivery(7));
        drop(queue);
        assert_eq!(told.iter().collect::<Vec<_>>(), ["7"]);
    }

    #[test]
    fn a_server_that_is_away_is_not_tried_for_each_at_the_end() {
        let (queue, release, told) = held(false);
        for number in 0..50 {
            queue.add(delivery(number));
        }
        let shared = Arc::clone(&queue.shared);
        let ended = std::thread::spawn(move || drop(queue));
        while !shared.is_ending.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        drop(release);
        ended.join().expect("it ends");
        // The one that was under way, and one more.
        assert!(told.iter().count() <= 2);
    }
}
