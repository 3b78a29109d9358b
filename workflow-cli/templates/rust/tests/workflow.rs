//! The workflow: how it is registered, what its jobs compute, and how they fail.

use {{ crate_name }}::workflow::length;
use workflow_core::Engine;
use workflow_core::registry;

const NAME: &str = "{{ crate_name }}";

#[test]
fn it_is_registered() {
    let entry = registry::get(NAME).expect("it is linked");
    assert!(entry.description().is_some());
}

#[test]
fn it_counts_letters() {
    let report = registry::run(NAME).input("one three").wait().expect("it completes");
    assert_eq!(report.output::<usize>().expect("a number"), 8);
}

#[test]
fn what_is_no_word_fails_the_run() {
    let error = registry::run(NAME).input("a\u{7}b").wait().expect_err("it is no word");
    assert!(error.to_string().contains("is not a word"), "{error}");
}

#[test]
fn a_job_can_be_replaced() {
    let length = length::replaced_by(|_| Ok(1));
    let report = Engine::builder().replace(length).build().run(NAME).input("one three").wait();
    let report = report.expect("it completes");
    assert_eq!(report.output::<usize>().expect("a number"), 2);
}
