//! The jobs, and the workflow that connects them.

use workflow_core::prelude::*;

/// The words of a text.
#[job]
pub fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// The length of a word. A job that fails is tried again, with growing pauses.
#[job(retry(maximum_attempts = 3, initial_interval = "1s"))]
pub async fn length(word: &str) -> Result<usize, JobError> {
    if word.chars().any(char::is_control) {
        return Err(JobError::terminal(format!("{word:?} is not a word")));
    }
    Ok(word.chars().count())
}

/// The sum of the lengths.
#[job]
pub fn total(lengths: &[usize]) -> usize {
    lengths.iter().sum()
}

/// Counts the letters of a text.
#[register_workflow(
    name = "{{ crate_name }}",
    metadata = { "description": "Counts the letters of a text" }
)]
fn workflow(flow: &mut Flow, text: Handle<String>) -> Handle<usize> {
    let words = flow.job(words(text));
    // One job for each word, all at once.
    let lengths = flow.job(map(words, length));
    flow.job(total(lengths))
}
