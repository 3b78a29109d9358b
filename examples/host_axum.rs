//! An axum application that nests the workflow API and page, and authenticates users itself.
//!
//! ```sh
//! cargo run --example host_axum
//! ```
//! Sends some requests to itself. With `-- serve`, keeps serving <http://127.0.0.1:3000/workflows>.

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::request::Parts;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use workflow_core::prelude::*;
use workflow_server::{Authenticator, Identity, Server};
use workflow_store::{SqliteStore, TokenScope};

#[job]
async fn bake(loaves: &u32) -> Result<String, JobError> {
    Ok(format!("{loaves} loaves are in the oven"))
}

#[register_workflow(name = "bakery", metadata = { "project": "breakfast" })]
fn bakery(flow: &mut Flow, loaves: &u32) -> Handle<String> {
    let loaves = flow.value(*loaves);
    flow.job(bake(loaves))
}

/// The users of this application. A real one would read its sessions here.
struct Users;

#[async_trait::async_trait]
impl Authenticator for Users {
    async fn identify(&self, request: &Parts) -> Option<Identity> {
        let user = request.headers.get("x-user")?.to_str().ok()?.to_owned();
        let is_staff = user == "boss";
        Some(Identity { user, is_staff, scope: TokenScope::Write })
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(SqliteStore::open(folder.path().join("workflows.db")).await?);
    let engine = Engine::builder().runs_dir(folder.path().join("runs"));
    let stays = std::env::args().any(|argument| argument == "serve");
    let workflows = match stays {
        // Without an authenticator and without accounts, all callers on this machine have all rights.
        true => workflow_server::router(engine, store),
        false => Server::new(engine, store).authenticator(Users).router(),
    };
    let app = Router::new().nest("/workflows", workflows);
    let listener = TcpListener::bind(if stays { "127.0.0.1:3000" } else { "127.0.0.1:0" }).await?;
    let at = listener.local_addr()?;
    let serving = tokio::spawn(async { axum::serve(listener, app).await });
    if stays {
        return Ok(serving.await??);
    }
    let run = "POST /workflows/api/v1/workflows/bakery/run?wait=10s";
    println!("nobody: {}", ask(at, run, "nobody: -", r#"{"input": 3}"#).await?);
    println!("ada: {}", ask(at, run, "x-user: ada", r#"{"input": 3}"#).await?);
    println!("bob: {}", ask(at, "GET /workflows/api/v1/runs", "x-user: bob", "").await?);
    Ok(())
}

/// Sends a request like a browser, and returns the response.
async fn ask(at: SocketAddr, what: &str, header: &str, body: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(at).await?;
    let length = body.len();
    let head = format!("{what} HTTP/1.0\r\nHost: {at}\r\n{header}\r\nContent-Length: {length}");
    stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    Ok(format!("{}\n  {body}", head.lines().next().unwrap_or_default()))
}
