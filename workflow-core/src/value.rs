//! Values that pass between jobs: typed in memory, JSON at the edges.
//!
//! A run has one `Column` per output type, with a write-once slot per job: a value is stored
//! where it will be read, and is read by reference. This module knows nothing about jobs or their
//! order.

mod column;
mod exact;
mod slot;

use std::any::{Any, TypeId};
use std::fmt;

use serde_json::Value as Json;

pub(crate) use column::{ChildOutputs, Column};

use crate::guard;
use crate::json::{self, Mismatch};

/// A type-erased value.
pub(crate) type Boxed = Box<dyn Any + Send + Sync>;

/// The error of converting a value to or from JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The JSON does not have the shape of the type.
    #[error("`{}` cannot be read from this JSON{}: {reason}", short(type_name), place(path))]
    Shape {
        /// The Rust type to read.
        type_name: &'static str,
        /// The path in the JSON; `.` is the whole value.
        path: String,
        /// What is wrong at this path.
        reason: Box<Mismatch>,
    },
    /// The value could not be written as JSON.
    #[error("`{}` cannot be written as JSON: {reason}", short(type_name))]
    Write {
        /// The Rust type of the value.
        type_name: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// The value changes in a round trip through JSON.
    #[error(
        "`{}` does not survive a round trip through JSON{}: {reason}; make `Serialize` and \
         `Deserialize` agree",
        short(type_name),
        place(path)
    )]
    Unstable {
        /// The Rust type of the value.
        type_name: &'static str,
        /// The path in the JSON; `.` is the whole value.
        path: Box<str>,
        /// What differs at this path.
        reason: Box<str>,
    },
    /// The type implements no conversion to or from JSON.
    #[error(
        "`{}` has no JSON form; derive `serde::Serialize` and `serde::Deserialize` for it",
        short(type_name)
    )]
    Opaque {
        /// The Rust type of the value.
        type_name: &'static str,
    },
    /// The type's own code panicked.
    #[error("`{}` panicked while it was {operation}: {message}", short(type_name))]
    Panicked {
        /// The Rust type of the value.
        type_name: &'static str,
        /// The operation that panicked.
        operation: ValueOperation,
        /// The panic message.
        message: String,
    },
}

/// An operation on a value that calls code of the value's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueOperation {
    /// Reading it from JSON.
    Read,
    /// Writing it as JSON.
    Write,
    /// Cloning it.
    Clone,
}

impl fmt::Display for ValueOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read from JSON",
            Self::Write => "written as JSON",
            Self::Clone => "cloned",
        })
    }
}

/// Returns a type's name without module paths, such as `Vec<String>`.
pub fn short(type_name: &str) -> String {
    let mut short = String::with_capacity(type_name.len());
    let mut word = 0;
    for character in type_name.chars() {
        match character {
            // The word written so far was a module path.
            ':' => short.truncate(word),
            '_' => short.push('_'),
            other => {
                short.push(other);
                if !other.is_alphanumeric() {
                    word = short.len();
                }
            }
        }
    }
    short
}

/// Returns a type's short name, or the full path if the other type has the same short name.
pub(crate) fn short_unlike(type_name: &str, other: &str) -> String {
    let short_name = short(type_name);
    if short_name == short(other) { type_name.to_owned() } else { short_name }
}

fn place(path: &str) -> String {
    if path == "." { String::new() } else { format!(" at `{path}`") }
}

/// A description of a Rust type at run time: its name, and how its values are cloned and converted
/// to JSON.
///
/// The macros add the operations that the type supports. [`Type::opaque`] works for every type.
#[derive(Clone, Copy)]
pub struct Type {
    // By reference, because every job of a graph holds a `Type`.
    vtable: &'static TypeVtable,
    clone: Option<&'static TypeOperation<Copying>>,
    to_json: Option<&'static TypeOperation<ToJson>>,
    from_json: Option<&'static TypeOperation<FromJson>>,
    schema: Option<fn() -> Json>,
}

