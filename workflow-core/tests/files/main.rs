//! Workflow files as their authors meet them: what is said about their mistakes, and what they run.
#![cfg(all(target_os = "linux", feature = "yaml"))]

mod formats;
mod jobs;
mod mistakes;
mod values;

use std::fs;
use std::path::{Path, PathBuf};

use workflow_core::prelude::*;
use workflow_core::{Diagnostics, WorkflowFile};

#[job]
fn brew(cups: u32, tea: String) -> String {
    format!("{cups} cups of {tea}")
}

#[job]
fn tally(parts: Each<'_, u32>) -> u32 {
    parts.iter().sum()
}

/// What is wrong with a text; fails when nothing is.
fn wrong(text: &str) -> Diagnostics {
    WorkflowFile::parse("tea.yaml", text).expect_err("the text has mistakes")
}

/// What is likely not meant in a text that can be run.
fn odd(text: &str) -> Diagnostics {
    sound("tea.yaml", text).warnings().clone()
}

/// A text in which nothing is wrong.
fn sound(name: &str, text: &str) -> WorkflowFile {
    WorkflowFile::parse(name, text).unwrap_or_else(|wrong| panic!("{wrong}"))
}
