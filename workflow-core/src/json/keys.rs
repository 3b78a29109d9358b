//! Finds keys that an object has twice. `serde_json` keeps the last one, and loses the others.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Any JSON in which no object has the same key twice.
pub(super) struct UniqueKeys;

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self, A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if keys.contains(&key) {
                return Err(A::Error::custom(format_args!("duplicate field `{key}`")));
            }
            keys.insert(key);
            entries.next_value::<Self>()?;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use crate::json::read;

    #[test]
    fn a_key_that_an_object_has_twice_is_an_error() {
        let wrong = |text: &str| read::<Json>(text).expect_err(text).to_string();
        let twice = "the field `a` is given twice (line 1, column 12)";
        assert_eq!(wrong(r#"{"a": 1, "a": 2}"#), twice);
        assert_eq!(wrong(r#"{"a": 1, "\u0061": 2}"#).split(" (").next(), twice.split(" (").next());
        assert!(wrong(r#"{"x": [{}, {"a": 1, "a": 2}]}"#).starts_with("`x[1]`: the field `a`"));
        assert!(read::<Json>(r#"[{"a": {"a": 1}}, {"a": null}, true, "a", 1.5, -1]"#).is_ok());
    }
}
