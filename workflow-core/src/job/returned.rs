//! Return types of functions: an output, or a `Result` of one.
//!
//! The macros see only how a type is written, and an alias hides a `Result`. So they ask the
//! compiler: a constant tells whether the type is a `Result` (see `private`), and is the parameter
//! of the traits here. Their implementations never overlap, because the parameter differs.

use std::convert::Infallible;

use super::Handle;

/// The return type of a function with `#[job]` or `#[register_workflow]`. `FALLIBLE` is true for a
/// [`Result`], and false for every other type.
pub trait JobReturn<const FALLIBLE: bool> {
    /// The output: the value inside a `Result`, or the value itself.
    type Output;
    /// The error type of the function. It has no bound: generated code uses `?`, so that an error
    /// that does not convert is reported once, where the function returns it.
    type Error;

    /// Converts into a `Result`.
    ///
    /// # Errors
    ///
    /// Fails when the function failed.
    fn into_result(self) -> Result<Self::Output, Self::Error>;
}

impl<T> JobReturn<false> for T {
    type Output = T;
    type Error = Infallible;

    #[inline]
    fn into_result(self) -> Result<T, Infallible> {
        Ok(self)
    }
}

impl<T, E> JobReturn<true> for Result<T, E> {
    type Output = T;
    type Error = E;

    #[inline]
    fn into_result(self) -> Self {
        self
    }
}

/// The return type of a function that draws a graph, without the `Result` around it. `HANDLE` is
/// true for a [`Handle`].
pub trait GraphReturn<const HANDLE: bool> {
    /// The type of the workflow's output; `()` without a handle.
    type Value;
}

impl<T> GraphReturn<false> for T {
    type Value = ();
}

impl<T> GraphReturn<true> for Handle<T> {
    type Value = T;
}
