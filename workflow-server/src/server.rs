//! A server, and what it may be told.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use workflow_core::{Engine, Store};
use workflow_store::{Catalog, SqliteStore};

use crate::app::App;
use crate::identity::{Authenticator, Doorman};
use crate::options::Options;
use crate::scheduler::Scheduler;
use crate::{api, layers, page};

/// The API and the page of an engine, to be mounted into an application of axum.
///
/// As [`Server::new`] and [`Server::router`], for a host that has nothing more to say.
///
/// # Panics
///
/// As [`Server::new`].
pub fn router(engine: Engine) -> Router {
    Server::new(engine).router()
}

/// The API and the page of an engine.
///
/// ```no_run
/// use workflow_core::Engine;
/// use workflow_server::Server;
///
/// let router = Server::new(Engine::default()).allow_commands(true).router();
/// ```
#[must_use = "finish with `.router()`, or `.serve(..)`"]
pub struct Server {
    engine: Engine,
    catalog: Arc<dyn Catalog>,
    authenticator: Option<Arc<dyn Authenticator>>,
    pub(crate) options: Options,
}

impl Server {
    /// A server for an engine, with the engine's store. An engine without a store, or with one
    /// that is no database, is given one in memory: what it runs is then seen here as long as
    /// the process lives.
    ///
    /// # Panics
    ///
    /// Panics when the system has no memory or no thread for a database in memory.
    pub fn new(engine: Engine) -> Self {
        let known = engine.store().and_then(|store| workflow_store::catalog(store.clone()));
        let Some(catalog) = known else {
            let store = pollster::block_on(SqliteStore::open(":memory:"));
            let store: Arc<dyn Catalog> = Arc::new(store.expect("a database in memory"));
            let engine = engine.to_builder().shared_store(store.clone() as Arc<dyn Store>).build();
            return Self::with(engine, store);
        };
        Self::with(engine, catalog)
    }

    fn with(engine: Engine, catalog: Arc<dyn Catalog>) -> Self {
        Self { engine, catalog, authenticator: None, options: Options::default() }
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
        around(&self.app())
    }

    /// The server as a [`router`](Self::router), and what begins runs by the schedules of their
    /// workflows, for hosts that serve by themselves.
    ///
    /// ```no_run
    /// # use workflow_core::Engine;
    /// # use workflow_server::Server;
    /// # async fn host() {
    /// let (router, scheduler) = Server::new(Engine::default()).router_and_scheduler();
    /// tokio::spawn(scheduler.run());
    /// # drop(router);
    /// # }
    /// ```
    pub fn router_and_scheduler(self) -> (Router, Scheduler) {
        let app = self.app();
        (around(&app), Scheduler(app))
    }

    pub(crate) fn app(self) -> Arc<App> {
        let Self { engine, catalog, authenticator, options } = self;
        let doorman = Doorman::new(catalog.clone(), authenticator);
        Arc::new(App::new(engine, catalog, doorman, options))
    }
}

/// The routes to what all requests share.
pub(crate) fn around(app: &Arc<App>) -> Router {
    layers::around(api::router(app).merge(page::router()), app)
}
