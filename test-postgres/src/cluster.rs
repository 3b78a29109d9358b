//! A PostgreSQL server for the test program: started on first use, with a database for each test,
//! and removed when the program ends, however it ends.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

use crate::programs::{Programs, programs};

/// A database in the cluster.
pub struct Database {
    url: String,
    name: String,
}

impl Database {
    /// The URL of the database.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs SQL in it, outside of any store.
    pub fn execute(&self, sql: &str) {
        run(&self.url, sql);
    }

    /// The first column of a query's result, as text.
    pub fn query(&self, sql: &str) -> Vec<String> {
        let rows = with_client(&self.url, async |client| client.simple_query(sql).await);
        let text = |message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => {
                Some(row.get(0).unwrap_or_default().to_owned())
            }
            _ => None,
        };
        rows.expect(sql).into_iter().filter_map(text).collect()
    }
}

/// Runs SQL in the database with this URL.
pub fn run(url: &str, sql: &str) {
    with_client(url, async |client| client.batch_execute(sql).await).expect(sql);
}

/// Sets an offset, in microseconds, of the clock that the database with this URL uses for leases.
pub fn set_clock(url: &str, micros: i64) {
    let now = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
    let sql = format!(
        "CREATE OR REPLACE FUNCTION workflows_now() RETURNS BIGINT LANGUAGE SQL VOLATILE \
         AS 'SELECT {now} + {micros}'"
    );
    run(url, &sql);
}

/// Creates an empty database for one test.
pub fn database() -> Database {
    let create = |name: &str| format!("CREATE DATABASE {name}");
    create_with(create).expect("a database")
}

/// A database that is filled once, and copied for each test that needs one like it.
///
/// ```no_run
/// use test_postgres::Template;
///
/// static WITH_ORDERS: Template = Template::new(|url| {
///     test_postgres::run(url, "CREATE TABLE orders (id BIGINT PRIMARY KEY)");
/// });
/// assert_eq!(WITH_ORDERS.copy().query("SELECT count(*) FROM orders"), ["0"]);
/// ```
pub struct Template {
    fill: fn(&str),
    filled: OnceLock<String>,
}

impl Template {
    /// A database that this function fills, which gets its URL.
    pub const fn new(fill: fn(&str)) -> Self {
        Self { fill, filled: OnceLock::new() }
    }

    /// Creates a database for one test.
    ///
    /// # Panics
    ///
    /// Panics if a connection to the template stays open for ten seconds after it was filled.
    pub fn copy(&self) -> Database {
        let template = self.filled.get_or_init(|| {
            let database = database();
            (self.fill)(&database.url);
            database.name
        });
        let create = |name: &str| format!("CREATE DATABASE {name} TEMPLATE {template}");
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match create_with(create) {
                Ok(database) => return database,
                // Connections of the program end a little after their owner was dropped.
                Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) => {
                    assert!(Instant::now() < deadline, "{error}");
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(error) => panic!("cannot copy a database: {error}"),
            }
        }
    }
}

/// Creates a database in the cluster of the test program, which is started for the first one.
fn create_with(create: impl Fn(&str) -> String) -> Result<Database, tokio_postgres::Error> {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let programs = needed();
    let cluster = CLUSTER.get_or_init(|| Cluster::start_with(programs, &[]));
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let sql = create(&name);
    with_client(&cluster.url("postgres"), async |client| client.batch_execute(&sql).await)?;
    Ok(Database { url: cluster.url(&name), name })
}

/// A server that speaks TLS, on a port of this machine.
pub struct Encrypted {
    cluster: Cluster,
    port: u16,
}

impl Encrypted {
    /// With this certificate and its key, in PEM form.
    pub fn start(certificate: &str, key: &str) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
        let port = free.expect("a free port").port();
        // The key must belong to the user of the server.
        let script = format!(
            "umask 077; printf '%s' '{certificate}' >\"$folder/own/tls.crt\"; \
             printf '%s' '{key}' >\"$folder/own/tls.key\""
        );
        let options = format!(
            "-c listen_addresses=localhost -c port={port} -c ssl=on \
             -c ssl_cert_file=../tls.crt -c ssl_key_file=../tls.key"
        );
        Self { cluster: Cluster::start(&[&script, &options, &port.to_string()]), port }
    }

    /// The first column of a query's result, as text.
    pub fn query(&self, sql: &str) -> Vec<String> {
        let name = "postgres".to_owned();
        Database { url: self.cluster.url(&name), name }.query(sql)
    }

    /// The URL of its database, with this host name.
    pub fn url(&self, host: &str, query: &str) -> String {
        format!("postgres://tester@{host}:{}/postgres?{query}", self.port)
    }
}

/// A server that can be stopped and started again.
pub struct Unsteady(Cluster);

impl Unsteady {
    /// Starts a server with one empty database.
    pub fn start() -> Self {
        Self(Cluster::start(&[]))
    }

    /// The URL of its database.
    pub fn url(&self) -> String {
        self.0.url("postgres")
    }

    /// Stops the server; returns when it has stopped.
    pub fn stop(&mut self) {
        self.0.tell("stop");
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.0.answers() {
            assert!(Instant::now() < deadline, "PostgreSQL does not stop");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Starts the server again; returns when it responds.
    pub fn go_on(&mut self) {
        self.0.tell("start");
        self.0.wait();
    }
}

fn with_client<T>(
    url: &str,
    work: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
) -> Result<T, tokio_postgres::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        work(&client).await
    })
}

