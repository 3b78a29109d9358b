//! Random secrets. The store has only their digests.

use std::fmt::Write as _;
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use workflow_store::TokenScope;

/// A random secret.
pub(crate) struct Secret(String);

impl Secret {
    /// Returns 256 random bits as hexadecimal digits after a prefix.
    ///
    /// # Errors
    ///
    /// Fails if the system cannot provide randomness.
    pub(crate) fn random(prefix: &str) -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        let mut text = prefix.to_owned();
        for byte in bytes {
            _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text))
    }

    pub(crate) fn digest(&self) -> [u8; 32] {
        digest(&self.0)
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

/// Returns the SHA-256 of a secret. A fast hash is safe for 256 random bits; passwords need a slow
/// one.
pub(crate) fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// The parameters of a new API token.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// The user who owns it.
    pub user: String,
    /// The name, which says what it is for.
    pub name: String,
    /// The permissions of the token.
    pub scope: TokenScope,
    /// When it expires; `None` for never.
    pub expires_at: Option<SystemTime>,
}

impl TokenRequest {
    /// Creates the token. Returns the row to store, which has only a digest, and the token itself,
    /// to show once.
    ///
    /// # Errors
    ///
    /// Fails if the system cannot provide randomness.
    pub fn issue(self) -> std::io::Result<(workflow_store::NewToken, String)> {
        let token = Secret::random("wf_").map_err(std::io::Error::from)?;
        let Self { user, name, scope, expires_at } = self;
        let digest = token.digest();
        Ok((workflow_store::NewToken { user, name, digest, scope, expires_at }, token.into_text()))
    }
}
