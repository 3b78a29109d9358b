//! Tests of the shared activities.

use workflow_core::prelude::*;
use workflow_core::workflow::FunctionWorkflow;

use super::{ACTIVITIES, Email, send_email};
use crate::services::Fault;
use crate::testing::{Bench, Failed, assert_listed};

fn mail(flow: &mut Flow, email: Handle<Email>) {
    flow.job(send_email(email));
}

#[test]
fn the_list_is_complete() {
    assert_listed(None, &[], &ACTIVITIES);
}

#[test]
fn an_attempt_whose_answer_was_lost_sends_no_second_mail() -> Result<(), Failed> {
    let bench = Bench::new();
    bench.faults.set("outbox.email.answer", Fault::Unavailable, 1);
    let workflow = FunctionWorkflow::with_input("shared/mail", mail)?;
    let input = Email::new("ada@example.com", "Hello", "Grüße");
    let report = bench.run(workflow, input)?;
    assert_eq!(report.job("send_email").map(|job| job.attempts), Some(2));
    let mails = bench.outbox.messages("email")?;
    assert_eq!(mails, ["To: ada@example.com\nSubject: Hello\n\nGrüße\n"]);
    Ok(())
}

#[test]
fn a_mail_that_is_never_accepted_fails_its_run() -> Result<(), Failed> {
    let bench = Bench::new();
    bench.faults.set("outbox.email", Fault::Unavailable, u32::MAX);
    let workflow = FunctionWorkflow::with_input("shared/refused_mail", mail)?;
    let error = bench.run(workflow, Email::new("ada@example.com", "", "")).err().ok_or("sent")?;
    assert!(error.to_string().contains("outbox.email: the service is unavailable"), "{error}");
    assert_eq!(bench.outbox.messages("email")?.len(), 0);
    Ok(())
}
