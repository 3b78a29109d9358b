//! Webhooks: signed requests of other systems that start runs.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use workflow_core::definition::{EventTrigger, SignatureScheme, WebhookTrigger};
use workflow_core::store::Trigger;
use workflow_store::{CatalogError, StoredWorkflow};

use super::WORKFLOW_PARAMETER;
use super::problems::Problems;
use crate::app::App;
use crate::http::extract::{Path, body, read};
use crate::launch::{LaunchRequest, Launchable, check_owner};
use crate::problem::Problem;
use crate::webhook::{Delivery, Secret};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(deliver))
}

/// The largest body, in bytes, if the limit of the server is not smaller.
const BODY_LIMIT: usize = 1024 * 1024;

/// The answer to a delivery. A repeated delivery has the same one.
#[derive(Debug, Serialize, ToSchema)]
struct Delivered {
    /// ID of the run that the delivery started.
    run_id: String,
}

/// Starts a run by a webhook.
///
/// The signature is the credential; no account is needed. Its form is that of the trigger in the
/// metadata of the workflow: `X-Hub-Signature-256` as GitHub sends it, or the headers of Standard
/// Webhooks. The body is JSON of at most 1 MiB, and the input of the run. A delivery that is sent
/// again starts no second run.
#[utoipa::path(post, path = "/workflows/{workflow}/webhooks/{trigger}", tag = "runs",
    params(("workflow" = String, Path, description = WORKFLOW_PARAMETER),
        ("trigger" = String, Path, description = "Name of the webhook")),
    request_body(content = Value, description = "Input of the run"),
    security(()),
    responses((status = 202, description = "Run persisted", body = Delivered), Problems))]
async fn deliver(
    State(app): State<Arc<App>>,
    Path((which, name)): Path<(String, String)>,
    mut request: Request,
) -> Result<(StatusCode, Json<Delivered>), Problem> {
    let headers = request.headers().clone();
    DefaultBodyLimit::max(BODY_LIMIT.min(app.options.body_limit)).apply(&mut request);
    let bytes = read(request, &app).await?;
    app.sync_registered().await?;
    let found = find(&app, &which, &name).await?;
    let delivery = Delivery { headers: &headers, body: &bytes, now: SystemTime::now() };
    let Some((workflow, webhook)) = found else {
        // Takes as long as for a webhook that exists.
        drop(std::hint::black_box(delivery.verify(SignatureScheme::Github, &Secret::decoy())));
        tracing::info!(
            workflow = which,
            webhook = name,
            "no workflow of this name has the webhook"
        );
        return Err(rejected());
    };
    let delivery = verify(&app, &workflow, &webhook, delivery)?;
    check_owner(&workflow)?;
    let input: Value = body(&bytes)?;
    let launchable = Launchable::new(&app, &workflow).await?;
    let request = LaunchRequest {
        user: workflow.user.clone(),
        trigger: Trigger::Event,
        idempotency_key: Some(format!("webhook:{}:{name}:{delivery}", workflow.id)),
        input: launchable.takes_input().then_some(input),
        ..LaunchRequest::default()
    };
    let launched = launchable.launch(request).await?;
    let run = launched.run;
    tracing::info!(%run, workflow = %workflow.name, webhook = name, existing = launched.existing, "webhook delivered");
    Ok((StatusCode::ACCEPTED, Json(Delivered { run_id: run.to_string() })))
}

/// Finds the webhook of a workflow. `None` also if the name stands for several workflows.
async fn find(
    app: &App,
    which: &str,
    name: &str,
) -> Result<Option<(StoredWorkflow, WebhookTrigger)>, Problem> {
    let workflow = match app.catalog.workflow(which).await {
        Ok(workflow) => workflow,
        Err(CatalogError::Store(error)) => return Err(error.into()),
        Err(_) => return Ok(None),
    };
    let webhook = workflow.metadata.triggers().iter().find_map(|trigger| match trigger {
        EventTrigger::Webhook(webhook) if webhook.name == name => Some(webhook.clone()),
        _ => None,
    });
    Ok(webhook.map(|webhook| (workflow, webhook)))
}

/// Returns the key of a delivery. Why it is rejected is only logged.
fn verify(
    app: &App,
    workflow: &StoredWorkflow,
    webhook: &WebhookTrigger,
    delivery: Delivery<'_>,
) -> Result<String, Problem> {
    let (scheme, name) = (webhook.signature, &webhook.name);
    let secret = app.options.webhook_secrets.find(&webhook.secret, scheme);
    let secret = secret.unwrap_or_else(|error| {
        let secret = &webhook.secret;
        tracing::warn!(workflow = %workflow.name, webhook = %name, secret, %error, "the webhook cannot be used");
        Secret::decoy()
    });
    delivery.verify(scheme, &secret).map_err(|reason| {
        tracing::info!(workflow = %workflow.name, webhook = %name, %reason, "webhook rejected");
        rejected()
    })
}

/// The one answer to all requests that are not signed as they should be.
fn rejected() -> Problem {
    let detail = "no webhook accepts this request: the path, a header, the time or the signature \
                  is wrong; the log of the server says which";
    Problem::new(StatusCode::UNAUTHORIZED, "webhook_rejected", detail)
}
