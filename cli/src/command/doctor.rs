//! `fairclaim doctor`: an examination of the database, and what to do about what it finds.

use std::cmp::Reverse;

use clap::Args;
use fairclaim::{Finding, Level};

use crate::error::Hinted;
use crate::global::Global;
use crate::output::printable;
use crate::words::counted;
use crate::{connect, output};

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
        output::line(page(diagnosis.findings.iter().map(Line::from).collect(), args.verbose))?;
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
    fn text(self) -> String {
        let level = self.level.as_str();
        let mut text = format!("{level:8} {}: {}", self.name, printable(self.seen));
        if let Some(advice) = self.advice {
            text.push_str(&format!("\n{:8} do: {}", "", printable(advice)));
        }
        text
    }
}

/// What was found, the worst first, then how many checks there were. What is in order is shown only
/// when it is asked for.
fn page(mut lines: Vec<Line<'_>>, verbose: bool) -> String {
    let summary = summary(&lines);
    lines.retain(|line| verbose || line.level > Level::Ok);
    lines.sort_by_key(|line| Reverse(line.level));
    let texts = lines.into_iter().map(Line::text);
    texts.chain([summary]).collect::<Vec<_>>().join("\n")
}

fn summary(lines: &[Line<'_>]) -> String {
    let all = counted(lines.len() as u64, "check");
    if lines.iter().all(|line| line.level == Level::Ok) {
        return format!("{:8} {all}, nothing to do", Level::Ok.as_str());
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

    #[test]
    fn a_healthy_database_is_one_line_and_what_is_found_stands_first() {
        let healthy = vec![line(Level::Ok); 2];
        assert_eq!(page(healthy.clone(), false), "ok       2 checks, nothing to do");
        assert_eq!(page(healthy, true).lines().count(), 3);
        let ill = [Level::Ok, Level::Note, Level::Error, Level::Warning].map(line).to_vec();
        let found = "error    error: seen\n         do: mend it\n\
                     warning  warning: seen\n         do: mend it\n\
                     note     note: seen\n         do: mend it\n";
        let summary = "4 checks: 1 error, 1 warning, 1 note";
        assert_eq!(page(ill.clone(), false), format!("{found}{summary}"));
        assert_eq!(page(ill, true), format!("{found}ok       ok: seen\n{summary}"));
    }
}
