//! A server works with any store, also with a wrapper that it does not know.

use std::sync::Arc;

use serde_json::json;
use workflow_store::{NewUser, TokenScope};

use crate::counting::Counting;
use crate::support::{Kind, Site, store, with_both};

with_both!(a_wrapped_store_works);

async fn a_wrapped_store_works(kind: Kind) {
    let (inner, folder) = store(kind).await;
    let counting = Counting::new(inner.clone());
    let site = Site::serve(Arc::new(counting.clone()), folder, |server| server).await;
    let client = site.nobody();

    // The engine of the server stores its runs in it, and handlers read from it.
    let ended = client.run("greet", json!("ada")).await;
    assert_eq!(ended["result"], "hello ada");
    assert!(counting.calls("begin") == 1 && counting.calls("append") > 0);
    assert!(counting.calls("find_workflow") > 0 && counting.calls("sync_registered") == 1);
    let before = counting.calls("runs");
    let listed = client.get("runs").await.is(200);
    assert_eq!(listed["items"][0]["id"], ended["id"]);
    assert_eq!(counting.calls("runs"), before + 1);
    client.get("workflows").await.is(200);
    assert!(counting.calls("workflows") > 0);

    // Its calls reach the wrapped store.
    let id = ended["id"].as_str().expect("an id").parse().expect("an id");
    let run = inner.run(id).await.expect("readable").expect("there");
    assert_eq!(run.workflow.name, "greet");

    // Callers with an account use restricted handles of it.
    let user = NewUser { password_hash: Some("$argon2id$".to_owned()), ..NewUser::new("ada") };
    site.store.add_user(user).await.expect("an account");
    let seen_by = counting.calls("seen_by");
    site.user("ada", TokenScope::Read).await.get("workflows").await.is(200);
    assert!(counting.calls("seen_by") > seen_by && counting.calls("token") == 1);
}
