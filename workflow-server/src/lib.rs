//! A REST API, live events and a web page for workflows and their runs.
//!
//! Mount the router into an axum application:
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
//! The page is then served at `/workflows`. With `nest`, axum does not route `/workflows/`; with
//! `nest_service`, it routes both.
//!
//! To run a server of its own, as `workflow serve` does, use [`Server::serve`]. The API is under
//! `api/v1` and described by `api/openapi.json`; the page is at the root.
//!
//! # Access control
//!
//! Without accounts, every caller has full access. The server then accepts requests only from this
//! machine (as far as it knows the address of the peer), and rejects changes from pages of other
//! origins. With accounts, callers sign in or send an API token. Regular users see and change their
//! own workflows and runs, and can run registered workflows. Staff see and change everything. A
//! host with its own users passes an [`Authenticator`].
//!
//! Workflow files that are sent to the API may contain shell commands only if the server
//! [allows them](Server::allow_commands): such a command has all the permissions of the server's
//! process.

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
mod remote;
mod schedule;
mod scheduler;
mod serve;
mod server;
mod watch;
mod webhook;

pub use api::openapi;
pub use auth::{Authenticator, Identity, NewPassword, PasswordError, TokenRequest};
pub use remote::{Remote, RemoteError, RemoteStart, RemoteStarted};
pub use scheduler::Scheduler;
pub use serve::ServeError;
pub use server::{Server, router};
