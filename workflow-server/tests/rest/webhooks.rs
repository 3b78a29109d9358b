//! Webhooks: a signed request starts one run, however often it is sent.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Method;
use serde_json::{Value as Json, json};
use sha2::Sha256;
use workflow_store::{RunQuery, TokenScope};

use crate::support::{Answer, Client, Kind, Site, with_both};

with_both!(github_signatures, standard_signatures, rejections_are_alike, runs_belong_to_the_owner);

const FILE: &str = "name: hooked\nmetadata:\n  triggers:\n\
    \x20   - webhook: { name: push, signature: github, secret: HUB }\n\
    \x20   - webhook: { name: paid, signature: standard, secret: SHOP }\n\
    \x20   - webhook: { name: lost, signature: github, secret: MISSING }\n\
    jobs: [{name: a, workflow: greet, with: ada}]\n";

const HUB: &str = "the secret of the hub";
const SHOP: &[u8] = b"the secret of the shop..";

async fn site(kind: Kind) -> Site {
    Site::closed_with(kind, |server| {
        server.webhook_secrets(|name| match name {
            "HUB" => Some(HUB.to_owned()),
            "SHOP" => Some(format!("whsec_{}", BASE64_STANDARD.encode(SHOP))),
            _ => None,
        })
    })
    .await
}

