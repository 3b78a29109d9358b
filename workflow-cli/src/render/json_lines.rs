//! Events as JSON lines.

use std::io::{self, BufWriter, Write};

use serde_json::{Value as Json, json};
use workflow_core::Report;
use workflow_core::event::{Event, EventKind};
use workflow_store::RunDetails;

use super::display::Display;
use super::lines::cancelling;
use crate::output::message;

/// Writes each event as a line of JSON as it happens, and the report at the end.
pub(crate) struct JsonLines<W: Write> {
    out: BufWriter<W>,
    /// Whether to print nothing on standard error.
    quiet: bool,
}

impl<W: Write> JsonLines<W> {
    pub(crate) fn new(out: W, quiet: bool) -> Self {
        Self { out: BufWriter::new(out), quiet }
    }

    /// Writes the last line: `{"report": {...}}`.
    ///
    /// # Errors
    ///
    /// Fails when writing fails.
    pub(crate) fn report(&mut self, report: &Report) -> io::Result<()> {
        self.last(&json!({ "report": report }))
    }

    /// Writes the last line of a saved run: `{"run": {...}}`.
    ///
    /// # Errors
    ///
    /// Fails when writing fails.
    pub(crate) fn run(&mut self, run: &RunDetails) -> io::Result<()> {
        self.last(&json!({ "run": run }))
    }

    fn last(&mut self, line: &Json) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        writeln!(self.out)?;
        self.out.flush()
    }
}

impl<W: Write> Display for JsonLines<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        if let EventKind::CancelRequested { reason } = &event.kind
            && !self.quiet
        {
            message(cancelling(reason.as_deref()));
        }
        serde_json::to_writer(&mut self.out, event)?;
        writeln!(self.out)
    }

    fn draw(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
