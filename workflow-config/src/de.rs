//! Deserializes a tree of settings to the types of a host with serde. Errors have the place of the
//! value in its layer.
//!
//! Inside of `#[serde(flatten)]`, untagged and internally tagged enums, serde buffers values
//! without their places; an error there is shown at the map around it.

mod access;
mod failure;
mod mistakes;

use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde_json::Number;

use super::path::Path;
use super::secret;
use super::setting::{Kind, Setting};
use access::{Entries, Items, Variant};
pub(super) use failure::Failure;

/// Why a type cannot be read.
pub(super) struct Misread<T> {
    /// The values that do not fit.
    pub(super) mistakes: Vec<Failure>,
    /// The type without these values, if it can be read without them.
    pub(super) rest: Option<T>,
}

/// Reads a type from a tree. Fails with all values that do not fit.
pub(super) fn read<T: DeserializeOwned>(tree: &Setting) -> Result<T, Misread<T>> {
    read_at(tree, &Path::Root)
}

/// Reads a type from a part of a tree, at its path in the whole tree. Fails as [`read`] does.
pub(super) fn read_part<T: DeserializeOwned>(part: &Setting, path: &str) -> Result<T, Misread<T>> {
    read_at(part, &Path::Key(&Path::Root, path))
}

fn read_at<T: DeserializeOwned>(tree: &Setting, path: &Path<'_>) -> Result<T, Misread<T>> {
    let read = |setting: &Setting| {
        let reader = Reader { setting, path };
        reader.placed(T::deserialize(reader))
    };
    read(tree).map_err(|first| mistakes::all(tree, &path.to_string(), first, read))
}

/// A setting to read, with its path.
#[derive(Clone, Copy)]
struct Reader<'de, 'p> {
    setting: &'de Setting,
    path: &'p Path<'p>,
}

impl<'de> Reader<'de, '_> {
    fn wrong_type(self, wanted: &str) -> Failure {
        Failure::wrong_type(wanted, self.setting.describe()).at(self.setting, self.path)
    }

    /// Adds the place to an error without one.
    fn placed<T>(self, result: Result<T, Failure>) -> Result<T, Failure> {
        result.map_err(|failure| failure.at(self.setting, self.path))
    }

    /// The string; for the value of a variable, the variable's own text.
    fn text(self) -> Result<&'de str, Failure> {
        match (&self.setting.kind, &self.setting.written) {
            (Kind::Text(text), _) | (_, Some(text)) => Ok(text),
            _ => Err(self.wrong_type("a string")),
        }
    }

    fn number(self, wanted: &str) -> Result<&'de Number, Failure> {
        match &self.setting.kind {
            Kind::Number(number) => Ok(number),
            Kind::Text(text) if is_digits(text) && self.setting.written.is_none() => {
                let is_quoted = text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok();
                let what = if is_quoted { "in quotes" } else { "which is too large" };
                let found = format!("`{text}`, {what}");
                Err(Failure::wrong_type(wanted, &found).at(self.setting, self.path))
            }
            _ => Err(self.wrong_type(wanted)),
        }
    }

    fn integer<N>(self, least: N, most: N) -> Result<N, Failure>
    where
        N: TryFrom<i64> + TryFrom<u64> + std::fmt::Display,
    {
        let number = self.number(INTEGER)?;
        if number.is_f64() {
            return Err(self.wrong_type(INTEGER));
        }
        let fits = number.as_i64().and_then(|number| N::try_from(number).ok());
        let fits = fits.or_else(|| number.as_u64().and_then(|number| N::try_from(number).ok()));
        fits.ok_or_else(|| {
            let wanted = format!("an integer from {least} to {most}");
            Failure::wrong_value(&number.to_string(), &wanted).at(self.setting, self.path)
        })
    }

    fn items<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match &self.setting.kind {
            Kind::List(list) => {
                let mut items = Items::new(list, self.path);
                let value = self.placed(visitor.visit_seq(&mut items))?;
                let unread = items.unread();
                if unread == 0 {
                    return Ok(value);
                }
                let wanted = format!("a list of {} items", list.len() - unread);
                let found = format!("one of {}", list.len());
                Err(Failure::wrong_type(&wanted, &found).at(self.setting, self.path))
            }
            _ => Err(self.wrong_type("a list")),
        }
    }

    fn entries<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match &self.setting.kind {
            Kind::Map(entries) => self.placed(visitor.visit_map(Entries::new(entries, self.path))),
            _ => Err(self.wrong_type("a map")),
        }
    }
}

