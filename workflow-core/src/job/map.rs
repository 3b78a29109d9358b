//! Dynamic fan-out: one job per element of a list whose length is known only at run time.

use std::any::Any;
use std::sync::Arc;

use super::NewChild;
use super::attempt_io::{ChildFrame, ChildInput, Item};
use super::bind::{Bind, Handle, InputRef, Inputs, Reader, Ref, fresh_owner};
use super::call::Call;
use super::raw_call::MappedCall;
use super::{AttemptIo, Body, JobError};
use crate::value::{ChildOutputs, Type};

/// Creates a job that runs another job for every element of an upstream list. Its output is the
/// list of their outputs, in the order of the elements.
///
/// The jobs are named after the map: `resize[0]`, `resize[1]`, and so on. When one fails for good,
/// the map starts no more jobs, cancels the running ones, and fails with the first error.
///
/// ```
/// use workflow_core::prelude::*;
///
/// #[job]
/// fn list() -> Vec<u64> { vec![1, 2, 3] }
/// #[job]
/// async fn square(number: &u64) -> u64 { number * number }
///
/// fn draw(flow: &mut Flow) {
///     let numbers = flow.job(list());
///     flow.job(map(numbers, square).concurrency(2).name("squares"));
/// }
/// ```
pub fn map<T, U>(list: Handle<Vec<T>>, job: impl FnOnce(Handle<T>) -> Call<U>) -> Call<Vec<U>>
where
    T: Send + Sync + 'static,
    U: Send + Sync + 'static,
{
    let owner = fresh_owner();
    let template = job(Handle::new(InputRef { owner, index: 0 })).raw;
    let mut inputs = Inputs::new();
    let reader = <Handle<Vec<T>> as Bind<Ref<Vec<T>>>>::bind(list, &mut inputs);
    let child_inputs: Arc<[ChildInput]> = template.split_inputs(owner, &mut inputs).into();
    let (name, kind) = (template.name.clone(), template.output.list::<U>());
    let needs = template.needs().to_vec();
    let template = Arc::new(template);
    let mapped = MappedCall {
        call: Arc::clone(&template),
        inputs: Arc::clone(&child_inputs),
        list: Type::list::<T>,
    };
    let body = Body::future(move |io| {
        let (template, inputs) = (Arc::clone(&template), Arc::clone(&child_inputs));
        async move {
            template.check_child()?;
            let len = Reader::<Ref<Vec<T>>>::read(&reader, &io)?.len();
            let output = Arc::new(ChildOutputs::<U>::new(len));
            let timed = template.is_timed();
            let children = (0..len).map(|index| NewChild {
                call: Arc::clone(&template),
                frame: Arc::new(ChildFrame {
                    parent: io.clone(),
                    inputs: Arc::clone(&inputs),
                    item: Item::Projected { index, project: element::<T> },
                    output: output.clone(),
                    row: index,
                    index: u32::try_from(index).ok(),
                    timed,
                }),
                asked: serde_json::Value::Null,
            });
            let services = io
                .services()
                .ok_or_else(|| JobError::terminal("a map needs an engine; add it to a workflow"))?;
            let running = services.spawn(io.job, children.collect());
            drop(services);
            for child in running {
                child.await?;
            }
            io.put(output.take().ok_or_else(|| {
                JobError::terminal("the job of an element ended without an output")
            })?)
        }
    });
    let mut call = Call::new(name, kind, body, inputs).requiring(needs).container();
    call.raw.set_mapped(mapped);
    call
}

fn element<T: Send + Sync + 'static>(
    io: &AttemptIo,
    index: usize,
) -> Option<&(dyn Any + Send + Sync)> {
    io.get::<Vec<T>>(0)?.get(index).map(|element| element as _)
}
