//! What a long scenario says of itself.

use std::io::IsTerminal;

/// Long scenarios say where they are, on a terminal and never in the answer.
pub(crate) fn progress(text: impl AsRef<str>) {
    if std::io::stderr().is_terminal() {
        eprintln!("bench: {}", text.as_ref());
    }
}
