//! The API of Source X: pages of records for callers with the token. For tests, and to try the
//! workflow with `cargo run --example api`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

/// The token that the API expects.
pub(crate) const TOKEN: &str = "example-token";

/// The API in a thread of this process.
pub(crate) struct Api {
    url: String,
    source: Arc<Source>,
}

/// What the API serves, and how.
pub(crate) struct Source {
    records: Vec<Value>,
    /// How many of the next requests fail.
    failing: AtomicUsize,
    requests: AtomicUsize,
}

impl Source {
    /// An API whose first requests fail.
    pub(crate) fn new(records: Vec<Value>, failing: usize) -> Arc<Self> {
        let (failing, requests) = (AtomicUsize::new(failing), AtomicUsize::new(0));
        Arc::new(Self { records, failing, requests })
    }
}

impl Api {
    /// Starts the API on a free port of this machine. Its first requests fail with 500.
    pub(crate) fn start(records: Vec<Value>, failing: usize) -> Self {
        let source = Source::new(records, failing);
        let (routes, (listening, address)) = (router(Arc::clone(&source)), mpsc::channel());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
                let listener = listener.expect("a free port");
                listening.send(listener.local_addr().expect("an address")).expect("a listener");
                axum::serve(listener, routes).await.expect("it serves");
            });
        });
        let address = address.recv().expect("the API listens");
        Self { url: format!("http://{address}/data"), source }
    }

    /// An API that nobody serves.
    pub(crate) fn down() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        Self { url: format!("http://{address}/data"), source: Source::new(Vec::new(), 0) }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How many requests came.
    pub(crate) fn requests(&self) -> usize {
        self.source.requests.load(Ordering::SeqCst)
    }
}

/// Records that are made up: one of 50 has no amount.
pub(crate) fn records(count: usize) -> Vec<Value> {
    let record = |id: usize| {
        let mut record = json!({
            "id": id,
            "name": format!("Customer {id}"),
            "amount": (id * 37 % 1000) as f64 + 0.5,
            "created_at": format!("2026-01-{:02}T08:00:00Z", id % 28 + 1),
        });
        if id.is_multiple_of(50) {
            record["amount"] = Value::Null;
        }
        record
    };
    (1..=count).map(record).collect()
}

/// The routes of the API.
pub(crate) fn router(source: Arc<Source>) -> Router {
    Router::new().route("/data", get(page)).with_state(source)
}

#[derive(Deserialize)]
struct Paging {
    #[serde(default = "first")]
    page: usize,
    #[serde(default = "hundred")]
    limit: usize,
}

fn first() -> usize {
    1
}

fn hundred() -> usize {
    100
}

async fn page(
    State(source): State<Arc<Source>>,
    Query(paging): Query<Paging>,
    headers: HeaderMap,
) -> Response {
    source.requests.fetch_add(1, Ordering::SeqCst);
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
    if authorization != Some(&*format!("Bearer {TOKEN}")) {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "wrong token" }))).into_response();
    }
    let fails =
        source.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    if fails.is_ok() {
        // Clients may ask again at once.
        return (StatusCode::INTERNAL_SERVER_ERROR, [("Retry-After", "0")], "broken")
            .into_response();
    }
    let Paging { page, limit } = paging;
    let limit = limit.clamp(1, 1000);
    let skipped = page.saturating_sub(1).saturating_mul(limit);
    let data: Vec<_> = source.records.iter().skip(skipped).take(limit).collect();
    Json(json!({ "data": data })).into_response()
}
