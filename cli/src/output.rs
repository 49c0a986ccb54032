//! Everything that goes to stdout: plain lines, JSON, tables.

use std::io::{self, Write};

use anstyle::Style;
use serde::Serialize;

use crate::color;

/// Writes one line. A reader that went away (`| head`) is not an error.
pub(crate) fn line(text: impl AsRef<str>) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    quiet(writeln!(out, "{}", text.as_ref()).and_then(|()| out.flush()))
}

/// Writes a value as indented JSON.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(value)?)
}

fn quiet(written: io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Writes a part of a line of output that goes on.
pub(crate) fn part(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    quiet(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// One cell, and how it looks.
#[derive(Debug)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A cell that looks like this where there are colours.
    pub(crate) fn styled(text: &str, style: Style) -> Self {
        Self { text: printable(text), style }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::styled(&text, Style::new())
    }
}

/// Rows under a heading, in columns as wide as their widest cell. Rendered more than once, its columns never get narrower, so
/// that pages line up.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
    widths: Vec<usize>,
}

impl Table {
    pub(crate) fn new<const N: usize>(heading: [&str; N]) -> Self {
        let mut table = Self { rows: Vec::new(), widths: vec![0; N] };
        table.row(heading.map(|cell| Cell::from(cell.to_owned())));
        table
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [impl Into<Cell>; N]) {
        let cells: Vec<Cell> = cells.into_iter().map(Into::into).collect();
        for (width, cell) in self.widths.iter_mut().zip(&cells) {
            *width = (*width).max(cell.text.chars().count());
        }
        self.rows.push(cells);
    }

    /// The rows since the last call, with colours where stdout has them.
    pub(crate) fn render(&mut self) -> String {
        self.painted(color::on_stdout())
    }

    fn painted(&mut self, colors: bool) -> String {
        let lines = std::mem::take(&mut self.rows).into_iter().map(|row| {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&self.widths) {
                let padding = " ".repeat(width - cell.text.chars().count() + 2);
                if colors && cell.style != Style::new() {
                    line.push_str(&format!("{0}{1}{0:#}{padding}", cell.style, cell.text));
                } else {
                    line.push_str(&format!("{}{padding}", cell.text));
                }
            }
            line.trim_end().to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Names come from many tenants; none of them may send control codes to an operator's terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, status: Cell) -> [Cell; 2] {
        [Cell::from(id.to_owned()), status]
    }

    #[test]
    fn columns_line_up_on_every_page() {
        let mut table = Table::new(["ID", "STATUS"]);
        table.row(row("7", Cell::from("pending".to_owned())));
        table.row(row("1000", Cell::from("failed".to_owned())));
        assert_eq!(table.painted(false), "ID    STATUS\n7     pending\n1000  failed");
        table.row(row("8", Cell::from("failed".to_owned())));
        assert_eq!(table.painted(false), "8     failed");
    }

    #[test]
    fn colours_do_not_count_for_the_width_and_are_only_where_they_are_wanted() {
        let red = anstyle::AnsiColor::Red.on_default();
        for (colors, expected) in
            [(false, "A   B\nno  7"), (true, "A   B\n\u{1b}[31mno\u{1b}[0m  7")]
        {
            let mut table = Table::new(["A", "B"]);
            table.row([Cell::styled("no", red), Cell::from("7".to_owned())]);
            assert_eq!(table.painted(colors), expected);
        }
    }

    #[test]
    fn control_codes_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mb"), "a\u{fffd}[31mb");
    }
}
