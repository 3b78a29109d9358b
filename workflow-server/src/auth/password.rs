//! Passwords: Argon2id (RFC 9106), with the parameters that the `argon2` crate recommends, 19 MiB
//! and two passes.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

/// The shortest password, in characters (NIST SP 800-63B asks for 8 or more).
const SHORTEST: usize = 8;
/// The longest, in bytes: what is hashed is to stay small.
const LONGEST: usize = 1024;

/// A password that is new to an account, hashed.
pub struct NewPassword(String);

/// Why a text cannot be a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// It is too short.
    #[error("has fewer than {SHORTEST} characters")]
    Short,
    /// It is too long.
    #[error("has more than {LONGEST} bytes")]
    Long,
    /// The system has no randomness.
    #[error("cannot be hashed: {0}")]
    Hash(argon2::password_hash::Error),
}

impl NewPassword {
    /// Hashes a password. Takes some 20 ms of a processor.
    ///
    /// # Errors
    ///
    /// Fails when it has fewer than 8 characters, or more than 1,024 bytes.
    pub fn new(password: &str) -> Result<Self, PasswordError> {
        if password.chars().count() < SHORTEST {
            return Err(PasswordError::Short);
        }
        if password.len() > LONGEST {
            return Err(PasswordError::Long);
        }
        let hash = Argon2::default().hash_password(password.as_bytes());
        hash.map(|hash| Self(hash.to_string())).map_err(PasswordError::Hash)
    }

    /// The hash, for [`NewUser`](workflow_store::NewUser).
    pub fn into_hash(self) -> String {
        self.0
    }
}

/// Whether a password is the one of the hash. Without a hash, takes as long, and says no.
pub(crate) fn verify_password(password: &str, hash: Option<&str>) -> bool {
    if password.len() > LONGEST {
        return false;
    }
    let parsed = hash.and_then(|hash| PasswordHash::new(hash).ok());
    match parsed {
        Some(parsed) => Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok(),
        None => {
            _ = Argon2::default().hash_password(password.as_bytes());
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash() {
        let hash = NewPassword::new("correct horse").expect("hashed").into_hash();
        assert!(hash.starts_with("$argon2id$"));
        assert!(verify_password("correct horse", Some(&hash)));
        assert!(!verify_password("wrong horse", Some(&hash)));
        assert!(!verify_password("correct horse", None));
        assert!(NewPassword::new("short").is_err());
    }
}
