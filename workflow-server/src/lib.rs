//! Workflows and runs, seen and steered from outside: a REST API, live events, and a web page.
//!
//! A host mounts it into its own application:
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use axum::Router;
//! use workflow_core::Engine;
//! use workflow_store::SqliteStore;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Arc::new(SqliteStore::open("workflows.db").await?);
//! let workflows = workflow_server::router(Engine::builder(), store);
//! let app: Router = Router::new().nest("/workflows", workflows);
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! axum::serve(listener, app).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The page is then at `/workflows`, which axum does not take for `/workflows/`; `nest_service`
//! answers to both.
//!
//! Or it lets it serve by itself, with [`Server::serve`], as `workflow serve` does. The API is under
//! `api/v1`, described by `api/openapi.json`, and the page is at the root.
//!
//! # Who may do what
//!
//! As long as the store has no account with a password, the server is open: whoever reaches it may
//! do everything. It then only answers this machine, as far as it knows who asks, and not to pages
//! of other sites. With accounts, a caller signs in, or sends an API token; a regular user sees and
//! changes their own workflows and runs, and may run what is registered; staff see all. A host that
//! knows its users passes an [`Authenticator`].
//!
//! Workflow files that come over the API may name shell commands only when the server was told to
//! [allow commands](Server::allow_commands): who may send such a file may do on this machine
//! whatever the server's process may do.

mod api;
mod app;
mod auth;
mod blocking;
mod events;
mod http;
mod launch;
mod model;
mod options;
mod page;
mod problem;
mod schedule;
mod scheduler;
mod serve;
mod server;

pub use api::openapi;
pub use auth::{Authenticator, Identity, NewPassword, PasswordError, TokenRequest};
pub use scheduler::Scheduler;
pub use serve::ServeError;
pub use server::{Server, router};
