//! Ends queries whose time is up, or whose answer nobody waits for any more.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use tokio_postgres::{Client, Error, NoTls};

use super::address::Encryption;
use super::error::explain;
use super::tls;
use crate::db::deadline::Deadline;

/// After this long, a query that has not ended is cancelled again.
const AGAIN: Duration = Duration::from_millis(100);

/// Cancels what runs on one connection once its deadline is over.
pub(super) struct Canceller {
    encryption: Encryption,
    pub(super) deadline: Option<Deadline>,
    /// Whether a query was cancelled. The connection is of no more use: the request may reach the
    /// server late, and end the next query.
    pub(super) has_cancelled: bool,
}

impl Canceller {
    pub(super) fn new(encryption: &Encryption) -> Self {
        Self { encryption: encryption.clone(), deadline: None, has_cancelled: false }
    }

    /// Waits for the work, and has the server end it early when the deadline is over.
    pub(super) async fn complete<T>(
        &mut self,
        client: &Client,
        name: &str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let Some(deadline) = &self.deadline else { return work.await };
        let over = tokio::time::timeout_at(deadline.at.into(), deadline.abandoned());
        match select(pin!(work), pin!(over)).await {
            Either::Left((answer, _)) => answer,
            Either::Right((_, mut work)) => {
                self.has_cancelled = true;
                loop {
                    cancel(client, &self.encryption, name).await;
                    // A request that overtakes the query ends nothing.
                    if let Ok(answer) = tokio::time::timeout(AGAIN, work.as_mut()).await {
                        return answer;
                    }
                }
            }
        }
    }
}

/// Where this fails, the statement timeout ends the query.
async fn cancel(client: &Client, encryption: &Encryption, name: &str) {
    let token = client.cancel_token();
    let cancelled = match tls::maker(encryption) {
        Ok(Some(tls)) => token.cancel_query(tls).await,
        Ok(None) => token.cancel_query(NoTls).await,
        Err(error) => return tracing::debug!(%error, "a query cannot be cancelled"),
    };
    if let Err(error) = cancelled {
        let error = explain(&error, name);
        tracing::debug!(%error, "a query cannot be cancelled");
    }
}
