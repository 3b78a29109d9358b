//! What tests of all domains need: an engine with virtual time, and services in a new directory.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::executor::block_on;
use futures::future::ready;
use serde::Serialize;
use workflow_core::engine::{Clock as _, IntoWorkflow, ManualClock, RunHandle};
use workflow_core::event::EventKind;
use workflow_core::prelude::*;

use crate::host;
use crate::services::{Bookings, Faults, Folder, Payments, Video};
use crate::shared::Outbox;

pub(crate) type Failed = Box<dyn std::error::Error>;

/// An engine with virtual time, and the services that its jobs use.
pub(crate) struct Bench {
    pub(crate) clock: ManualClock,
    pub(crate) faults: Faults,
    pub(crate) outbox: Outbox,
    pub(crate) bookings: Bookings,
    pub(crate) payments: Payments,
    pub(crate) video: Video,
    pub(crate) engine: Engine,
    _folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (folder, faults) = (Folder::new(directory.path()), Faults::default());
        let clock = ManualClock::new();
        let time = Arc::new(clock.clone());
        Self {
            // Without the faults: tests look at what is there.
            outbox: Outbox::new(folder.under("outbox"), Faults::default(), None),
            bookings: Bookings::new(folder.under("bookings"), Faults::default(), time.clone()),
            payments: Payments::new(folder.under("payments"), Faults::default()),
            video: Video::new(folder.under("video"), Faults::default()),
            engine: host::engine(&folder, &faults, None, time).clock(clock.clone()).build(),
            clock,
            faults,
            _folder: directory,
        }
    }

    /// Runs a workflow, and moves the clock whenever nothing else is left to do.
    pub(crate) fn run(
        &self,
        workflow: impl IntoWorkflow,
        input: impl Serialize,
    ) -> Result<Report, RunError> {
        block_on(self.clock.drive(self.engine.run(workflow).input(input).into_future()))
    }

    /// Starts a run that a test signals to.
    pub(crate) fn start(
        &self,
        workflow: &str,
        input: impl Serialize,
    ) -> Result<RunHandle, RunError> {
        self.engine.run(workflow).input(input).start()
    }

    /// Moves the clock until the run ends.
    pub(crate) fn finish(&self, run: &RunHandle) -> Result<Report, RunError> {
        block_on(self.clock.drive(run.outcome()))
    }

    /// Waits for an event of a run. The clock stands still.
    pub(crate) fn until(&self, run: &RunHandle, is_it: impl Fn(&EventKind) -> bool) {
        let found = block_on(run.events().any(|event| ready(is_it(&event.kind))));
        assert!(found, "the run has ended");
    }

    /// The hours that have passed.
    pub(crate) fn hours(&self) -> u64 {
        self.clock.now().as_secs() / 3600
    }

    /// The subjects of all mails, sorted.
    pub(crate) fn subjects(&self) -> Vec<String> {
        let mails = self.outbox.messages("email").expect("the outbox can be read");
        let subject = |mail: &String| {
            let line = mail.lines().find_map(|line| line.strip_prefix("Subject: "));
            line.expect("a subject").to_owned()
        };
        let mut subjects: Vec<_> = mails.iter().map(subject).collect();
        subjects.sort();
        subjects
    }

    /// The names of all events, sorted.
    pub(crate) fn events(&self) -> Vec<String> {
        let mut events = self.outbox.messages("events").expect("the outbox can be read");
        events.iter_mut().for_each(|event| *event = event.trim().to_owned());
        events.sort();
        events
    }
}

/// Asserts that the lists of a module name exactly what is registered in its domain. The registry also
/// finds what a list leaves out.
pub(crate) fn assert_listed(domain: Option<&str>, workflows: &[&str], activities: &[&str]) {
    let listing = registry::list().expect("a valid registry");
    let of_domain = listing.iter().filter(|entry| domain.is_some() && entry.domain() == domain);
    let registered: BTreeSet<_> = of_domain.map(|entry| entry.name().to_owned()).collect();
    compare("workflow", "WORKFLOWS", &registered, workflows);
    let jobs = registry::jobs().filter(|job| job.domain == domain);
    let registered = jobs.map(|job| job.name.to_owned()).collect();
    compare("activity", "ACTIVITIES", &registered, activities);
}

fn compare(what: &str, list: &str, registered: &BTreeSet<String>, listed: &[&str]) {
    let listed: BTreeSet<_> = listed.iter().map(|name| (*name).to_owned()).collect();
    let left_out: Vec<_> = registered.difference(&listed).collect();
    assert!(left_out.is_empty(), "{left_out:?}: registered, but not in {list}; add it there");
    let unknown: Vec<_> = listed.difference(registered).collect();
    assert!(
        unknown.is_empty(),
        "{unknown:?}: in {list}, but no {what} of the domain has this name"
    );
}
