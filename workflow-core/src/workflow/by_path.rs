//! Functions that draw graphs and are registered by their path, so that no macro sees their
//! parameters.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::function::input_type;
use super::{Flow, OutputOf};
use crate::job::{Handle, JobError};
use crate::value::Type;

/// A function that draws a graph. `Signature` stands for its input and what it returns, and is
/// found by the compiler.
#[diagnostic::on_unimplemented(
    message = "this is not a function that draws a graph",
    note = "`job` names a function such as `fn nightly(flow: &mut Flow) -> Handle<u64>`, which may \
            take a `Handle` of its input after the flow; the type of an input implements \
            `Serialize` and `Deserialize`"
)]
pub trait DrawFunction<Signature> {
    /// The type of the input.
    const INPUT: Option<fn() -> Type>;

    /// Draws the graph.
    ///
    /// # Errors
    ///
    /// Fails when the function failed.
    fn draw(&self, flow: &mut Flow) -> Result<(), JobError>;
}

impl<F, R> DrawFunction<fn() -> R> for F
where
    F: Fn(&mut Flow) -> R,
    R: OutputOf,
{
    const INPUT: Option<fn() -> Type> = None;

    fn draw(&self, flow: &mut Flow) -> Result<(), JobError> {
        self(flow).finish(flow)
    }
}

impl<F, T, R> DrawFunction<fn(T) -> R> for F
where
    F: Fn(&mut Flow, Handle<T>) -> R,
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
    R: OutputOf,
{
    const INPUT: Option<fn() -> Type> = Some(input_type::<T>);

    fn draw(&self, flow: &mut Flow) -> Result<(), JobError> {
        let input = flow.input(input_type::<T>());
        self(flow, input).finish(flow)
    }
}

/// The type of the input of a function that draws a graph.
pub const fn input_of<Signature, F: DrawFunction<Signature>>(_: &F) -> Option<fn() -> Type> {
    F::INPUT
}

/// Draws the graph of a function.
///
/// # Errors
///
/// Fails when the function failed.
pub fn draw_by<Signature, F: DrawFunction<Signature>>(
    function: &F,
    flow: &mut Flow,
) -> Result<(), JobError> {
    function.draw(flow)
}
