//! A PostgreSQL with TLS, whose certificate is made for the test program.
//!
//! Crates include this file by its path. They need `rcgen`, `tempfile` and `test-postgres`.

use std::sync::OnceLock;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use test_postgres::Encrypted;

/// A server, known as `localhost`, and files with certificates: `root.crt` of the CA that vouches
/// for it, `other.crt` of another CA, and `empty.crt` without one.
pub(crate) struct Place {
    pub(crate) server: Encrypted,
    folder: tempfile::TempDir,
}

impl Place {
    /// The URL of its database, with options of the connection.
    pub(crate) fn url(&self, host: &str, mode: &str, roots: Option<&str>, more: &str) -> String {
        let roots = roots.map(|name| self.folder.path().join(name).display().to_string());
        let roots = roots.map(|path| format!("&sslrootcert={path}")).unwrap_or_default();
        self.server.url(host, &format!("sslmode={mode}{roots}&{more}"))
    }
}

/// The server of the test program, which is started for the first test that needs it.
pub(crate) fn place() -> &'static Place {
    static PLACE: OnceLock<Place> = OnceLock::new();
    PLACE.get_or_init(|| {
        let authority = authority();
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(["localhost".to_owned()]).expect("fit");
        let certificate = params.signed_by(&key, &authority).expect("signed");
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: String| {
            std::fs::write(folder.path().join(name), text).expect("written");
        };
        write("root.crt", authority.pem());
        write("other.crt", self::authority().pem());
        write("empty.crt", String::new());
        Place { server: Encrypted::start(&certificate.pem(), &key.serialize_pem()), folder }
    })
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).expect("fit");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed")
}