/// Operations that every type supports.
struct TypeVtable {
    id: fn() -> TypeId,
    name: fn() -> &'static str,
    column: fn(usize) -> Boxed,
    outputs: fn(usize) -> Boxed,
    slot: fn(&(dyn Any + Send + Sync), usize) -> Option<&(dyn Any + Send + Sync)>,
    /// Fills a slot of a column, or a place of child outputs.
    fill: fn(&dyn Any, usize, Boxed),
    /// Shows the value in a place of child outputs.
    peek: Peek,
}

impl TypeVtable {
    const fn of<T: Send + Sync + 'static>() -> &'static Self {
        &Self {
            id: TypeId::of::<T>,
            name: std::any::type_name::<T>,
            column: |rows| Box::new(Column::<T>::new(rows)),
            outputs: |rows| Box::new(ChildOutputs::<T>::new(rows)),
            slot: |column, row| Some(column.downcast_ref::<Column<T>>()?.get(row)?),
            fill: fill::<T>,
            peek: |outputs, row, look| {
                if let Some(outputs) = outputs.downcast_ref::<ChildOutputs<T>>() {
                    outputs.peek(row, look);
                }
            },
        }
    }
}

fn fill<T: Send + Sync + 'static>(place: &dyn Any, row: usize, value: Boxed) {
    let Ok(value) = value.downcast::<T>() else { return };
    if let Some(column) = place.downcast_ref::<Column<T>>() {
        column.set(row, *value);
    } else if let Some(outputs) = place.downcast_ref::<ChildOutputs<T>>() {
        outputs.set(row, *value);
    }
}

/// An operation that some types support, and then lists of them as well.
struct TypeOperation<F: 'static> {
    one: F,
    list: Option<&'static Self>,
}

type Peek = fn(&dyn Any, usize, &mut dyn FnMut(&dyn Any));
type Copying = fn(&dyn Any) -> Option<Boxed>;
type ToJson = fn(&dyn Any) -> Result<Json, ValueError>;
type FromJson = fn(Json) -> Result<Boxed, ValueError>;

fn clone_of<T: Clone + Send + Sync + 'static>(value: &dyn Any) -> Option<Boxed> {
    Some(Box::new(value.downcast_ref::<T>()?.clone()))
}

fn json_of<T: serde::Serialize + 'static>(value: &dyn Any) -> Result<Json, ValueError> {
    match value.downcast_ref::<T>() {
        Some(value) => to_json(value),
        None => Err(ValueError::Opaque { type_name: std::any::type_name::<T>() }),
    }
}

fn boxed_from<T>(json: Json) -> Result<Boxed, ValueError>
where
    T: serde::de::DeserializeOwned + Send + Sync + 'static,
{
    Ok(Box::new(from_json::<T>(json)?))
}

