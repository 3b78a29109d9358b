//! Tests of the booking domain, with virtual time.

use futures::executor::block_on;
use workflow_core::event::EventKind;

use super::{ACTIVITIES, BookingInput, BookingOutcome, Cancellation, Reminder, WORKFLOWS};
use crate::services::{Booking, BookingStatus, Fault, PaymentStatus};
use crate::testing::{Bench, Failed, assert_listed};

const INPUT: BookingInput = BookingInput { booking_id: 123 };

#[test]
fn the_lists_are_complete() {
    assert_listed(Some("booking"), &WORKFLOWS, &ACTIVITIES);
}

#[test]
fn a_new_booking_is_announced() -> Result<(), Failed> {
    let bench = Bench::new();
    let report = bench.run("BookingCreatedWorkflow", INPUT)?;
    // The session is in three days.
    let reminders = ["1970-01-03T00:00:00Z", "1970-01-03T23:00:00Z"];
    assert_eq!(report.output::<Vec<String>>()?, reminders);
    assert_eq!(bench.subjects(), ["Booking 123 is confirmed", "New booking 123"]);
    assert_eq!(bench.outbox.messages("sms")?.len(), 1);
    assert_eq!(bench.events(), ["booking.created 123"]);
    assert_eq!(bench.outbox.messages("analytics")?, ["bookings.created +1\n"]);
    assert_eq!(bench.bookings.find(123)?.status, BookingStatus::Confirmed);
    Ok(())
}

#[test]
fn a_booking_service_that_is_down_is_asked_again() -> Result<(), Failed> {
    let bench = Bench::new();
    bench.faults.set("booking.find", Fault::Unavailable, 3);
    let report = bench.run("BookingCreatedWorkflow", INPUT)?;
    assert_eq!(report.job("find_booking").map(|job| job.attempts), Some(4));
    let unknown = bench.run("BookingCreatedWorkflow", BookingInput { booking_id: 0 });
    let error = unknown.err().ok_or("it is unknown")?;
    assert!(error.to_string().contains("there is no booking 0"), "{error}");
    Ok(())
}

#[test]
fn reminders_wait_until_24_hours_and_1_hour_before() -> Result<(), Failed> {
    let bench = Bench::new();
    let report = bench.run("BookingReminderWorkflow", INPUT)?;
    assert_eq!(report.output::<Vec<Reminder>>()?, [Reminder::DayBefore, Reminder::HourBefore]);
    assert_eq!(bench.hours(), 71);
    assert_eq!(bench.subjects(), ["Reminder of booking 123"]);
    assert!(bench.outbox.messages("sms")?[0].contains("starts in an hour"));
    Ok(())
}

#[test]
fn reminders_follow_a_booking_that_moves() -> Result<(), Failed> {
    let bench = Bench::new();
    let run = bench.start("BookingReminderWorkflow", INPUT)?;
    bench.until(&run, |event| matches!(event, EventKind::SleepStarted { .. }));
    let booking = bench.bookings.find(123)?;
    let later = booking.starts_at + jiff::SignedDuration::from_hours(24);
    bench.bookings.save(&Booking { starts_at: later, ..booking })?;
    let report = bench.finish(&run)?;
    assert_eq!(report.output::<Vec<Reminder>>()?.len(), 2);
    assert_eq!(bench.hours(), 95);
    Ok(())
}

#[test]
fn a_session_of_tonight_has_one_reminder_and_a_cancelled_one_has_none() -> Result<(), Failed> {
    let bench = Bench::new();
    let booking = bench.bookings.find(123)?;
    let soon = bench.bookings.now() + jiff::SignedDuration::from_hours(5);
    let booking = Booking { starts_at: soon, ..booking };
    bench.bookings.save(&booking)?;
    let report = bench.run("BookingReminderWorkflow", INPUT)?;
    assert_eq!(report.output::<Vec<Reminder>>()?, [Reminder::HourBefore]);
    bench.bookings.save(&Booking { status: BookingStatus::Cancelled, ..booking })?;
    let report = bench.run("BookingReminderWorkflow", INPUT)?;
    assert_eq!(report.output::<Vec<Reminder>>()?, []);
    Ok(())
}

#[test]
fn a_booking_lives_until_its_session() -> Result<(), Failed> {
    let bench = Bench::new();
    let outcome: BookingOutcome = bench.run("BookingWorkflow", INPUT)?.output()?;
    assert_eq!((outcome.status, outcome.refund), (BookingStatus::Completed, None));
    assert_eq!(bench.hours(), 72);
    let subjects = [
        "Booking 123 is confirmed",
        "New booking 123",
        "Receipt for payment 123",
        "Reminder of booking 123",
    ];
    assert_eq!(bench.subjects(), subjects);
    assert_eq!(bench.payments.find(123)?.status, PaymentStatus::Captured);
    Ok(())
}

#[test]
fn a_booking_that_the_client_cancels_is_paid_back() -> Result<(), Failed> {
    let bench = Bench::new();
    let run = bench.start("BookingWorkflow", INPUT)?;
    bench.until(&run, |event| matches!(event, EventKind::SignalAwaited { .. }));
    assert_eq!(bench.payments.find(123)?.status, PaymentStatus::Captured);
    let reason = "I am ill".to_owned();
    block_on(run.signal("cancel", Cancellation { reason: reason.clone() }))?;
    let outcome: BookingOutcome = bench.finish(&run)?.output()?;
    assert_eq!(outcome.status, BookingStatus::Cancelled);
    let refund = outcome.refund.ok_or("no refund")?;
    assert_eq!((refund.payment_id, refund.reason), (123, reason));
    assert_eq!(bench.bookings.find(123)?.status, BookingStatus::Cancelled);
    assert_eq!(bench.payments.find(123)?.status, PaymentStatus::Refunded);
    assert!(bench.subjects().contains(&"Booking 123 is cancelled".to_owned()));
    Ok(())
}

#[test]
fn a_booking_that_is_not_paid_is_cancelled() -> Result<(), Failed> {
    let bench = Bench::new();
    bench.faults.set("payment.authorise", Fault::CardDeclined, 1);
    let outcome: BookingOutcome = bench.run("BookingWorkflow", INPUT)?.output()?;
    assert_eq!((outcome.status, outcome.refund), (BookingStatus::Cancelled, None));
    assert_eq!(bench.hours(), 0);
    assert!(bench.subjects().contains(&"Booking 123 is not paid".to_owned()));
    assert_eq!(bench.events(), ["booking.created 123", "booking.unpaid 123"]);
    Ok(())
}
