//! Idempotency keys: which texts can be one, and among which keys each is looked up.

use super::{NewRun, Parent, StoreError, StoredRun, Trigger};

/// Why a text cannot be an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It has no characters, so that unrelated requests would share it.
    #[error("it is empty; give 1 to {MOST_CHARACTERS} characters, or no key")]
    Empty,
    /// It has more than 255 characters.
    #[error("it has {0} characters; the limit is {MOST_CHARACTERS}")]
    TooLong(usize),
    /// It holds a NUL, which no database keeps.
    #[error("it holds a NUL character; use printable text")]
    Nul,
}

/// The longest key, in characters.
const MOST_CHARACTERS: usize = 255;

/// Among which keys an idempotency key is looked up. The same text in two scopes is two keys, so
/// that no user can take a key that another user, a schedule or an engine is going to use.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeyScope {
    /// Keys that this user gave, or that were given on nobody's behalf.
    User(Option<String>),
    /// Keys by which a scheduler begins one run for each time.
    Schedule,
    /// Keys by which an engine begins one run inside of an attempt.
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

impl KeyError {
    /// Checks that a text can be an idempotency key: 1 to 255 characters without a NUL.
    ///
    /// # Errors
    ///
    /// Fails when it cannot.
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
    /// Checks that the idempotency key, if there is one, can be one: stores call it first.
    ///
    /// # Errors
    ///
    /// Fails with [`StoreError::InvalidKey`] when it cannot. The keys of runs inside of others are
    /// the engine's, and as long as the names of jobs make them.
    pub fn check_key(&self) -> Result<(), StoreError> {
        match (&self.idempotency_key, self.key_scope()) {
            (Some(key), KeyScope::User(_)) => KeyError::check(key).map_err(StoreError::InvalidKey),
            _ => Ok(()),
        }
    }

    /// Among which keys the run's idempotency key is looked up.
    pub fn key_scope(&self) -> KeyScope {
        KeyScope::of(self.parent.as_ref(), self.trigger, self.user.as_ref())
    }
}

impl StoredRun {
    /// Among which keys the run's idempotency key was looked up.
    pub fn key_scope(&self) -> KeyScope {
        KeyScope::of(self.parent.as_ref(), self.trigger, self.user.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_1_to_255_characters() {
        assert_eq!(KeyError::check(""), Err(KeyError::Empty));
        assert_eq!(KeyError::check(&"é".repeat(255)), Ok(()));
        assert_eq!(KeyError::check(&"é".repeat(256)), Err(KeyError::TooLong(256)));
        assert_eq!(KeyError::check("a\0"), Err(KeyError::Nul));
    }
}
