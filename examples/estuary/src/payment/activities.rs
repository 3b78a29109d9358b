//! Activities of the payment domain. The payment service knows each payment and each payout by its ID,
//! so calling it again changes nothing.

use workflow_core::prelude::*;

use super::workflows::{PaymentInput, RefundInput};
use crate::services::{Payment, Payments, Payout, Refund, ServiceError, Transfer};
use crate::shared::{Email, Event};

/// Reserves the amount of a payment.
#[job(
    domain = "payment",
    retry(
        maximum_attempts = 5,
        initial_interval = "1s",
        maximum_interval = "30s",
        non_retryable_errors = ["CardDeclined"],
    ),
    start_to_close = "20s"
)]
pub(super) fn authorise_payment(
    input: &PaymentInput,
    payments: State<Payments>,
) -> Result<Payment, JobError> {
    payments.authorise(input.payment_id).map_err(ServiceError::into_job)
}

/// Gives up the reservation of a payment.
#[job(
    domain = "payment",
    retry(maximum_attempts = 10, initial_interval = "1s"),
    start_to_close = "20s"
)]
pub(super) fn void_payment(payment: &Payment, payments: State<Payments>) -> Result<(), JobError> {
    let payment = payments.void(payment.id).map_err(ServiceError::into_job)?;
    tracing::info!(payment_id = payment.id, status = %payment.status, "nothing is reserved any more");
    Ok(())
}

/// Takes the reserved amount.
#[job(
    domain = "payment",
    retry(
        maximum_attempts = 5,
        initial_interval = "1s",
        maximum_interval = "30s",
        non_retryable_errors = ["CardDeclined"],
    ),
    start_to_close = "20s"
)]
pub(super) fn capture_payment(
    payment: &Payment,
    payments: State<Payments>,
) -> Result<Payment, JobError> {
    payments.capture(payment.id).map_err(ServiceError::into_job)
}

/// Pays a captured amount back, because a later step failed.
#[job(
    domain = "payment",
    retry(maximum_attempts = 10, initial_interval = "1s"),
    start_to_close = "20s"
)]
pub(super) fn return_payment(payment: &Payment, payments: State<Payments>) -> Result<(), JobError> {
    payments
        .refund(payment.id, "the payment could not be completed")
        .map_err(ServiceError::into_job)?;
    tracing::info!(payment_id = payment.id, "the amount is paid back");
    Ok(())
}

/// Records a payment in the books.
#[job(
    domain = "payment",
    retry(maximum_attempts = 4, initial_interval = "1s"),
    start_to_close = "20s"
)]
pub(super) fn record_payment(
    payment: &Payment,
    payments: State<Payments>,
) -> Result<Payment, JobError> {
    payments.record(payment).map_err(ServiceError::into_job)?;
    Ok(payment.clone())
}

/// Writes the receipt.
#[job(domain = "payment", inline)]
pub(super) fn payment_receipt(payment: &Payment) -> Email {
    let text = format!("Thank you. We received {}.", amount(payment.cents));
    Email::new(&payment.payer, format!("Receipt for payment {}", payment.id), text)
}

/// Describes a payment for the log of events.
#[job(domain = "payment", inline)]
pub(super) fn payment_event(payment: &Payment) -> Event {
    Event::new(&format!("payment.{}", payment.status), payment.id)
}

/// Pays a payment back, once.
#[job(
    domain = "payment",
    retry(maximum_attempts = 10, initial_interval = "1s", maximum_interval = "1m"),
    start_to_close = "20s"
)]
pub(super) fn refund_payment(
    input: &RefundInput,
    payments: State<Payments>,
) -> Result<Refund, JobError> {
    let reason = input.reason.as_deref().unwrap_or("requested by the client");
    payments.refund(input.payment_id, reason).map_err(ServiceError::into_job)
}

/// Lists what practitioners are owed.
#[job(
    domain = "payment",
    retry(maximum_attempts = 5, initial_interval = "1s"),
    start_to_close = "20s"
)]
pub(super) fn collect_payouts(
    payments: State<Payments>,
    limit: usize,
) -> Result<Vec<Payout>, JobError> {
    let mut due = payments.due().map_err(ServiceError::into_job)?;
    due.truncate(limit);
    Ok(due)
}

/// Transfers a payout to a practitioner.
#[job(
    domain = "payment",
    retry(maximum_attempts = 8, initial_interval = "1s", maximum_interval = "1m"),
    start_to_close = "20s"
)]
pub(super) fn transfer_payout(
    payout: &Payout,
    payments: State<Payments>,
) -> Result<Transfer, JobError> {
    let transfer = payments.transfer(payout).map_err(ServiceError::into_job)?;
    tracing::info!(payout_id = payout.id, cents = payout.cents, "transferred");
    Ok(transfer)
}

/// An amount for people.
pub(super) fn amount(cents: u64) -> String {
    format!("{}.{:02} EUR", cents / 100, cents % 100)
}
