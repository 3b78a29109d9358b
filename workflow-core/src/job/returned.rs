//! What functions return: an output, or a `Result` with one inside.
//!
//! The macros see only how a type is written, and an alias hides a `Result`. So the compiler
//! answers: a constant tells whether the type is a `Result` (see `private`), and is the parameter
//! of the traits here. Their implementations never overlap, because the parameter differs.

use super::{Handle, JobError, Scope};

/// What a function with `#[job]` or `#[register_workflow]` returns. `FALLIBLE` is true for a
/// [`Result`], and false for every other type.
pub trait JobReturn<const FALLIBLE: bool> {
    /// The output: the value inside a `Result`, or the value itself.
    type Output;
}

impl<T> JobReturn<false> for T {
    type Output = T;
}

// Does not ask whether the error converts: that is for `PutReturn`, so that an error which does
// not is reported once, and not wherever the output's type is written.
impl<T, E> JobReturn<true> for Result<T, E> {
    type Output = T;
}

/// Ends an attempt with what the function returned.
pub trait PutReturn<const FALLIBLE: bool>: JobReturn<FALLIBLE> {
    /// Leaves the output, or fails with the function's error.
    ///
    /// # Errors
    ///
    /// Fails when the function did.
    fn put(self, scope: &Scope) -> Result<(), JobError>;
}

impl<T: Send + Sync + 'static> PutReturn<false> for T {
    #[inline]
    fn put(self, scope: &Scope) -> Result<(), JobError> {
        scope.put(self)
    }
}

impl<T: Send + Sync + 'static, E: Into<JobError>> PutReturn<true> for Result<T, E> {
    #[inline]
    fn put(self, scope: &Scope) -> Result<(), JobError> {
        scope.put(self.map_err(Into::into)?)
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
