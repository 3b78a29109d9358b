//! Pages of lists on a terminal.

use std::fmt;
use std::io::{self, Write};

use comfy_table::Table;
use workflow_store::Page;

use crate::failure::Failure;
use crate::output;

/// Prints a page as a table, with the option that shows the next page. Prints `none` for an empty
/// page.
pub(crate) fn print_page<T>(
    page: &Page<T>,
    none: fmt::Arguments<'_>,
    table: impl FnOnce(&[T]) -> Table,
) -> Result<(), Failure> {
    print_page_with(page, none, |out, items| output::write_table(out, table(items)))
}

/// Prints a page with any layout.
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
        output::message(format_args!("next page: --cursor '{cursor}'"));
    }
    Ok(())
}
