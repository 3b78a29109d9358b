//! The routes of assets, in a program that has some.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use tokio::sync::oneshot;
use workflow_core::asset::{self, Assets, Partition, Request, asset};
use workflow_core::prelude::*;
use workflow_core::store::{Store, Trigger};
use workflow_server::{NewPassword, Server, TokenRequest};
use workflow_store::{Catalog, NewUser, NewWorkflow, RunQuery, TokenScope, Viewer};

#[derive(Serialize, Deserialize)]
struct Raw(Vec<u64>);

#[derive(Serialize, Deserialize)]
struct Orders(Vec<u64>);

/// What a region sold.
#[asset(partitions = ["eu", "us", "asia"])]
fn raw(region: &Partition) -> Raw {
    Raw(vec![region.key().len() as u64])
}

#[asset(partitions = ["eu", "us", "asia"], checks(block = [is_small], warn = [is_even]))]
fn orders(raw: &Raw) -> Orders {
    Orders(raw.0.clone())
}

fn is_small(orders: &Orders) -> Result<(), String> {
    if orders.0[0] < 4 { Ok(()) } else { Err("too large".to_owned()) }
}

fn is_even(_: &Orders) -> Result<(), &'static str> {
    Err("odd")
}

#[register_workflow(
    name = "publish",
    metadata = { "triggers": [{ "asset": { "name": "raw" } }, { "asset": { "name": "orders" } }] },
)]
fn publish(made: Json) -> Json {
    made
}

/// A server, with or without assets in its engine.
struct Site {
    base: String,
    store: Arc<dyn Catalog>,
    assets: Assets,
    _folder: tempfile::TempDir,
    _stop: oneshot::Sender<()>,
}

impl Site {
    async fn open(has_assets: bool) -> Self {
        Self::with(has_assets, None).await
    }

    /// With an account of this user, so that nobody else may read.
    async fn with(has_assets: bool, user: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let address = format!("sqlite://{}", folder.path().join("test.db").display());
        let store = workflow_store::open(&address).await.expect("a store");
        if let Some(user) = user {
            let password = NewPassword::new("correct horse battery").expect("hashed");
            let password_hash = Some(password.into_hash());
            let user = NewUser { password_hash, ..NewUser::new(user) };
            store.add_user(user).await.expect("an account");
        }
        let records = store.clone() as Arc<dyn Store>;
        let assets = Assets::new(records, folder.path().join("assets")).expect("records");
        let (base, stop) = serve(store.clone(), has_assets.then(|| assets.clone())).await;
        Self { base, store, assets, _folder: folder, _stop: stop }
    }

    async fn post(&self, path: &str, body: Json) -> Json {
        let sent = reqwest::Client::new().post(format!("{}/{path}", self.base)).json(&body).send();
        let answer = sent.await.expect("sent");
        let status = answer.status();
        let answer: Json = answer.json().await.expect("JSON");
        assert!(status.is_success(), "{path} {answer}");
        answer
    }

    /// The inputs of the runs of a workflow that events have started.
    async fn started(&self, workflow: &str) -> Vec<Json> {
        let query = RunQuery { workflow: Some(workflow.to_owned()), ..RunQuery::default() };
        let runs = self.store.runs(query).await.expect("readable").items;
        let mut inputs = Vec::new();
        for run in runs.into_iter().filter(|run| run.trigger == Trigger::Event) {
            inputs.push(self.store.run_details(run.id).await.expect("there").input.expect("some"));
        }
        inputs
    }

    /// Whether the store has links, and the schedulers have handled all ended runs.
    async fn is_linked(&self, count: usize) -> bool {
        let links = self.store.downstream_store().expect("a database has it");
        let links = links.links().await.expect("readable");
        links.len() == count && links.iter().all(|link| !link.has_waiting)
    }

    /// Makes everything, as a run of the server.
    async fn make(&self) {
        let graph = asset::graph().expect("assets that fit");
        let request = Request::everything(graph, SystemTime::now());
        let plan = self.assets.plan(&request).await.expect("a plan");
        let input = plan.to_input().expect("small");
        let run = format!("{}/workflows/assets/run?wait=60s", self.base);
        let sent = reqwest::Client::new().post(run).json(&json!({ "input": input })).send();
        let run: Json = sent.await.expect("sent").json().await.expect("JSON");
        assert_eq!(run["status"], "failed", "{run}");
    }

    async fn get(&self, path: &str) -> (u16, Json) {
        self.get_as(path, None).await
    }

    async fn get_as(&self, path: &str, token: Option<&str>) -> (u16, Json) {
        let request = reqwest::Client::new().get(format!("{}/{path}", self.base));
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    /// An answer with status 200 that fits its schema.
    async fn ok(&self, path: &str, schema: &str) -> Json {
        let (status, answer) = self.get(path).await;
        assert_eq!(status, 200, "{path} {answer}");
        let document = workflow_server::openapi();
        let place = format!("#/components/schemas/{schema}");
        let schema = json!({ "$ref": place, "components": document["components"] });
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let wrong: Vec<String> =
            validator.iter_errors(&answer).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{path}: {wrong:?}");
        answer
    }
}

async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let asked = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), asked).await.expect(what);
}