impl Type {
    /// Describes `T` without cloning and without JSON.
    pub const fn opaque<T: Send + Sync + 'static>() -> Self {
        Self {
            vtable: TypeVtable::of::<T>(),
            clone: None,
            to_json: None,
            from_json: None,
            schema: None,
        }
    }

    /// Adds that values can be cloned.
    #[must_use]
    pub const fn with_clone<T: Clone + Send + Sync + 'static>(mut self) -> Self {
        self.clone = Some(
            const {
                &TypeOperation {
                    one: clone_of::<T>,
                    list: Some(&TypeOperation { one: clone_of::<Vec<T>>, list: None }),
                }
            },
        );
        self
    }

    /// Adds that values can be written as JSON.
    #[must_use]
    pub const fn with_serialize<T: serde::Serialize + 'static>(mut self) -> Self {
        self.to_json = Some(
            const {
                &TypeOperation {
                    one: json_of::<T>,
                    list: Some(&TypeOperation { one: json_of::<Vec<T>>, list: None }),
                }
            },
        );
        self
    }

    /// Adds that values can be read from JSON.
    #[must_use]
    pub const fn with_deserialize<T>(mut self) -> Self
    where
        T: serde::de::DeserializeOwned + Send + Sync + 'static,
    {
        self.from_json = Some(
            const {
                &TypeOperation {
                    one: boxed_from::<T>,
                    list: Some(&TypeOperation { one: boxed_from::<Vec<T>>, list: None }),
                }
            },
        );
        self
    }

    /// Adds the JSON Schema that `schema` returns.
    #[must_use]
    pub const fn with_schema(mut self, schema: fn() -> Json) -> Self {
        self.schema = Some(schema);
        self
    }

    /// Describes `Vec<T>` for this type `T`, with the same operations.
    pub(crate) fn list<T: Send + Sync + 'static>(self) -> Self {
        Self {
            vtable: TypeVtable::of::<Vec<T>>(),
            clone: self.clone.and_then(|operation| operation.list),
            to_json: self.to_json.and_then(|operation| operation.list),
            from_json: self.from_json.and_then(|operation| operation.list),
            schema: None,
        }
    }

    /// The type's full Rust name, for people to read.
    pub fn name(&self) -> &'static str {
        (self.vtable.name)()
    }

    /// Returns whether this is the type `T`.
    pub fn is<T: 'static>(&self) -> bool {
        (self.vtable.id)() == TypeId::of::<T>()
    }

    /// Returns whether the value is of this type.
    pub(crate) fn holds(&self, value: &dyn Any) -> bool {
        (self.vtable.id)() == value.type_id()
    }

    /// The JSON Schema of the type, if it has one.
    pub fn schema(&self) -> Option<Json> {
        self.schema.map(|schema| schema())
    }

    /// Reads a value of this type from JSON.
    ///
    /// # Errors
    ///
    /// Fails when the JSON does not have the shape of the type, or when the type has no JSON form.
    pub fn read(&self, json: Json) -> Result<Boxed, ValueError> {
        match self.from_json {
            Some(operation) => (operation.one)(json),
            None if self.is::<()>() => boxed_from::<()>(json),
            None => Err(ValueError::Opaque { type_name: self.name() }),
        }
    }

    /// Writes a value of this type as JSON.
    ///
    /// # Errors
    ///
    /// Fails when the value does not serialize, or when the type has no JSON form.
    pub fn write(&self, value: &dyn Any) -> Result<Json, ValueError> {
        match self.to_json {
            Some(operation) => (operation.one)(value),
            None if self.is::<()>() => Ok(Json::Null),
            None => Err(ValueError::Opaque { type_name: self.name() }),
        }
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        std::ptr::eq(self.vtable, other.vtable) || (self.vtable.id)() == (other.vtable.id)()
    }

    /// Clones the value; `None` when the type does not implement `Clone`.
    ///
    /// # Errors
    ///
    /// Fails when the value's `Clone` panics.
    pub(crate) fn duplicate(&self, value: &dyn Any) -> Result<Option<Boxed>, ValueError> {
        let Some(operation) = self.clone else { return Ok(None) };
        let panicked = |message| ValueError::Panicked {
            type_name: self.name(),
            operation: ValueOperation::Clone,
            message,
        };
        guard::call(|| (operation.one)(value)).map_err(panicked)
    }

    pub(crate) fn column(&self, rows: usize) -> Boxed {
        (self.vtable.column)(rows)
    }

    pub(crate) fn child_outputs(&self, rows: usize) -> Boxed {
        (self.vtable.outputs)(rows)
    }

    /// Fills a slot of a column of this type, or a place of child outputs.
    pub(crate) fn fill(&self, place: &dyn Any, row: usize, value: Boxed) {
        (self.vtable.fill)(place, row, value);
    }

    /// Writes the value in a place of child outputs as JSON; `None` when the place is empty.
    pub(crate) fn write_from(
        &self,
        outputs: &dyn Any,
        row: usize,
    ) -> Option<Result<Json, ValueError>> {
        let mut json = None;
        (self.vtable.peek)(outputs, row, &mut |value| json = Some(self.write(value)));
        json
    }

    /// Checks that a value of this type survives a round trip: that `json` can be read, and is
    /// written the same again.
    ///
    /// # Errors
    ///
    /// Fails when the JSON cannot be read, or when the value that was read is written differently.
    pub(crate) fn check_stable(&self, json: &Json) -> Result<(), ValueError> {
        if self.is_plain() {
            return Ok(());
        }
        let unstable = |path: String, reason: String| ValueError::Unstable {
            type_name: self.name(),
            path: path.into(),
            reason: reason.into(),
        };
        let read = self.read(json.clone()).map_err(|error| match error {
            ValueError::Shape { path, reason, .. } => unstable(path, reason.to_string()),
            error => error,
        })?;
        let written = self.write(&*read);
        guard::discard(read);
        match exact::difference(json, &written?) {
            None => Ok(()),
            Some(path) => {
                Err(unstable(path, "it is written differently the second time".to_owned()))
            }
        }
    }

    /// Returns whether serde's own code alone reads and writes the type, so that its values always
    /// survive a round trip.
    fn is_plain(&self) -> bool {
        self.is::<u64>()
            || self.is::<i64>()
            || self.is::<u32>()
            || self.is::<i32>()
            || self.is::<usize>()
            || self.is::<String>()
            || self.is::<bool>()
            || self.is::<()>()
    }

    /// Returns whether values of the type can be written as JSON and read again.
    pub(crate) fn is_serializable(&self) -> bool {
        self.is::<()>() || (self.to_json.is_some() && self.from_json.is_some())
    }

    pub(crate) fn slot<'a>(
        &self,
        column: &'a (dyn Any + Send + Sync),
        row: usize,
    ) -> Option<&'a (dyn Any + Send + Sync)> {
        (self.vtable.slot)(column, row)
    }
}

