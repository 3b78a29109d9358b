//! Pages and filters of lists.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::{Client, Kind, Site, with_both};

with_both!(pages_follow_each_other, filters_apply, odd_texts_are_client_errors);

async fn pages_follow_each_other(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    for number in 0..7 {
        client.post("workflows", json!({ "name": format!("w-{number}") })).await.is(201);
        client.run("greet", json!("a")).await;
    }
    for (path, least) in [("workflows?limit=2&sort_by=name", 7), ("runs?limit=3", 7)] {
        let seen = walk(&client, path).await;
        let all: BTreeSet<_> = seen.iter().collect();
        assert_eq!(all.len(), seen.len(), "{path}");
        assert!(seen.len() >= least, "{path}: {}", seen.len());
    }
    let reversed = walk(&client, "workflows?limit=2&sort_by=id&reverse_sort=true").await;
    let mut forwards = walk(&client, "workflows?limit=3&sort_by=id").await;
    forwards.reverse();
    assert_eq!(reversed, forwards);
    let part = client.get("workflows?limit=2&offset=3&sort_by=id&reverse_sort=true").await.is(200);
    let part: Vec<_> = part["items"].as_array().expect("items").iter().collect();
    assert_eq!(part.iter().map(|it| it["id"].to_string()).collect::<Vec<_>>(), reversed[3..5]);
    let cursor = client.get("workflows?limit=2").await.is(200)["next"].clone();
    let both = format!("workflows?offset=2&cursor={}", cursor.as_str().expect("a cursor"));
    let problem = client.get(&both).await.is_problem(422, "invalid");
    assert_eq!(problem["errors"][0]["field"], "offset");
    client.get("workflows?sort_by=owner").await.is_problem(422, "invalid");
    for path in ["workflows?cursor=nonsense", "runs?cursor=nonsense"] {
        client.get(path).await.is_problem(422, "invalid");
    }
}

async fn walk(client: &Client, path: &str) -> Vec<String> {
    let (mut seen, mut next) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{path}{next}")).await.is(200);
        seen.extend(page["items"].as_array().expect("items").iter().map(|it| it["id"].to_string()));
        match page["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => return seen,
        }
    }
}

async fn filters_apply(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let metadata = json!({ "owner": "ada", "team": { "size": 3 }, "tags": ["nightly"] });
    let draft = json!({ "name": "Sales report", "project": "p-1", "domain": "d-1",
        "project_id": 12, "app_name": "shop", "description": "of each quarter",
        "metadata": metadata });
    client.post("workflows", draft).await.is(201);
    client.post("workflows", json!({ "name": "other" })).await.is(201);
    for query in [
        "project=p-1",
        "project_id=12",
        "domain=d-1",
        "app_name=shop",
        "q=quarter+sal",
        "metadata=owner%3Dada&metadata=team.size%3D3",
        "tag=nightly",
    ] {
        let found = client.get(&format!("workflows?{query}")).await.is(200);
        let names: Vec<_> = found["items"].as_array().expect("items").iter().collect();
        assert_eq!(names.len(), 1, "{query}: {names:?}");
        assert_eq!(names[0]["name"], "Sales report", "{query}");
    }
    let of = |source| format!("workflows?source={source}");
    let stored = client.get(&of("stored")).await.is(200);
    assert_eq!(stored["items"].as_array().map(Vec::len), Some(2), "{stored}");
    let registered = client.get(&of("registered")).await.is(200);
    assert!(
        registered.to_string().contains("\"greet\"") && !registered.to_string().contains("Sales")
    );
    client.run("greet", json!("a")).await;
    client.run("broken", json!(null)).await;
    for (query, wanted) in [
        ("status=failed", 1),
        ("status=completed", 1),
        ("workflow=greet", 1),
        ("since=1h", 2),
        ("until=1h", 0),
        ("status=running", 0),
    ] {
        let found = client.get(&format!("runs?{query}")).await.is(200);
        assert_eq!(found["items"].as_array().map(Vec::len), Some(wanted), "{query}");
    }
}

async fn odd_texts_are_client_errors(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    for path in [
        "workflows/%00",
        "workflows?q=%00",
        "workflows?project=a%00b",
        "workflows?tag=%00",
        "workflows?metadata=a%3D%00",
        "workflows?molecule=%00",
        "runs?workflow=%00",
        "runs/%00",
        "runs?idempotency_key=%00",
        "runs?since=0001-01-01T00:00:00Z",
        "runs?until=9999-12-30T00:00:00Z",
        "overview?since=0001-01-01",
        "overview?since=19000y",
        "workflows?q=%22*%29",
        "workflows?user=%00",
        "users?cursor=%00",
        "tokens?user=%00",
        "jobs/%00",
        "configs/%00",
        "configs/..%2F..%2Fetc%2Fpasswd",
        "stats?workflow=%00",
        "runs?workflow_id=9223372036854775807",
        "workflows?project_id=-9223372036854775808",
        "workflows?sort_by=executed&cursor=%00",
    ] {
        let answer = client.get(path).await;
        assert!(answer.status.as_u16() < 500, "{path}: {}", answer.text);
    }
    for body in [
        json!({ "name": "a\u{0}b" }),
        json!({ "name": "a", "description": "\u{0}" }),
        json!({ "name": "b", "metadata": { "a": "\u{0}" } }),
        json!({ "name": "" }),
        json!({ "name": "c", "dag_spec": { "\u{0}": "\u{0}" } }),
        json!({ "name": "d", "slug": "\u{0}" }),
        json!({ "name": "e", "project": "\u{0}" }),
        json!({ "name": "f", "molecules_used": ["\u{0}"] }),
    ] {
        let answer = client.post("workflows", body.clone()).await;
        assert!(answer.status.as_u16() < 500, "{body}: {}", answer.text);
    }
    client.post("workflows", json!({ "name": "outside", "dag_spec": {} })).await.is(201);
    let run = client.start("outside").await;
    let problem = client.get("runs?status=skipped").await.is_problem(422, "invalid");
    assert_eq!(problem["errors"][0]["field"], "status");
    for (path, body, field) in [
        ("workflows/outside", json!({ "description": "a\u{0}" }), "description"),
        ("workflows/outside", json!({ "project": "\u{0}" }), "project"),
        ("workflows/outside", json!({ "metadata": { "a": ["\u{0}"] } }), "metadata.a[0]"),
        ("workflows/outside", json!({ "merge_metadata": { "\u{0}": 1 } }), "merge_metadata"),
        (&format!("runs/{run}"), json!({ "result_data": { "b": "\u{0}" } }), "result_data.b"),
        (&format!("runs/{run}"), json!({ "error_message": "\u{0}" }), "error_message"),
    ] {
        let problem = client.patch(path, body).await.is_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], field);
    }
    // Not a NUL, but the text of its escape.
    client.patch("workflows/outside", json!({ "description": "\\u0000" })).await.is(200);
    for body in [json!({ "input": "\u{0}" }), json!({ "input": "a", "idempotency_key": "\u{0}" })] {
        let answer = client.post("workflows/greet/run?wait=30s", body.clone()).await;
        assert!(answer.status.as_u16() < 500, "{body}: {}", answer.text);
    }
    let run = client.start("gated").await;
    let signal = json!({ "name": "\u{0}", "payload": "\u{0}" });
    let answer = client.post(&format!("runs/{run}/signal"), signal).await;
    assert!(answer.status.as_u16() < 500, "{}", answer.text);
}
