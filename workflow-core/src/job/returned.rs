//! What functions return: an output, or a `Result` with one inside.
//!
//! The macros see only how a type is written, and an alias hides a `Result`. So the compiler
//! answers: a constant tells whether the type is a `Result` (see `private`), and is the parameter
//! of the traits here. Their implementations never overlap, because the parameter differs.

use std::convert::Infallible;

use super::Handle;

/// What a function with `#[job]` or `#[register_workflow]` returns. `FALLIBLE` is true for a
/// [`Result`], and false for every other type.
pub trait JobReturn<const FALLIBLE: bool> {
    /// The output: the value inside a `Result`, or the value itself.
    type Output;
    /// What the function may fail with. Says nothing of whether a job may: generated code uses
    /// `?`, and so an error that does not convert is reported once, where the function returns it.
    type Error;

    /// Whether there is an output.
    ///
    /// # Errors
    ///
    /// Fails when the function did.
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

/// What a function that draws a graph returns, without the `Result` around it. `HANDLE` is true
/// for a [`Handle`].
pub trait GraphReturn<const HANDLE: bool> {
    /// The type of the workflow's output; `()` where there is no handle of it.
    type Value;
}

impl<T> GraphReturn<false> for T {
    type Value = ();
}

impl<T> GraphReturn<true> for Handle<T> {
    type Value = T;
}
