//! Lossless JSON serialization: values that JSON would silently change are errors.
//!
//! `serde_json` writes NaN and the infinities as `null`, and refuses to read more than 128 levels
//! of nesting.

use std::cell::Cell;

use serde::ser::{
    Error as _, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::{Error, Value as Json};

/// The deepest nesting of a value. `serde_json` reads 128 levels, and an event adds some around the
/// value.
const DEEPEST: usize = 120;

/// Writes a value as JSON.
///
/// # Errors
///
/// Fails when the value's own `Serialize` does, and for a map whose keys are not strings, a number
/// that is not finite, and nesting of more than 120 levels.
pub(super) fn write<T: Serialize + ?Sized>(value: &T) -> Result<Json, Error> {
    let depth = Cell::new(0);
    Exact { value, depth: &depth }.serialize(serde_json::value::Serializer)
}

/// A value, or a part of one, that is serialized without loss or not at all.
struct Exact<'a, T: ?Sized> {
    value: &'a T,
    depth: &'a Cell<usize>,
}

impl<T: Serialize + ?Sized> Serialize for Exact<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Checked { inner: serializer, depth: self.depth })
    }
}

/// A serializer, or a compound started by one, that checks the parts it writes.
struct Checked<'a, S> {
    inner: S,
    depth: &'a Cell<usize>,
}

impl<'a, S: Serializer> Checked<'a, S> {
    /// Starts a compound, one level deeper.
    fn deeper<C>(
        self,
        begin: impl FnOnce(S) -> Result<C, S::Error>,
    ) -> Result<Checked<'a, C>, S::Error> {
        let depth = self.depth.get() + 1;
        if depth > DEEPEST {
            let text = format!("it is nested more than {DEEPEST} levels deep; flatten it");
            return Err(S::Error::custom(text));
        }
        self.depth.set(depth);
        Ok(Checked { inner: begin(self.inner)?, depth: self.depth })
    }

    fn finite<N: Into<f64> + Copy>(
        self,
        number: N,
        write: impl FnOnce(S, N) -> Result<S::Ok, S::Error>,
    ) -> Result<S::Ok, S::Error> {
        let as_float: f64 = number.into();
        if as_float.is_finite() {
            return write(self.inner, number);
        }
        Err(S::Error::custom(format!(
            "the number {as_float} has no JSON form; leave it out, or use an `Option` or a string"
        )))
    }
}

/// Methods that forward their arguments unchanged.
macro_rules! pass_on {
    ($($method:ident($($name:ident: $kind:ty),*);)*) => {
        $(fn $method(self $(, $name: $kind)*) -> Result<S::Ok, S::Error> {
            self.inner.$method($($name),*)
        })*
    };
}

/// Methods that start a compound.
macro_rules! begin {
    ($($method:ident($($name:ident: $kind:ty),*) -> $compound:ident;)*) => {
        $(fn $method(self, $($name: $kind),*) -> Result<Self::$compound, S::Error> {
            self.deeper(|inner| inner.$method($($name),*))
        })*
    };
}

