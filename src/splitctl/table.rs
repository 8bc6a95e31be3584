//! Tables, as all commands draw them: faint heads, columns as wide as what they hold, numbers to the right, and no
//! blanks at the end of a line.

use std::io::{self, Write};
use std::sync::OnceLock;

use anstyle::Style;
use comfy_table::{CellAlignment, presets};

use crate::style;

/// Blanks between two columns.
const GAP: u16 = 2;

/// How wide the terminal is that tables go to; nothing where they go to none.
static COLUMNS: OnceLock<usize> = OnceLock::new();

/// From now on lines of tables end where the terminal does: what is wrapped is no table any more. To be called by the program
/// alone, where its answer goes to a terminal; in a pipe or a file tables are whole.
pub fn fit(columns: Option<usize>) {
    if let Some(columns) = columns {
        // The first call counts.
        let _same = COLUMNS.set(columns);
    }
}

/// A line that is no longer than so many columns; one that is cut ends with an ellipsis, and its style ends with it.
fn cut(line: &str, columns: usize) -> String {
    let plain = anstream::adapter::strip_str(line).to_string();
    if plain.chars().count() <= columns {
        return line.to_owned();
    }
    let mut text = String::new();
    let (mut left, mut styled, mut in_style) = (columns.saturating_sub(1), false, false);
    for c in line.chars() {
        if c == '\u{1b}' {
            (in_style, styled) = (true, true);
        }
        if in_style {
            text.push(c);
            in_style = c != 'm';
        } else if left > 0 {
            left = left.saturating_sub(1);
            text.push(c);
        } else {
            break;
        }
    }
    text.push('\u{2026}');
    if styled {
        text.push_str("\u{1b}[0m");
    }
    text
}

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
        let columns = COLUMNS.get().map(|columns| columns.saturating_sub(indent));
        self.lines().try_for_each(|line| {
            let line = columns.map_or_else(|| line.clone(), |columns| cut(&line, columns));
            writeln!(out, "{:indent$}{line}", "")
        })
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
    fn a_line_is_cut_where_a_terminal_ends_and_not_in_a_pipe() {
        assert_eq!(cut("stable  1,234", 13), "stable  1,234");
        assert_eq!(cut("stable  1,234", 12), "stable  1,2\u{2026}");
        let styled = format!("{}variant  users{:#}", style::FAINT, style::FAINT);
        assert_eq!(cut(&styled, 14), styled);
        assert_eq!(cut(&styled, 8), format!("{}variant\u{2026}\u{1b}[0m", style::FAINT));
        // The program alone says how wide a terminal is.
        let mut table = Table::new([words("")]);
        table.row(["x".repeat(300)]);
        assert_eq!(shown(table).trim(), "x".repeat(300));
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
