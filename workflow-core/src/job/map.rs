//! Dynamic fan-out: one job per element of a list that is known only when it is there.

use std::any::Any;
use std::sync::Arc;

use super::NewChild;
use super::bind::{Bind, Handle, InputRef, Inputs, Reader, Ref, fresh_owner};
use super::call::Call;
use super::scope::{ChildFrame, ChildInput, Item};
use super::{Body, JobError, Scope};
use crate::value::Outbox;

fn element<T: Send + Sync + 'static>(
    scope: &Scope,
    index: usize,
) -> Option<&(dyn Any + Send + Sync)> {
    scope.get::<Vec<T>>(0)?.get(index).map(|element| element as _)
}

pub(super) fn call<T, U>(
    list: Handle<Vec<T>>,
    job: impl FnOnce(Handle<T>) -> Call<U>,
) -> Call<Vec<U>>
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
    let needs = template.needs.clone();
    let template = Arc::new(template);
    let body = Body::future(move |scope| {
        let (template, inputs) = (Arc::clone(&template), Arc::clone(&child_inputs));
        async move {
            template.check_child()?;
            let len = Reader::<Ref<Vec<T>>>::read(&reader, &scope)?.len();
            let output = Arc::new(Outbox::<U>::new(len));
            let timed = template.is_timed();
            let children = (0..len).map(|index| NewChild {
                call: Arc::clone(&template),
                frame: Arc::new(ChildFrame {
                    parent: scope.clone(),
                    inputs: Arc::clone(&inputs),
                    item: Item::Projected { index, project: element::<T> },
                    output: output.clone(),
                    row: index,
                    index: u32::try_from(index).ok(),
                    timed,
                }),
                asked: serde_json::Value::Null,
            });
            let host = scope.host().ok_or_else(|| {
                JobError::terminal("a map runs on an engine only, and this context has none")
            })?;
            let running = host.spawn(scope.job, children.collect());
            drop(host);
            for child in running {
                child.await?;
            }
            scope.put(output.take().ok_or_else(|| {
                JobError::terminal("an element's job ended without leaving an output")
            })?)
        }
    });
    Call::new(name, kind, body, inputs).requiring(needs).container()
}
