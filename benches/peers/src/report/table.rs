//! A Markdown table with one row per contender.

use super::notes::Notes;
use crate::contender::Contender;

/// The cell of a contender that does not support a case.
const NOTHING: &str = "–";

/// A table that grows by columns.
pub(super) struct Rows {
    contenders: Vec<&'static dyn Contender>,
    columns: Vec<Vec<String>>,
}

impl Rows {
    /// Starts a table with the column of names.
    pub(super) fn new(contenders: Vec<&'static dyn Contender>, notes: &mut Notes) -> Self {
        let mut names = vec!["contender".to_owned()];
        names.extend(contenders.iter().map(|contender| {
            let marks = notes.marks(contender.notes());
            format!("{} {marks}", contender.name()).trim_end().to_owned()
        }));
        Self { contenders, columns: vec![names] }
    }

    /// Adds a column.
    pub(super) fn column(&mut self, title: &str, cell: impl Fn(&dyn Contender) -> Option<String>) {
        let mut column = vec![title.to_owned()];
        let cells = self.contenders.iter().map(|contender| cell(*contender));
        column.extend(cells.map(|cell| cell.unwrap_or_else(|| NOTHING.into())));
        self.columns.push(column);
    }

    /// The title, the table and an explanation.
    pub(super) fn to_markdown(&self, title: &str, explanation: &str) -> String {
        let mut markdown = format!("**{title}**\n\n");
        for row in 0..=self.contenders.len() {
            markdown += &self.row(row);
            if row == 0 {
                markdown += &self.rule();
            }
        }
        markdown + "\n" + explanation + "\n"
    }

    fn row(&self, row: usize) -> String {
        let cells = self.columns.iter().enumerate().map(|(index, column)| {
            let (cell, width) = (&column[row], width(column));
            match index {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            }
        });
        line(cells.collect())
    }

    fn rule(&self) -> String {
        let cells = self.columns.iter().enumerate().map(|(index, column)| {
            let end = if index == 0 { '-' } else { ':' };
            "-".repeat(width(column) - 1) + &end.to_string()
        });
        line(cells.collect())
    }
}

fn width(column: &[String]) -> usize {
    let widths = column.iter().map(|cell| cell.chars().count());
    widths.max().unwrap_or_default()
}

fn line(cells: Vec<String>) -> String {
    format!("| {} |\n", cells.join(" | "))
}
