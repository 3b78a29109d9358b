//! Binding of a job's parameters to values that other jobs will produce.
//!
//! A parameter has a [kind](Ref); an argument that fits the kind [binds](Bind) to it, which records
//! the inputs and returns a [`Reader`] that finds the value when the job runs.

use std::borrow::Borrow;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use smallvec::SmallVec;

use super::{AttemptIo, JobError};

/// A typed reference to a value that does not exist yet: the output of a job, a constant, or a
/// workflow's input.
///
/// Passing it to another job draws an edge. It is small, `Copy`, and valid only for the flow that
/// created it.
pub struct Handle<T: ?Sized> {
    pub(crate) at: InputRef,
    kind: PhantomData<fn() -> *const T>,
}

impl<T: ?Sized> Handle<T> {
    pub(crate) fn new(at: InputRef) -> Self {
        Self { at, kind: PhantomData }
    }
}

impl<T: ?Sized> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Handle<T> {}

impl<T: ?Sized> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle<{}>({})", std::any::type_name::<T>(), self.at.index)
    }
}

/// Identifies a value: the flow or call that it belongs to, and its index there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InputRef {
    /// A flow, or a call whose items this is one of.
    pub(crate) owner: u32,
    pub(crate) index: u32,
}

/// Returns a number that no other flow has.
pub(crate) fn fresh_owner() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The inputs of one call, in the order in which they were bound.
#[derive(Debug, Clone, Default)]
pub struct Inputs(pub(crate) SmallVec<[Input; 4]>);

impl Inputs {
    /// Creates an empty list.
    #[inline]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an input and returns its index.
    #[inline]
    pub fn push(&mut self, input: Input) -> u32 {
        self.0.push(input);
        u32::try_from(self.0.len() - 1).unwrap_or(u32::MAX)
    }
}

impl FromIterator<Input> for Inputs {
    fn from_iter<I: IntoIterator<Item = Input>>(inputs: I) -> Self {
        Self(inputs.into_iter().collect())
    }
}

/// One bound input.
#[derive(Debug, Clone, Copy)]
pub struct Input(pub(crate) InputRef);

impl<T: ?Sized> From<Handle<T>> for Input {
    fn from(handle: Handle<T>) -> Self {
        Self(handle.at)
    }
}

/// The kind of a parameter `&T`.
pub struct Ref<T: ?Sized>(PhantomData<fn() -> *const T>);
/// The kind of a parameter `T`, which receives a clone.
pub struct Val<T>(PhantomData<fn() -> T>);
/// The kind of a parameter `Option<&T>`, whose value may be missing.
pub struct Opt<T: ?Sized>(PhantomData<fn() -> *const T>);
/// The kind of a parameter `Each<'_, T>`, which takes any number of inputs.
pub struct EachOf<T>(PhantomData<fn() -> T>);

/// A type behind a reference, with the owned type of its inputs, such as `String` for `str`.
#[diagnostic::on_unimplemented(
    message = "no owned type is known for `{Self}`",
    note = "take a reference to the owned type, or write `&dyn Trait` for a trait object"
)]
pub trait Ownable {
    /// The type whose values can be borrowed as this one.
    type Owned: Borrow<Self>;
}

impl<T> Ownable for T {
    type Owned = T;
}

impl<T> Ownable for [T] {
    type Owned = Vec<T>;
}

macro_rules! ownable {
    ($($borrowed:ty: $owned:ty),*) => {$(
        impl Ownable for $borrowed {
            type Owned = $owned;
        }
    )*};
}

ownable!(str: String, Path: PathBuf, OsStr: OsString, CStr: CString);

/// The number of inputs that an argument binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputCount {
    /// None: it is a constant.
    Zero,
    /// One: it is a handle.
    One,
    /// Any number: it is a list of handles.
    Any,
}

/// An argument for a parameter of kind `P` in a graph.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not fit this parameter of the job",
    label = "expected a `Handle` of the parameter's type, or an owned value for an owned parameter",
    note = "a reference runs the job at once; `flow.value(..)` turns a value into a handle"
)]
pub trait Bind<P> {
    /// Finds the value when the job runs.
    type Reader: Reader<P>;
    /// The number of inputs that it binds.
    const COUNT: InputCount;

    /// Records the inputs and returns their reader.
    fn bind(self, inputs: &mut Inputs) -> Self::Reader;
}

/// Finds the value of a parameter of kind `P` when the job runs.
pub trait Reader<P>: Clone + Send + Sync + 'static {
    /// The value that the job receives.
    type Out<'s>;

    /// Reads the value.
    ///
    /// # Errors
    ///
    /// Fails when the value does not exist because its job did not complete.
    fn read<'s>(&'s self, io: &'s AttemptIo) -> Result<Self::Out<'s>, JobError>;
}

/// Reads one input.
pub struct One<U> {
    index: u32,
    kind: PhantomData<fn() -> U>,
}

impl<U> Clone for One<U> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<U> Copy for One<U> {}

impl<U> One<U> {
    fn bind_one(handle: Handle<U>, inputs: &mut Inputs) -> Self {
        Self { index: inputs.push(Input(handle.at)), kind: PhantomData }
    }
}

impl<T: ?Sized + 'static, U: Borrow<T> + 'static> Bind<Ref<T>> for Handle<U> {
    type Reader = One<U>;
    const COUNT: InputCount = InputCount::One;

    #[inline]
    fn bind(self, inputs: &mut Inputs) -> One<U> {
        One::bind_one(self, inputs)
    }
}

impl<T: ?Sized + 'static, U: Borrow<T> + 'static> Reader<Ref<T>> for One<U> {
    type Out<'s> = &'s T;

