//! The server as a child process.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use workflow_core::store::WorkflowSnapshot;
use workflow_core::{Engine, registry};
use workflow_server::Server;
use workflow_store::{Catalog as _, Durability, SqliteOptions, SqliteStore};

use crate::{Failure, print};

/// The first argument of the server process.
pub(crate) const WORD: &str = "serve";

/// Opens the database file in the server and in the client process.
pub(crate) async fn open(file: &Path) -> Result<SqliteStore, Failure> {
    Ok(SqliteOptions::new().durability(Durability::Normal).open(file).await?)
}

/// Serves a file, prints the address, and runs until it is killed.
pub(crate) fn serve(file: &Path) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = open(file).await?;
        let known: Vec<_> = registry::list()?
            .into_iter()
            .map(|entry| WorkflowSnapshot::of(&*entry.workflow()))
            .collect();
        store.sync_registered(&known).await?;
        let server = Server::new(Engine::builder(), Arc::new(store));
        let ready = |at: SocketAddr, _| print(&at.to_string());
        server.serve((Ipv4Addr::LOCALHOST, 0).into(), ready, std::future::pending()).await?;
        Ok(())
    })
}

/// A running server, which is killed on drop.
pub(crate) struct Serving {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Serving {
    /// Starts a server, and waits until it listens.
    pub(crate) fn start(file: &Path) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg(WORD).arg(file).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        let line = BufReader::new(output).lines().next().ok_or("the server has ended")??;
        match line.parse() {
            Ok(address) => Ok(Self { child, address }),
            Err(_) => Err(format!("the server says: {line}").into()),
        }
    }

    /// Kills it (SIGKILL), and waits for its end.
    pub(crate) fn kill(&mut self) -> Result<(), Failure> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Its resident memory, in bytes.
    pub(crate) fn memory(&self) -> Result<u64, Failure> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kibibytes.ok_or("the system does not say VmRSS")?.trim().parse::<u64>()? * 1024)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.kill().ok();
    }
}
