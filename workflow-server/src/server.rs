//! A server, and what it may be told.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use workflow_core::{Engine, EngineBuilder, Store};
use workflow_store::{Catalog, SqliteStore};

use crate::app::App;
use crate::auth::{Authentication, Authenticator};
use crate::http::layers;
use crate::options::Options;
use crate::scheduler::Scheduler;
use crate::{api, page};

/// The API and the page of a store, to be mounted into an application of axum.
///
/// As [`Server::new`] and [`Server::router`], for a host that has nothing more to say.
pub fn router(engine: EngineBuilder, store: Arc<dyn Catalog>) -> Router {
    Server::new(engine, store).router()
}

/// The API and the page of a store.
///
/// ```no_run
/// use std::sync::Arc;
/// use workflow_core::Engine;
/// use workflow_server::Server;
/// use workflow_store::SqliteStore;
///
/// # async fn host() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Arc::new(SqliteStore::open("workflows.db").await?);
/// let server = Server::new(Engine::builder(), store);
/// let engine = server.engine().clone();
/// let router = server.allow_commands(true).router();
/// # drop((engine, router));
/// # Ok(())
/// # }
/// ```
#[must_use = "finish with `.router()`, or `.serve(..)`"]
pub struct Server {
    engine: Engine,
    catalog: Arc<dyn Catalog>,
    authenticator: Option<Arc<dyn Authenticator>>,
    pub(crate) options: Options,
}

impl Server {
    /// Makes a server over a store, which may be of any kind: one of `workflow-store`, one that
    /// wraps another, or one of another crate.
    ///
    /// The engine that runs what is asked for keeps its runs in the same store, whatever store the
    /// builder names. [`Server::engine`] is that engine.
    pub fn new(engine: EngineBuilder, store: Arc<dyn Catalog>) -> Self {
        let engine = engine.store(store.clone() as Arc<dyn Store>).build();
        Self { engine, catalog: store, authenticator: None, options: Options::default() }
    }

    /// Makes a server over a database in memory: what it runs is seen as long as the process
    /// lives, and then lost.
    ///
    /// ```no_run
    /// use workflow_core::Engine;
    /// use workflow_server::Server;
    ///
    /// let router = Server::in_memory(Engine::builder()).router();
    /// ```
    ///
    /// # Panics
    ///
    /// Panics when the system has no memory or no thread for a database in memory.
    pub fn in_memory(engine: EngineBuilder) -> Self {
        let store = pollster::block_on(SqliteStore::open(":memory:"));
        Self::new(engine, Arc::new(store.expect("a database in memory")))
    }

    /// The engine of the server: for a host that runs workflows itself, or shuts them down.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Lets workflow files that come over the API name shell commands. Default: they may not.
    pub fn allow_commands(mut self, allow: bool) -> Self {
        self.options.allow_commands = allow;
        self
    }

    /// Sets where commands of files that came over the API run, and their runs keep their logs.
    /// Default: the current directory.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.options.folder = folder.into();
        self
    }

    /// Lets pages of this origin, such as `https://example.com`, use the API (CORS). Default:
    /// none.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.options.origins.push(origin.into());
        self
    }

    /// Sets the largest body that is taken, in bytes. Default: 4 MiB.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.options.body_limit = bytes;
        self
    }

    /// Sets the longest that a request may take to come, and to be answered. Default: 30 s.
    /// Streams, and requests that wait for a run, may be answered for longer. A connection is
    /// closed after the same time, a second at least, without a whole head of a request;
    /// [`Server::router`] leaves that to the host.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// Limits how many streams of events and logs may be open at once. Default: 4096.
    pub fn streams(mut self, most: usize) -> Self {
        self.options.streams = most;
        self
    }

    /// Lets the host say who sends a request, in place of the accounts of the store.
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.authenticator = Some(Arc::new(authenticator));
        self
    }

    /// The store.
    pub(crate) fn catalog(&self) -> &Arc<dyn Catalog> {
        &self.catalog
    }

    /// Whether the host says who sends a request.
    pub(crate) fn has_authenticator(&self) -> bool {
        self.authenticator.is_some()
    }

    /// The server as a router, to be mounted or served. Whether the engine also takes up runs that
    /// others left behind is the host's affair: [`Engine::serve`].
    /// So is beginning runs by their schedules: [`Server::serve`] does that, and
    /// [`Server::router_and_scheduler`] gives what does it.
    pub fn router(self) -> Router {
        build_router(&self.app())
    }

    /// The server as a [`router`](Self::router), and what begins runs by the schedules of their
    /// workflows, for hosts that serve by themselves.
    ///
    /// ```no_run
    /// # use workflow_core::Engine;
    /// # use workflow_server::Server;
    /// # async fn host() {
    /// let (router, scheduler) = Server::in_memory(Engine::builder()).router_and_scheduler();
    /// tokio::spawn(scheduler.run());
    /// # drop(router);
    /// # }
    /// ```
    pub fn router_and_scheduler(self) -> (Router, Scheduler) {
        let app = self.app();
        (build_router(&app), Scheduler(app))
    }

    pub(crate) fn app(self) -> Arc<App> {
        let Self { engine, catalog, authenticator, options } = self;
        let auth = Authentication::new(catalog.clone(), authenticator);
        Arc::new(App::new(engine, catalog, auth, options))
    }
}

/// The routes to what all requests share.
pub(crate) fn build_router(app: &Arc<App>) -> Router {
    layers::with_layers(api::router(app).merge(page::router()), app)
}
