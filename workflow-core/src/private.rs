//! Support for code that the macros generate. Not for use by hand, and not stable.
//!
//! A host may have types of any name, so generated code reaches everything here by its full path,
//! and imports traits without their names (`as _`).

use std::marker::PhantomData;

#[cfg(feature = "assets")]
pub use futures::future::BoxFuture;
pub use inventory;

#[cfg(feature = "assets")]
pub use crate::asset;
pub use crate::job::arguments::*;
pub use crate::job::print::print;
pub use crate::job::{
    AttemptContext, AttemptIo, Body, Call, Each, Handle, Inputs, JobContext, JobError, Parameter,
    Replacement, State, WorkflowContext,
};
pub use crate::registry::{
    Draw, Erased, JobEntry, Location, WorkflowEntry, add_erased, options_of,
};
pub use crate::retry::RetryPolicy;
pub use crate::run_log::OutputStream;
pub use crate::value::Type;
pub use crate::workflow::private::*;
pub use crate::workflow::{Flow, OutputOf};

/// Queries the compiler about a type. Works for concrete types only, which is what macros have.
///
/// Constants tell what a type *is*: the compiler prefers an inherent constant, which exists for
/// types of a certain form, to the constant of a trait for all types. Method resolution tells what
/// a type *can do*: the more it can do, the fewer references it takes to find the method. That
/// technique is David Tolnay's "autoref specialization"
/// (<https://github.com/dtolnay/case-studies/tree/master/autoref-specialization>).
pub struct Probe<T: ?Sized>(PhantomData<fn() -> *const T>);

impl<T: ?Sized> Probe<T> {
    /// Creates a probe for `T`.
    #[expect(clippy::new_without_default, reason = "made by macros alone")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T, E> Probe<Result<T, E>> {
    /// The type is a `Result`, under whatever name.
    pub const FALLIBLE: bool = true;
}

/// The answers for a type about which nothing else is known.
pub trait AnyType {
    /// The type is not a `Result`.
    const FALLIBLE: bool = false;
    /// The type is not a `Handle`.
    const HANDLE: bool = false;
    /// The type may be an input.
    const MISREAD: Option<&'static str> = None;
}

impl<T: ?Sized> AnyType for Probe<T> {}

impl<T> Probe<Handle<T>> {
    /// The type is a `Handle`, under whatever name.
    pub const HANDLE: bool = true;
    /// What to write instead.
    pub const MISREAD: Option<&'static str> = Some(
        "only a function that draws a graph takes a handle, and its type is written as \
         `Handle<T>`; take `T` or `&T` for the value",
    );
}

macro_rules! misread {
    ($($kind:ty: $text:literal;)*) => {$(
        impl Probe<$kind> {
            /// What to write instead, because the macros recognize this parameter by its name.
            pub const MISREAD: Option<&'static str> = Some($text);
        }
    )*};
}

misread! {
    JobContext:
        "the macros recognize the context of a job by its name; write the type as `JobContext`";
    WorkflowContext:
        "the macros recognize the context of a workflow by its name; write the type as \
         `WorkflowContext`";
    Flow: "a function that draws a graph takes `flow: &mut Flow` first, with the type written so";
}

impl<T> Probe<Each<'_, T>> {
    /// What to write instead, because the macros recognize this parameter by its name.
    pub const MISREAD: Option<&'static str> =
        Some("the macros recognize a list of inputs by its name; write the type as `Each<'_, T>`");
}

impl<T: ?Sized> Probe<State<T>> {
    /// What to write instead, because the macros recognize this parameter by its name.
    pub const MISREAD: Option<&'static str> =
        Some("the macros recognize application state by its name; write the type as `State<T>`");
}

macro_rules! probe {
    ($can:ident, $cannot:ident, $method:ident, $what:literal, [$($bound:tt)*], $with:ident) => {
        #[doc = concat!("The type ", $what, ".")]
        pub trait $can {
            #[doc = concat!("Adds that the type ", $what, ".")]
            fn $method(&self, kind: Type) -> Type;
        }

        impl<T: $($bound)* + Send + Sync + 'static> $can for &Probe<T> {
            fn $method(&self, kind: Type) -> Type {
                kind.$with::<T>()
            }
        }

        #[doc = concat!("The type need not be one that ", $what, ".")]
        pub trait $cannot {
            /// Adds nothing.
            fn $method(&self, kind: Type) -> Type;
        }

        impl<T> $cannot for Probe<T> {
            fn $method(&self, kind: Type) -> Type {
                kind
            }
        }
    };
}

probe!(CanClone, CannotClone, probe_clone, "clones", [Clone], with_clone);
probe!(CanWrite, CannotWrite, probe_write, "serializes", [serde::Serialize], with_serialize);
probe!(
    CanRead,
    CannotRead,
    probe_read,
    "deserializes",
    [serde::de::DeserializeOwned],
    with_deserialize
);

/// The type is a reference, which deserializes from `'static` text only. Method resolution ignores
/// lifetimes and would treat it as a type that deserializes.
pub trait Borrows {
    /// Adds nothing.
    fn probe_read(&self, kind: Type) -> Type;
}

impl<T: ?Sized> Borrows for &&Probe<&'static T> {
    fn probe_read(&self, kind: Type) -> Type {
        kind
    }
}

/// The type has a JSON Schema, if the feature `schema` is enabled.
pub trait HasSchema {
    /// Adds the schema.
    fn probe_schema(&self, kind: Type) -> Type;
}

#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema + 'static> HasSchema for &Probe<T> {
    fn probe_schema(&self, kind: Type) -> Type {
        kind.with_schema(|| schemars::schema_for!(T).to_value())
    }
}

/// The type need not have a JSON Schema.
pub trait LacksSchema {
    /// Adds nothing.
    fn probe_schema(&self, kind: Type) -> Type;
}

impl<T> LacksSchema for Probe<T> {
    fn probe_schema(&self, kind: Type) -> Type {
        kind
    }
}

/// The traits that find out what a type can do, imported without names that could hide those of a
/// host.
pub mod nameless {
    pub use super::{
        Borrows as _, CanClone as _, CanRead as _, CanWrite as _, CannotClone as _,
        CannotRead as _, CannotWrite as _, HasSchema as _, LacksSchema as _,
    };
}

/// Returns the [`Type`] of a type, with everything that the compiler knows about it.
#[macro_export]
#[doc(hidden)]
macro_rules! __type_of {
    ($kind:ty) => {{
        #[allow(unused_imports)]
        use $crate::__private::nameless::*;
        let __probe = &$crate::__private::Probe::<$kind>::new();
        let __kind = $crate::__private::Type::opaque::<$kind>();
        let __kind = (&__probe).probe_clone(__kind);
        let __kind = (&__probe).probe_write(__kind);
        let __kind = (&&__probe).probe_read(__kind);
        (&__probe).probe_schema(__kind)
    }};
}
