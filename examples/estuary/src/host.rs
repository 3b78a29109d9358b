//! The program: an engine with the outbox and the services, and the command line.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use workflow_core::engine::{Clock, EngineBuilder, SystemClock};
use workflow_core::prelude::*;

use crate::services::{Bookings, Faults, Folder, Payments, Video};
use crate::shared::{Outbox, Smtp};

/// The prefix of the task queues: `estuary-booking`, `estuary-workflows`.
const QUEUE_PREFIX: &str = "estuary";

/// Runs the command line, on an engine that the environment configures:
///
/// - `ESTUARY_DIR`: the directory of the outbox and of the services' records. Default: `.estuary`.
/// - `ESTUARY_SMTP`: a mail server, `smtps://user:password@host`, with the feature `smtp`.
/// - `ESTUARY_FAULTS`: calls of services that fail, as [`Faults`] reads them.
pub fn main() -> ExitCode {
    let configured = configured();
    let engine = match configured {
        Ok(engine) => engine.build(),
        Err(error) => {
            // Nothing is left to do if nobody reads the error.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            return ExitCode::from(2);
        }
    };
    if registry::set_engine(engine).is_err() {
        unreachable!("the engine is set before its first use");
    }
    workflow_cli::CommandLine::new().presets(include_str!("../workers.yaml")).run()
}

fn configured() -> Result<EngineBuilder, String> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let folder = set("ESTUARY_DIR").map_or_else(|| PathBuf::from(".estuary"), PathBuf::from);
    let faults =
        set("ESTUARY_FAULTS").map_or_else(|| Ok(Faults::default()), |text| text.parse())?;
    let smtp = set("ESTUARY_SMTP").map(|server| Smtp::new(&server)).transpose()?;
    Ok(engine(&Folder::new(folder), &faults, smtp, Arc::new(SystemClock)))
}

/// Configures an engine whose jobs use the services in this folder. The booking service reads the
/// time from `clock`.
pub fn engine(
    folder: &Folder,
    faults: &Faults,
    smtp: Option<Smtp>,
    clock: Arc<dyn Clock>,
) -> EngineBuilder {
    Engine::builder()
        .queue_prefix(QUEUE_PREFIX)
        .state(Outbox::new(folder.under("outbox"), faults.clone(), smtp))
        .state(Bookings::new(folder.under("bookings"), faults.clone(), clock))
        .state(Payments::new(folder.under("payments"), faults.clone()))
        .state(Video::new(folder.under("video"), faults.clone()))
}
