//! Workflows of the booking domain.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::job::JobErrorKind;
use workflow_core::prelude::*;

use super::activities::{
    Cancellation, Reminder, ReminderCheck, booking_confirmation, booking_notice, booking_text,
    check_reminder, created_event, find_booking, schedule_reminders, set_booking_status,
    time_to_session,
};
use crate::payment::{PaymentInput, RefundInput};
use crate::services::{Booking, BookingStatus, Payment, Refund};
use crate::shared::{Email, Event, Metric, Sms, log_event, send_email, send_sms, update_analytics};

/// The input of the workflows of this domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BookingInput {
    /// The booking
    pub booking_id: u64,
}

/// How a booking ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookingOutcome {
    /// The booking.
    pub booking_id: u64,
    /// Its status.
    pub status: BookingStatus,
    /// The refund, if the client cancelled.
    pub refund: Option<Refund>,
}

/// Runs the whole life of a booking: announces it, takes the payment, reminds the client, and ends with
/// the session, with the signal `cancel`, or with a card that does not pay.
#[register_workflow(
    name = "BookingWorkflow",
    domain = "booking",
    description = "Main booking orchestration"
)]
async fn booking(ctx: WorkflowContext, input: BookingInput) -> Result<BookingOutcome, JobError> {
    let booking_id = input.booking_id;
    let booking = ctx.run(find_booking, input.clone()).await?;
    let created = |input| registry::call::<_, Vec<String>>("BookingCreatedWorkflow", input);
    ctx.run(created, input.clone()).await?;
    let pay = |input| registry::call::<_, Payment>("PaymentProcessingWorkflow", input);
    match ctx.run(pay, PaymentInput { payment_id: booking.payment_id }).await {
        Ok(_) => {}
        Err(error) if error.kind() == JobErrorKind::Cancelled => return Err(error),
        Err(_) => {
            let booking =
                ctx.run(set_booking_status, (booking_id, BookingStatus::Cancelled)).await?;
            return unpaid(&ctx, booking).await;
        }
    }
    let reminders = |input| registry::call::<_, Vec<Reminder>>("BookingReminderWorkflow", input);
    // The reminders do not decide how the booking ends, only whether the client cancels. Dropping them
    // cancels their run.
    let watch = pin!(cancellation(&ctx, booking_id));
    let reminders = pin!(ctx.run(reminders, input));
    let cancelled = match select(watch, reminders).await {
        Either::Left((cancelled, _)) => cancelled?,
        Either::Right((reminded, watch)) => {
            if let Err(error) = reminded {
                tracing::warn!(booking_id, error = error.chain(), "the client was not reminded");
            }
            watch.await?
        }
    };
    let Some(cancellation) = cancelled else {
        let booking = ctx.run(set_booking_status, (booking_id, BookingStatus::Completed)).await?;
        ctx.run(update_analytics, Metric::new("bookings.completed", 1)).await?;
        return Ok(BookingOutcome { booking_id, status: booking.status, refund: None });
    };
    let booking = ctx.run(set_booking_status, (booking_id, BookingStatus::Cancelled)).await?;
    let refund = |input| registry::call::<_, Refund>("RefundWorkflow", input);
    let reason = Some(cancellation.reason).filter(|reason| !reason.is_empty());
    let refund = ctx.run(refund, RefundInput { payment_id: booking.payment_id, reason }).await?;
    let notice = format!("{} cancelled booking {booking_id}.", booking.client);
    let notice =
        Email::new(&booking.practitioner, format!("Booking {booking_id} is cancelled"), notice);
    ctx.run(send_email, notice).await?;
    ctx.run(log_event, Event::new("booking.cancelled", booking_id)).await?;
    Ok(BookingOutcome { booking_id, status: booking.status, refund: Some(refund) })
}

