//! The server and its builder methods.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use workflow_core::Engine;
use workflow_core::engine::EngineBuilder;
use workflow_core::store::{Queues, Store};
use workflow_store::{Catalog, SqliteStore};

use crate::app::App;
use crate::auth::{Authentication, Authenticator};
use crate::http::layers;
use crate::options::Options;
use crate::remote::Remote;
use crate::scheduler::Scheduler;
use crate::webhook::WebhookSecrets;
use crate::{api, page};

/// Returns a router with the API and the page of a store, to mount into an axum application.
///
/// Short for [`Server::new`] and [`Server::router`] with default options.
pub fn router(engine: EngineBuilder, store: Arc<dyn Catalog>) -> Router {
    Server::new(engine, store).router()
}

/// A server with the API and the page of a store.
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
#[must_use = "call `.router()` or `.serve(..)`"]
pub struct Server {
    engine: Engine,
    catalog: Arc<dyn Catalog>,
    authenticator: Option<Arc<dyn Authenticator>>,
    remote: Option<Arc<dyn Remote>>,
    pub(crate) options: Options,
}

impl Server {
    /// Makes a server with a store: a store of `workflow-store`, a wrapper, or any other
    /// implementation.
    ///
    /// The engine of the server uses the same store, even if the builder has another one. See
    /// [`Server::engine`].
    pub fn new(engine: EngineBuilder, store: Arc<dyn Catalog>) -> Self {
        let engine = engine.store(store.clone() as Arc<dyn Store>).build();
        Self {
            engine,
            catalog: store,
            authenticator: None,
            remote: None,
            options: Options::default(),
        }
    }

    /// Makes a server with an in-memory database, which is lost when the process ends.
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
    /// Panics if the system has no memory or no thread for the database.
    pub fn in_memory(engine: EngineBuilder) -> Self {
        let store = pollster::block_on(SqliteStore::open(":memory:"));
        Self::new(engine, Arc::new(store.expect("an in-memory database opens")))
    }

    /// Returns the engine of the server, for hosts that start runs or shut the engine down.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Returns the store of the server.
    pub fn store(&self) -> Arc<dyn Catalog> {
        Arc::clone(&self.catalog)
    }

    /// Sets whether workflow files sent to the API may contain shell commands. Default: false.
    ///
    /// Such a command has all the permissions of the server's process.
    pub fn allow_commands(mut self, allow: bool) -> Self {
        self.options.allow_commands = allow;
        self
    }

    /// Sets the working directory of commands in files sent to the API, and the place of their
    /// logs. Default: the current directory.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.options.folder = folder.into();
        self
    }

    /// Allows pages of this origin, such as `https://example.com`, to use the API (CORS). Can be
    /// called several times. Default: none.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.options.origins.push(origin.into());
        self
    }

    /// Sets the largest request body in bytes. Default: 4 MiB.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.options.body_limit = bytes;
        self
    }

    /// Sets the most jobs that a workflow file sent to the API may expand to, and the most files and
    /// data entries. Default: 10,000. No file expands to more than a million.
    pub fn max_jobs(mut self, jobs: usize) -> Self {
        self.options.max_jobs = jobs;
        self
    }

    /// Sets the timeout for reading a request and for its response. Default: 30 s.
    ///
    /// Streams and requests that wait for a run may take longer. [`Server::serve`] also closes a
    /// connection that does not send a complete request head within the timeout (at least 1 s);
    /// with [`Server::router`], that is up to the host.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// Sets the most open streams of events and logs. Default: 4096.
    pub fn streams(mut self, limit: usize) -> Self {
        self.options.streams = limit;
        self
    }

    /// Sets the task queues whose runs [`serve`](Self::serve) executes in this process; `None`: none.
    /// Default: all. The runs that requests start without a task queue are executed here in any case.
    pub fn task_queues(mut self, queues: Option<Queues>) -> Self {
        self.options.task_queues = queues;
        self
    }

    /// Finds the secrets of [webhooks](workflow_core::definition::WebhookTrigger) by name. Default:
    /// the secret `SHOP` is the environment variable `WORKFLOW_WEBHOOK_SHOP`.
    ///
    /// For GitHub's signatures, a secret is any text of at least 16 bytes. For Standard Webhooks, it
    /// is `whsec_` and base64. A webhook without its secret rejects all requests.
    ///
    /// ```no_run
    /// # use workflow_core::Engine;
    /// # use workflow_server::Server;
    /// let server = Server::in_memory(Engine::builder()).webhook_secrets(|name| {
    ///     std::fs::read_to_string(format!("/run/secrets/{name}")).ok()
    /// });
    /// # drop(server);
    /// ```
    pub fn webhook_secrets(
        mut self,
        find: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.options.webhook_secrets = WebhookSecrets::new(find);
        self
    }

    /// Lets workflows start when a [file](workflow_core::definition::FileTrigger) arrives in this folder,
    /// or below it. Can be called several times. Default: none.
    ///
    /// `inbox/*.csv` are files in the folder with the name `inbox`. Whoever may create workflows can
    /// learn names, sizes and times of the files in it. Symbolic links are not followed.
    ///
    /// ```no_run
    /// # use workflow_core::Engine;
    /// # use workflow_server::Server;
    /// let server = Server::in_memory(Engine::builder()).watch("inbox", "/srv/inbox");
    /// # drop(server);
    /// ```
    pub fn watch(mut self, name: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        self.options.watched.insert(name.into(), folder.into());
        self
    }

    /// Authenticates requests with the host's users instead of the accounts of the store.
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.authenticator = Some(Arc::new(authenticator));
        self
    }

    /// Lets another system execute the runs, of which the store has a copy. The server serves no
    /// task queue then and runs no schedules, and cannot retry, unblock or record runs.
    pub fn remote(mut self, remote: Arc<dyn Remote>) -> Self {
        self.remote = Some(remote);
        self.task_queues(None)
    }

    /// Returns the store.
    pub(crate) fn catalog(&self) -> &Arc<dyn Catalog> {
        &self.catalog
    }

    /// Whether the host authenticates requests.
    pub(crate) fn has_authenticator(&self) -> bool {
        self.authenticator.is_some()
    }

    /// Returns the server as a router, to mount or to serve.
    ///
    /// The router does not recover abandoned runs: spawn [`Engine::serve`] for that. It does not
    /// run schedules either: use [`Server::router_and_scheduler`] for that. [`Server::serve`] does
    /// both.
    pub fn router(self) -> Router {
        build_router(&self.app())
    }

    /// Returns the server as a [`router`](Self::router), with the scheduler that starts runs by
    /// schedules.
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
        let Self { engine, catalog, authenticator, remote, options } = self;
        let auth = Authentication::new(catalog.clone(), authenticator);
        Arc::new(App::new(engine, catalog, auth, options, remote))
    }
}

/// Builds the router with all routes and layers.
pub(crate) fn build_router(app: &Arc<App>) -> Router {
    layers::with_layers(api::router(app).merge(page::router()), app)
}
