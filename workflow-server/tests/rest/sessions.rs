//! Sessions, tokens, and servers without accounts.

use std::time::{Duration, SystemTime};

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use workflow_server::{ServeError, Server, TokenRequest};
use workflow_store::TokenScope::{Admin, Read};

use crate::support::{Answer, Kind, PASSWORD, Site, with_both};

with_both!(
    a_browser_signs_in_and_out,
    wrong_passwords_are_rate_limited,
    tokens_expire,
    an_open_server_is_for_this_machine,
);

async fn a_browser_signs_in_and_out(kind: Kind) {
    let site = Site::closed(kind).await;
    let client = site.nobody();
    let who = json!({ "username": "ada", "password": PASSWORD });
    let signed = client.post("session", who.clone()).await;
    let csrf = signed.is(200)["csrf"].as_str().expect("a token").to_owned();
    let cookie = signed.header("set-cookie");
    assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().expect("a cookie").to_owned();
    let with = |method, path: &str| client.request(method, path).header("cookie", &cookie);
    let create = || with(Method::POST, "workflows").json(&json!({ "name": "w" }));
    let refused = async |request: RequestBuilder, code: &str| {
        Answer::of(request).await.is_problem(403, code);
    };
    refused(create(), "csrf").await;
    refused(create().header("x-csrf-token", "wrong"), "csrf").await;
    let other = "https://example.com";
    refused(create().header("x-csrf-token", &csrf).header("origin", other), "origin").await;
    let own = create().header("x-csrf-token", &csrf).header("origin", &site.base);
    Answer::of(own).await.is(201);
    // The header of Django clients.
    refused(create().header("X-CSRFToken", "wrong"), "csrf").await;
    let other_name = create().json(&json!({ "name": "w2" })).header("X-CSRFToken", &csrf);
    Answer::of(other_name).await.is(201);
    let shown = Answer::of(with(Method::GET, "session")).await.is(200);
    assert_eq!(shown["user"]["username"], "ada");
    let foreign = client.request(Method::POST, "session").header("origin", other).json(&who);
    refused(foreign, "origin").await;
    let signed = client.post("session", json!({ "username": "ada", "password": PASSWORD })).await;
    let other = signed.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    let both = format!("{cookie}; {other}");
    let out = client.request(Method::DELETE, "session").header("cookie", both);
    Answer::of(out.header("x-csrf-token", &csrf)).await.is(204);
    for ended in [&cookie, &other] {
        let ended = client.request(Method::GET, "runs").header("cookie", ended);
        Answer::of(ended).await.is_problem(401, "sign_in");
    }
}

async fn wrong_passwords_are_rate_limited(kind: Kind) {
    let site = Site::closed(kind).await;
    let client = site.nobody();
    let wrong = json!({ "username": "ada", "password": "something else" });
    // Concurrently: every attempt is counted before it is checked.
    let tries = (0..12).map(|_| client.post("session", wrong.clone()));
    let answers = futures::future::join_all(tries).await;
    let late: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(late.len() >= 6, "{} of 12 are to wait", late.len());
    assert!(late.iter().all(|answer| answer.header("retry-after").parse::<u64>().is_ok()));
    client.post("session", json!({ "username": "bob", "password": PASSWORD })).await.is(200);
}

async fn tokens_expire(kind: Kind) {
    let site = Site::closed(kind).await;
    let mut client = site.user("ada", Admin).await;
    let made = client.post("tokens", json!({ "name": "t", "scope": "read" })).await.is(201);
    client.delete(&format!("tokens/{}", made["id"])).await.is(204);
    let (user, name) = ("ada".to_owned(), "old".to_owned());
    let expires_at = SystemTime::now().checked_sub(Duration::from_secs(1));
    let old = TokenRequest { user, name, scope: Read, expires_at }.issue().expect("a token");
    site.store.add_token(old.0).await.expect("kept");
    let revoked = made["token"].as_str().expect("a token").to_owned();
    for token in [revoked, old.1, "wf_none".to_owned()] {
        client.token = Some(token);
        client.get("runs").await.is_problem(401, "token");
    }
}

async fn an_open_server_is_for_this_machine(kind: Kind) {
    let site = Site::open(kind).await;
    let client = site.nobody();
    let named = client.request(Method::GET, "runs").header("host", "example.com");
    Answer::of(named).await.is_problem(403, "host");
    let foreign = client.request(Method::POST, "workflows").json(&json!({ "name": "w" }));
    let foreign = foreign.header("origin", "https://example.com");
    Answer::of(foreign).await.is_problem(403, "origin");
    let server = Server::in_memory(workflow_core::Engine::builder());
    let anywhere = ([0, 0, 0, 0], 0).into();
    let served = server.serve(anywhere, |_, _| {}, std::future::pending()).await;
    assert!(matches!(served, Err(ServeError::Open(_))), "{served:?}");
}
