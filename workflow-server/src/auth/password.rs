//! Password hashing: Argon2id (RFC 9106) with the default parameters of the `argon2` crate, 19 MiB
//! and two passes.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

/// The shortest password in characters (NIST SP 800-63B requires 8).
const MIN_LENGTH: usize = 8;
/// The longest password in bytes, to bound the work of hashing.
const MAX_LENGTH: usize = 1024;

/// The hash of a new password.
pub struct NewPassword(String);

/// Why a text is not a valid password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// It is too short.
    #[error("must have at least {MIN_LENGTH} characters")]
    Short,
    /// It is too long.
    #[error("must have at most {MAX_LENGTH} bytes")]
    Long,
    /// The system cannot provide randomness for the salt.
    #[error("cannot be hashed: {0}")]
    Hash(argon2::password_hash::Error),
}

impl NewPassword {
    /// Hashes a password. Takes about 20 ms of CPU time.
    ///
    /// # Errors
    ///
    /// Fails if it has fewer than 8 characters or more than 1,024 bytes.
    pub fn new(password: &str) -> Result<Self, PasswordError> {
        if password.chars().count() < MIN_LENGTH {
            return Err(PasswordError::Short);
        }
        if password.len() > MAX_LENGTH {
            return Err(PasswordError::Long);
        }
        let hash = Argon2::default().hash_password(password.as_bytes());
        hash.map(|hash| Self(hash.to_string())).map_err(PasswordError::Hash)
    }

    /// Returns the hash, for [`NewUser`](workflow_store::NewUser).
    pub fn into_hash(self) -> String {
        self.0
    }
}

/// Whether a password matches the hash. Without a hash, returns false after the same time.
pub(crate) fn verify_password(password: &str, hash: Option<&str>) -> bool {
    if password.len() > MAX_LENGTH {
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
    fn passwords_are_verified_by_their_hash() {
        let hash = NewPassword::new("correct horse").expect("hashed").into_hash();
        assert!(hash.starts_with("$argon2id$"));
        assert!(verify_password("correct horse", Some(&hash)));
        assert!(!verify_password("wrong horse", Some(&hash)));
        assert!(!verify_password("correct horse", None));
        assert!(NewPassword::new("short").is_err());
    }
}
