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

/// A mail server that takes mails, and returns what it was told about each.
#[cfg(feature = "smtp")]
fn mail_server() -> std::io::Result<(String, std::sync::mpsc::Receiver<String>)> {
    use std::io::{BufRead as _, BufReader, Write as _};

    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = format!("smtp://{}", listener.local_addr()?);
    let (send, mails) = std::sync::mpsc::channel();
    std::thread::spawn(move || -> std::io::Result<()> {
        for stream in listener.incoming() {
            let mut answers = stream?;
            let (mut told, mut in_mail) = (String::new(), false);
            answers.write_all(b"220 test\r\n")?;
            for line in BufReader::new(answers.try_clone()?).lines() {
                let line = line?;
                told.push_str(&line);
                told.push('\n');
                let answer = match (in_mail, &*line) {
                    (true, ".") => "250 taken\r\n",
                    (true, _) => continue,
                    (false, "DATA") => "354 go on\r\n",
                    (false, "QUIT") => "221 bye\r\n",
                    (false, _) => "250 ok\r\n",
                };
                in_mail = line == "DATA";
                if line == "." {
                    let _nobody_listens = send.send(std::mem::take(&mut told));
                }
                answers.write_all(answer.as_bytes())?;
            }
        }
        Ok(())
    });
    Ok((address, mails))
}

#[cfg(feature = "smtp")]
#[test]
fn a_mail_server_gets_each_mail_once() -> Result<(), Failed> {
    use crate::services::{Faults, Folder};
    use crate::shared::{Delivery, Outbox, Smtp};

    let (server, mails) = mail_server()?;
    let directory = tempfile::tempdir()?;
    let outbox =
        Outbox::new(Folder::new(directory.path()), Faults::default(), Some(Smtp::new(&server)?));
    let email = Email::new("ada@example.com", "Hello", "How are you?");
    assert_eq!(outbox.email("1-2/send_email", &email)?, Delivery::Sent);
    assert_eq!(outbox.email("1-2/send_email", &email)?, Delivery::Repeated);
    let told = mails.recv_timeout(std::time::Duration::from_secs(30))?;
    for part in [
        "RCPT TO:<ada@example.com>",
        "Subject: Hello",
        "Message-ID: <1-2.send_email@estuary>",
        "How are you?",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(mails.try_recv().is_err());
    assert!(Smtp::new("nowhere").is_err());
    Ok(())
}

#[cfg(not(feature = "smtp"))]
#[test]
fn a_mail_server_needs_the_feature() {
    let error = super::Smtp::new("smtp://localhost").err().unwrap_or_default();
    assert!(error.contains("--features smtp"), "{error}");
}