/// Serves a store; returns the address.
async fn serve(store: Arc<dyn Catalog>, assets: Option<Assets>) -> (String, oneshot::Sender<()>) {
    let engine = Engine::builder();
    let engine = match assets {
        Some(assets) => engine.state(assets),
        None => engine,
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let (ready, at) = oneshot::channel();
    let server = Server::new(engine, store);
    let tell = move |at: SocketAddr, _| _ = ready.send(at);
    tokio::spawn(async move {
        let until = async { _ = stopped.await };
        server.serve(([127, 0, 0, 1], 0).into(), tell, until).await.expect("served");
    });
    (format!("http://{}/api/v1", at.await.expect("an address")), stop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_made_assets_starts_one_run_for_each_of_them() {
    let site = Site::open(true).await;
    // Another server on the same store.
    let _other = serve(site.store.clone(), Some(site.assets.clone())).await;
    let file = |name: &str, asset: &str| {
        let yaml = format!(
            "name: {name}\nmetadata: {{ triggers: [{{ asset: {{ name: {asset} }} }}] }}\njobs:\n  \
             - name: a\n    workflow: assets\n    with: {{ steps: [{{ asset: raw, partition: eu, \
             force: true }}] }}\n"
        );
        json!({ "yaml": yaml })
    };
    site.post("workflows", file("looping", "raw")).await;
    let typo = site.post("workflows", file("typo", "row")).await;
    until("all are linked", || site.is_linked(4)).await;
    let path = format!("workflows/{}", typo["id"]);
    let is_blocked = async || {
        let (_, typo) = site.get(&path).await;
        typo["triggers_blocked"].as_str().is_some_and(|why| why.contains("knows no asset `row`"))
    };
    until("the unknown asset is named", is_blocked).await;

    // A check refuses one of three partitions of `orders`.
    site.make().await;
    // Those of `make`, and one of the partition that `looping` has made again.
    let are_there = async || site.started("publish").await.len() >= 3;
    until("three runs have started", are_there).await;
    until("all ends are handled", || site.is_linked(4)).await;
    let inputs = site.started("publish").await;
    let of: Vec<_> = inputs.iter().map(|one| (&one["asset"], &one["partitions"])).collect();
    let (orders, raw) = (json!(["eu", "us"]), json!(["asia", "eu", "us"]));
    let again = json!(["eu"]);
    let all = [(&json!("orders"), &orders), (&json!("raw"), &raw), (&json!("raw"), &again)];
    assert_eq!(of.len(), 3, "{inputs:?}");
    assert!(all.iter().all(|one| of.contains(one)), "{inputs:?}");
    let looped = site.started("looping").await;
    assert_eq!(looped.len(), 1, "{looped:?}");
    assert_eq!(looped[0]["partitions"], raw, "{looped:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn assets_are_listed_with_their_partitions_and_records() {
    let site = Site::open(true).await;
    let before = site.ok("assets", "Listed_Asset").await;
    let names: Vec<&str> = before["items"]
        .as_array()
        .expect("assets")
        .iter()
        .flat_map(|one| one["name"].as_str())
        .collect();
    assert_eq!(names, ["raw", "orders"]);
    assert_eq!(before["items"][0]["missing"], 3);
    site.make().await;

    let orders = site.ok("assets/orders", "Asset").await;
    assert_eq!((&orders["current"], &orders["missing"]), (&2.into(), &1.into()));
    assert_eq!((&orders["inputs"], &orders["readers"]), (&json!(["raw"]), &json!([])));
    assert_eq!(orders["checks"][0], json!({ "name": "is_small", "is_blocking": true }));
    assert_eq!(
        orders["reasons"],
        json!([{ "kind": "never_made", "text": "never materialized", "partitions": 1 }])
    );
    assert_eq!(orders["period"], Json::Null);
    assert_eq!(site.ok("assets/raw", "Asset").await["description"], "What a region sold.");

    let first = site.ok("assets/orders/partitions?limit=2", "Listed_AssetPartition").await;
    let keys = |page: &Json| -> Vec<String> {
        let items = page["items"].as_array().expect("items").iter();
        items.map(|item| item["partition"].as_str().expect("a key").to_owned()).collect()
    };
    assert_eq!(keys(&first), ["us", "eu"]);
    let made = &first["items"][0]["made"];
    assert_eq!((&made["rows"], &made["inputs"][0]["asset"]), (&1.into(), &"raw".into()));
    assert_eq!(made["checks"][1]["problem"], "odd");
    let next = first["next"].as_str().expect("a cursor");
    let rest =
        site.ok(&format!("assets/orders/partitions?cursor={next}"), "Listed_AssetPartition").await;
    assert_eq!((keys(&rest), &rest["next"]), (vec!["asia".to_owned()], &Json::Null));
    assert_eq!(rest["items"][0]["standing"], "missing");
    assert_eq!(rest["items"][0]["reasons"][0]["kind"], "never_made");
    assert_eq!(rest["items"][0]["refused"]["checks"][0]["problem"], "too large");
    assert_eq!(
        (&rest["items"][0]["made"], &first["items"][0]["refused"]),
        (&Json::Null, &Json::Null)
    );

    let path = "assets/orders/materializations?partition=asia";
    let refused = site.ok(path, "Listed_Materialization").await;
    assert_eq!(refused["items"][0]["is_refused"], true);
    assert_eq!(refused["items"][0]["checks"][0]["problem"], "too large");
    let page = site.ok("assets/orders/materializations?limit=2", "Listed_Materialization").await;
    let next = page["next"].as_str().expect("a cursor");
    let rest = format!("assets/orders/materializations?cursor={next}");
    assert_eq!(
        site.ok(&rest, "Listed_Materialization").await["items"].as_array().map(Vec::len),
        Some(1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_says_what_a_run_would_make_and_why() {
    let site = Site::open(true).await;
    let plan = async |query: &str| site.ok(&format!("asset-plan{query}"), "AssetPlan").await;
    let steps = |plan: &Json| -> Vec<String> {
        let step = |step: &Json| {
            let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
            let kind = text(&step["reasons"][0]["kind"]);
            let force = if step["force"] == true { " force" } else { "" };
            format!("{}[{}] {kind}{force}", text(&step["asset"]), text(&step["partition"]))
        };
        plan["steps"].as_array().expect("steps").iter().map(step).collect()
    };
    // All keys are the latest partitions.
    assert_eq!(plan("").await["steps"].as_array().map(Vec::len), Some(6));
    let eu = plan("?asset=orders&from=eu&to=eu").await;
    assert_eq!(steps(&eu), ["raw[eu] never_made", "orders[eu] never_made"]);
    assert_eq!(steps(&plan("?asset=raw&asset=orders&to=eu").await).len(), 2);

    // The steps are the input of a run.
    let mut input = eu["steps"].clone();
    for step in input.as_array_mut().expect("steps") {
        let reasons = step["reasons"].as_array().expect("reasons").iter();
        step["reasons"] = reasons.map(|reason| reason["text"].clone()).collect();
    }
    let run = format!("{}/workflows/assets/run?wait=60s", site.base);
    let body = json!({ "input": { "steps": input } });
    let run = reqwest::Client::new().post(run).json(&body).send().await.expect("sent");
    let run: Json = run.json().await.expect("JSON");
    assert_eq!(run["status"], "completed", "{run}");

    let rest = plan("?asset=orders&partitions=all").await;
    assert_eq!((steps(&rest).len(), &rest["current"]), (4, &2.into()));
    let forced = plan("?asset=orders&from=eu&to=eu&force=true").await;
    assert_eq!(
        (steps(&forced), &forced["current"]),
        (vec!["orders[eu] forced force".to_owned()], &1.into())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_requests_are_problems() {
    let site = Site::open(true).await;
    for (path, status, code) in [
        ("assets/order", 404, "no_asset"),
        ("assets/order/partitions", 404, "no_asset"),
        ("assets/orders/partitions?cursor=mars", 422, "invalid"),
        ("assets/orders/partitions?limit=0", 422, "invalid"),
        ("assets/orders/materializations?cursor=x", 422, "invalid"),
        ("assets/orders/materializations?partition=mars", 422, "invalid"),
        ("assets/orders/materializations?key=eu", 422, "invalid"),
        ("asset-plan?asset=order", 422, "invalid"),
        ("asset-plan?from=eu", 422, "invalid"),
        ("asset-plan?asset=raw&from=mars", 422, "invalid"),
        ("asset-plan?asset=raw&from=us&to=eu", 422, "invalid"),
        ("asset-plan?partitions=some", 422, "invalid"),
    ] {
        let (found, problem) = site.get(path).await;
        assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{path} {problem}");
    }
    // Whether there are assets is answered before whether there is one of this name.
    let site = Site::open(false).await;
    for path in ["assets", "assets/order", "assets/orders/partitions", "asset-plan"] {
        let (status, problem) = site.get(path).await;
        assert_eq!((status, &problem["code"]), (409, &"no_assets".into()), "{path} {problem}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_needs_the_permission_to_read() {
    let site = Site::with(true, Some("ada")).await;
    assert_eq!((site.get("assets").await.0, site.get("asset-plan").await.0), (401, 401));
    let name = "test".to_owned();
    let new =
        TokenRequest { user: "ada".to_owned(), name, scope: TokenScope::Read, expires_at: None };
    let (new, token) = new.issue().expect("a token");
    site.store.add_token(new).await.expect("kept");
    let (status, list) = site.get_as("assets", Some(&token)).await;
    assert_eq!((status, list["items"].as_array().map(Vec::len)), (200, Some(2)), "{list}");
    // A workflow of their own with the same name would be started in place of the one that makes
    // assets.
    let store = site.store.clone().seen_by(Viewer::User("ada".to_owned()));
    let workflow = NewWorkflow::new("assets");
    store.create_workflow(workflow).await.expect("a workflow of ada");
    let (status, problem) = site.get_as("assets", Some(&token)).await;
    assert_eq!((status, &problem["code"]), (409, &"other_workflow".into()), "{problem}");
}
