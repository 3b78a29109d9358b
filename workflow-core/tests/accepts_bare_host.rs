//! A host without a prelude, in which other items have the names of crates and macros.

#![no_implicit_prelude]
#![deny(warnings)]

use ::workflow_core::{Each, Flow, Handle, JobContext, JobError, WorkflowContext};
use ::workflow_core::{job, register_workflow};

mod core {}
mod std {}
mod alloc {}
mod workflow_core {}

#[expect(unused_macros, reason = "generated code must not find it")]
macro_rules! vec {
    ($($any:tt)*) => {
        compile_error!("is not the macro of the host")
    };
}
#[expect(unused_macros, reason = "generated code must not find it")]
macro_rules! panic {
    ($($any:tt)*) => {
        compile_error!("is not the macro of the host")
    };
}
#[expect(unused_macros, reason = "generated code must not find it")]
macro_rules! file {
    ($($any:tt)*) => {
        compile_error!("is not the macro of the host")
    };
}

/// Patterns in generated code must not resolve to these.
#[expect(non_upper_case_globals, dead_code, reason = "the names of patterns")]
mod constants {
    pub(crate) const scope: () = ();
    pub(crate) const input: () = ();
    pub(crate) const output: () = ();
    pub(crate) const inputs: () = ();
    pub(crate) const context: () = ();
    pub(crate) const input_0: () = ();
    pub(crate) const value_0: () = ();
    pub(crate) static flow: () = ();
    pub(crate) static call: () = ();
    pub(crate) static body: () = ();
}

#[expect(unused_imports, reason = "generated code must not find them")]
use constants::{body, call, context, flow, input, input_0, inputs, output, scope, value_0};

/// A method of every type with the name of a method in generated code.
#[expect(dead_code, reason = "generated code must not call them")]
pub(crate) trait Everything: ::std::marker::Sized {
    fn put(self) {}
    fn typed(self) {}
    fn clone(self) {}
    fn bind(self) {}
    fn input(self) {}
    fn options(self) {}
    fn invoke(self) {}
    fn job(self) {}
}

impl<T> Everything for T {}

type Fallible<T = u64, E = JobError> = ::std::result::Result<T, E>;

#[job]
fn nothing() {}

#[job(inline)]
fn unit(_ctx: JobContext) -> Fallible<()> {
    ::std::result::Result::Ok(())
}

#[job(
    retry(
        maximum_attempts = 2,
        initial_interval = "1ms",
        backoff_coefficient = 1.5,
        maximum_interval = "1s",
        jitter = 0.5,
        non_retryable_errors = ["Never"],
    ),
    start_to_close = "1h",
    schedule_to_close = "1h",
    heartbeat = "1h",
    priority = 2,
)]
async fn total(
    ctx: &JobContext,
    one: &u64,
    two: u64,
    text: ::std::option::Option<&str>,
    each: Each<'_, u64>,
    list: &[u64],
    path: &::std::path::Path,
) -> Fallible {
    ctx.heartbeat();
    let _ = (text, each, list, path);
    ::std::result::Result::Ok(*one + two)
}

#[job]
fn same(number: u64) -> u64 {
    number
}

#[register_workflow]
fn drawn(graph: &mut Flow, number: Handle<u64>) -> Fallible<Handle<u64>> {
    let text = graph.value::<::std::string::String>(::std::convert::From::from("text"));
    let list = graph.value(::std::vec![1]);
    let path = graph.value(::std::path::PathBuf::new());
    graph.job(nothing());
    graph.job(unit());
    ::std::result::Result::Ok(graph.job(total(number, number, text, [number], list, path)))
}

#[register_workflow]
fn drawn_for_input(graph: &mut Flow, numbers: &[u64]) -> Handle<u64> {
    graph.job(same::draw(numbers[0]))
}

#[register_workflow(project = "bare", tags = ["a"], retry(maximum_attempts = 2))]
async fn function(ctx: WorkflowContext, path: &::std::path::Path) -> Fallible {
    let _ = (ctx, path);
    ::std::result::Result::Ok(3)
}

#[::core::prelude::v1::test]
fn names_of_the_host_are_not_captured() {
    let run = |name: &str| ::workflow_core::registry::run(name);
    let number = |report: ::std::result::Result<::workflow_core::Report, _>| {
        let report: ::workflow_core::Report = match report {
            ::std::result::Result::Ok(report) => report,
            ::std::result::Result::Err(error) => {
                let error: ::workflow_core::RunError = error;
                ::std::panic!("{error}")
            }
        };
        report.output::<u64>().unwrap_or(0)
    };
    ::std::assert_eq!(number(run("drawn").input(4_u64).wait()), 8);
    ::std::assert_eq!(number(run("drawn_for_input").input([5_u64]).wait()), 5);
    ::std::assert_eq!(number(run("function").input("a/b").wait()), 3);
    ::std::assert_eq!(same(3), 3);
}
