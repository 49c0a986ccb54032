//! The lower part of a terminal, drawn again and again in one piece; what is said stands above it
//! and stays.

use std::io::{self, Write};

use terminal_size::{Height, Width, terminal_size};

use crate::words::wrapped;

/// What is assumed where the terminal does not tell its size.
const USUAL: (usize, usize) = (80, 24);

/// Asks for width and height at this moment.
pub(super) fn size() -> (usize, usize) {
    terminal_size().map_or(USUAL, |(Width(width), Height(height))| (width.into(), height.into()))
}

/// What is drawn at present.
#[derive(Debug, Default)]
pub(super) struct Screen {
    lines: Vec<String>,
}

impl Screen {
    /// Draws these lines in place of the last ones.
    pub(super) fn draw(&mut self, lines: Vec<String>) -> io::Result<()> {
        let text = self.redrawn("", &lines);
        self.lines = lines;
        write(&text)
    }

    /// Says something above the picture.
    pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
        let said = wrapped(text, size().0.saturating_sub(1), 2);
        let text = self.redrawn(&said, &self.lines);
        write(&text)
    }

    /// Takes the picture away.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        let text = self.redrawn("", &[]);
        self.lines.clear();
        write(&text)
    }

    /// Goes up to the first line, writes each line over the old one, and clears what is left of
    /// those: one text, so that no half of a picture is ever seen.
    fn redrawn(&self, said: &str, lines: &[String]) -> String {
        let mut text = String::from("\r");
        if !self.lines.is_empty() {
            text.push_str(&format!("\u{1b}[{}A", self.lines.len()));
        }
        let said = said.lines().map(str::to_owned).collect::<Vec<_>>();
        for line in said.iter().chain(lines) {
            text.push_str(line);
            text.push_str("\u{1b}[K\n");
        }
        text.push_str("\u{1b}[J");
        text
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_one_text_over_the_last_one() {
        let screen = Screen { lines: vec!["old".to_owned(), "lines".to_owned()] };
        let text = screen.redrawn("said", &["new".to_owned()]);
        assert_eq!(text, "\r\u{1b}[2Asaid\u{1b}[K\nnew\u{1b}[K\n\u{1b}[J");
    }
}
