//! `fairclaim doctor`: an examination of the database, and what to do about what it finds.

use clap::Args;
use fairclaim::{Diagnosis, Finding, Level};

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
    /// Show only notes, warnings and errors
    #[arg(long, short, conflicts_with = "json")]
    quiet: bool,
    /// Answer in JSON: {"worst": …, "findings": [{"level", "name", "seen", "advice"}]}
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Exit codes: 0 no error was found (there may be warnings), 1 one was, or the database cannot be reached.

Examples:
  fairclaim doctor --quiet
  fairclaim doctor --json";

pub(crate) async fn run(global: &Global, args: DoctorArgs) -> anyhow::Result<()> {
    let client = connect::client(global).await?;
    let diagnosis = client.diagnose().await?;
    if args.json {
        output::json(&diagnosis)?;
    } else {
        output::line(page(&diagnosis, args.quiet))?;
    }
    if diagnosis.worst < Level::Error {
        return Ok(());
    }
    let errors = count(&diagnosis, Level::Error);
    Err(Hinted::failed(
        format!("the doctor found {}", counted(errors, "error")),
        "each of them says behind `do:` what to do; `fairclaim doctor --quiet` shows nothing else",
    )
    .into())
}

fn page(diagnosis: &Diagnosis, quiet: bool) -> String {
    let shown = diagnosis.findings.iter().filter(|finding| !quiet || finding.level > Level::Ok);
    let mut lines: Vec<String> = shown.flat_map(lines).collect();
    lines.push(summary(diagnosis));
    lines.join("\n")
}

fn lines(finding: &Finding) -> Vec<String> {
    let (level, name) = (finding.level.as_str(), &finding.name);
    let mut lines = vec![format!("{level:8} {name}: {}", printable(&finding.seen))];
    lines.extend(
        finding.advice.as_ref().map(|advice| format!("{:8} do: {}", "", printable(advice))),
    );
    lines
}

fn summary(diagnosis: &Diagnosis) -> String {
    let counts = [Level::Error, Level::Warning, Level::Note]
        .map(|level| counted(count(diagnosis, level), level.as_str()));
    let all = counted(diagnosis.findings.len() as u64, "finding");
    format!("{all}: {}", counts.join(", "))
}

fn count(diagnosis: &Diagnosis, level: Level) -> u64 {
    diagnosis.findings.iter().filter(|finding| finding.level == level).count() as u64
}
