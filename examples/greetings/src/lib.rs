//! A crate that registers a workflow and a job, and imports the library under another name.

use flows::prelude::*;

/// Says hello.
#[register_workflow(name = "greet", metadata = { "domain": "manners" }, crate = flows)]
async fn greet(name: String) -> String {
    format!("hello {name}")
}

/// Counts the letters of a text.
#[job(crate = flows)]
pub fn letters(text: &str) -> usize {
    text.chars().filter(|character| character.is_alphabetic()).count()
}
