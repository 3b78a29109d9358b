//! Password hashing: Argon2id (RFC 9106) with the default parameters of the `argon2` crate, 19 MiB
//! and two passes.

use std::sync::{Mutex, PoisonError};

use argon2::password_hash::PasswordHasher as _;
use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};

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
    match hash.and_then(parse) {
        Some((argon2, salt, expected)) => {
            output(&argon2, password, &salt, expected.len()) == Some(expected)
        }
        None => {
            _ = output(&Argon2::default(), password, &[0; Salt::RECOMMENDED_LENGTH], 32);
            false
        }
    }
}

/// Reads how a password was hashed, the salt and the output.
fn parse(hash: &str) -> Option<(Argon2<'static>, Salt, Output)> {
    let hash = PasswordHash::new(hash).ok()?;
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
    let version = hash.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
    let argon2 = Argon2::new(algorithm, version, Params::try_from(&hash).ok()?);
    Some((argon2, hash.salt?, hash.hash?))
}

/// Memory of earlier verifications. Anybody can send passwords, and allocators would keep the 19 MiB of
/// each thread that has verified one.
static MEMORY: Mutex<Vec<Vec<Block>>> = Mutex::new(Vec::new());

/// Hashes a password in reused memory. Outputs are compared in constant time.
fn output(argon2: &Argon2<'_>, password: &str, salt: &[u8], length: usize) -> Option<Output> {
    let free = || MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    let mut memory = free().pop().unwrap_or_default();
    memory.resize(argon2.params().block_count(), Block::default());
    let mut out = [0; Output::MAX_LENGTH];
    let out = out.get_mut(..length)?;
    let hashed = argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, &mut memory);
    free().push(memory);
    hashed.ok()?;
    Output::new(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_verified_by_their_hash() {
        let hash = NewPassword::new("correct horse").expect("hashed").into_hash();
        assert!(hash.starts_with("$argon2id$"));
        // The second time in the memory of the first.
        for _ in 0..2 {
            assert!(verify_password("correct horse", Some(&hash)));
        }
        assert!(!verify_password("wrong horse", Some(&hash)));
        assert!(!verify_password("correct horse", None));
        assert!(NewPassword::new("short").is_err());
    }
}
