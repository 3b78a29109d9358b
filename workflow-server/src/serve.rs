//! A server by itself.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum_server::Handle;
use workflow_core::StoreError;
use workflow_store::CatalogError;

use crate::server::build_router;
use crate::{Server, scheduler};

/// Why a server does not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be had.
    #[error("`{address}` cannot be listened at: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// Other machines would be served, without anybody having to sign in.
    #[error(
        "`{0}` can be reached from other machines, and there are no accounts: everybody could do \
         everything; add one with `workflow user add NAME --staff`, or serve 127.0.0.1"
    )]
    Open(SocketAddr),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] CatalogError),
    /// Connections can no longer be taken.
    #[error("the server stopped: {0}")]
    Io(#[from] io::Error),
}

/// How long requests under way may take when the server is to stop.
const GRACE: Duration = Duration::from_secs(10);
/// The least time that a client has for the head of a request.
const LEAST_FOR_HEAD: Duration = Duration::from_secs(1);

impl Server {
    /// Serves until `stop` ends; and meanwhile takes up runs that were left behind, or left to
    /// others, as [`Engine::serve`](workflow_core::Engine::serve) does, and begins runs by the
    /// schedules of their workflows, each time once, whichever server on the store is first; times
    /// that passed while none ran are not made up for. Says through `ready` where
    /// it listens, and whether it is open, once it does. Then requests under way are let end, for
    /// at most ten seconds.
    ///
    /// # Errors
    ///
    /// Fails when the address cannot be had, and when it is one that other machines reach while
    /// there are no accounts.
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
        let for_head = self.options.timeout.max(LEAST_FOR_HEAD);
        let listen = TcpListener::bind(address);
        let listener = listen.map_err(|error| ServeError::Listen { address, error })?;
        let at = listener.local_addr()?;
        let handle = Handle::new();
        let mut server = axum_server::from_tcp(listener)?
            .handle(handle.clone())
            .first_request_timeout(for_head)
            .http1_only();
        server.http_builder().http1().header_read_timeout(for_head);
        let (stopping, stopped) = tokio::sync::watch::channel(false);
        let app = self.app();
        let worker = tokio::spawn(recover_runs(app.engine().clone(), stop_requested(stopped)));
        let schedules = tokio::spawn(scheduler::run_schedules(app.clone()));
        let service = build_router(&app).into_make_service_with_connect_info::<SocketAddr>();
        ready(at, open);
        tokio::spawn(async move {
            stop.await;
            stopping.send_replace(true);
            handle.graceful_shutdown(Some(GRACE));
        });
        server.serve(service).await?;
        schedules.abort();
        _ = worker.await;
        Ok(())
    }
}

/// Waits until something is true, or can no longer be.
async fn stop_requested(mut stopped: tokio::sync::watch::Receiver<bool>) {
    _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Takes up what was left behind. What the store says is logged; the API says it, too.
async fn recover_runs(engine: workflow_core::Engine, stop: impl Future<Output = ()>) {
    let served: Result<(), StoreError> = engine.serve(stop).await;
    if let Err(error) = served {
        tracing::error!(%error, "runs that were left behind are not taken up");
    }
}
