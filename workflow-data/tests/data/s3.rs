//! moto, a server with the API of S3, for the test program: started on first use, with a bucket for
//! each test. It keeps objects in its memory.

#[path = "../../../tests-support/tools.rs"]
mod tools;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The environment variable with the path of another `moto_server`.
const PLACE: &str = "TEST_MOTO";

const PACKAGES: [&str; 3] = ["moto[s3]==5.2.5", "flask==3.1.3", "flask-cors==6.0.5"];

/// The server wants a signature, and does not check it.
const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=AKIATESTOFPIPELINES/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

/// A bucket, which is empty at first.
pub(crate) struct Bucket {
    pub(crate) name: String,
    endpoint: &'static str,
}

impl Bucket {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let endpoint = endpoint();
        let name = format!("shop-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        ureq::put(format!("{endpoint}/{name}")).send_empty().unwrap();
        Self { name, endpoint }
    }

    pub(crate) fn put(&self, key: &str, bytes: impl AsRef<[u8]>) {
        self.put_as("private", key, bytes);
    }

    /// With an access control list such as `public-read`.
    pub(crate) fn put_as(&self, acl: &str, key: &str, bytes: impl AsRef<[u8]>) {
        let url = url::Url::parse(&self.http_url(key)).unwrap();
        let request = ureq::put(url.as_str()).header("x-amz-acl", acl);
        let request = request.header("Authorization", AUTHORIZATION);
        request.content_type("application/octet-stream").send(bytes.as_ref()).unwrap();
    }

    /// The URL of an object for a plain client.
    pub(crate) fn http_url(&self, key: &str) -> String {
        format!("{}/{}/{key}", self.endpoint, self.name)
    }

    /// `storage` of a source, with the credentials of a test.
    pub(crate) fn storage(&self) -> String {
        format!(
            "{{endpoint: '{}', allow_http: 'true', region: us-east-1, access_key_id: AKIATESTOFPIPELINES, secret_access_key: 'the secret of tests'}}",
            self.endpoint
        )
    }
}

/// The server, which ends with this program.
fn endpoint() -> &'static str {
    static SERVER: OnceLock<(String, Child)> = OnceLock::new();
    let (endpoint, _) = SERVER.get_or_init(|| {
        let program = std::env::var_os(PLACE).map_or_else(install, Into::into);
        // The server ends when the input of its shell does, as it does with this program.
        let script = "\"$1\" -H 127.0.0.1 -p 0 >&2 & read -r _; kill $!";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "moto"]).arg(program);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        let mut lines = BufReader::new(shell.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let endpoint = loop {
            let Some(line) = lines.next() else { panic!("moto does not start: {said:?}") };
            let line = line.unwrap();
            if let Some((_, url)) = line.split_once("Running on ") {
                break url.trim().to_owned();
            }
            said.push(line);
        };
        // Nobody reads the log of its requests, and a full pipe would stop the server.
        std::thread::spawn(move || lines.count());
        (endpoint, shell)
    });
    endpoint
}

fn install() -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("moto");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program = tools::python_program("moto_server", &PACKAGES, &folder, OsStr::new(&path));
    program.unwrap_or_else(|error| {
        panic!("the tests need moto, a server with the API of S3: {error}; or set {PLACE} to its `moto_server`")
    })
}
