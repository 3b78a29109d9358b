//! What the macros write into hosts. Not for use by hand, and not stable.

pub use inventory;

pub use crate::job::{
    Arg, Bind, Body, Both, Call, EachOf, Handle, Inputs, IntoJobResult, Invoke, JobContext,
    JobError, JobOptions, Later, LaterArgs, Mode, Now, NowArgs, Opt, Reader, Ref, Scope, Val,
    WorkflowContext,
};
pub use crate::registry::{Draw, Erased, JobEntry, Location, WorkflowEntry, add_erased};
pub use crate::retry::RetryPolicy;
pub use crate::value::{Boxed, Type};
pub use crate::workflow::{Flow, OutputOf};

/// Finds out what a type can do, by way of method resolution: the more a type can do, the fewer
/// references it takes to find the method. Works for concrete types only, which is what macros
/// have.
///
/// The technique is David Tolnay's "autoref specialization"
/// (<https://github.com/dtolnay/case-studies/tree/master/autoref-specialization>).
pub struct Probe<T>(std::marker::PhantomData<fn() -> T>);

impl<T> Probe<T> {
    /// A probe for `T`.
    #[expect(clippy::new_without_default, reason = "made by macros alone")]
    pub const fn new() -> Self {
        Self(std::marker::PhantomData)
    }
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
probe!(CanWrite, CannotWrite, probe_write, "serialises", [serde::Serialize], with_serialize);
probe!(
    CanRead,
    CannotRead,
    probe_read,
    "deserialises",
    [serde::de::DeserializeOwned],
    with_deserialize
);

#[cfg(feature = "schema")]
mod schema {
    use super::{Probe, Type};

    /// The type has a JSON Schema.
    pub trait HasSchema {
        /// Adds the schema.
        fn probe_schema(&self, kind: Type) -> Type;
    }

    impl<T: schemars::JsonSchema + 'static> HasSchema for &Probe<T> {
        fn probe_schema(&self, kind: Type) -> Type {
            kind.with_schema(|| schemars::schema_for!(T).to_value())
        }
    }
}

#[cfg(feature = "schema")]
pub use schema::HasSchema;

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

/// Everything that is known of a type, as [`Type`] has it.
#[macro_export]
#[doc(hidden)]
macro_rules! __type_of {
    ($kind:ty) => {{
        #[allow(unused_imports)]
        use $crate::__private::*;
        let probe = &$crate::__private::Probe::<$kind>::new();
        let kind = $crate::__private::Type::opaque::<$kind>();
        let kind = (&probe).probe_clone(kind);
        let kind = (&probe).probe_write(kind);
        let kind = (&probe).probe_read(kind);
        (&probe).probe_schema(kind)
    }};
}