/// The type's name without module paths, such as `Vec<String>`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&short(self.name()))
    }
}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Type").field(&self.name()).finish()
    }
}

/// Reads a `T` from JSON.
///
/// # Errors
///
/// Fails with the path in the JSON that does not fit the type.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(value: Json) -> Result<T, ValueError> {
    let type_name = std::any::type_name::<T>();
    let read = guard::call(|| json::from_value(value));
    let panicked =
        |message| ValueError::Panicked { type_name, operation: ValueOperation::Read, message };
    read.map_err(panicked)?.map_err(|error| ValueError::Shape {
        type_name,
        path: error.path().unwrap_or(".").to_owned(),
        reason: Box::new(error.mismatch().clone()),
    })
}

/// Writes a value as JSON.
///
/// # Errors
///
/// Fails when the value's own `Serialize` does, and for values that JSON would change: a map whose
/// keys are not strings, a number that is not finite, nesting of more than 120 levels.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> Result<Json, ValueError> {
    let type_name = std::any::type_name::<T>();
    let panicked =
        |message| ValueError::Panicked { type_name, operation: ValueOperation::Write, message };
    let written = guard::call(|| exact::write(value)).map_err(panicked)?;
    written.map_err(|error| ValueError::Write { type_name, reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_slot_is_written_once() {
        let column = Column::new(2);
        column.set(0, 7);
        column.set(0, 8);
        assert_eq!((column.get(0), column.get(1), column.get(2)), (Some(&7), None, None));

        let outputs = ChildOutputs::new(1);
        outputs.set(0, 7);
        outputs.set(0, 8);
        assert_eq!(outputs.take(), Some(vec![7]));
    }

    #[test]
    fn a_short_type_name_has_no_paths() {
        let name = "alloc::vec::Vec<(a_b::c::D, &[e::F; 3])>";
        assert_eq!(short(name), "Vec<(D, &[F; 3])>");
    }

    #[test]
    fn a_shape_error_names_the_path() {
        let error =
            from_json::<Vec<Vec<u8>>>(json!([[1], [2, "x"]])).expect_err("a string is not a u8");
        assert!(error.to_string().contains("`[1][1]`"), "{error}");
    }

    #[test]
    fn a_type_reads_writes_and_copies() -> Result<(), ValueError> {
        let kind =
            Type::opaque::<u8>().with_clone::<u8>().with_serialize::<u8>().with_deserialize::<u8>();
        let value = kind.read(json!(3))?;
        assert_eq!(kind.write(&*value)?, json!(3));
        let copy = kind.duplicate(&*value)?;
        assert!(copy.is_some_and(|copy| copy.downcast_ref() == Some(&3_u8)));
        assert!(matches!(Type::opaque::<u8>().read(json!(3)), Err(ValueError::Opaque { .. })));
        Ok(())
    }
}