impl<'a, S: Serializer> Serializer for Checked<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Checked<'a, S::SerializeSeq>;
    type SerializeTuple = Checked<'a, S::SerializeTuple>;
    type SerializeTupleStruct = Checked<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Checked<'a, S::SerializeTupleVariant>;
    type SerializeMap = Checked<'a, S::SerializeMap>;
    type SerializeStruct = Checked<'a, S::SerializeStruct>;
    type SerializeStructVariant = Checked<'a, S::SerializeStructVariant>;

    pass_on! {
        serialize_bool(v: bool);
        serialize_i8(v: i8);
        serialize_i16(v: i16);
        serialize_i32(v: i32);
        serialize_i64(v: i64);
        serialize_i128(v: i128);
        serialize_u8(v: u8);
        serialize_u16(v: u16);
        serialize_u32(v: u32);
        serialize_u64(v: u64);
        serialize_u128(v: u128);
        serialize_char(v: char);
        serialize_str(v: &str);
        serialize_bytes(v: &[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(name: &'static str);
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str);
    }

    fn serialize_f32(self, v: f32) -> Result<S::Ok, S::Error> {
        self.finite(v, S::serialize_f32)
    }

    fn serialize_f64(self, v: f64) -> Result<S::Ok, S::Error> {
        self.finite(v, S::serialize_f64)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_some(&Exact { value, depth: self.depth })
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_newtype_struct(name, &Exact { value, depth: self.depth })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let depth = self.depth;
        let Checked { inner, .. } = self.deeper(Ok)?;
        let written =
            inner.serialize_newtype_variant(name, index, variant, &Exact { value, depth });
        depth.set(depth.get() - 1);
        written
    }

    begin! {
        serialize_seq(len: Option<usize>) -> SerializeSeq;
        serialize_tuple(len: usize) -> SerializeTuple;
        serialize_tuple_struct(name: &'static str, len: usize) -> SerializeTupleStruct;
        serialize_tuple_variant(
            name: &'static str, index: u32, variant: &'static str, len: usize
        ) -> SerializeTupleVariant;
        serialize_map(len: Option<usize>) -> SerializeMap;
        serialize_struct(name: &'static str, len: usize) -> SerializeStruct;
        serialize_struct_variant(
            name: &'static str, index: u32, variant: &'static str, len: usize
        ) -> SerializeStructVariant;
    }
}

/// Implements a compound whose parts have no names, or names known from the type.
macro_rules! check_parts {
    ($($compound:ident, $method:ident($($key:ident: $kind:ty)?);)*) => {
        $(impl<S: $compound> $compound for Checked<'_, S> {
            type Ok = S::Ok;
            type Error = S::Error;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($key: $kind,)?
                value: &T,
            ) -> Result<(), S::Error> {
                self.inner.$method($($key,)? &Exact { value, depth: self.depth })
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                self.depth.set(self.depth.get() - 1);
                self.inner.end()
            }
        })*
    };
}

check_parts! {
    SerializeSeq, serialize_element();
    SerializeTuple, serialize_element();
    SerializeTupleStruct, serialize_field();
    SerializeTupleVariant, serialize_field();
    SerializeStruct, serialize_field(key: &'static str);
    SerializeStructVariant, serialize_field(key: &'static str);
}

impl<S: SerializeMap> SerializeMap for Checked<'_, S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), S::Error> {
        // The inner serializer refuses keys that are not strings.
        self.inner.serialize_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        self.inner.serialize_value(&Exact { value, depth: self.depth })
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.depth.set(self.depth.get() - 1);
        self.inner.end()
    }
}

/// Returns the path at which two values differ; `.` is the whole value. The order of an array does
/// not matter, because a `HashSet` is written in a different order each time.
pub(super) fn difference(one: &Json, other: &Json) -> Option<String> {
    let path = first_difference(one, other)?;
    (ordered(one) != ordered(other)).then_some(path)
}

/// Returns the value with its arrays sorted.
fn ordered(value: &Json) -> Json {
    match value {
        Json::Array(elements) => {
            let mut elements: Vec<Json> = elements.iter().map(ordered).collect();
            elements.sort_by_cached_key(Json::to_string);
            Json::Array(elements)
        }
        Json::Object(fields) => {
            Json::Object(fields.iter().map(|(key, value)| (key.clone(), ordered(value))).collect())
        }
        other => other.clone(),
    }
}

fn first_difference(one: &Json, other: &Json) -> Option<String> {
    let inner = |step: String, one: &Json, other: &Json| {
        first_difference(one, other)
            .map(|path| if path == "." { step } else { format!("{step}{path}") })
    };
    match (one, other) {
        (one, other) if one == other => None,
        (Json::Array(one), Json::Array(other)) if one.len() == other.len() => {
            let mut pairs = one.iter().zip(other).enumerate();
            pairs.find_map(|(at, (one, other))| inner(format!("[{at}]"), one, other))
        }
        (Json::Object(one), Json::Object(other)) if one.keys().eq(other.keys()) => {
            one.iter().find_map(|(key, one)| inner(format!(".{key}"), one, &other[key]))
        }
        _ => Some(".".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    #[derive(serde::Serialize)]
    enum Shape {
        Unit,
        New(f64),
        Tuple(u8, Option<f32>),
        Struct { side: f64, name: &'static str },
    }

    #[test]
    fn whatever_json_can_hold_is_written_as_serde_json_writes_it() -> Result<(), Error> {
        let values = (
            vec![Shape::Unit, Shape::New(1.5), Shape::Tuple(1, Some(2.5))],
            Shape::Struct { side: -0.0, name: "x" },
            BTreeMap::from([(1, "one"), (2, "two")]),
            (u64::MAX, i64::MIN, f64::MAX, 'c', (), None::<u8>),
        );
        assert_eq!(write(&values)?, serde_json::to_value(&values)?);
        Ok(())
    }

    #[test]
    fn numbers_that_are_not_finite_are_refused_wherever_they_are() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(write(&number).is_err());
            assert!(write(&Some(number)).is_err());
            assert!(write(&[(1, number)]).is_err());
            assert!(write(&BTreeMap::from([("a", number as f32)])).is_err());
            assert!(write(&Shape::New(number)).is_err());
            assert!(write(&Shape::Struct { side: number, name: "" }).is_err());
            assert!(write(&Shape::Tuple(1, Some(number as f32))).is_err());
        }
        let error = write(&f64::NAN).map_err(|error| error.to_string());
        let text = "the number NaN has no JSON form; leave it out, or use an `Option` or a string";
        assert_eq!(error, Err(text.to_owned()));
    }

    fn nested(depth: usize) -> Json {
        (0..depth).fold(json!(1), |inner, _| json!([inner]))
    }

    #[test]
    fn what_is_nested_too_deep_is_refused() {
        assert_eq!(write(&nested(120)).ok(), Some(nested(120)));
        let error = write(&nested(121)).map_err(|error| error.to_string());
        assert_eq!(error, Err("it is nested more than 120 levels deep; flatten it".to_owned()));
        let wide = json!([nested(60), nested(60), {"a": nested(118)}]);
        assert_eq!(write(&wide).ok(), Some(wide));
    }

    #[test]
    fn a_difference_has_its_place() {
        let one = json!({"a": [1, {"b": null}], "c": 1});
        assert_eq!(difference(&one, &one), None);
        assert_eq!(
            difference(&one, &json!({"a": [1, {"b": 0}], "c": 1})).as_deref(),
            Some(".a[1].b")
        );
        assert_eq!(difference(&one, &json!({"a": [1]})).as_deref(), Some("."));
        assert_eq!(difference(&json!([[1, 2], 3]), &json!([3, [2, 1]])), None);
        assert!(difference(&json!([[1, 2], 3]), &json!([3, [2, 2]])).is_some());
    }
}
