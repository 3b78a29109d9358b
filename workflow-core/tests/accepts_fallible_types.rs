//! A function is fallible if its return type is a `Result`, however the type is written.

#![deny(warnings)]

use std::sync::atomic::{AtomicU32, Ordering};

use workflow_core::prelude::*;
use workflow_core::registry::run;

mod errors {
    pub(crate) type Fallible<T = u64, E = workflow_core::JobError> = Result<T, E>;
    pub(crate) type Unit = ();
    pub(crate) type Number = u64;
}

use errors::{Fallible, Number, Unit};

trait Storage {
    type Answer;
}

struct Disk;

impl Storage for Disk {
    type Answer = std::io::Result<u64>;
}

macro_rules! failing {
    ($($name:ident: $kind:ty;)*) => {$(
        #[job]
        fn $name() -> $kind {
            Err("the disk is full")?
        }
    )*};
}

failing! {
    by_default: Fallible;
    by_name: errors::Fallible<Vec<u64>, Box<dyn std::error::Error + Send + Sync>>;
    by_macro: Result<u64, JobError>;
}

#[job]
async fn by_path() -> std::result::Result<u64, String> {
    Err("the disk is full".to_owned())
}

#[job]
fn by_io() -> std::io::Result<u64> {
    Err(std::io::Error::other("the disk is full"))
}

#[job]
async fn by_projection(_number: Option<u64>) -> <Disk as Storage>::Answer {
    Err(std::io::Error::other("the disk is full"))
}

#[job]
fn by_another_crate(number: &u64) -> anyhow::Result<u64> {
    anyhow::bail!("the disk is full, {number} times")
}

/// A host type named `Result`, which is an output like any other.
mod own {
    use workflow_core::prelude::*;

    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    pub(crate) enum Result<T, E> {
        Ok(T),
        Err(E),
    }

    #[job]
    pub(crate) fn own() -> Result<u64, String> {
        Result::Err("is a value".to_owned())
    }

    #[register_workflow]
    pub(crate) async fn own_workflow() -> Result<u64, String> {
        Result::Ok(3)
    }
}

#[job]
fn number(number: &u64) -> Number {
    *number
}

#[job]
fn nothing() -> Unit {}

// A value that may be missing is a value too.
#[job]
fn option() -> Option<Number> {
    None
}

#[job]
fn nested() -> Fallible<Result<u64, String>> {
    Ok(Err("is a value".to_owned()))
}

/// Calls and handles have the types of the values inside.
fn types(flow: &mut Flow) {
    let failed: Handle<u64> = flow.job(by_default());
    let _: Handle<Vec<u64>> = flow.job(by_name());
    let _: Handle<u64> = flow.job(by_projection::draw(None));
    let _: Call<u64> = by_another_crate(failed);
    let _: Call<own::Result<u64, String>> = own::own();
    let _: Handle<Number> = flow.job(number(failed));
    let _: Handle<()> = flow.job(nothing());
    let _: Handle<Option<u64>> = flow.job(option());
    let _: Handle<Result<u64, String>> = flow.job(nested());
}

static ATTEMPTS: AtomicU32 = AtomicU32::new(0);

#[register_workflow(retry(maximum_attempts = 3, initial_interval = "1ms"))]
async fn retried() -> Fallible<()> {
    ATTEMPTS.fetch_add(1, Ordering::Relaxed);
    Err("the disk is full".into())
}

#[register_workflow]
fn function(path: &str) -> std::io::Result<String> {
    match path {
        "" => Err(std::io::Error::other("the disk is full")),
        path => Ok(path.to_owned()),
    }
}

type Drawn<T> = Fallible<Handle<T>>;

#[register_workflow]
fn drawn(flow: &mut Flow, number: Handle<u64>) -> Drawn<u64> {
    Ok(flow.job(by_another_crate(number)))
}

#[register_workflow]
fn drawn_for_input(flow: &mut Flow, number: u64) -> Drawn<u64> {
    match number {
        0 => Err("the disk is full".into()),
        number => {
            let number = flow.value(number);
            Ok(flow.job(self::number(number)))
        }
    }
}

fn fails<T: Send + Sync + 'static>(draw: impl Fn(&mut Flow) -> Call<T> + Send + Sync + 'static) {
    let draw = move |flow: &mut Flow| {
        let call = draw(flow);
        flow.job(call)
    };
    let workflow =
        workflow_core::workflow::FunctionWorkflow::new("fails", draw).expect("a good name");
    let error = Engine::default().run(workflow).wait().expect_err("the job fails");
    assert!(error.to_string().contains("the disk is full"), "{error}");
}

#[test]
fn every_kind_of_result_is_fallible() -> Result<(), Box<dyn std::error::Error>> {
    types(&mut Flow::new());
    fails(|_| by_default());
    fails(|_| by_name());
    fails(|_| by_macro());
    fails(|_| by_path());
    fails(|_| by_io());
    fails(|_| by_projection::draw(None));
    fails(|flow| by_another_crate(flow.value(2_u64)));

    let error = run("retried").wait().expect_err("every attempt fails");
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert_eq!(ATTEMPTS.load(Ordering::Relaxed), 3);
    run("function").input("").wait().expect_err("the function fails");
    assert_eq!(run("function").input("a").wait()?.output::<String>()?, "a");
    run("drawn").input(1_u64).wait().expect_err("the job fails");
    run("drawn_for_input").input(0_u64).wait().expect_err("drawing fails");
    assert_eq!(run("drawn_for_input").input(2_u64).wait()?.output::<u64>()?, 2);

    let own = run("own_workflow").wait()?.output::<own::Result<u64, String>>()?;
    assert_eq!(own, own::Result::Ok(3));
    Ok(())
}
