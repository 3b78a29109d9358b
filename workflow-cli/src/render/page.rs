//! Pages of lists as people are shown them.

use std::fmt;
use std::io::{self, Write};

use comfy_table::Table;
use workflow_store::Page;

use crate::failure::Failure;
use crate::output;

/// Prints a page for people as a table, and how to go on after it; `none` when there is nothing on
/// it.
pub(crate) fn print_page<T>(
    page: &Page<T>,
    none: fmt::Arguments<'_>,
    table: impl FnOnce(&[T]) -> Table,
) -> Result<(), Failure> {
    print_page_with(page, none, |out, items| output::write_table(out, table(items)))
}

/// The same, written in any way.
pub(crate) fn print_page_with<T>(
    page: &Page<T>,
    none: fmt::Arguments<'_>,
    write: impl FnOnce(&mut dyn Write, &[T]) -> io::Result<()>,
) -> Result<(), Failure> {
    if page.items.is_empty() {
        output::message(none);
    } else {
        output::print(|out| write(out, &page.items))?;
    }
    if let Some(cursor) = &page.next {
        output::message(format_args!("there are more: --cursor '{cursor}'"));
    }
    Ok(())
}
