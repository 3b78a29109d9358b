//! Workflows of the payment domain.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::prelude::*;

use super::activities::{
    amount, authorise_payment, capture_payment, collect_payouts, payment_event, payment_receipt,
    record_payment, refund_payment, return_payment, transfer_payout, void_payment,
};
use crate::services::{Payment, Refund};
use crate::shared::{Email, Event, Metric, log_event, send_email, update_analytics};

/// The input of the payment processing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PaymentInput {
    /// The payment
    pub payment_id: u64,
}

/// Takes a payment: reserves the amount, takes it, and records it in the books. If a step fails for
/// good, what was taken is paid back, and what was reserved is given up.
#[register_workflow(
    name = "PaymentProcessingWorkflow",
    domain = "payment",
    description = "Payment capture and processing"
)]
fn payment_processing(flow: &mut Flow, input: Handle<PaymentInput>) -> Handle<Payment> {
    let authorised = flow.job(authorise_payment(input).compensate(void_payment));
    let captured = flow.job(capture_payment(authorised).compensate(return_payment));
    let recorded = flow.job(record_payment(captured));
    let (receipt, event) = (flow.job(payment_receipt(recorded)), flow.job(payment_event(recorded)));
    // A mail server that is down is no reason to pay the amount back.
    let patient = || RetryPolicy::attempts(0).maximum_interval(std::time::Duration::from_secs(600));
    flow.job(send_email(receipt).retry(patient()));
    flow.job(log_event(event).retry(patient()));
    recorded
}

/// The input of a payout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PayoutInput {
    /// The amount above which somebody has to approve the payout, in cents
    pub approval_above_cents: u64,
    /// How many practitioners are paid at once
    pub batch_size: usize,
}

impl Default for PayoutInput {
    fn default() -> Self {
        Self { approval_above_cents: 100_000, batch_size: 10 }
    }
}

/// The decision about a payout: the payload of the signal `approval`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Whether it may be paid.
    pub approved: bool,
    /// Who decided.
    pub by: String,
}

/// What was paid out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutReport {
    /// The number of transfers.
    pub transfers: usize,
    /// Their sum.
    pub cents: u64,
    /// Who approved or rejected it, if that was needed.
    pub decided_by: Option<String>,
}

/// The most payouts of one run.
const MAX_PAYOUTS: usize = 1_000;

/// Pays practitioners in batches. Above a limit it waits for the signal `approval`.
#[register_workflow(
    name = "PayoutWorkflow",
    domain = "payment",
    description = "Practitioner payouts"
)]
async fn payout(
    ctx: WorkflowContext,
    input: Option<PayoutInput>,
) -> Result<PayoutReport, JobError> {
    let input = input.unwrap_or_default();
    let due = ctx.run(collect_payouts, MAX_PAYOUTS).await?;
    let total: u64 = due.iter().map(|payout| payout.cents).sum();
    let mut decided_by = None;
    if total > input.approval_above_cents {
        ctx.annotate("approval", format!("waits for somebody to approve {}", amount(total)));
        let decision: Approval = ctx.wait_signal("approval").await?;
        decided_by = Some(decision.by);
        if !decision.approved {
            ctx.run(log_event, Event::new("payout.rejected", amount(total))).await?;
            return Ok(PayoutReport { transfers: 0, cents: 0, decided_by });
        }
    }
    for batch in due.chunks(input.batch_size.max(1)) {
        let transfers = |batch| map(batch, transfer_payout).name("transfers");
        ctx.run(transfers, batch.to_vec()).await?;
        for payout in batch {
            let text = format!("We have transferred {}.", amount(payout.cents));
            let mail = Email::new(&payout.practitioner, format!("Payout {}", payout.id), text);
            ctx.run(send_email, mail).await?;
        }
    }
    ctx.run(update_analytics, Metric::new("payouts.cents", total)).await?;
    Ok(PayoutReport { transfers: due.len(), cents: total, decided_by })
}

/// The input of a refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefundInput {
    /// The payment
    pub payment_id: u64,
    /// The reason for the refund
    #[serde(default)]
    pub reason: Option<String>,
}

/// Pays a payment back. A payment has one refund, however often this runs.
#[register_workflow(name = "RefundWorkflow", domain = "payment", description = "Refund processing")]
async fn refund(ctx: WorkflowContext, input: RefundInput) -> Result<Refund, JobError> {
    let refund = ctx.run(refund_payment, input).await?;
    let text = format!("We have paid back {}.", amount(refund.cents));
    let mail = Email::new(&refund.payer, format!("Refund of payment {}", refund.payment_id), text);
    ctx.run(send_email, mail).await?;
    ctx.run(log_event, Event::new("payment.refunded", refund.payment_id)).await?;
    Ok(refund)
}
