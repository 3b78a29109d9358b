//! Listens and serves until it is stopped.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum_server::Handle;
use workflow_core::error_text::io_reason;
use workflow_core::store::StoreError;
use workflow_core::worker::Worker;
use workflow_store::CatalogError;

use crate::server::build_router;
use crate::{Server, scheduler};

/// Why a server cannot serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The server cannot listen on the address.
    #[error("cannot listen on {address}: {}; choose another address", io_reason(error))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        error: io::Error,
    },
    /// Other machines can reach the address, and there are no accounts.
    #[error(
        "cannot listen on {0}: there are no accounts, so anyone who can reach this address would \
         have full access; add an account with `workflow user add NAME --staff`, or listen on \
         127.0.0.1"
    )]
    Open(SocketAddr),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] CatalogError),
    /// The server can no longer accept connections.
    #[error("the server stopped: {}", io_reason(.0))]
    Io(#[from] io::Error),
}

/// How long open requests may take after a stop.
const GRACE: Duration = Duration::from_secs(10);
/// The shortest timeout for the head of a request.
const MIN_HEAD_TIMEOUT: Duration = Duration::from_secs(1);

impl Server {
    /// Serves until `stop` completes, then lets open requests finish for up to 10 s.
    ///
    /// Calls `ready` once it listens, with the address and whether the server is open (without
    /// accounts). In the meantime it executes abandoned and enqueued runs, as
    /// [`Engine::serve`](workflow_core::Engine::serve) does, and starts runs by schedules. Several
    /// servers can share a store: each scheduled time starts one run. Times that passed while no
    /// server ran are skipped.
    ///
    /// # Errors
    ///
    /// Fails if the server cannot listen on the address, or if other machines can reach the address
    /// and there are no accounts.
    pub async fn serve(
        mut self,
        address: SocketAddr,
        ready: impl FnOnce(SocketAddr, bool),
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServeError> {
        let open = !self.has_authenticator() && !self.catalog().has_accounts().await?;
        if open && !address.ip().to_canonical().is_loopback() {
            return Err(ServeError::Open(address));
        }
        self.options.loopback_only = open;
        let head_timeout = self.options.timeout.max(MIN_HEAD_TIMEOUT);
        let listen = TcpListener::bind(address);
        let listener = listen.map_err(|error| ServeError::Listen { address, error })?;
        let at = listener.local_addr()?;
        let handle = Handle::new();
        let mut server = axum_server::from_tcp(listener)?
            .handle(handle.clone())
            .first_request_timeout(head_timeout)
            .http1_only();
        server.http_builder().http1().header_read_timeout(head_timeout);
        let (stopping, stopped) = tokio::sync::watch::channel(false);
        let app = self.app();
        let queues = app.options.task_queues.clone();
        let worker = queues.map(|queues| {
            let worker = Worker::new(app.engine().clone()).queues(queues);
            tokio::spawn(work(worker, stop_requested(stopped)))
        });
        let schedules = app.remote().is_none().then(|| {
            let app = app.clone();
            tokio::spawn(scheduler::run_schedules(app))
        });
        let service = build_router(&app).into_make_service_with_connect_info::<SocketAddr>();
        ready(at, open);
        tokio::spawn(async move {
            stop.await;
            stopping.send_replace(true);
            handle.graceful_shutdown(Some(GRACE));
        });
        server.serve(service).await?;
        if let Some(schedules) = schedules {
            schedules.abort();
        }
        if let Some(worker) = worker {
            _ = worker.await;
        }
        Ok(())
    }
}

/// Waits until a stop is requested, or the sender is gone.
async fn stop_requested(mut stopped: tokio::sync::watch::Receiver<bool>) {
    _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Executes abandoned and queued runs. Logs an error of the store: requests report it as well.
async fn work(worker: Worker, stop: impl Future<Output = ()>) {
    let worked: Result<(), StoreError> = worker.run(stop).await;
    if let Err(error) = worked {
        tracing::error!(%error, "the server no longer starts queued runs");
    }
}
