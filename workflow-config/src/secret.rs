//! Values that must not be shown.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

/// What is shown in place of a secret.
pub(super) const MASK: &str = "***";

/// A value that prints as `***`: in `Debug`, in `Display`, and when it is serialized.
///
/// It is deserialized like the value itself. [`expose`](Secret::expose) returns the value. The
/// memory is not wiped. `==` compares values in a time that depends on them, so it does not suit
/// the check of a password.
///
/// ```
/// use serde::Deserialize;
/// use workflow_config::Secret;
///
/// #[derive(Debug, Deserialize)]
/// struct Database {
///     user: String,
///     password: Secret,
/// }
///
/// let text = r#"{ "user": "etl", "password": "hunter2" }"#;
/// let database: Database = serde_json::from_str(text)?;
/// assert_eq!(format!("{database:?}"), r#"Database { user: "etl", password: *** }"#);
/// assert_eq!(database.password.expose(), "hunter2");
/// assert!(database.password == Secret::from("hunter2".to_owned()));
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret<T = String>(T);

impl<T> Secret<T> {
    /// Wraps a value that must not be shown.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the value.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// Unwraps the value.
    pub fn into_exposed(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(MASK)
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

/// The name by which the deserializer of configurations recognizes a secret.
pub(super) const NAME: &str = "workflow_config::Secret";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(NAME, Inside(PhantomData))
    }
}

struct Inside<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Inside<T> {
    type Value = Secret<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Secret<T>, D::Error> {
        T::deserialize(inner).map(Secret)
    }
}
