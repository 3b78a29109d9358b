//! The REST API and the web page.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use clap::Args;
use futures::channel::oneshot;
use futures::future::{Either, join, select};
use workflow_server::Server;
use workflow_store::Viewer;

use crate::args::{RUNS_DIR, StoreArguments, parse_duration};
use crate::failure::{Failure, Outcome};
use crate::output::{self, WARNING};
use crate::{interrupt, runtime, session};

/// Serve workflows and runs over HTTP: a REST API, live events, and a web page
///
/// Takes up runs that were left behind, too, as `recover --serve` does. As long as no account has
/// a password, whoever reaches the server may do everything; it is then served to this machine
/// alone. On Ctrl-C and SIGTERM, requests under way end, running jobs have the grace period to end,
/// and runs are given back: the next process that serves or recovers goes on with them at once.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    address: SocketAddr,
    /// Let workflow files that come over the API name shell commands: who may create a workflow
    /// may then do on this machine whatever this process may do
    #[arg(long)]
    allow_commands: bool,
    /// Let pages of this origin use the API, such as https://example.com
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
    /// Where commands of files that came over the API run, and runs keep what their jobs print, in
    /// .workflow/runs [default: the current directory]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// How long running jobs have to end on Ctrl-C and SIGTERM [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "10s", hide_default_value = true)]
    grace: Duration,
}

const EXAMPLES: &str = "\
Examples:
  workflow serve
  workflow serve --allow-commands --db postgres://localhost/runs
  workflow user add ada --staff && workflow serve --address 0.0.0.0:8080

Exit codes:
  0 it was asked to end, 1 it could not go on, 2 wrong usage or input";

pub(crate) fn serve(wanted: &ServeArguments) -> Result<Outcome, Failure> {
    // Each request sees it as its caller does.
    let store = wanted.store.open_or_create()?.seen_by(Viewer::All);
    let folder = match &wanted.folder {
        Some(folder) => folder.clone(),
        None => std::env::current_dir()
            .map_err(|error| Failure::Machine { what: "there is no folder".to_owned(), error })?,
    };
    let server = Server::new(session::engine_builder(&folder.join(RUNS_DIR)), store);
    let engine = server.engine().clone();
    let server = server.allow_commands(wanted.allow_commands).folder(folder);
    let server = wanted.allow_origin.iter().fold(server, Server::allow_origin);
    interrupt::listen();
    runtime::inside(|| {
        let (stop, stopped) = oneshot::channel::<()>();
        let until = async { _ = stopped.await };
        let serving = pin!(server.serve(wanted.address, print_address, until));
        let served = pollster::block_on(async {
            match select(serving, pin!(interrupt::signal())).await {
                Either::Left((served, _)) => served,
                Either::Right(((), serving)) => {
                    // The server stops, and the engine meanwhile.
                    drop(stop);
                    join(serving, interrupt::shut_down(&engine, wanted.grace)).await.0
                }
            }
        });
        served.map_err(|error| Failure::Usage(error.to_string()))?;
        interrupt::disarm();
        Ok(Outcome::Success)
    })
}

/// Says where the server is, and what is to be known of it.
fn print_address(at: SocketAddr, open: bool) {
    output::message(format_args!("serving http://{at}"));
    if open {
        output::message(format_args!(
            "{WARNING}open{WARNING:#}: there are no accounts, so everybody on this machine may do \
             everything; `user add NAME --staff` adds the first"
        ));
    }
}
