//! A program with two linked workflows of one name: its first use of the registry fails and names
//! both places.

use workflow_core::prelude::*;
use workflow_core::registry::RegistryError;

#[register_workflow(name = "twin")]
fn one() {}

mod elsewhere {
    use workflow_core::prelude::*;

    #[register_workflow(name = "twin")]
    pub(super) fn another() {}
}

#[register_workflow(name = "innocent")]
fn innocent() {}

const ONE: u32 = 7;
const ANOTHER: u32 = 13;

#[test]
fn every_use_names_both_places() {
    let file = file!();
    let wanted = format!(
        "two workflows are named `twin`: at {file}:{ONE}:1 and at {file}:{ANOTHER}:5; rename one \
         of them"
    );
    let run = registry::run("innocent").wait().expect_err("the registry is not sound");
    assert_eq!(run.to_string(), wanted);
    let all = registry::list().expect_err("the registry is not sound");
    assert_eq!(all.to_string(), wanted);
    for name in ["twin", "innocent", "unknown"] {
        let error = registry::get(name).expect_err("the registry is not sound");
        assert!(matches!(error, RegistryError::Duplicate { what: "workflow", .. }), "{error}");
        assert_eq!(error.to_string(), wanted);
    }
    let workflow =
        workflow_core::workflow::FunctionWorkflow::new("late", |_: &mut Flow| ()).expect("a name");
    assert_eq!(registry::register(workflow).expect_err("not sound").to_string(), wanted);
    // The functions can still be called.
    one();
    elsewhere::another();
    innocent();
}
