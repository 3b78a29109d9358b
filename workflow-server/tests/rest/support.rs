//! A server on this machine, and its clients.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::{Value as Json, json};
use tokio::sync::oneshot;
use workflow_core::Engine;
use workflow_server::{NewPassword, Server, TokenRequest};
use workflow_store::{Catalog, NewUser, TokenScope};

use crate::MIGRATED;

/// The kind of a store.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// Runs each scenario on both databases.
macro_rules! with_both {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            use $crate::support::Kind;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(Kind::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(Kind::Postgres).await;
            }
        }
    )*};
}
pub(crate) use with_both;

pub(crate) const PASSWORD: &str = "correct horse battery";

/// A running server; it stops when this is dropped.
pub(crate) struct Site {
    pub(crate) base: String,
    pub(crate) store: Arc<dyn Catalog>,
    _stop: oneshot::Sender<()>,
    pub(crate) folder: tempfile::TempDir,
}

impl Site {
    /// Starts a server without accounts.
    pub(crate) async fn open(kind: Kind) -> Self {
        Self::with(kind, |server| server).await
    }

    /// Starts a server with the users `ada` and `bob`, and `root` as staff.
    pub(crate) async fn closed(kind: Kind) -> Self {
        Self::closed_with(kind, |server| server).await
    }

    pub(crate) async fn closed_with(kind: Kind, set: impl FnOnce(Server) -> Server) -> Self {
        let (store, folder) = store(kind).await;
        for name in ["ada", "bob", "root"] {
            let password_hash = Some(hash().to_owned());
            let user = NewUser { password_hash, is_staff: name == "root", ..NewUser::new(name) };
            store.add_user(user).await.expect("an account");
        }
        Self::serve(store, folder, set).await
    }

    pub(crate) async fn with(kind: Kind, set: impl FnOnce(Server) -> Server) -> Self {
        let (store, folder) = store(kind).await;
        Self::serve(store, folder, set).await
    }

    pub(crate) async fn serve(
        store: Arc<dyn Catalog>,
        folder: tempfile::TempDir,
        set: impl FnOnce(Server) -> Server,
    ) -> Self {
        let engine =
            Engine::builder().runs_dir(folder.path().join(".workflow/runs")).capture_output(true);
        let server = set(Server::new(engine, store.clone()).folder(folder.path()));
        let (stop, stopped) = oneshot::channel();
        let (ready, at) = oneshot::channel();
        let tell = move |at: SocketAddr, _| _ = ready.send(at);
        let serving = server.serve(any_port(), tell, async {
            _ = stopped.await;
        });
        tokio::spawn(async { serving.await.expect("served") });
        let base = format!("http://{}", at.await.expect("an address"));
        Self { base, store, _stop: stop, folder }
    }

    /// A client without credentials.
    pub(crate) fn nobody(&self) -> Client {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Client { http: http.build().expect("a client"), base: self.base.clone(), token: None }
    }

    /// A client with a token of a user.
    pub(crate) async fn user(&self, user: &str, scope: TokenScope) -> Client {
        let (user, name) = (user.to_owned(), "test".to_owned());
        let new = TokenRequest { user, name, scope, expires_at: None }.issue();
        let (new, token) = new.expect("a token");
        self.store.add_token(new).await.expect("kept");
        Client { token: Some(token), ..self.nobody() }
    }
}

pub(crate) fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// The hash of [`PASSWORD`], computed once because it is slow.
fn hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| NewPassword::new(PASSWORD).expect("hashed").into_hash())
}

pub(crate) async fn store(kind: Kind) -> (Arc<dyn Catalog>, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let address = match kind {
        Kind::Sqlite => format!("sqlite://{}", folder.path().join("test.db").display()),
        Kind::Postgres => {
            let database = tokio::task::spawn_blocking(|| MIGRATED.copy()).await;
            database.expect("a database").url().to_owned()
        }
    };
    (workflow_store::open(&address).await.expect("a store"), folder)
}

/// A client of a server.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) token: Option<String>,
}

impl Client {
    /// A request to an absolute path, or to a relative path under `/api/v1`.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let path = match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("/api/v1/{path}"),
        };
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Json) -> Answer {
        Answer::of(self.request(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Json) -> Answer {
        Answer::of(self.request(Method::PATCH, path).json(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }

    /// Creates a workflow from a file; returns its ID.
    pub(crate) async fn create(&self, yaml: &str) -> i64 {
        let made = self.post("workflows", json!({ "yaml": yaml })).await.is(201);
        made["id"].as_i64().expect("a number")
    }

    /// Runs a workflow to its end; returns the run.
    pub(crate) async fn run(&self, workflow: &str, input: Json) -> Json {
        let path = format!("workflows/{workflow}/run?wait=60s");
        self.post(&path, json!({ "input": input })).await.is(200)
    }

    /// Starts a workflow; returns the ID of the run.
    pub(crate) async fn start(&self, workflow: &str) -> String {
        let started = self.post(&format!("workflows/{workflow}/run"), json!({})).await.is(202);
        started["run_id"].as_str().expect("an id").to_owned()
    }
}

/// A response of a server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status(), answer.headers().clone());
        Self { status, headers, text: answer.text().await.expect("a text") }
    }

    /// Asserts the status and returns the body.
    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> Json {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        serde_json::from_str(&self.text).unwrap_or(Json::Null)
    }

    /// Asserts the status and code, and returns the problem document.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, code: &str) -> Json {
        let problem = self.is(status);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!((&problem["code"], &problem["status"]), (&json!(code), &json!(status)));
        problem
    }

    /// Returns a header; empty if it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a text"))
    }
}

/// Polls until the condition holds, for at most a minute.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let asked = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), asked).await.expect(what);
}