struct Cluster {
    folder: PathBuf,
    port: String,
    /// The process that keeps the server, and stops it when its input ends, as it does with this
    /// program.
    keeper: Child,
}

impl Cluster {
    fn start(how: &[&str]) -> Self {
        Self::start_with(needed(), how)
    }

    /// Starts a server, with commands to run before, options, and a port.
    fn start_with(programs: &Programs, how: &[&str]) -> Self {
        let random = RandomState::new().build_hasher().finish() & 0xffff_ffff;
        let id = format!("wfpg-{}-{random:x}", std::process::id());
        let folder = Path::new("/tmp").join(id);
        std::fs::create_dir(&folder).expect("a folder for the cluster");
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).expect("open");
        let programs = within_reach(programs, &folder);
        let mut shell = as_somebody(&folder);
        shell.args(["sh", "-c", KEEPER, "keeper"]).arg(&programs).arg(&folder).args(how);
        shell.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let keeper = shell.spawn().expect("a shell");
        let port = how.get(2).copied().unwrap_or("5432").to_owned();
        let cluster = Self { folder, port, keeper };
        cluster.wait();
        cluster
    }

    fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(90);
        while !self.answers() {
            if Instant::now() > deadline {
                let log = std::fs::read_to_string(self.folder.join("own/log")).unwrap_or_default();
                panic!("PostgreSQL does not start; it says:\n{log}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn answers(&self) -> bool {
        with_client(&self.url("postgres"), async |client| client.batch_execute("").await).is_ok()
    }

    /// Sends a command to its keeper.
    fn tell(&mut self, word: &str) {
        let input = self.keeper.stdin.as_mut().expect("an input");
        writeln!(input, "{word}").expect("its keeper is there");
    }

    fn url(&self, database: &str) -> String {
        let Self { folder, port, .. } = self;
        format!("postgres://tester@/{database}?host={}&port={port}", folder.display())
    }
}

/// The programs. If there are none, one test of the program names the cure, and the others refer to
/// it.
fn needed() -> &'static Programs {
    static PROGRAMS: OnceLock<Option<Programs>> = OnceLock::new();
    let mut missing = None;
    let found = PROGRAMS.get_or_init(|| programs().map_err(|error| missing = Some(error)).ok());
    match (found, missing) {
        (Some(programs), _) => programs,
        (None, Some(error)) => panic!("{error}"),
        (None, None) => panic!("PostgreSQL is not installed; another test names the cure"),
    }
}

/// The folder with the programs, or a copy if the user that runs them cannot access it: other users
/// cannot access the folders of root.
fn within_reach(programs: &Programs, folder: &Path) -> PathBuf {
    let mut probe = as_somebody(folder);
    probe.arg(programs.bin.join("initdb")).arg("--version").stdout(Stdio::null());
    let Some(fetched) = programs.fetched.as_ref() else { return programs.bin.clone() };
    if probe.stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        return programs.bin.clone();
    }
    let copy = folder.join("programs");
    let script =
        "cp -R \"$1\" \"$2\" && chmod -R a+rX \"$2\" && chown -R --reference=\"$3\" \"$2\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(fetched).arg(&copy).arg(folder);
    let copied = shell.status().expect("a shell");
    assert!(copied.success(), "cannot copy `{}` to `{}`", fetched.display(), copy.display());
    let bin = programs.bin.strip_prefix(fetched).expect("the programs are among what was fetched");
    copy.join(bin)
}

/// Creates a cluster, runs the server until the input ends, with stops and starts by command, and
/// removes it.
const KEEPER: &str = r#"
trap '' INT HUP
programs=$1; folder=$2; log=$folder/own/log
mkdir "$folder/own"
"$programs/initdb" -A trust -U tester -E UTF8 --no-locale --no-sync -D "$folder/own/data" >"$log" 2>&1
eval "$3"
start() {
    "$programs/postgres" -D "$folder/own/data" -k "$folder" -c listen_addresses= -c fsync=off \
        -c max_connections=300 -c shared_buffers=64MB $options >>"$log" 2>&1 &
    server=$!
}
stop() {
    kill -INT $server
    wait $server
}
options=$4
start
while read -r word; do "$word"; done
stop
rm -rf "$folder/own" "$folder/programs" "$folder"/.s.* "$folder"
"#;

/// A command that runs another one as a user that PostgreSQL accepts: not root.
fn as_somebody(folder: &Path) -> Command {
    let id = |args: &[&str]| {
        let output = Command::new("id").args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    if id(&["-u"]).as_deref() != Some("0") {
        return Command::new("env");
    }
    let user = if id(&["-u", "postgres"]).is_some() { "postgres" } else { "nobody" };
    let number = |flag| id(&[flag, user]).and_then(|text| text.parse().ok());
    let (uid, gid) = (number("-u"), number("-g"));
    std::os::unix::fs::chown(folder, uid, gid).expect("a folder for another user");
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={user}")).arg(format!("--regid={}", gid.unwrap_or(65534)));
    command.args(["--clear-groups", "env"]);
    command
}
