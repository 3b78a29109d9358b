//! Lists, maps and variants, entry by entry.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, VariantAccess,
    Visitor, value::StrDeserializer,
};

use super::super::path::Path;
use super::super::setting::{Key, Kind, Setting};
use super::{Failure, Reader};

pub(super) struct Items<'de, 'p> {
    items: std::iter::Enumerate<std::slice::Iter<'de, Setting>>,
    path: &'p Path<'p>,
}

impl<'de, 'p> Items<'de, 'p> {
    pub(super) fn new(items: &'de [Setting], path: &'p Path<'p>) -> Self {
        Self { items: items.iter().enumerate(), path }
    }

    /// The number of entries that are not read yet.
    pub(super) fn unread(&self) -> usize {
        self.items.len()
    }
}

impl<'de> SeqAccess<'de> for Items<'de, '_> {
    type Error = Failure;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        let next = self.items.next().map(|(index, setting)| {
            let path = Path::Index(self.path, index);
            let reader = Reader { setting, path: &path };
            reader.placed(seed.deserialize(reader))
        });
        next.transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

pub(super) struct Entries<'de, 'p> {
    entries: std::slice::Iter<'de, (Key, Setting)>,
    value: Option<&'de (Key, Setting)>,
    path: &'p Path<'p>,
}

impl<'de, 'p> Entries<'de, 'p> {
    pub(super) fn new(entries: &'de [(Key, Setting)], path: &'p Path<'p>) -> Self {
        Self { entries: entries.iter(), value: None, path }
    }
}

impl<'de> MapAccess<'de> for Entries<'de, '_> {
    type Error = Failure;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        self.value = self.entries.next();
        let key = self.value.map(|(key, _)| {
            let read = seed.deserialize(KeyReader(&key.text));
            read.map_err(|failure| failure.at_key(key, self.path))
        });
        key.transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Failure> {
        let Some((key, setting)) = self.value.take() else {
            return Err(Failure::custom("a value was requested before its key"));
        };
        let path = Path::Key(self.path, &key.text);
        let reader = Reader { setting, path: &path };
        reader.placed(seed.deserialize(reader))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// A key: a string, or a number or boolean for maps with such keys.
struct KeyReader<'de>(&'de str);

macro_rules! parsed {
    ($($method:ident => $visit:ident,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
            match self.0.parse() {
                Ok(value) => visitor.$visit(value),
                Err(_) => visitor.visit_borrowed_str(self.0),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for KeyReader<'de> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_borrowed_str(self.0)
    }

    parsed! {
        deserialize_bool => visit_bool,
        deserialize_i8 => visit_i8,
        deserialize_i16 => visit_i16,
        deserialize_i32 => visit_i32,
        deserialize_i64 => visit_i64,
        deserialize_i128 => visit_i128,
        deserialize_u8 => visit_u8,
        deserialize_u16 => visit_u16,
        deserialize_u32 => visit_u32,
        deserialize_u64 => visit_u64,
        deserialize_u128 => visit_u128,
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_enum(StrDeserializer::new(self.0))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_some(self)
    }

    serde::forward_to_deserialize_any! {
        f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

/// `variant: value`.
pub(super) struct Variant<'de, 'p> {
    pub(super) key: &'de Key,
    pub(super) inner: Reader<'de, 'p>,
    pub(super) outer: &'p Path<'p>,
}

impl<'de, 'p> EnumAccess<'de> for Variant<'de, 'p> {
    type Error = Failure;
    type Variant = Reader<'de, 'p>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Reader<'de, 'p>), Failure> {
        let variant = seed.deserialize(KeyReader(&self.key.text));
        let variant = variant.map_err(|failure| failure.at_key(self.key, self.outer))?;
        Ok((variant, self.inner))
    }
}

/// Reads the value of a variant.
impl<'de> VariantAccess<'de> for Reader<'de, '_> {
    type Error = Failure;

    fn unit_variant(self) -> Result<(), Failure> {
        match self.setting.kind {
            Kind::Null => Ok(()),
            _ => Err(self.wrong_type("nothing after it")),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Failure> {
        self.placed(seed.deserialize(self))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Failure> {
        self.items(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.entries(visitor)
    }
}
