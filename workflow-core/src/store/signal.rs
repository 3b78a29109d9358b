//! Signals: valid names, and how many of a run may wait.

use super::{MessageKind, StoreError};

/// The reason why a string is not the name of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignalError {
    /// It is empty.
    #[error("it is empty; use 1 to {MOST_CHARACTERS} characters")]
    Empty,
    /// It has more than 255 characters.
    #[error("it has {0} characters; the limit is {MOST_CHARACTERS}")]
    TooLong(usize),
    /// It contains a line break or another control character.
    #[error("it contains a control character; use printable text")]
    Control,
}

/// The longest name, in characters.
const MOST_CHARACTERS: usize = 255;

/// The most signals of a run that no job has received yet.
pub const MOST_UNREAD_SIGNALS: u64 = 1000;

impl SignalError {
    /// Checks that a string is a valid name of a signal: 1 to 255 characters without control
    /// characters.
    ///
    /// # Errors
    ///
    /// Fails when it is not.
    pub fn check(name: &str) -> Result<(), Self> {
        match name.chars().count() {
            0 => Err(Self::Empty),
            count if count > MOST_CHARACTERS => Err(Self::TooLong(count)),
            _ if name.contains(char::is_control) => Err(Self::Control),
            _ => Ok(()),
        }
    }
}

impl MessageKind {
    /// Checks that the name of a signal is valid. Stores call this first.
    ///
    /// # Errors
    ///
    /// Fails with [`StoreError::InvalidSignal`] when it is not.
    pub fn check(&self) -> Result<(), StoreError> {
        match self {
            Self::Signal { name, .. } => {
                SignalError::check(name).map_err(StoreError::InvalidSignal)
            }
            Self::Cancel => Ok(()),
        }
    }
}
