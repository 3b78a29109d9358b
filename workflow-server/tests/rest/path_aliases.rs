//! Path aliases of older systems.

use serde_json::json;

use crate::support::{Kind, Site};

#[tokio::test]
async fn aliases_respond_as_the_routes() {
    let site = Site::open(Kind::Sqlite).await;
    let client = site.nobody();
    let made = client.post("/api/workflows/workflows/", json!({ "name": "w" })).await.is(201);
    let id = &made["id"];
    for word in ["execute/", "trigger", "run"] {
        let path = format!("/api/workflows/workflows/{id}/{word}");
        client.post(&path, json!({})).await.is(202);
    }
    for (other, path) in [
        ("/api/workflows/workflows/".to_owned(), "workflows".to_owned()),
        (format!("/api/workflows/workflows/{id}/"), format!("workflows/{id}")),
        (
            format!("/api/workflows/workflows/{id}/runs/?limit=2"),
            format!("workflows/{id}/runs?limit=2"),
        ),
        ("/api/workflows/runs/".to_owned(), "runs".to_owned()),
        ("/configs/".to_owned(), "configs".to_owned()),
        ("/configs/none".to_owned(), "configs/none".to_owned()),
        ("/health/live".to_owned(), "health/live".to_owned()),
    ] {
        let (one, two) = (client.get(&other).await, client.get(&path).await);
        assert_eq!((one.status, one.text), (two.status, two.text), "{other}");
    }
}
