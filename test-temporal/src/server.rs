//! A development server of Temporal for the test program: started on first use, and stopped when
//! the program ends, however it ends.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::program::program;

/// A server with the namespace `default` and some others, which keeps everything in memory or in a file.
pub struct Server {
    process: Child,
    /// The server stops when this is closed, so also when the test program dies.
    _alive: Option<ChildStdin>,
    port: u16,
    /// The number of namespaces that were handed out.
    namespaces: AtomicUsize,
}

/// The server of the test program.
pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(None))
}

/// The number of namespaces beside `default`.
const NAMESPACES: usize = 32;

fn namespace(number: usize) -> String {
    format!("test-{number}")
}

/// The longest time for a server to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The options of every server.
const OPTIONS: &str = "server start-dev --headless --ip 127.0.0.1 --log-level error \
                       --search-attribute Project=Keyword --search-attribute Domain=Keyword \
                       --search-attribute Tags=KeywordList";

/// A free port below those that systems give to outgoing connections, so that no connection takes
/// it while the server is stopped.
fn free_port() -> u16 {
    loop {
        let port = 20_000 + (RandomState::new().build_hasher().finish() % 12_000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Server {
    /// Starts a server. With a file, a later server with the same file has the same workflows.
    ///
    /// # Panics
    ///
    /// Panics if Temporal is neither installed nor fetched, or does not start.
    pub fn start(file: Option<&Path>) -> Self {
        Self::start_until_healthy(free_port, file)
    }

    /// Starts a server on the port of one that was stopped.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn start_on(port: u16, file: Option<&Path>) -> Self {
        Self::start_until_healthy(|| port, file)
    }

    /// Starts again if the server ends, because another program has taken one of its ports.
    fn start_until_healthy(port: impl Fn() -> u16, file: Option<&Path>) -> Self {
        let program = program().unwrap_or_else(|error| panic!("{error}"));
        let deadline = Instant::now() + START_TIMEOUT;
        let mut server = Self::spawn(&program, port(), file);
        while !server.is_healthy(&program) {
            assert!(
                Instant::now() < deadline,
                "`{}` has not started within {START_TIMEOUT:?}; run it by hand to see why: \
                 {OPTIONS} --port {}",
                program.display(),
                server.port
            );
            std::thread::sleep(Duration::from_millis(50));
            if server.process.try_wait().is_ok_and(|status| status.is_some()) {
                server = Self::spawn(&program, port(), file);
            }
        }
        server
    }

    fn spawn(program: &Path, port: u16, file: Option<&Path>) -> Self {
        let file = file.map(|file| format!("--db-filename '{}'", file.display()));
        let namespaces: String =
            (0..NAMESPACES).map(|number| format!("--namespace {} ", namespace(number))).collect();
        // The shell ends with the server. Its child waits for the end of the input, which is the
        // end of the test program, and kills the server.
        let script = format!(
            "exec 3<&0; \
             '{}' {OPTIONS} {namespaces} --port {port} {} >/dev/null 2>&1 </dev/null 3<&- & \
             server=$!; {{ read -r line <&3; kill -9 $server; }} & child=$!; \
             wait $server; kill $child",
            program.display(),
            file.unwrap_or_default()
        );
        let mut process = Command::new("sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let alive = process.stdin.take();
        Self { process, _alive: alive, port, namespaces: AtomicUsize::new(0) }
    }

    fn is_healthy(&self, program: &Path) -> bool {
        let mut health = Command::new(program);
        health.args(["operator", "cluster", "health", "--address", &self.address()]);
        let health = health.stdout(Stdio::null()).stderr(Stdio::null()).status();
        health.is_ok_and(|status| status.success())
    }

    /// The address of the server, as `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A namespace of its own for a test, as an address of the command line.
    ///
    /// # Panics
    ///
    /// Panics if all namespaces were handed out.
    pub fn own_namespace(&self) -> String {
        let number = self.namespaces.fetch_add(1, Ordering::Relaxed);
        assert!(number < NAMESPACES, "raise `NAMESPACES`");
        format!("temporal://{}/{}", self.address(), namespace(number))
    }

    /// The port of the server.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Stops the server.
impl Drop for Server {
    fn drop(&mut self) {
        drop(self._alive.take());
        // It kills the server and ends.
        drop(self.process.wait());
    }
}
