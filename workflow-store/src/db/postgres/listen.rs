//! Listens for the notifications of the trigger on the task queues.

use std::pin::pin;
use std::time::Duration;

use futures::channel::mpsc::{Receiver as Notices, Sender, channel};
use futures::channel::oneshot::Receiver;
use futures::future::{Either, select};
use futures::stream::{StreamExt as _, poll_fn};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{AsyncMessage, Client, Error};
use workflow_core::error_text::io_reason;
use workflow_postgres::{Address, Connector};

use super::error::{explain, invalid_address, unreachable};
use crate::db::connect::Watch;
use crate::db::sql::{SqlError, SqlKind};

/// The time after which a silent connection is checked, and the time for the answer.
const CHECK_INTERVAL: Duration = Duration::from_secs(30);
const CHECK_TIME: Duration = Duration::from_secs(10);

struct Listener {
    runtime: Runtime,
    client: Client,
    notices: Notices<()>,
    name: String,
}

/// Opens a connection that listens.
pub(super) fn open(address: &Address, name: &str) -> Result<Box<dyn Watch>, SqlError> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
        let reason = io_reason(&error);
        let text = format!("cannot start the runtime of the connection to `{name}`: {reason}");
        SqlError::new(SqlKind::Unavailable, text)
    })?;
    let connector = Connector::new(address).map_err(invalid_address)?;
    // A sender has one place of its own: notices that nobody has read are one.
    let (sender, notices) = channel(0);
    let client = runtime.block_on(async {
        let client = connect(address, connector, sender).await?;
        client.batch_execute("LISTEN workflows_queue").await?;
        Ok(client)
    });
    let client = client.map_err(|error: Error| unreachable(&error, &address.config, name))?;
    Ok(Box::new(Listener { runtime, client, notices, name: name.to_owned() }))
}

async fn connect(
    address: &Address,
    connector: Connector,
    mut notices: Sender<()>,
) -> Result<Client, Error> {
    let (client, mut connection) = address.config.connect(connector).await?;
    let mut messages = poll_fn(move |cx| connection.poll_message(cx));
    tokio::spawn(async move {
        // An error ends the stream of notices, too.
        while let Some(Ok(message)) = messages.next().await {
            if matches!(message, AsyncMessage::Notification(_)) {
                notices.try_send(()).ok();
            }
        }
    });
    Ok(client)
}

impl Watch for Listener {
    fn wait(&mut self, closed: &mut Receiver<()>) -> Result<bool, SqlError> {
        let Self { runtime, client, notices, name } = self;
        let lost =
            || SqlError::new(SqlKind::Unavailable, format!("the connection to `{name}` was lost"));
        runtime.block_on(async {
            let notice = pin!(tokio::time::timeout(CHECK_INTERVAL, notices.next()));
            match select(notice, closed).await {
                Either::Left((Ok(Some(())), _)) => Ok(true),
                Either::Left((Ok(None), _)) => Err(lost()),
                Either::Left((Err(_), _)) => {
                    let check = tokio::time::timeout(CHECK_TIME, client.batch_execute("")).await;
                    let answer = check.map_err(|_| lost())?;
                    answer.map(|()| false).map_err(|error| explain(&error, name))
                }
                Either::Right(_) => Ok(false),
            }
        })
    }
}
