//! TLS connections and the verification of servers.

use std::io::ErrorKind;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::address::{Encryption, Mode};
use crate::connector_error::ConnectorError;

pub(crate) type Maker = MakeRustlsConnect;

/// The TLS connector. Connections with `sslmode=disable` do not use it.
pub(crate) fn maker(encryption: &Encryption) -> Result<Maker, ConnectorError> {
    let provider = Arc::new(ring::default_provider());
    let trust = match encryption.mode {
        Mode::Disable | Mode::Prefer | Mode::Require => Trust::Anybody,
        Mode::VerifyCa => Trust::AnyHost(verifier(encryption, &provider)?),
        Mode::VerifyFull => Trust::Host(verifier(encryption, &provider)?),
    };
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| ConnectorError::Setup(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { trust, provider }))
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn verifier(
    encryption: &Encryption,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, ConnectorError> {
    let roots = match &encryption.roots {
        Some(path) => of_file(path)?,
        None => of_system()?,
    };
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| ConnectorError::Setup(error.to_string()))
}

fn of_file(path: &str) -> Result<RootCertStore, ConnectorError> {
    let failed = |reason: &str| ConnectorError::Certificates {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let mut roots = RootCertStore::empty();
    for found in CertificateDer::pem_file_iter(path).map_err(|error| failed(reason(&error)))? {
        let found = found.map_err(|error| failed(reason(&error)))?;
        roots.add(found).map_err(|_| failed("it contains an invalid certificate"))?;
    }
    if roots.is_empty() {
        return Err(failed("it contains no certificates in PEM format"));
    }
    Ok(roots)
}

/// Why a file of certificates cannot be read.
fn reason(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::Io(error) => match error.kind() {
            ErrorKind::NotFound => "no such file",
            ErrorKind::PermissionDenied => "permission denied",
            ErrorKind::IsADirectory => "it is a folder",
            _ => "the file system fails",
        },
        _ => "it is not in PEM format",
    }
}

fn of_system() -> Result<RootCertStore, ConnectorError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(ConnectorError::NoSystemCertificates);
    }
    Ok(roots)
}

/// The servers that are trusted.
#[derive(Debug)]
enum Trust {
    Anybody,
    /// Any server with a trusted certificate.
    AnyHost(Arc<WebPkiServerVerifier>),
    /// The host of the URL, with a trusted certificate.
    Host(Arc<WebPkiServerVerifier>),
}

#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let by = match &self.trust {
            Trust::Anybody => return Ok(ServerCertVerified::assertion()),
            Trust::AnyHost(by) | Trust::Host(by) => by,
        };
        match by.verify_server_cert(certificate, others, name, ocsp, now) {
            // The name is checked last, so everything else is valid.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if matches!(self.trust, Trust::AnyHost(_)) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
