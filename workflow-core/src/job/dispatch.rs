//! Dispatch of a `#[job]` function: called with values it runs, called with handles it describes a
//! job of a graph.
//!
//! The arguments decide. Each has a [`Mode`], the modes of all are combined, and the marker type
//! that stands for the job implements [`Invoke`] for the packed arguments of either mode.

use std::borrow::Borrow;

use super::bind::{Each, EachOf, Handle, Opt, Ref, Val};

/// The mode of a call: [`Now`] or [`Later`].
pub trait Mode {
    /// The mode of a call in which another argument has mode `M`.
    type And<M: Mode>: Mode;
    /// The arguments, marked with the mode.
    type Pack<A>;

    /// Marks the arguments.
    fn pack<A>(arguments: A) -> Self::Pack<A>;
}

/// The mode of values: the function runs at once.
pub enum Now {}
/// The mode of handles: the call becomes a job of a graph.
pub enum Later {}
/// The mode of a call with arguments of modes `A` and `B`.
pub type Both<A, B> = <A as Mode>::And<B>;

/// The mode of a call of a job that takes application state, which only an engine provides.
#[diagnostic::on_unimplemented(
    message = "a job that takes `State<T>` cannot be called with values alone, because the state \
               comes from an engine",
    label = "expected at least one `Handle`",
    note = "in a graph of constants, write `job::draw(..)`; in a unit test, pass the state: \
            `job::call(State::new(..), ..)`"
)]
pub trait FromEngine {}

impl FromEngine for Later {}

/// The arguments of a function that runs at once.
pub struct NowArgs<A>(pub A);
/// The arguments of a call that becomes a job of a graph.
pub struct LaterArgs<A>(pub A);

impl Mode for Now {
    type And<M: Mode> = M;
    type Pack<A> = NowArgs<A>;

    fn pack<A>(arguments: A) -> NowArgs<A> {
        NowArgs(arguments)
    }
}

impl Mode for Later {
    type And<M: Mode> = Self;
    type Pack<A> = LaterArgs<A>;

    fn pack<A>(arguments: A) -> LaterArgs<A> {
        LaterArgs(arguments)
    }
}

/// An argument for a parameter of kind `P`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a valid argument for this parameter of the job",
    label = "expected the parameter's type (the job runs now) or a `Handle` of it (a job of the \
             graph)"
)]
pub trait Arg<P> {
    /// The mode that this argument implies.
    type Mode: Mode;
}

impl<T: ?Sized, A: ?Sized + Borrow<T>> Arg<Ref<T>> for &A {
    type Mode = Now;
}
impl<T: ?Sized, U: Borrow<T>> Arg<Ref<T>> for Handle<U> {
    type Mode = Later;
}
impl<T> Arg<Val<T>> for T {
    type Mode = Now;
}
impl<T> Arg<Val<T>> for Handle<T> {
    type Mode = Later;
}
impl<T: ?Sized, A: ?Sized + Borrow<T>> Arg<Opt<T>> for Option<&A> {
    type Mode = Now;
}
impl<T: ?Sized, U: Borrow<T>> Arg<Opt<T>> for Handle<U> {
    type Mode = Later;
}
impl<T> Arg<EachOf<T>> for Each<'_, T> {
    type Mode = Now;
}
impl<T> Arg<EachOf<T>> for Vec<Handle<T>> {
    type Mode = Later;
}
impl<T> Arg<EachOf<T>> for &[Handle<T>] {
    type Mode = Later;
}
impl<T> Arg<EachOf<T>> for &Vec<Handle<T>> {
    type Mode = Later;
}
impl<T, const N: usize> Arg<EachOf<T>> for [Handle<T>; N] {
    type Mode = Later;
}

/// The operation of a job's marker type on packed arguments.
#[diagnostic::on_unimplemented(
    message = "these arguments neither call the job nor draw it into a graph",
    note = "pass handles for a job of a graph (constants through `flow.value(..)`), or plain \
            values to run it"
)]
pub trait Invoke<A> {
    /// The function's own result, or a `Call`.
    type Output;

    /// Runs the function, or describes the job.
    fn invoke(arguments: A) -> Self::Output;
}
