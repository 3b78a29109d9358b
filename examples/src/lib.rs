//! The README's code, compiled and run. The examples themselves are the other files of this folder.

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
