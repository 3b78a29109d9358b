//! Tests of the payment domain.

use futures::executor::block_on;

use super::{
    ACTIVITIES, Approval, PaymentInput, PayoutInput, PayoutReport, RefundInput, WORKFLOWS,
};
use crate::services::{Fault, Payment, PaymentStatus, Refund};
use crate::testing::{Bench, Failed, assert_listed};

const INPUT: PaymentInput = PaymentInput { payment_id: 456 };

#[test]
fn the_lists_are_complete() {
    assert_listed(Some("payment"), &WORKFLOWS, &ACTIVITIES);
}

#[test]
fn a_payment_is_authorised_captured_and_recorded() -> Result<(), Failed> {
    let bench = Bench::new();
    bench.faults.set("payment.authorise", Fault::Unavailable, 2);
    bench.faults.set("payment.capture", Fault::Unavailable, 4);
    let report = bench.run("PaymentProcessingWorkflow", INPUT)?;
    let payment: Payment = report.output()?;
    assert_eq!((payment.status, payment.cents), (PaymentStatus::Captured, 5_456));
    let attempts = |job: &str| report.job(job).map(|job| job.attempts);
    assert_eq!((attempts("authorise_payment"), attempts("capture_payment")), (Some(3), Some(5)));
    assert_eq!(bench.subjects(), ["Receipt for payment 456"]);
    assert_eq!(bench.events(), ["payment.captured 456"]);
    Ok(())
}

#[test]
fn a_declined_card_is_not_tried_again() -> Result<(), Failed> {
    let bench = Bench::new();
    bench.faults.set("payment.authorise", Fault::CardDeclined, u32::MAX);
    let error = bench.run("PaymentProcessingWorkflow", INPUT).err().ok_or("it was paid")?;
    let report = error.report().ok_or("it never began")?;
    assert_eq!(report.job("authorise_payment").map(|job| job.attempts), Some(1));
    assert_eq!(bench.payments.find(456)?.status, PaymentStatus::New);
    Ok(())
}

#[test]
fn a_payment_that_cannot_be_recorded_is_paid_back() -> Result<(), Failed> {
    let bench = Bench::new();
    bench.faults.set("payment.record", Fault::Unavailable, u32::MAX);
    // Paying back is tried until it works.
    bench.faults.set("payment.refund", Fault::Unavailable, 3);
    let error = bench.run("PaymentProcessingWorkflow", INPUT).err().ok_or("it was paid")?;
    assert!(error.to_string().contains("payment.record"), "{error}");
    assert_eq!(bench.payments.find(456)?.status, PaymentStatus::Refunded);
    assert_eq!(bench.payments.refunds()?.len(), 1);
    assert_eq!(bench.subjects(), [""; 0]);
    Ok(())
}

#[test]
fn a_payment_that_cannot_be_captured_is_not_reserved_any_more() -> Result<(), Failed> {
    let bench = Bench::new();
    bench.faults.set("payment.capture", Fault::CardDeclined, 1);
    assert!(bench.run("PaymentProcessingWorkflow", INPUT).is_err());
    assert_eq!(bench.payments.find(456)?.status, PaymentStatus::Voided);
    assert_eq!(bench.payments.refunds()?.len(), 0);
    Ok(())
}

#[test]
fn a_receipt_that_cannot_be_sent_waits_for_the_mail_server() -> Result<(), Failed> {
    let bench = Bench::new();
    bench.faults.set("outbox.email", Fault::Unavailable, 20);
    let report = bench.run("PaymentProcessingWorkflow", INPUT)?;
    assert_eq!(report.job("send_email").map(|job| job.attempts), Some(21));
    assert_eq!(bench.payments.find(456)?.status, PaymentStatus::Captured);
    assert_eq!(bench.subjects().len(), 1);
    Ok(())
}

#[test]
fn two_refunds_of_a_payment_are_one() -> Result<(), Failed> {
    let bench = Bench::new();
    bench.run("PaymentProcessingWorkflow", INPUT)?;
    bench.faults.set("payment.refund", Fault::Unavailable, 1);
    let input = RefundInput { payment_id: 456, reason: Some("twice".to_owned()) };
    let first: Refund = bench.run("RefundWorkflow", input.clone())?.output()?;
    let other = RefundInput { reason: None, ..input };
    let second: Refund = bench.run("RefundWorkflow", other)?.output()?;
    assert_eq!(first, second);
    assert_eq!(bench.payments.refunds()?, [first]);
    Ok(())
}

#[test]
fn what_was_never_paid_is_not_refunded() -> Result<(), Failed> {
    let bench = Bench::new();
    let input = RefundInput { payment_id: 9, reason: None };
    let error = bench.run("RefundWorkflow", input).err().ok_or("it was refunded")?;
    assert!(error.to_string().contains("payment 9 is new"), "{error}");
    assert_eq!(bench.payments.refunds()?.len(), 0);
    Ok(())
}

#[test]
fn a_small_payout_needs_no_approval_and_is_paid_once() -> Result<(), Failed> {
    let bench = Bench::new();
    bench.faults.set("payment.transfer", Fault::Unavailable, 2);
    let input = PayoutInput { batch_size: 2, ..PayoutInput::default() };
    let report: PayoutReport = bench.run("PayoutWorkflow", &input)?.output()?;
    assert_eq!(report, PayoutReport { transfers: 3, cents: 29_550, decided_by: None });
    assert_eq!(bench.subjects(), ["Payout 1", "Payout 2", "Payout 3"]);
    let again: PayoutReport = bench.run("PayoutWorkflow", &input)?.output()?;
    assert_eq!(again.transfers, 0);
    Ok(())
}

#[test]
fn a_large_payout_waits_for_an_approval() -> Result<(), Failed> {
    let bench = Bench::new();
    let input = PayoutInput { approval_above_cents: 10_000, ..PayoutInput::default() };
    let rejected = bench.start("PayoutWorkflow", &input)?;
    block_on(rejected.signal("approval", Approval { approved: false, by: "Ada".to_owned() }))?;
    let report: PayoutReport = bench.finish(&rejected)?.output()?;
    assert_eq!((report.transfers, report.decided_by.as_deref()), (0, Some("Ada")));
    assert_eq!(bench.payments.due()?.len(), 3);
    let approved = bench.start("PayoutWorkflow", &input)?;
    block_on(approved.signal("approval", Approval { approved: true, by: "Bob".to_owned() }))?;
    let report: PayoutReport = bench.finish(&approved)?.output()?;
    assert_eq!((report.transfers, report.decided_by.as_deref()), (3, Some("Bob")));
    assert_eq!(bench.payments.due()?.len(), 0);
    Ok(())
}
