//! Names and IDs. Knows nothing about the things they name.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization as _, is_nfc};

/// The reason why a string is not a valid name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name is empty.
    #[error("a name is empty; give it 1 to {MAX_NAME} characters")]
    Empty,
    /// The name has more than 200 characters.
    #[error("the name `{start}...` has {length} characters; the limit is {MAX_NAME}")]
    TooLong {
        /// The first 24 characters.
        start: String,
        /// The number of characters.
        length: usize,
    },
    /// The name starts or ends with white space, which is invisible in a list.
    #[error("the name {0:?} starts or ends with white space; remove it")]
    Padded(String),
    /// The name contains a line break or another control character.
    #[error("the name {0:?} contains a control character; use printable text")]
    Control(String),
}

/// The longest name, in characters.
const MAX_NAME: usize = 200;

/// Checks that a string is a valid name.
///
/// # Errors
///
/// Fails when the string is empty, too long, padded, or contains control characters.
pub(crate) fn check_name(name: &str) -> Result<(), NameError> {
    if is_plain(name) {
        return Ok(());
    }
    let length = name.chars().count();
    if length == 0 {
        return Err(NameError::Empty);
    }
    if length > MAX_NAME {
        return Err(NameError::TooLong { start: name.chars().take(24).collect(), length });
    }
    if name.chars().any(char::is_control) {
        return Err(NameError::Control(name.to_owned()));
    }
    if name.trim() != name {
        return Err(NameError::Padded(name.to_owned()));
    }
    Ok(())
}

/// Returns whether a name is obviously valid, as most are.
fn is_plain(name: &str) -> bool {
    let name = name.as_bytes();
    let ends = [name.first(), name.last()];
    name.len() <= MAX_NAME
        && ends.iter().all(|end| end.is_some_and(u8::is_ascii_graphic))
        && name.iter().all(|byte| (b' '..=b'~').contains(byte))
}

/// Normalizes a name to Unicode NFC, the form in which workflow names are compared: a letter with
/// an accent is the same text however it was typed.
pub fn normalize_name(name: &str) -> Cow<'_, str> {
    if is_nfc(name) { Cow::Borrowed(name) } else { Cow::Owned(name.nfc().collect()) }
}

