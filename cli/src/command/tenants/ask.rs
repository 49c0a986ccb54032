//! The question before much is changed, and the bar while it is.

use std::io::{self, IsTerminal, Write as _};

use indicatif::{ProgressBar, ProgressStyle};

use crate::error::Hinted;
use crate::output;

/// Asks on a terminal for the tenant's name; elsewhere the answer has to be on the command line.
pub(super) fn for_name(name: &str, what: &str, word: &str) -> anyhow::Result<bool> {
    let prompt = format!("{what}\ntype the name to {word} it: ");
    Ok(answer(&prompt, what, word)?.trim() == name)
}

/// Asks on a terminal for a yes.
pub(super) fn for_yes(what: &str, word: &str) -> anyhow::Result<bool> {
    let answer = answer(&format!("{what}; {word} them? [y/N] "), what, word)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn answer(prompt: &str, what: &str, word: &str) -> anyhow::Result<String> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(Hinted::usage(
            format!("{what}, and there is no terminal to ask on"),
            format!("pass --yes to {word}"),
        )
        .into());
    }
    eprint!("{}", output::printable_lines(prompt));
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer)
}

/// Makes a bar for so many jobs, of which there may be more.
pub(super) fn bar(jobs: u32, more: bool) -> anyhow::Result<ProgressBar> {
    let bar = if more { ProgressBar::no_length() } else { ProgressBar::new(u64::from(jobs)) };
    bar.set_style(ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} {eta}")?);
    Ok(bar)
}
