//! Every kind of parameter, and every way to pass one.

#![deny(warnings)]

use std::path::Path;
use std::sync::Arc;

use workflow_core::prelude::*;

struct NotClone(u8);

#[job]
#[expect(clippy::too_many_arguments, reason = "that is the point")]
async fn everything(
    _ctx: JobContext,
    text: &str,
    bytes: &[u8],
    whole: &NotClone,
    path: &Path,
    maybe: Option<&str>,
    mut number: u64,
    optional: Option<u32>,
    each: Each<'_, u8>,
    _: (),
    (one, two): (u8, u8),
    shared: Arc<dyn Fn(&str) -> usize + Send + Sync>,
    name: &'static str,
) -> Result<u64, JobError> {
    number += u64::from(whole.0) + u64::from(one + two) + each.iter().count() as u64;
    number += (bytes.len() + shared(text) + path.components().count() + name.len()) as u64;
    Ok(number + u64::from(optional.unwrap_or(0)) + maybe.map_or(0, str::len) as u64)
}

#[job]
fn nothing() {}

#[job]
fn object(_: &dyn std::any::Any) {}

#[job]
fn array([one, two]: [u8; 2], r#type: &(u8, u8)) -> [u8; 2] {
    [one + r#type.0, two]
}

#[job]
fn failing(_ctx: &WorkflowContext) -> std::io::Result<()> {
    Ok(())
}

fn draw(flow: &mut Flow) {
    let text = flow.value(String::from("text"));
    let bytes = flow.value(vec![1_u8]);
    let whole = flow.value(NotClone(1));
    let path = flow.value(Path::new("a/b").to_owned());
    let byte = flow.value(1_u8);
    let shared: Arc<dyn Fn(&str) -> usize + Send + Sync> = Arc::new(str::len);
    let call =
        everything(text, bytes, whole, path, text, 3, None, [byte, byte], (), (1, 2), shared, "x");
    let number = flow.job(call);
    flow.job(nothing().after(number));
    let pair = flow.value((1_u8, 2_u8));
    flow.job(array([1, 2], pair));
    flow.job(failing());
}

#[test]
fn every_parameter_can_be_given() {
    draw(&mut Flow::new());
    let shared: Arc<dyn Fn(&str) -> usize + Send + Sync> = Arc::new(str::len);
    let each = Each::from(&[1_u8][..]);
    let (text, whole) = (String::from("text"), NotClone(1));
    let path = Path::new("a/b");
    drop(everything(
        &text,
        &[1_u8],
        &whole,
        path,
        Some("x"),
        3,
        Some(1),
        each,
        (),
        (1, 2),
        shared,
        "x",
    ));
    assert_eq!(array([1, 2], &(1, 2)), [2, 2]);
}
