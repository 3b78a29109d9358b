//! Money: payments, payouts to practitioners, refunds.

mod activities;
#[cfg(test)]
mod tests;
mod workflows;

pub use workflows::{Approval, PaymentInput, PayoutInput, PayoutReport, RefundInput};

/// The workflows of this domain.
pub const WORKFLOWS: [&str; 3] = ["PaymentProcessingWorkflow", "PayoutWorkflow", "RefundWorkflow"];

/// The activities of this domain.
pub const ACTIVITIES: [&str; 10] = [
    "authorise_payment",
    "capture_payment",
    "collect_payouts",
    "payment_event",
    "payment_receipt",
    "record_payment",
    "refund_payment",
    "return_payment",
    "transfer_payout",
    "void_payment",
];
