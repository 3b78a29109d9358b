//! `serve`: the REST API and the web page.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures::channel::oneshot;
use futures::future::{Either, join, select};
use workflow_core::error_text::io_reason;
use workflow_core::registry;
use workflow_core::store::{Queues, Store};
use workflow_core::worker::Preset;
use workflow_server::Server;
use workflow_store::Viewer;
use workflow_store::time::parse_duration;

use crate::args::{RUNS_DIR, StoreArguments, absolute, current_folder};
use crate::failure::{Failure, Outcome};
use crate::{interrupt, output, runtime, session};

/// Serve a REST API and a web page for workflows and runs
///
/// Also runs schedules, and is a worker for all task queues: it starts queued runs, and resumes runs
/// after a crash. With --task-queue it serves only these queues, and with --no-worker none; it still
/// executes the runs that requests start without a task queue.
///
/// Until `user add` adds an account, every caller has all rights, and the server listens only on
/// loopback addresses.
///
/// On Ctrl-C and SIGTERM, requests finish and running jobs get the grace period to end. Then the
/// runs are released, and the next `serve` or `recover` resumes them at once.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    /// Address and port to listen on; the address may be the name of a host
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = listening_address)]
    address: SocketAddr,
    /// Accept workflow files with shell commands over the API. Users who may create workflows can
    /// then run any command with the rights of this process
    #[arg(long)]
    allow_commands: bool,
    /// Allow web pages of this origin to use the API (CORS), such as https://example.com; can be
    /// repeated
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    allow_origin: Vec<String>,
    /// Working directory of commands in files that come over the API; the output of jobs goes to
    /// .workflow/runs below it [default: the current directory]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// The most jobs that a workflow file that comes over the API may expand to
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    max_jobs: usize,
    /// Let workflows start when files arrive in this folder, and name it in their patterns
    /// [default name: the last part of the path]; can be repeated
    #[arg(long, value_name = "NAME=DIR", value_parser = watched_folder)]
    watch: Vec<(String, PathBuf)>,
    /// Serve only this task queue; can be repeated
    #[arg(long, value_name = "QUEUE")]
    task_queue: Vec<String>,
    /// Serve no task queue, and leave queued runs to workers
    #[arg(long, conflicts_with = "task_queue")]
    no_worker: bool,
    #[cfg(feature = "temporal")]
    #[command(flatten)]
    backend: crate::args::BackendArguments,
    /// Grace period of running jobs on Ctrl-C and SIGTERM [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "10s", hide_default_value = true)]
    grace: Duration,
}

const EXAMPLES: &str = "\
Examples:
  workflow serve
  workflow serve --allow-commands --db postgres://localhost/runs
  workflow serve --watch inbox=/srv/inbox
  workflow user add ada --staff && workflow serve --address 0.0.0.0:8080

Exit codes:
  0 stopped by a signal, 1 the server failed, 2 invalid usage or input";

pub(crate) fn serve(args: &ServeArguments) -> Result<Outcome, Failure> {
    super::config::validate_declared()?;
    #[cfg(feature = "temporal")]
    if let Some(options) = args.backend.temporal() {
        // The store in memory is a copy of the runs of Temporal.
        let server = Server::in_memory(session::engine_builder(Path::new(RUNS_DIR)));
        let server = args.allow_origin.iter().fold(server, Server::allow_origin);
        return super::temporal::serve(options, server, args.address, print_address);
    }
    let folder = args.folder()?;
    // The server restricts the store to what each caller may see.
    let store = args.store.open_or_create()?.seen_by(Viewer::All);
    let engine = session::engine_builder(&folder.join(RUNS_DIR));
    let engine = session::with_store(engine, store.clone() as Arc<dyn Store>);
    let server = Server::new(engine, store);
    let engine = server.engine().clone();
    let server = server
        .allow_commands(args.allow_commands)
        .max_jobs(args.max_jobs)
        .folder(folder)
        .task_queues(args.queues()?);
    let server = args.allow_origin.iter().fold(server, Server::allow_origin);
    let server = args
        .watched()?
        .into_iter()
        .fold(server, |server, (name, folder)| server.watch(name, folder));
    interrupt::listen();
    runtime::inside(|| {
        let (stop, stopped) = oneshot::channel::<()>();
        let until = async { _ = stopped.await };
        let serving = pin!(server.serve(args.address, print_address, until));
        let served = pollster::block_on(async {
            match select(serving, pin!(interrupt::signal())).await {
                Either::Left((served, _)) => served,
                Either::Right(((), serving)) => {
                    // Stops the server and the engine at the same time.
                    drop(stop);
                    join(serving, interrupt::shut_down(&engine, args.grace)).await.0
                }
            }
        });
        served?;
        interrupt::disarm();
        Ok(Outcome::Success)
    })
}

