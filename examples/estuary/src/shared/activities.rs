//! The shared activities. When their run is cancelled, they may finish what they have begun.

use workflow_core::prelude::*;

use super::{Delivery, Email, Event, Metric, Outbox, Sms};
use crate::services::ServiceError;

/// Sends a mail, once for each job.
#[job(
    retry(maximum_attempts = 5, initial_interval = "1s", maximum_interval = "1m"),
    start_to_close = "30s",
    grace = "10s"
)]
pub fn send_email(ctx: &JobContext, email: &Email, outbox: State<Outbox>) -> Result<(), JobError> {
    log(ctx, "mail", &email.to, outbox.email(&ctx.idempotency_key(), email))
}

/// Sends a text message, once for each job.
#[job(
    retry(maximum_attempts = 5, initial_interval = "1s", maximum_interval = "1m"),
    start_to_close = "30s",
    grace = "10s"
)]
pub fn send_sms(ctx: &JobContext, sms: &Sms, outbox: State<Outbox>) -> Result<(), JobError> {
    let text = format!("To: {}\n\n{}\n", sms.to, sms.text);
    log(ctx, "text message", &sms.to, outbox.write("sms", &ctx.idempotency_key(), &text))
}

/// Records that something happened.
#[job(
    retry(maximum_attempts = 5, initial_interval = "200ms"),
    start_to_close = "10s",
    grace = "10s"
)]
pub fn log_event(ctx: &JobContext, event: &Event, outbox: State<Outbox>) -> Result<(), JobError> {
    let text = format!("{} {}\n", event.name, event.subject);
    log(ctx, "event", &event.name, outbox.write("events", &ctx.idempotency_key(), &text))
}

/// Adds to a count of the analytics.
#[job(
    retry(maximum_attempts = 5, initial_interval = "200ms"),
    start_to_close = "10s",
    grace = "10s"
)]
pub fn update_analytics(
    ctx: &JobContext,
    metric: &Metric,
    outbox: State<Outbox>,
) -> Result<(), JobError> {
    let text = format!("{} +{}\n", metric.name, metric.value);
    log(ctx, "metric", &metric.name, outbox.write("analytics", &ctx.idempotency_key(), &text))
}

/// Logs the delivery inside of the spans of run, job and attempt.
fn log(
    ctx: &JobContext,
    what: &str,
    to: &str,
    delivery: Result<Delivery, ServiceError>,
) -> Result<(), JobError> {
    let key = ctx.idempotency_key();
    match delivery.map_err(ServiceError::into_job)? {
        Delivery::Sent => tracing::info!(key, to, "{what} sent"),
        Delivery::Repeated => tracing::info!(key, to, "{what} had been sent before"),
    }
    Ok(())
}
