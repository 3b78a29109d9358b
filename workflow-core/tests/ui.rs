//! Compiler errors for mistakes. Valid code is tested in `accepts_*.rs`: a case that must compile
//! and run would make `trybuild` build every case separately, while cases that must fail are
//! checked together.

#[test]
fn mistakes_are_told_once_and_clearly() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/job/*.rs");
    cases.compile_fail("tests/ui/workflow/*.rs");
    cases.compile_fail("tests/ui/graph/*.rs");
    #[cfg(feature = "assets")]
    cases.compile_fail("tests/ui/asset/*.rs");
}