/// Whether a text is that of an integer.
fn is_digits(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The description of an integer.
const INTEGER: &str = "an integer";

macro_rules! integers {
    ($($method:ident: $kind:ident => $visit:ident,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
            let number = self.integer($kind::MIN, $kind::MAX)?;
            self.placed(visitor.$visit(number))
        }
    )*};
}

/// Types that are read in the same way, whatever is known of them.
macro_rules! alike {
    ($($method:ident($($known:ty),*) => $read:ident,)*) => {$(
        fn $method<V: Visitor<'de>>(self, $(_: $known,)* visitor: V) -> Result<V::Value, Failure> {
            self.$read(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'de, '_> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match &self.setting.kind {
            Kind::Null => self.placed(visitor.visit_unit()),
            Kind::Bool(value) => self.placed(visitor.visit_bool(*value)),
            Kind::Number(number) => {
                let number = number.clone();
                self.placed(match (number.as_u64(), number.as_i64()) {
                    (Some(number), _) => visitor.visit_u64(number),
                    (None, Some(number)) => visitor.visit_i64(number),
                    (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
                })
            }
            Kind::Text(text) => self.placed(visitor.visit_borrowed_str(text)),
            Kind::List(_) => self.items(visitor),
            Kind::Map(_) => self.entries(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.setting.kind {
            Kind::Bool(value) => self.placed(visitor.visit_bool(value)),
            _ => Err(self.wrong_type("`true` or `false`")),
        }
    }

    integers! {
        deserialize_i8: i8 => visit_i8,
        deserialize_i16: i16 => visit_i16,
        deserialize_i32: i32 => visit_i32,
        deserialize_i64: i64 => visit_i64,
        deserialize_i128: i128 => visit_i128,
        deserialize_u8: u8 => visit_u8,
        deserialize_u16: u16 => visit_u16,
        deserialize_u32: u32 => visit_u32,
        deserialize_u64: u64 => visit_u64,
        deserialize_u128: u128 => visit_u128,
    }

    alike! {
        deserialize_f32() => deserialize_f64,
        deserialize_char() => deserialize_str,
        deserialize_string() => deserialize_str,
        deserialize_identifier() => deserialize_str,
        deserialize_byte_buf() => deserialize_bytes,
        deserialize_unit_struct(&'static str) => deserialize_unit,
        deserialize_seq() => items,
        deserialize_tuple(usize) => items,
        deserialize_tuple_struct(&'static str, usize) => items,
        deserialize_map() => entries,
        deserialize_struct(&'static str, &'static [&'static str]) => entries,
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let number = self.number("a number")?.as_f64();
        let number = number.ok_or_else(|| self.wrong_type("a number"))?;
        self.placed(visitor.visit_f64(number))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.placed(visitor.visit_borrowed_str(self.text()?))
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.placed(visitor.visit_borrowed_bytes(self.text()?.as_bytes()))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.setting.kind {
            Kind::Null => self.placed(visitor.visit_none()),
            _ => self.placed(visitor.visit_some(self)),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.setting.kind {
            Kind::Null => self.placed(visitor.visit_unit()),
            _ => Err(self.wrong_type("null")),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let is_secret = name == secret::NAME;
        if is_secret {
            self.setting.conceal();
        }
        let read = self.placed(visitor.visit_newtype_struct(self));
        if is_secret { read.map_err(Failure::conceal) } else { read }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match (&self.setting.kind, self.text()) {
            (Kind::Map(entries), _) => match &**entries {
                [(key, value)] => {
                    let path = Path::Key(self.path, &key.text);
                    let inner = Reader { setting: value, path: &path };
                    self.placed(visitor.visit_enum(Variant { key, inner, outer: self.path }))
                }
                _ => {
                    let found = format!("a map with {} keys", entries.len());
                    let wanted = format!("a map with one key, {}", failure::one_of(variants));
                    self.placed(Err(Failure::wrong_type(&wanted, &found)))
                }
            },
            (_, Ok(text)) => self.placed(visitor.visit_enum(text.into_deserializer())),
            (_, Err(_)) => Err(self.wrong_type(&failure::one_of(variants))),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_unit()
    }
}
