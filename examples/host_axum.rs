//! An application of axum has the API and the page of its workflows under one of its own paths, and
//! says itself who its users are.
//!
//! ```sh
//! cargo run --example host_axum          # asks itself some questions, and ends
//! cargo run --example host_axum -- serve # stays: open http://127.0.0.1:3000/workflows
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

use axum::Router;
use axum::http::request::Parts;
use axum::routing::get;
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

/// Users as this application knows them. A real one reads its session here.
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
    let stays = std::env::args().any(|argument| argument == "serve");
    let store = SqliteStore::open(folder.path().join("workflows.db")).await?;
    let engine = Engine::builder().store(store).build();
    let workflows = match stays {
        // Without an authenticator and without accounts, this machine may do everything.
        true => workflow_server::router(engine),
        false => Server::new(engine).authenticator(Users).router(),
    };
    let app = Router::new()
        .route("/", get(async || "the application's own page\n"))
        .nest("/workflows", workflows);
    let address = if stays { "127.0.0.1:3000" } else { "127.0.0.1:0" };
    let listener = TcpListener::bind(address).await?;
    let at = listener.local_addr()?;
    println!("http://{at}/workflows");
    let serving = tokio::spawn(async { axum::serve(listener, app).await });
    if stays {
        return Ok(serving.await??);
    }
    let run = "POST /workflows/api/v1/workflows/bakery/run?wait=10s";
    println!("nobody: {}", ask(at, run, "", r#"{"input": 3}"#).await?);
    println!("ada: {}", ask(at, run, "X-User: ada\r\n", r#"{"input": 3}"#).await?);
    let runs = "GET /workflows/api/v1/runs";
    println!("bob sees {}", ask(at, runs, "X-User: bob\r\n", "").await?);
    Ok(())
}

/// Asks as a browser would; returns the first line of the answer, and its body.
async fn ask(
    at: std::net::SocketAddr,
    what: &str,
    headers: &str,
    body: &str,
) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(at).await?;
    let length = body.len();
    let request = format!(
        "{what} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.lines().next().unwrap_or_default().to_owned();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok(format!("{status}\n  {body}"))
}