impl ServeArguments {
    /// The folder of files that come over the API, which stores persist as text.
    fn folder(&self) -> Result<PathBuf, Failure> {
        let folder = match &self.folder {
            Some(folder) => absolute(folder)?,
            None => current_folder()?,
        };
        if folder.to_str().is_none() {
            return Err(Failure::Usage(format!(
                "cannot serve from {folder:?}: the name of the folder is not UTF-8; rename it, or \
                 choose another with --folder"
            )));
        }
        if !folder.is_dir() {
            return Err(Failure::Usage(format!(
                "cannot serve from `{}`: there is no such folder; create it, or choose another with \
                 --folder",
                folder.display()
            )));
        }
        Ok(folder)
    }

    /// The folders that workflows may watch, by name.
    fn watched(&self) -> Result<BTreeMap<String, PathBuf>, Failure> {
        let mut watched = BTreeMap::new();
        for (name, folder) in &self.watch {
            if watched.insert(name.clone(), folder.clone()).is_some() {
                let text = format!(
                    "--watch: two folders have the name `{name}`; name one of them, as in \
                     --watch other={}",
                    folder.display()
                );
                return Err(Failure::Usage(text));
            }
        }
        Ok(watched)
    }

    /// The task queues that the server serves.
    fn queues(&self) -> Result<Option<Queues>, Failure> {
        if self.no_worker {
            return Ok(None);
        }
        let preset = Preset { task_queues: self.task_queue.clone(), ..Preset::default() };
        Ok(Some(preset.queues(registry::engine().queue_prefix())?))
    }
}

/// Reads an address and a port. The address may be the name of a host.
fn listening_address(text: &str) -> Result<SocketAddr, String> {
    let expected = "expected an address and a port, such as 127.0.0.1:8080";
    let mut found = text.to_socket_addrs().map_err(|_| expected.to_owned())?;
    found.next().ok_or_else(|| expected.to_owned())
}

/// Reads an origin: a scheme, a host and maybe a port.
fn origin(text: &str) -> Result<String, String> {
    let host = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let is_host = |host: &str| !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']);
    match host.is_some_and(is_host) && text.is_ascii() {
        true => Ok(text.to_owned()),
        false => Err("expected an origin, such as https://example.com".to_owned()),
    }
}

/// Reads `NAME=DIR`, or `DIR` with its last part as the name.
fn watched_folder(text: &str) -> Result<(String, PathBuf), String> {
    let (name, folder) = match text.split_once('=') {
        Some((name, folder)) => (Some(name.to_owned()), folder),
        None => (None, text),
    };
    let path = Path::new(folder).canonicalize();
    let path = path.map_err(|error| format!("cannot open `{folder}`: {}", io_reason(&error)))?;
    if !path.is_dir() {
        return Err(format!("`{folder}` is not a folder"));
    }
    let last = || path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let name = name.or_else(last).unwrap_or_default();
    let fits = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.' | ' ');
    if !(1..=64).contains(&name.chars().count()) || !name.chars().all(fits) {
        return Err(format!(
            "`{name}` cannot be the name of a watched folder; write --watch NAME=DIR, with a name of 1 \
             to 64 letters, digits, spaces, `-`, `_` and `.`"
        ));
    }
    Ok((name, path))
}

/// Prints the address of the server, and a warning if there are no accounts.
fn print_address(at: SocketAddr, open: bool) {
    output::message(format_args!("serving http://{at}"));
    if open {
        output::warning(
            "no accounts: everyone on this machine has all rights; add one with `user add NAME \
             --staff`",
        );
    }
}
