//! Tables of a terminal: columns as wide as what stands in them.

use std::fmt::Write;

use crate::page::{Cell, Row, Table};

use super::{Ink, line, wrapped};

/// Its name stands over the first column if it fits there, else on a line of its own.
/// What is in words has one space before it, what is in numbers two. Where there is no room
/// for all columns, the rest of them follows below, beside what the rows are called again.
pub(super) fn table(out: &mut String, table: &Table, name: &str, indent: &str, ink: Ink) {
    let outer = &indent[2..];
    if table.rows.is_empty() {
        line(out, &format!("{outer}{}", ink.bold(name)));
        for part in wrapped(table.empty, ink.width - indent.len()) {
            line(out, &format!("{indent}{part}"));
        }
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
    let Some(panels) = panels(table, &widths, ink.width - indent.len()) else {
        return one_by_one(out, table, name, (outer, &indent), ink);
    };
    let first = widths.first().map_or(0, |width| width.text);
    let fits = name.len() < indent.len() - outer.len() + first;
    if !fits {
        for part in wrapped(name, ink.width - outer.len()) {
            line(out, &format!("{outer}{part}"));
        }
    }
    for (i, panel) in panels.iter().enumerate() {
        let mut head = match (fits && i == 0, indent.len() + first) {
            (true, width) => format!("{:<1$}", format!("{outer}{name}"), width),
            (false, width) => " ".repeat(width),
        };
        for column in panel.iter().skip(1) {
            let (column, width) = (&table.columns[*column], &widths[*column]);
            let name = Cell::from(column.name.as_str());
            width.put(&mut head, &name, column.is_number());
        }
        let head = if fits && i == 0 {
            ink.bold(&head)
        } else {
            ink.dim(&head)
        };
        line(out, &head);
        for row in &table.rows {
            line(
                out,
                &self::row(table, row, panel, &widths, (&indent, marks)),
            );
        }
    }
}

/// Which columns stand beside each other, so that none is wider than the room: those that a
/// row is called by, and as many of the others as fit. `None` if that is none.
fn panels(table: &Table, widths: &[Width], room: usize) -> Option<Vec<Vec<usize>>> {
    let all: Vec<usize> = (0..table.columns.len()).collect();
    let takes = |column: usize| {
        let space = match column {
            0 => 0,
            n if table.columns[n].is_number() => 2,
            _ => 1,
        };
        space + widths[column].text + widths[column].mark
    };
    let wide = |columns: &[usize]| columns.iter().map(|column| takes(*column)).sum::<usize>();
    if wide(&all) <= room {
        return Some(vec![all]);
    }
    let names = table
        .columns
        .iter()
        .take_while(|column| !column.is_number());
    let (names, rest) = all.split_at(names.count().max(1));
    let mut panels = vec![names.to_vec()];
    for column in rest {
        let last = panels.last_mut()?;
        if wide(last) + takes(*column) <= room {
            last.push(*column);
        } else if last.len() == names.len() || wide(names) + takes(*column) > room {
            return None;
        } else {
            panels.push([names, &[*column]].concat());
        }
    }
    (wide(names) <= room).then_some(panels)
}

/// Each row by itself: what it is called, and below that the names of its values with them.
fn one_by_one(
    out: &mut String,
    table: &Table,
    name: &str,
    (outer, indent): (&str, &str),
    ink: Ink,
) {
    if !name.is_empty() {
        line(out, &format!("{outer}{}", ink.bold(name)));
    }
    for row in &table.rows {
        let head = row.cells.first().map(Cell::all).unwrap_or_default();
        let chosen = if row.chosen.is_empty() { "" } else { "> " };
        for part in wrapped(&format!("{chosen}{head}"), ink.width - outer.len() - 2) {
            line(out, &format!("{outer}  {part}"));
        }
        let values = table.columns.iter().zip(&row.cells).skip(1);
        for (column, cell) in values.filter(|(_, cell)| !cell.all().is_empty()) {
            let text = format!("{}: {}", column.name, cell.all());
            for (i, part) in wrapped(&text, ink.width - indent.len() - 4)
                .iter()
                .enumerate()
            {
                let inner = if i == 0 { "  " } else { "    " };
                line(out, &format!("{indent}{inner}{part}"));
            }
        }
    }
}

fn row(
    table: &Table,
    row: &Row,
    panel: &[usize],
    widths: &[Width],
    (indent, marks): (&str, bool),
) -> String {
    let chosen = if row.chosen.is_empty() { "  " } else { "> " };
    let mut text = match marks {
        true => format!("{}{chosen}", &indent[2..]),
        false => indent.to_owned(),
    };
    for i in panel {
        let (column, width) = (&table.columns[*i], &widths[*i]);
        let blank = Cell::default();
        let cell = row.cells.get(*i).unwrap_or(&blank);
        let cell = if column.once && !row.first {
            &blank
        } else {
            cell
        };
        if *i == 0 {
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
        let head = table.columns[column].name.chars().count();
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
