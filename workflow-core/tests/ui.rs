//! What the compiler says to mistakes, and what it must say nothing to.

#[test]
fn mistakes_are_told_once_and_clearly() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/job/*.rs");
    cases.compile_fail("tests/ui/workflow/*.rs");
    cases.compile_fail("tests/ui/graph/*.rs");
}
