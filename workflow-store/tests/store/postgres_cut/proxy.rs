//! Stands between a store and its server, and cuts the connection at a commit.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use test_postgres::Database;

/// Where a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The server never hears of the commit.
    BeforeIt,
    /// The server has committed, and nobody hears of it.
    AfterIt,
}

pub(crate) struct Proxy {
    folder: tempfile::TempDir,
    plan: Arc<Plan>,
}

#[derive(Default)]
struct Plan {
    /// So many of the next commits are cut before, and after.
    before: AtomicU32,
    after: AtomicU32,
}

impl Plan {
    fn next(&self) -> Option<Cut> {
        let take = |left: &AtomicU32| {
            let less = |left: u32| left.checked_sub(1);
            left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok()
        };
        if take(&self.before) {
            return Some(Cut::BeforeIt);
        }
        take(&self.after).then_some(Cut::AfterIt)
    }
}

impl Proxy {
    pub(crate) fn start(database: &Database) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = folder_of(database.url()).join(SOCKET);
        let listener = UnixListener::bind(folder.path().join(SOCKET)).expect("a socket");
        let plan = Arc::new(Plan::default());
        let of = Arc::clone(&plan);
        thread::spawn(move || {
            // Ends with the program.
            for client in listener.incoming().map_while(Result::ok) {
                let (server, plan) = (UnixStream::connect(&server), Arc::clone(&of));
                thread::spawn(move || serve(client, &server.expect("a server"), &plan));
            }
        });
        Self { folder, plan }
    }

    /// The URL of the database, by way of this.
    pub(crate) fn url(&self, database: &Database) -> String {
        let server = folder_of(database.url()).display().to_string();
        database.url().replace(&server, &self.folder.path().display().to_string())
    }

    /// Cuts at so many of the next commits.
    pub(crate) fn cut(&self, cut: Cut, times: u32) {
        let of = if cut == Cut::BeforeIt { &self.plan.before } else { &self.plan.after };
        of.store(times, Ordering::SeqCst);
    }

    /// How many cuts are still to come.
    pub(crate) fn left(&self) -> u32 {
        self.plan.before.load(Ordering::SeqCst) + self.plan.after.load(Ordering::SeqCst)
    }
}

const SOCKET: &str = ".s.PGSQL.5432";

fn folder_of(url: &str) -> PathBuf {
    let host = url.split("host=").nth(1).and_then(|rest| rest.split('&').next());
    Path::new(host.expect("a folder")).to_owned()
}

/// Passes on what is asked, until a commit is to be cut.
fn serve(mut client: UnixStream, server: &UnixStream, plan: &Plan) {
    let mut answers = server.try_clone().expect("a second end");
    let mut to_client = client.try_clone().expect("a second end");
    let passing = thread::spawn(move || pass(&mut answers, &mut to_client));
    let mut to_server = server;
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        let asked = &buffer[..length];
        // A commit comes alone: whoever asks for it waits for its answer.
        let cut = asked.windows(7).any(|part| part == b"COMMIT\0").then(|| plan.next()).flatten();
        if cut == Some(Cut::AfterIt) {
            // Nothing is passed on any more; the server ends the connection when it is done.
            client.shutdown(std::net::Shutdown::Write).ok();
            to_server.write_all(asked).and_then(|()| to_server.write_all(TERMINATE)).ok();
            passing.join().ok();
            return;
        }
        if cut.is_some() || to_server.write_all(asked).is_err() {
            break;
        }
    }
    server.shutdown(std::net::Shutdown::Both).ok();
    client.shutdown(std::net::Shutdown::Both).ok();
    passing.join().ok();
}

/// What a client says when it goes.
const TERMINATE: &[u8] = b"X\0\0\0\x04";

/// Passes on what is answered; what nobody takes is read all the same.
fn pass(from: &mut UnixStream, to: &mut UnixStream) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        to.write_all(&buffer[..length]).ok();
    }
    to.shutdown(std::net::Shutdown::Both).ok();
}
