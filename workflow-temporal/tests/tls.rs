//! Encrypted connections, through a proxy whose certificates are made for the test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use workflow_core::id::RunId;
use workflow_core::prelude::*;
use workflow_temporal::{ConnectError, TemporalClient, TemporalOptions, TemporalWorker, Tls};

/// Whether a server asks for certificates of its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clients {
    Anonymous,
    Certified,
}

/// Certificates as files, and as they are.
struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    fn new() -> Self {
        let this = Self { folder: tempfile::tempdir().expect("a folder") };
        let authority = authority();
        this.write("root.pem", &authority.pem());
        this.write("other.pem", &self::authority().pem());
        for name in ["localhost", "client"] {
            let key = KeyPair::generate().expect("a key");
            let params = CertificateParams::new([name.to_owned()]).expect("valid");
            let certificate = params.signed_by(&key, &authority).expect("signed");
            this.write(&format!("{name}.pem"), &certificate.pem());
            this.write(&format!("{name}.key"), &key.serialize_pem());
        }
        this
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a writable folder");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a server says about itself, and demands.
    fn server(&self, clients: Clients) -> ServerConfig {
        let certificate = |path: &Path| CertificateDer::from_pem_file(path).expect("a certificate");
        let key = PrivateKeyDer::from_pem_file(self.path("localhost.key")).expect("a key");
        let chain = vec![certificate(&self.path("localhost.pem"))];
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let config = config.with_safe_default_protocol_versions().expect("they are supported");
        let config = match clients {
            Clients::Anonymous => config.with_no_client_auth(),
            Clients::Certified => {
                let mut roots = RootCertStore::empty();
                roots.add(certificate(&self.path("root.pem"))).expect("it is a root");
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                config.with_client_cert_verifier(verifier.build().expect("it has a root"))
            }
        };
        let mut config = config.with_single_cert(chain, key).expect("they fit");
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).expect("valid");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed")
}

/// Passes on to the server what comes encrypted.
async fn proxy(config: ServerConfig) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut inside) = acceptor.accept(stream).await else { return };
                let outside = TcpStream::connect(test_temporal::server().address()).await;
                let mut outside = outside.expect("the server is there");
                // Fails when one of them hangs up.
                let _gone = tokio::io::copy_bidirectional(&mut inside, &mut outside).await;
            });
        }
    });
    address
}

#[register_workflow(name = "behind tls")]
async fn behind_tls(ctx: WorkflowContext, name: String) -> Result<String, JobError> {
    ctx.run(greet, name).await
}

#[job]
async fn greet(name: String) -> String {
    format!("hello {name}")
}

/// Runs a workflow over this connection, for the worker and for its client.
async fn greeting(options: &TemporalOptions) -> Result<String, ConnectError> {
    let prefix = format!("tls-{}", RunId::random());
    let client = TemporalClient::connect(options).await?.queue_prefix(prefix.clone());
    let engine = Engine::builder().queue_prefix(prefix).build();
    let worker = TemporalWorker::new(client.clone(), engine);
    let worker = tokio::spawn(worker.run(std::future::pending()));
    let run = client.run("behind tls").input("Ada").start().await.expect("it starts");
    let greeting = run.result().await.expect("it completes");
    worker.abort();
    Ok(greeting)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_of_the_server_is_verified() {
    let certificates = Certificates::new();
    let address = proxy(certificates.server(Clients::Anonymous)).await;
    let options = TemporalOptions::new()
        .address(format!("localhost:{}", address.port()))
        .namespace("default")
        .server_ca(certificates.path("root.pem"));
    assert_eq!(greeting(&options).await.expect("it is trusted"), "hello Ada");
    let other = options.clone().server_ca(certificates.path("other.pem"));
    greeting(&other).await.expect_err("nobody vouches for it");
    let system = TemporalOptions::new().address(format!("localhost:{}", address.port()));
    greeting(&system.tls(Tls::On)).await.expect_err("the system does not know it");
    // Another name, unless it is said.
    let by_number = options.address(format!("127.0.0.1:{}", address.port()));
    greeting(&by_number).await.expect_err("it is not the server's name");
    let named = by_number.server_name("localhost");
    assert_eq!(greeting(&named).await.expect("it is trusted"), "hello Ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_may_demand_a_certificate() {
    let certificates = Certificates::new();
    let address = proxy(certificates.server(Clients::Certified)).await;
    let options = TemporalOptions::new()
        .address(format!("localhost:{}", address.port()))
        .namespace("default")
        .server_ca(certificates.path("root.pem"));
    greeting(&options).await.expect_err("it has no certificate");
    let certified = options
        .client_certificate(certificates.path("client.pem"), certificates.path("client.key"));
    assert_eq!(greeting(&certified).await.expect("it is trusted"), "hello Ada");
}
