//! Workers that are killed.

use std::time::Instant;

use crate::support::{Backend, Program, until};

/// A worker dies after it has sent a mail and before it says so. The next one sends no second mail.
fn a_killed_worker_sends_one_mail(backend: Backend) {
    let program = Program::new("killed", backend);
    let trigger = |args: &[&str]| program.succeed(&[&["trigger_workflow"], args].concat());
    let payment = trigger(&["PaymentProcessingWorkflow", "--payment-id", "456"]);
    let first = program.worker(&[], "outbox.email.answer=hangs");
    until("the receipt is sent", || program.subjects() == ["Receipt for payment 456"]);
    let booking = trigger(&["BookingWorkflow", "--booking-id", "123"]);
    until("both sides know of the booking", || program.subjects().len() == 3);
    first.kill();
    let killed = Instant::now();
    let second = program.worker(&[], "");
    let again = "mail had been sent before";
    until("a mail is sent again", || second.log().contains(again));
    assert!(killed.elapsed() < backend.takeover(), "{:?}", killed.elapsed());
    program.until_completed(&payment);
    program.succeed(&["runs", "signal", &booking, "cancel"]);
    program.until_completed(&booking);
    let subjects = [
        "Booking 123 is cancelled",
        "Booking 123 is confirmed",
        "New booking 123",
        "Receipt for payment 123",
        "Receipt for payment 456",
        "Refund of payment 123",
    ];
    assert_eq!(program.subjects(), subjects);
    // The log has the spans of run, job and attempt.
    let log = second.log();
    let repeated: Vec<_> = log.lines().filter(|line| line.contains(again)).collect();
    assert_eq!(repeated.len(), 3, "{log}");
    let receipt = repeated.iter().find(|line| line.contains(&payment)).expect("it is logged");
    for part in ["workflow=PaymentProcessingWorkflow", "job=send_email", "attempt=1"] {
        assert!(receipt.contains(part), "{part}: {receipt}");
    }
}

on_every_backend!(a_killed_worker_sends_one_mail);
