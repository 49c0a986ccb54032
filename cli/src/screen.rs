//! How much room there is for what is printed.

use std::io::{self, IsTerminal};

use terminal_size::{Height, Width, terminal_size_of};

/// Asks for the columns and lines of the terminal that stdout is; none in a pipe or a file.
pub(crate) fn size() -> Option<(usize, usize)> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let (Width(columns), Height(lines)) = terminal_size_of(&stdout)?;
    Some((usize::from(columns), usize::from(lines)))
}

/// Answers how wide a line may be: as wide as the terminal, or as COLUMNS says where there is none;
/// else as wide as it gets.
pub(crate) fn width() -> Option<usize> {
    let named = || std::env::var("COLUMNS").ok()?.parse().ok();
    size().map(|(columns, _)| columns).or_else(named).filter(|width| *width > 0)
}
