//! Tables, as all commands draw them: faint heads, columns as wide as what they hold, numbers to the right, and no
//! blanks at the end of a line.

use std::io::{self, Write};

use anstyle::Style;
use comfy_table::{CellAlignment, presets};

use crate::style;

/// Blanks between two columns.
const GAP: u16 = 2;

/// A column of a table.
#[derive(Debug, Clone)]
pub struct Column {
    head: String,
    alignment: CellAlignment,
}

/// A column of words, to the left.
pub fn words(head: impl Into<String>) -> Column {
    Column { head: head.into(), alignment: CellAlignment::Left }
}

/// A column of numbers, to the right.
pub fn numbers(head: impl Into<String>) -> Column {
    Column { head: head.into(), alignment: CellAlignment::Right }
}

/// A table that is being filled.
///
/// Only the last column may hold text that is styled already: elsewhere the style would count as width.
#[derive(Debug)]
pub struct Table {
    table: comfy_table::Table,
    columns: Vec<Column>,
    /// Of the lines, the heads among them.
    styles: Vec<Style>,
}

impl Table {
    /// A table without rows. It has a line of heads where a column has one.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        let columns: Vec<Column> = columns.into_iter().collect();
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING);
        let mut styles = Vec::new();
        if columns.iter().any(|column| !column.head.is_empty()) {
            table.set_header(columns.iter().map(|column| &column.head));
            styles.push(style::FAINT);
        }
        Self { table, columns, styles }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.styled_row(Style::new(), cells);
    }

    /// Adds a row that differs from the others in its look.
    pub fn styled_row(&mut self, style: Style, cells: impl IntoIterator<Item = String>) {
        self.table.add_row(cells.into_iter().collect::<Vec<_>>());
        self.styles.push(style);
    }

    /// The lines of the table.
    pub fn lines(mut self) -> impl Iterator<Item = String> {
        for (column, Column { alignment, .. }) in self.table.column_iter_mut().zip(&self.columns) {
            column.set_padding((0, GAP));
            column.set_cell_alignment(*alignment);
        }
        let lines: Vec<String> = self.table.lines().collect();
        lines.into_iter().zip(self.styles).map(|(line, style)| {
            let line = line.trim_end();
            if style.is_plain() { line.to_owned() } else { format!("{style}{line}{style:#}") }
        })
    }

    /// Writes it, so far from the left.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn show(self, indent: usize, out: &mut dyn Write) -> io::Result<()> {
        self.lines().try_for_each(|line| writeln!(out, "{:indent$}{line}", ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(table: Table) -> String {
        let mut out = Vec::new();
        table.show(2, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn row<const N: usize>(cells: [&str; N]) -> [String; N] {
        cells.map(str::to_owned)
    }

    #[test]
    fn columns_are_as_wide_as_what_they_hold() {
        let mut table = Table::new([words("variant"), numbers("users"), words("")]);
        table.row(row(["\u{6771}\u{4eac}\u{6771}\u{4eac}", "1,234", "wins"]));
        table.row(row(["e\u{301}", "5", ""]));
        let shown = anstream::adapter::strip_str(&shown(table)).to_string();
        insta::assert_snapshot!(shown, @"
        variant   users
        東京東京  1,234  wins
        é             5
        ");
    }

    #[test]
    fn without_heads_there_is_no_line_for_them() {
        let mut table = Table::new([words(""), numbers("")]);
        table.row(row(["a", "1"]));
        table.row(row(["bc", "10"]));
        assert_eq!(shown(table), "  a    1\n  bc  10\n");
    }

    #[test]
    fn a_style_is_no_part_of_the_width() {
        let mut table = Table::new([words("a"), words("b")]);
        table.styled_row(style::ERROR, row(["wrong", "x"]));
        table.row([String::from("fine"), style::fine("y").to_string()]);
        let shown = shown(table);
        assert!(
            shown.starts_with(
                "  \u{1b}[2ma      b\u{1b}[0m\n  \u{1b}[1m\u{1b}[31mwrong  x\u{1b}[0m\n"
            ),
            "{shown:?}"
        );
        assert_eq!(
            anstream::adapter::strip_str(&shown).to_string(),
            "  a      b\n  wrong  x\n  fine   y\n"
        );
    }
}
