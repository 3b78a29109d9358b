//! What the compiler says to mistakes. What it must accept stands in the files `accepts_*.rs`: a
//! case that must compile and run would have `trybuild` build every case by itself, one after the
//! other, where cases that must fail are checked together.

#[test]
fn mistakes_are_told_once_and_clearly() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/job/*.rs");
    cases.compile_fail("tests/ui/workflow/*.rs");
    cases.compile_fail("tests/ui/graph/*.rs");
}