    #[inline]
    fn read<'s>(&'s self, io: &'s AttemptIo) -> Result<&'s T, JobError> {
        io.get::<U>(self.index).map(Borrow::borrow).ok_or_else(JobError::no_input::<U>)
    }
}

impl<T: Clone + 'static> Bind<Val<T>> for Handle<T> {
    type Reader = One<T>;
    const COUNT: InputCount = InputCount::One;

    #[inline]
    fn bind(self, inputs: &mut Inputs) -> One<T> {
        One::bind_one(self, inputs)
    }
}

impl<T: Clone + 'static> Reader<Val<T>> for One<T> {
    type Out<'s> = T;

    #[inline]
    fn read<'s>(&'s self, io: &'s AttemptIo) -> Result<T, JobError> {
        io.get::<T>(self.index).cloned().ok_or_else(JobError::no_input::<T>)
    }
}

impl<T: ?Sized + 'static, U: Borrow<T> + 'static> Bind<Opt<T>> for Handle<U> {
    type Reader = One<U>;
    const COUNT: InputCount = InputCount::One;

    #[inline]
    fn bind(self, inputs: &mut Inputs) -> One<U> {
        One::bind_one(self, inputs)
    }
}

impl<T: ?Sized + 'static, U: Borrow<T> + 'static> Reader<Opt<T>> for One<U> {
    type Out<'s> = Option<&'s T>;

    #[inline]
    fn read<'s>(&'s self, io: &'s AttemptIo) -> Result<Option<&'s T>, JobError> {
        Ok(io.get::<U>(self.index).map(Borrow::borrow))
    }
}

/// An owned value that is known when the graph is drawn.
#[derive(Clone)]
pub struct Constant<T>(T);

impl<T: Clone + Send + Sync + 'static> Bind<Val<T>> for T {
    type Reader = Constant<T>;
    const COUNT: InputCount = InputCount::Zero;

    fn bind(self, _: &mut Inputs) -> Constant<T> {
        Constant(self)
    }
}

impl<T: Clone + Send + Sync + 'static> Reader<Val<T>> for Constant<T> {
    type Out<'s> = T;

    fn read<'s>(&'s self, _: &'s AttemptIo) -> Result<T, JobError> {
        Ok(self.0.clone())
    }
}

/// Reads a row of inputs.
pub struct Many<T> {
    start: u32,
    len: u32,
    kind: PhantomData<fn() -> T>,
}

impl<T> Clone for Many<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Many<T> {}

impl<T> Many<T> {
    fn bind_all(handles: &[Handle<T>], inputs: &mut Inputs) -> Self {
        let start = inputs.0.len();
        inputs.0.extend(handles.iter().map(|handle| Input(handle.at)));
        let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
        Self { start: count(start), len: count(inputs.0.len() - start), kind: PhantomData }
    }
}

macro_rules! bind_many {
    ($($list:ty, [$($generics:tt)*];)*) => {$(
        impl<$($generics)*> Bind<EachOf<T>> for $list {
            type Reader = Many<T>;
            const COUNT: InputCount = InputCount::Any;

            fn bind(self, inputs: &mut Inputs) -> Many<T> {
                Many::bind_all(self.as_ref(), inputs)
            }
        }
    )*};
}

bind_many! {
    Vec<Handle<T>>, [T: 'static];
    &Vec<Handle<T>>, [T: 'static];
    &[Handle<T>], [T: 'static];
    [Handle<T>; N], [T: 'static, const N: usize];
}

impl<T: 'static> Reader<EachOf<T>> for Many<T> {
    type Out<'s> = Each<'s, T>;

    #[inline]
    fn read<'s>(&'s self, io: &'s AttemptIo) -> Result<Each<'s, T>, JobError> {
        Ok(Each(Inner::Bound { io, start: self.start, len: self.len }))
    }
}

/// The outputs of any number of jobs, by reference: the parameter type for a fan-in.
///
/// ```
/// use workflow_core::prelude::*;
///
/// #[job]
/// fn total(parts: Each<'_, u64>) -> u64 {
///     parts.iter().sum()
/// }
/// ```
pub struct Each<'s, T>(Inner<'s, T>);

enum Inner<'s, T> {
    Bound { io: &'s AttemptIo, start: u32, len: u32 },
    Slice(&'s [T]),
}

impl<T> Clone for Each<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Each<'_, T> {}

impl<T> Clone for Inner<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Inner<'_, T> {}

impl<'s, T: 'static> Each<'s, T> {
    /// The number of inputs, with or without a value.
    pub fn len(&self) -> usize {
        match self.0 {
            Inner::Bound { len, .. } => len as usize,
            Inner::Slice(values) => values.len(),
        }
    }

    /// Whether there are no inputs.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of input number `index`; `None` when its job did not complete.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&'s T> {
        match self.0 {
            Inner::Bound { io, start, len } => {
                let index = u32::try_from(index).ok().filter(|index| *index < len)?;
                io.get(start + index)
            }
            Inner::Slice(values) => values.get(index),
        }
    }

    /// The values that exist, in the order in which they were bound.
    pub fn iter(&self) -> impl Iterator<Item = &'s T> + use<'s, T> {
        let each = *self;
        (0..each.len()).filter_map(move |index| each.get(index))
    }
}

/// Wraps existing values, for unit tests.
impl<'s, T> From<&'s [T]> for Each<'s, T> {
    fn from(values: &'s [T]) -> Self {
        Self(Inner::Slice(values))
    }
}

impl<T: fmt::Debug + 'static> fmt::Debug for Each<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
