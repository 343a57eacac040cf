//! Tables of a terminal: columns as wide as what stands in them.

use std::fmt::Write;

use crate::page::{Cell, Row, Table};

use super::{Ink, line};

/// Its name stands over the first column if it fits there, else on a line of its own.
/// What is in words has one space before it, what is in numbers two.
pub(super) fn table(out: &mut String, table: &Table, name: &str, indent: &str, ink: Ink) {
    let outer = &indent[2..];
    if table.rows.is_empty() {
        line(out, &format!("{outer}{}", ink.bold(name)));
        line(out, &format!("{indent}{}", table.empty));
        return;
    }
    let marks = table.rows.iter().any(|row| !row.chosen.is_empty());
    let indent = if marks {
        format!("{indent}  ")
    } else {
        indent.to_owned()
    };
    let widths: Vec<Width> = (0..table.columns.len())
        .map(|i| Width::of(table, i))
        .collect();
    let first = widths.first().map_or(0, |width| width.text);
    let fits = name.len() < indent.len() - outer.len() + first;
    if !fits {
        line(out, &format!("{outer}{name}"));
    }
    let mut head = match (fits, indent.len() + first) {
        (true, width) => format!("{:<1$}", format!("{outer}{name}"), width),
        (false, width) => " ".repeat(width),
    };
    for (column, width) in table.columns.iter().zip(&widths).skip(1) {
        let name = Cell::from(column.name.as_str());
        width.put(&mut head, &name, column.is_number());
    }
    let head = if fits {
        ink.bold(&head)
    } else {
        ink.dim(&head)
    };
    line(out, &head);
    for row in &table.rows {
        line(out, &self::row(table, row, &widths, (&indent, marks)));
    }
}

fn row(table: &Table, row: &Row, widths: &[Width], (indent, marks): (&str, bool)) -> String {
    let chosen = if row.chosen.is_empty() { "  " } else { "> " };
    let mut text = match marks {
        true => format!("{}{chosen}", &indent[2..]),
        false => indent.to_owned(),
    };
    let columns = table.columns.iter().zip(widths);
    for (i, (cell, (column, width))) in row.cells.iter().zip(columns).enumerate() {
        let blank = Cell::default();
        let cell = if column.once && !row.first {
            &blank
        } else {
            cell
        };
        if i == 0 {
            let _ = write!(text, "{:<1$}", cell.all(), width.text);
        } else {
            width.put(&mut text, cell, column.is_number());
        }
    }
    text
}

/// What a column needs, and its marks behind that.
struct Width {
    text: usize,
    mark: usize,
}

impl Width {
    fn of(table: &Table, column: usize) -> Self {
        let cells = || table.rows.iter().filter_map(|row| row.cells.get(column));
        let head = table.columns[column].name.len();
        // The name of the first one is that of the table.
        let head = if column == 0 { 0 } else { head };
        Self {
            text: cells()
                .map(|cell| cell.text.chars().count())
                .fold(head, usize::max),
            mark: cells()
                .map(|cell| cell.mark.chars().count())
                .fold(0, usize::max),
        }
    }

    fn put(&self, text: &mut String, cell: &Cell, number: bool) {
        let (width, mark) = (self.text, self.mark);
        let _ = match number {
            true => write!(text, "  {:>width$}{:<mark$}", cell.text, cell.mark),
            false => write!(text, " {:<width$}{:<mark$}", cell.text, cell.mark),
        };
    }
}
