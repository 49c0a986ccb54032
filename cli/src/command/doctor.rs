//! `fairclaim doctor`: an examination of the database, and what to do about what it finds.

use std::cmp::Reverse;

use anstyle::Style;
use clap::Args;
use fairclaim::{Finding, Level};

use crate::error::Hinted;
use crate::global::Global;
use crate::output::printable;
use crate::words::{counted, wrapped};
use crate::{color, connect, output, screen};

/// Changes nothing and locks nothing that others wait for. Looks as far as the login may: grant it
/// fairclaim_observer or fairclaim_operator, and pg_read_all_stats, for all of it.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct DoctorArgs {
    /// Show also what is in order
    #[arg(long, short, conflicts_with = "json")]
    verbose: bool,
    /// Answer in JSON: {"worst": …, "findings": [{"level", "name", "seen", "advice"}]}
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Exit codes: 0 no error was found (there may be warnings), 1 one was, or the database cannot be reached.

Examples:
  fairclaim doctor
  fairclaim doctor --verbose
  fairclaim doctor --json";

pub(crate) async fn run(global: &Global, args: DoctorArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let diagnosis = client.diagnose().await?;
    if args.json {
        output::json(&diagnosis)?;
    } else {
        let screen =
            Screen { width: screen::width().unwrap_or(usize::MAX), colors: color::on_stdout() };
        let lines = diagnosis.findings.iter().map(Line::from).collect();
        output::line(page(lines, args.verbose, screen))?;
    }
    if diagnosis.worst < Level::Error {
        return Ok(());
    }
    let errors = diagnosis.findings.iter().filter(|found| found.level == Level::Error).count();
    Err(Hinted::failed(
        format!("the doctor found {}", counted(errors as u64, "error")),
        "each of them says behind `do:` what to do",
    )
    .into())
}

/// A finding as it is shown.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    level: Level,
    name: &'a str,
    seen: &'a str,
    advice: Option<&'a str>,
}

impl<'a> From<&'a Finding> for Line<'a> {
    fn from(finding: &'a Finding) -> Self {
        let Finding { level, name, seen, advice, .. } = finding;
        Self { level: *level, name, seen, advice: advice.as_deref() }
    }
}

impl Line<'_> {
    /// Renders it, with what to do below, in whole words that fit the screen.
    fn text(self, screen: Screen) -> String {
        let level = self.level.as_str();
        let found = set_in(LEVEL, &format!("{}: {}", self.name, self.seen), screen.width);
        let style = if screen.colors { color::of_level(self.level) } else { Style::new() };
        let mut text = format!("{style}{level}{style:#}{}", &found[level.len()..]);
        if let Some(advice) = self.advice {
            let advice = set_in(LEVEL + DO.len(), advice, screen.width);
            text.push_str(&format!("\n{:LEVEL$}{DO}{}", "", advice.trim_start()));
        }
        text
    }
}

/// How wide the column of levels is, and what stands before an advice.
const LEVEL: usize = 9;
const DO: &str = "do: ";

/// Breaks a text into lines that begin with so many spaces.
fn set_in(by: usize, text: &str, width: usize) -> String {
    wrapped(&format!("{:by$}{}", "", printable(text)), width, by)
}

/// What the page is rendered for.
#[derive(Debug, Clone, Copy)]
struct Screen {
    width: usize,
    colors: bool,
}

/// What was found, the worst first, then how many checks there were. What is in order is shown only
/// when it is asked for.
fn page(mut lines: Vec<Line<'_>>, verbose: bool, screen: Screen) -> String {
    let summary = summary(&lines);
    lines.retain(|line| verbose || line.level > Level::Ok);
    lines.sort_by_key(|line| Reverse(line.level));
    let texts = lines.into_iter().map(|line| line.text(screen));
    texts.chain([summary]).collect::<Vec<_>>().join("\n")
}

fn summary(lines: &[Line<'_>]) -> String {
    let all = counted(lines.len() as u64, "check");
    if lines.iter().all(|line| line.level == Level::Ok) {
        return format!("{:LEVEL$}{all}, nothing to do", Level::Ok.as_str());
    }
    let counts = [Level::Error, Level::Warning, Level::Note]
        .map(|level| counted(count(lines, level), level.as_str()));
    format!("{all}: {}", counts.join(", "))
}

fn count(lines: &[Line<'_>], level: Level) -> u64 {
    lines.iter().filter(|line| line.level == level).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(level: Level) -> Line<'static> {
        let advice = (level > Level::Ok).then_some("mend it");
        Line { level, name: level.as_str(), seen: "seen", advice }
    }

    const WIDE: Screen = Screen { width: usize::MAX, colors: false };

    #[test]
    fn a_healthy_database_is_one_line_and_what_is_found_stands_first() {
        let healthy = vec![line(Level::Ok); 2];
        assert_eq!(page(healthy.clone(), false, WIDE), "ok       2 checks, nothing to do");
        assert_eq!(page(healthy, true, WIDE).lines().count(), 3);
        let ill = [Level::Ok, Level::Note, Level::Error, Level::Warning].map(line).to_vec();
        let found = "error    error: seen\n         do: mend it\n\
                     warning  warning: seen\n         do: mend it\n\
                     note     note: seen\n         do: mend it\n";
        let summary = "4 checks: 1 error, 1 warning, 1 note";
        assert_eq!(page(ill.clone(), false, WIDE), format!("{found}{summary}"));
        assert_eq!(page(ill, true, WIDE), format!("{found}ok       ok: seen\n{summary}"));
    }

    #[test]
    fn a_finding_fits_the_terminal_in_whole_words_and_its_level_has_a_colour() {
        let seen = Line { seen: "two words", advice: Some("one two three"), ..line(Level::Error) };
        let narrow =
            "error    error: two\n         words\n         do: one two\n             three";
        assert_eq!(seen.text(Screen { width: 20, colors: false }), narrow);
        let painted = seen.text(Screen { width: 20, colors: true });
        assert!(painted.starts_with('\u{1b}') && painted.ends_with(&narrow[5..]), "{painted:?}");
    }
}
