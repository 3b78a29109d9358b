//! Texts that nobody can guess, of which only a digest is stored.

use std::fmt::Write as _;
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use workflow_store::TokenScope;

/// A random text. Shown once, to whom it is for.
pub(crate) struct Secret(String);

impl Secret {
    /// 256 bits of randomness, as hexadecimal digits after a prefix.
    ///
    /// # Errors
    ///
    /// Fails when the system has no randomness.
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

/// The SHA-256 of a secret. That is enough, since nobody can try out 2^256 of them; passwords,
/// which people choose, are hashed otherwise.
pub(crate) fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// An API token that is to be made.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// Whose it is.
    pub user: String,
    /// What it is for.
    pub name: String,
    /// The most that it allows.
    pub scope: TokenScope,
    /// Until when it is good; `None` for ever.
    pub expires_at: Option<SystemTime>,
}

impl TokenRequest {
    /// What the store is to keep of it, and the token, which is shown to its user and kept nowhere.
    ///
    /// # Errors
    ///
    /// Fails when the system has no randomness.
    pub fn issue(self) -> std::io::Result<(workflow_store::NewToken, String)> {
        let token = Secret::random("wf_").map_err(std::io::Error::from)?;
        let Self { user, name, scope, expires_at } = self;
        let digest = token.digest();
        Ok((workflow_store::NewToken { user, name, digest, scope, expires_at }, token.into_text()))
    }
}
