//! Idempotency keys: their validation, and the scopes in which they are unique.

use super::{NewRun, Parent, StoreError, StoredRun, Trigger};

/// The reason why a string is not a valid idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdempotencyKeyError {
    /// It is empty, so that unrelated requests would share it.
    #[error("it is empty; use 1 to {MOST_CHARACTERS} characters, or no key")]
    Empty,
    /// It has more than 255 characters.
    #[error("it has {0} characters; the limit is {MOST_CHARACTERS}")]
    TooLong(usize),
    /// It contains a NUL, which databases cannot store.
    #[error("it contains a NUL character; use printable text")]
    Nul,
}

/// The longest key, in characters.
const MOST_CHARACTERS: usize = 255;

/// The scope in which an idempotency key is unique.
///
/// The same text in two scopes is two keys, so that no user can take a key of another user, a
/// schedule or an engine.
///
/// The set is closed, so that stores handle every scope.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeyScope {
    /// Keys of requests of this user, or of requests without a user.
    User(Option<String>),
    /// Keys with which a scheduler begins one run for each time.
    Schedule,
    /// Keys with which an engine begins one child run for each attempt.
    Nested,
}

impl KeyScope {
    fn of(parent: Option<&Parent>, trigger: Trigger, user: Option<&String>) -> Self {
        match (parent, trigger) {
            (Some(_), _) => Self::Nested,
            (None, Trigger::Schedule) => Self::Schedule,
            (None, _) => Self::User(user.cloned()),
        }
    }
}

impl IdempotencyKeyError {
    /// Checks that a string is a valid idempotency key: 1 to 255 characters without a NUL.
    ///
    /// # Errors
    ///
    /// Fails when it is not.
    pub fn check(key: &str) -> Result<(), Self> {
        match key.chars().count() {
            0 => Err(Self::Empty),
            count if count > MOST_CHARACTERS => Err(Self::TooLong(count)),
            _ if key.contains('\0') => Err(Self::Nul),
            _ => Ok(()),
        }
    }
}

impl NewRun {
    /// Checks that the idempotency key, if there is one, is valid. Stores call this first.
    ///
    /// # Errors
    ///
    /// Fails with [`StoreError::InvalidKey`] when it is not. The keys of child runs come from the
    /// engine and are not checked: they contain the names of jobs, and may be longer.
    pub fn check_key(&self) -> Result<(), StoreError> {
        match (&self.idempotency_key, self.key_scope()) {
            (Some(key), KeyScope::User(_)) => {
                IdempotencyKeyError::check(key).map_err(StoreError::InvalidKey)
            }
            _ => Ok(()),
        }
    }

    /// The scope of the run's idempotency key.
    pub fn key_scope(&self) -> KeyScope {
        KeyScope::of(self.parent.as_ref(), self.trigger, self.user.as_ref())
    }
}

impl StoredRun {
    /// The scope of the run's idempotency key.
    pub fn key_scope(&self) -> KeyScope {
        KeyScope::of(self.parent.as_ref(), self.trigger, self.user.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_1_to_255_characters() {
        assert_eq!(IdempotencyKeyError::check(""), Err(IdempotencyKeyError::Empty));
        assert_eq!(IdempotencyKeyError::check(&"é".repeat(255)), Ok(()));
        assert_eq!(
            IdempotencyKeyError::check(&"é".repeat(256)),
            Err(IdempotencyKeyError::TooLong(256))
        );
        assert_eq!(IdempotencyKeyError::check("a\0"), Err(IdempotencyKeyError::Nul));
    }
}
