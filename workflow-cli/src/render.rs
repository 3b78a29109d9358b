//! Runs and lists as text: live bars, lines, JSON lines and tables.

mod display;
mod json_lines;
mod lines;
mod live;
mod page;
pub(crate) mod progress;
pub(crate) mod run_table;
mod time;

pub(crate) use display::{Display, Screen, watch};
pub(crate) use json_lines::JsonLines;
pub(crate) use lines::job_output;
pub(crate) use page::{print_page, print_page_with};
pub(crate) use progress::Progress;
pub(crate) use time::{short_time, time};