fn mac(secret: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// Sends a body with GitHub's signature.
async fn push(client: &Client, path: &str, secret: &str, body: &[u8]) -> Answer {
    let digest = mac(secret.as_bytes(), &[body]);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let request = client.request(Method::POST, path).body(body.to_vec());
    let request = request.header("content-type", "application/json");
    Answer::of(request.header("X-Hub-Signature-256", format!("sha256={hex}"))).await
}

/// Sends a body with the headers of Standard Webhooks.
async fn paid(client: &Client, id: &str, at: u64, body: &[u8]) -> Answer {
    let at = at.to_string();
    let digest = mac(SHOP, &[id.as_bytes(), b".", at.as_bytes(), b".", body]);
    let request =
        client.request(Method::POST, "workflows/hooked/webhooks/paid").body(body.to_vec());
    let request = request.header("webhook-id", id).header("webhook-timestamp", at);
    let signature = format!("v1,{}", BASE64_STANDARD.encode(digest));
    Answer::of(request.header("webhook-signature", signature)).await
}

/// The number of runs of the workflow, whose job is a run, too.
async fn count(site: &Site) -> usize {
    let query = RunQuery { name_contains: Some("hooked".to_owned()), ..RunQuery::default() };
    site.store.runs(query).await.expect("readable").items.len()
}

const PUSH: &str = "workflows/hooked/webhooks/push";

async fn github_signatures(kind: Kind) {
    let site = site(kind).await;
    let ada = site.user("ada", TokenScope::Write).await;
    ada.create(FILE).await;
    let hub = site.nobody();
    let body = br#"{"ref": "refs/heads/main", "id": 12345678901234567}"#;
    let first = push(&hub, PUSH, HUB, body).await.is(202);
    let again = push(&hub, PUSH, HUB, body).await.is(202);
    assert_eq!(first, again);
    assert_eq!(count(&site).await, 1);
    let run = ada.get(&format!("runs/{}", first["run_id"].as_str().expect("an ID"))).await.is(200);
    assert_eq!(run["trigger"], "event");
    assert_eq!(run["input"], serde_json::from_slice::<Json>(body).expect("JSON"));
    // Twice at once.
    let (one, other) =
        tokio::join!(push(&hub, PUSH, HUB, b"{\"n\": 2}"), push(&hub, PUSH, HUB, b"{\"n\": 2}"));
    assert_eq!(one.is(202), other.is(202));
    assert_eq!(count(&site).await, 2);
    push(&hub, PUSH, HUB, b"{\"n\": ").await.is_problem(400, "syntax");
    push(&hub, PUSH, HUB, b"").await.is_problem(400, "syntax");
    assert_eq!(count(&site).await, 2);
    ada.patch("workflows/hooked", json!({ "is_active": false })).await.is(200);
    push(&hub, PUSH, HUB, b"{\"n\": 3}").await.is_problem(409, "not_active");
}

async fn standard_signatures(kind: Kind) {
    let site = site(kind).await;
    site.user("ada", TokenScope::Write).await.create(FILE).await;
    let shop = site.nobody();
    let first = paid(&shop, "msg_1", now(), b"{}").await.is(202);
    // The sender signs a repetition with the time at which it sends it.
    assert_eq!(paid(&shop, "msg_1", now() - 60, b"{}").await.is(202), first);
    assert_eq!(count(&site).await, 1);
    // Another delivery with the same body.
    assert_ne!(paid(&shop, "msg_2", now(), b"{}").await.is(202), first);
    assert_eq!(count(&site).await, 2);
    paid(&shop, "msg_3", now() - 400, b"{}").await.is_problem(401, "webhook_rejected");
    paid(&shop, "msg_3", now() + 400, b"{}").await.is_problem(401, "webhook_rejected");
    // The ID is taken, by another body.
    paid(&shop, "msg_1", now(), b"{\"n\": 1}").await.is_problem(409, "idempotency_key_used");
    assert_eq!(count(&site).await, 2);
}

async fn rejections_are_alike(kind: Kind) {
    let site = site(kind).await;
    let ada = site.user("ada", TokenScope::Write).await;
    ada.create(FILE).await;
    let hub = site.nobody();
    let wrong = push(&hub, PUSH, "another secret of a hub", b"{}").await;
    let wrong = wrong.is_problem(401, "webhook_rejected");
    for (path, secret) in [
        // No such webhook, no such workflow, no secret, the scheme of another one.
        ("workflows/hooked/webhooks/pull", HUB),
        ("workflows/unhooked/webhooks/push", HUB),
        ("workflows/hooked/webhooks/lost", HUB),
        ("workflows/hooked/webhooks/paid", HUB),
    ] {
        assert_eq!(
            push(&hub, path, secret, b"{}").await.is_problem(401, "webhook_rejected"),
            wrong
        );
    }
    assert_eq!(hub.post(PUSH, json!({})).await.is_problem(401, "webhook_rejected"), wrong);
    // An account is no substitute for the signature.
    assert_eq!(ada.post(PUSH, json!({})).await.is_problem(401, "webhook_rejected"), wrong);
    let large = vec![b' '; 1024 * 1024 + 1];
    push(&hub, PUSH, HUB, &large).await.is_problem(413, "too_large");
    assert_eq!(count(&site).await, 0);
    let metadata =
        json!({ "triggers": [{ "webhook": { "name": "x", "signature": "md5", "secret": "A" } }] });
    let change = ada.patch("workflows/hooked", json!({ "merge_metadata": metadata })).await;
    let problem = change.is_problem(422, "invalid");
    assert!(
        problem["detail"].as_str().is_some_and(|text| text.contains("triggers[0]")),
        "{problem}"
    );
}

async fn runs_belong_to_the_owner(kind: Kind) {
    let site = site(kind).await;
    let ada = site.user("ada", TokenScope::Write).await;
    let bob = site.user("bob", TokenScope::Write).await;
    let (hers, his) = (ada.create(FILE).await, bob.create(FILE).await);
    let hub = site.nobody();
    let run = push(&hub, &format!("workflows/{hers}/webhooks/push"), HUB, b"{}").await.is(202);
    let path = format!("runs/{}", run["run_id"].as_str().expect("an ID"));
    ada.get(&path).await.is(200);
    // Both have the name, and the slug is that of the first one.
    assert_eq!(push(&hub, PUSH, HUB, b"{}").await.is(202), run);
    bob.get(&path).await.is_problem(404, "no_run");
    let other = push(&hub, &format!("workflows/{his}/webhooks/push"), HUB, b"{}").await.is(202);
    assert_ne!(run, other);
    let root = site.user("root", TokenScope::Admin).await;
    root.patch("users/ada", json!({ "is_active": false })).await.is(200);
    push(&hub, PUSH, HUB, b"{\"n\": 2}").await.is_problem(409, "owner_inactive");
}