fn normalized(name: Cow<'static, str>) -> Cow<'static, str> {
    if is_nfc(&name) { name } else { Cow::Owned(name.nfc().collect()) }
}

fn unchanged(name: Cow<'static, str>) -> Cow<'static, str> {
    name
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $form:ident) => {
        $(#[$doc])*
        ///
        /// 1 to 200 printable characters, without white space at either end.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Cow<'static, str>);

        impl $name {
            /// Creates a name from a string.
            ///
            /// # Errors
            ///
            /// Fails when the string is empty, too long, padded, or contains control characters.
            pub fn new(name: impl Into<Cow<'static, str>>) -> Result<Self, NameError> {
                let name = $form(name.into());
                check_name(&name)?;
                Ok(Self(name))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(name: String) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.into_owned()
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name.to_owned())
            }
        }
    };
}

name_type! {
    /// The name of a workflow, unique among the workflows of a registry. Two spellings that differ
    /// only in their Unicode form are the same name: see [`normalize_name`].
    WorkflowName, normalized
}

name_type! {
    /// The name of a job, unique in its workflow; also the name under which a `#[job]` function is
    /// registered.
    JobName, unchanged
}

/// The ID of a run: a UUID of version 7, so that IDs sort by creation time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(uuid::Uuid);

impl RunId {
    /// Creates a unique ID.
    pub fn random() -> Self {
        Self::made_at(SystemTime::now())
    }

    /// Creates a unique ID that sorts by this time.
    pub(crate) fn made_at(now: SystemTime) -> Self {
        static SEED: LazyLock<u128> = LazyLock::new(|| uuid::Uuid::new_v4().as_u128());
        static COUNT: AtomicU32 = AtomicU32::new(0);

        // RFC 9562, 6.2: the time in nanoseconds (method 3), then a counter (method 1) that starts
        // at a random number. One call of the system's generator for each process.
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let fraction = (now.subsec_nanos() % 1_000_000) as u128 * 4096 / 1_000_000;
        let count = (COUNT.fetch_add(1, Ordering::Relaxed) as u128) << 30;
        let counter = (*SEED & ((1 << 61) - 1)) + count;
        let bits = (now.as_millis() << 80) | (7 << 76) | (fraction << 64) | (0b10 << 62) | counter;
        Self(uuid::Uuid::from_u128(bits))
    }

    /// The 128 bits of the ID, for stores that have a column type for them.
    pub fn to_u128(self) -> u128 {
        self.0.as_u128()
    }

    /// Creates an ID from its 128 bits.
    pub fn from_u128(bits: u128) -> Self {
        Self(uuid::Uuid::from_u128(bits))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The error for a string that is not a run ID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid run ID `{0}`; a run ID is a UUID such as 01980000-0000-7000-8000-000000000000")]
pub struct RunIdError(String);

impl FromStr for RunId {
    type Err = RunIdError;

    fn from_str(text: &str) -> Result<Self, RunIdError> {
        uuid::Uuid::parse_str(text).map(Self).map_err(|_| RunIdError(text.to_owned()))
    }
}

/// What an error about an unknown name adds to it, if there is a similar one.
pub(crate) fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

/// Returns the candidate most similar to `wanted`, if one is similar enough to be meant.
pub fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (likeness(wanted, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate)
}

/// Returns the similarity, from 0 for nothing in common to 1 for equal.
fn likeness(wanted: &str, candidate: &str) -> f64 {
    // Jaro-Winkler misses two swapped letters in short names.
    if is_swapped(wanted, candidate) { 0.9 } else { strsim::jaro_winkler(wanted, candidate) }
}

/// Returns whether two neighbouring letters are swapped, and nothing else differs.
fn is_swapped(one: &str, other: &str) -> bool {
    let letters = one.chars().zip(other.chars()).enumerate();
    let mut different = letters.filter(|(_, (left, right))| left != right);
    match (different.next(), different.next(), different.next()) {
        (Some((at, (a, b))), Some((next, (c, d))), None) => {
            next == at + 1 && (a, b) == (d, c) && one.len() == other.len()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found() {
        let near = |wanted| nearest(wanted, ["etl", "report", "nightly"]);
        assert_eq!(near("elt"), Some("etl"));
        assert_eq!(near("raport"), Some("report"));
        assert_eq!(near("nigthly"), Some("nightly"));
        assert_eq!(near("elf"), None);
        assert_eq!(near("et"), Some("etl"));
        assert_eq!(near("zzz"), None);
    }

    #[test]
    fn a_name_is_checked() {
        assert_eq!(WorkflowName::new(""), Err(NameError::Empty));
        assert!(matches!(WorkflowName::new(" a"), Err(NameError::Padded(_))));
        assert!(matches!(WorkflowName::new("a\nb"), Err(NameError::Control(_))));
        assert!(matches!(WorkflowName::new("é".repeat(201)), Err(NameError::TooLong { .. })));
        assert!(WorkflowName::new("é".repeat(200)).is_ok());
        assert!(WorkflowName::new("daily etl / v2").is_ok());
    }

    #[test]
    fn two_unicode_forms_are_one_name() {
        let composed = WorkflowName::new("caf\u{e9}").expect("a name");
        assert_eq!(WorkflowName::new("cafe\u{301}"), Ok(composed));
        assert_eq!(normalize_name("cafe\u{301}"), "caf\u{e9}");
        assert!(matches!(normalize_name("caf\u{e9}"), Cow::Borrowed(_)));
        // The length counts after normalization.
        assert!(WorkflowName::new("e\u{301}".repeat(200)).is_ok());
    }

    #[test]
    fn ids_sort_by_time_and_survive_text() {
        let (first, second) = (RunId::random(), RunId::random());
        assert!(first < second);
        assert_eq!(first.to_string().parse(), Ok(first));
        assert!("nonsense".parse::<RunId>().is_err());
    }

    #[test]
    fn the_nearest_name_is_near() {
        assert_eq!(nearest("daily_elt", ["weekly", "daily_etl"]), Some("daily_etl"));
        assert_eq!(nearest("zzz", ["weekly", "daily_etl"]), None);
    }
}
