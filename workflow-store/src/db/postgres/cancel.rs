//! Cancels queries that exceed their deadline or whose caller has stopped waiting.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use tokio_postgres::{Client, Error};
use workflow_postgres::Connector;

use super::error::explain;
use crate::db::deadline::Deadline;

/// The time after which a running query is cancelled again.
const AGAIN: Duration = Duration::from_millis(100);

/// Cancels the query of a connection after its deadline.
pub(super) struct Canceller {
    connector: Connector,
    pub(super) deadline: Option<Deadline>,
    /// Whether a query was cancelled. The connection must not be reused: the request may reach the
    /// server late and cancel the next query.
    pub(super) has_cancelled: bool,
}

impl Canceller {
    pub(super) fn new(connector: Connector) -> Self {
        Self { connector, deadline: None, has_cancelled: false }
    }

    /// Waits for a query, and cancels it on the server after the deadline.
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
                    cancel(client, &self.connector, name).await;
                    // A request that overtakes the query has no effect.
                    if let Ok(answer) = tokio::time::timeout(AGAIN, work.as_mut()).await {
                        return answer;
                    }
                }
            }
        }
    }
}

/// If this fails, the statement timeout ends the query.
async fn cancel(client: &Client, connector: &Connector, name: &str) {
    if let Err(error) = client.cancel_token().cancel_query(connector.clone()).await {
        let error = explain(&error, name);
        tracing::debug!(%error, "cannot cancel a query");
    }
}
