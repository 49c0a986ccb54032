//! Everything that goes to stdout: plain lines, JSON, tables.

use std::io::{self, Write};

use serde::Serialize;

/// Writes one line. A reader that went away (`| head`) is not an error.
pub(crate) fn line(text: impl AsRef<str>) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    quiet(writeln!(out, "{}", text.as_ref()).and_then(|()| out.flush()))
}

/// Writes a value as indented JSON.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(escaped(&serde_json::to_string_pretty(value)?))
}

/// JSON text that is safe on a terminal: the writer escapes ASCII's controls only, and what it leaves stands in strings.
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
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Rows under a heading, in columns as wide as their widest cell.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(heading: [&str; N]) -> Self {
        Self { rows: vec![heading.iter().map(|cell| (*cell).to_owned()).collect()] }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| printable(&cell)).to_vec());
    }

    pub(crate) fn render(&self) -> String {
        let columns = self.rows[0].len();
        let width = |column: usize| {
            self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(&format!("{cell:width$}  "));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text.pop();
        text
    }
}

/// Names come from many tenants; none of them may send control codes to an operator's terminal, or turn around the text
/// beside them.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if deceives(c) { '\u{fffd}' } else { c }).collect()
}

/// The same for a text of several lines.
pub(crate) fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// Controls of all kinds, what separates lines, and what changes the direction of writing.
fn deceives(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(["ID", "STATUS"]);
        table.row(["7".to_owned(), "pending".to_owned()]);
        table.row(["1000".to_owned(), "failed".to_owned()]);
        assert_eq!(table.render(), "ID    STATUS\n7     pending\n1000  failed");
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