/// Waits for the signal `cancel` until the session starts. The waits are those of the workflow, so
/// that a booking that is weeks ahead occupies no activity, and can leave the memory of the worker.
async fn cancellation(
    ctx: &WorkflowContext,
    booking_id: u64,
) -> Result<Option<Cancellation>, JobError> {
    let left = Duration::from_millis(ctx.run(time_to_session, booking_id).await?);
    let signal = pin!(ctx.wait_signal::<Option<Cancellation>>("cancel"));
    match select(signal, pin!(ctx.sleep(left))).await {
        Either::Left((signal, _)) => {
            Ok(Some(signal?.unwrap_or(Cancellation { reason: String::new() })))
        }
        Either::Right(_) => Ok(None),
    }
}

/// Tells the client about a booking that is cancelled because the payment failed.
async fn unpaid(ctx: &WorkflowContext, booking: Booking) -> Result<BookingOutcome, JobError> {
    let text = "The payment failed, so the booking is cancelled. Please book again.";
    let mail = Email::new(&booking.email, format!("Booking {} is not paid", booking.id), text);
    ctx.run(send_email, mail).await?;
    ctx.run(log_event, Event::new("booking.unpaid", booking.id)).await?;
    Ok(BookingOutcome { booking_id: booking.id, status: booking.status, refund: None })
}

/// Tells both sides about a new booking, and enters the reminders in the calendar. Returns the times of
/// the reminders.
#[register_workflow(
    name = "BookingCreatedWorkflow",
    domain = "booking",
    description = "Post-creation tasks"
)]
fn booking_created(flow: &mut Flow, input: Handle<BookingInput>) -> Handle<Vec<String>> {
    let booking = flow.job(find_booking(input));
    let (mail, notice) =
        (flow.job(booking_confirmation(booking)), flow.job(booking_notice(booking)));
    let text = flow.job(booking_text(booking));
    let told = [
        flow.job(send_email(mail).name("mail_the_client")),
        flow.job(send_email(notice).name("mail_the_practitioner")),
        flow.job(send_sms(text)),
    ];
    let reminders = flow.job(schedule_reminders(booking).after_all(told));
    let event = flow.job(created_event(booking));
    flow.job(log_event(event).after(reminders));
    let metric = flow.value(Metric::new("bookings.created", 1));
    flow.job(update_analytics(metric).after(reminders));
    reminders
}

/// Sends the reminders of a booking: 24 hours before the session by mail, 1 hour before it by text
/// message. Waits durably in between, and follows a booking that moves.
#[register_workflow(
    name = "BookingReminderWorkflow",
    domain = "booking",
    description = "Reminder notifications"
)]
async fn booking_reminder(
    ctx: WorkflowContext,
    input: BookingInput,
) -> Result<Vec<Reminder>, JobError> {
    let mut sent = Vec::new();
    for reminder in Reminder::ALL {
        let booking = loop {
            match ctx.run(check_reminder, (input.booking_id, reminder)).await? {
                ReminderCheck::Wait(millis) => ctx.sleep(Duration::from_millis(millis)).await,
                ReminderCheck::Send(booking) => break Some(booking),
                ReminderCheck::Skip(reason) => {
                    ctx.annotate(format!("{reminder:?}"), reason);
                    break None;
                }
            }
        };
        let Some(booking) = booking else { continue };
        match reminder {
            Reminder::DayBefore => ctx.run(send_email, day_before(&booking)).await?,
            Reminder::HourBefore => ctx.run(send_sms, hour_before(&booking)).await?,
        }
        sent.push(reminder);
    }
    Ok(sent)
}

fn day_before(booking: &Booking) -> Email {
    let text = format!("Dear {},\n\nyour session is tomorrow.", booking.client);
    Email::new(&booking.email, format!("Reminder of booking {}", booking.id), text)
}

fn hour_before(booking: &Booking) -> Sms {
    let text = format!("Your session {} starts in an hour.", booking.id);
    Sms { to: booking.phone.clone(), text }
}
