//! Everything that goes to stdout: plain lines, JSON, tables.

use std::{
    io::{self, Write},
    sync::atomic::{AtomicBool, Ordering},
};

use anstyle::Style;
use serde::Serialize;

use crate::color;

/// Set when the reader of stdout went away.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether the reader is gone: what is written page by page need not be read from the database any
/// more then.
pub(crate) fn is_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}

/// Writes one line. A reader that went away (`| head`) is not an error.
pub(crate) fn line(text: impl AsRef<str>) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    quiet(writeln!(out, "{}", text.as_ref()).and_then(|()| out.flush()))
}

/// Writes a value as indented JSON.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(escaped(&serde_json::to_string_pretty(value)?))
}

/// Renders a value as JSON in one line.
pub(crate) fn compact(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(escaped(&serde_json::to_string(value)?))
}

/// Makes JSON text safe on a terminal: the writer escapes ASCII's controls only, and what it leaves
/// stands in strings.
fn escaped(json: &str) -> String {
    json.chars().fold(String::with_capacity(json.len()), |mut text, character| {
        if deceives(character) && character != '\n' {
            text.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            text.push(character);
        }
        text
    })
}

fn quiet(written: io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            CLOSED.store(true, Ordering::Relaxed);
            Ok(())
        }
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
    /// Makes a cell that looks like this where there are colours.
    pub(crate) fn styled(text: &str, style: Style) -> Self {
        Self { text: printable(text), style }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::styled(&text, Style::new())
    }
}

/// Rows under a heading, in columns as wide as their widest cell. Rendered more than once, its
/// columns never get narrower, so that pages line up.
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

    /// Renders the rows since the last call, with colours where stdout has them.
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

/// Makes a text safe to print. Names come from many tenants; none of them may send control codes to
/// an operator's terminal, or turn around the text beside them.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if deceives(c) { '\u{fffd}' } else { c }).collect()
}

/// Makes a text of several lines safe to print.
pub(crate) fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// Whether a terminal obeys it: controls of all kinds, what separates lines, and what changes the
/// direction of writing.
fn deceives(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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
        assert_eq!(printable("a\u{9b}31mb\n"), "a\u{fffd}31mb\u{fffd}");
        assert_eq!(printable_lines("a\r\nb\u{7}"), "a\u{fffd}\nb\u{fffd}");
    }

    #[test]
    fn nothing_turns_the_text_beside_it_around() {
        assert_eq!(printable("gpj.\u{202e}exe \u{2066}"), "gpj.\u{fffd}exe \u{fffd}");
        assert_eq!(printable("日本 é 👩‍💻 שלום"), "日本 é 👩‍💻 שלום");
    }

    #[test]
    fn json_holds_the_same_text_without_anything_that_a_terminal_obeys() {
        let value =
            serde_json::json!({"a\u{9b}": ["\u{1b}[31m", "\u{7f}\u{85}\u{202e}\u{2028}", "é\n"]});
        let text = escaped(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!text.chars().any(|c| deceives(c) && c != '\n'), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
