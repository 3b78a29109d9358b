//! Tells workers that runs were added to task queues.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::channel::mpsc::{Sender, channel};
use futures::stream::BoxStream;

/// Announces to subscribers that runs may have been added to task queues: what a store needs for
/// [`Store::queue_changes`](super::Store::queue_changes).
///
/// ```
/// use futures::{FutureExt as _, StreamExt as _};
/// use workflow_core::store::QueueChanges;
///
/// let changes = QueueChanges::default();
/// let mut subscriber = changes.subscribe();
/// assert_eq!(subscriber.next().now_or_never(), None);
/// changes.announce();
/// changes.announce();
/// // Announcements that nobody has read are one.
/// assert_eq!(subscriber.next().now_or_never(), Some(Some(())));
/// assert_eq!(subscriber.next().now_or_never(), None);
/// ```
#[derive(Debug, Default)]
pub struct QueueChanges(Mutex<Vec<Sender<()>>>);

impl QueueChanges {
    /// Returns a stream with an item for each announcement from now on. Announcements that were not
    /// read yet are one item.
    pub fn subscribe(&self) -> BoxStream<'static, ()> {
        // A sender has one place of its own.
        let (sender, receiver) = channel(0);
        self.lock().push(sender);
        Box::pin(receiver)
    }

    /// Tells all subscribers that runs may have been added.
    pub fn announce(&self) {
        self.lock().retain_mut(|subscriber| match subscriber.try_send(()) {
            Ok(()) => true,
            Err(error) => error.is_full(),
        });
    }

    /// Whether anybody is subscribed.
    pub fn has_subscribers(&self) -> bool {
        let mut subscribers = self.lock();
        subscribers.retain(|subscriber| !subscriber.is_closed());
        !subscribers.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
