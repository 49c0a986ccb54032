//! `fairclaim dispatch --file`: many jobs from JSON Lines, each once.

use std::{
    io::BufReader,
    path::Path,
    time::{Duration, Instant},
};

use fairclaim::{Client, Lines, LinesProgress};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::sync::mpsc;

use super::{
    DispatchArgs,
    item::Defaults,
    origin::Origin,
    reader::{Fault, Mark, Reader},
    report::Report,
    sender::Sender,
    source::Source,
};
use crate::{connect, error::Hinted, global::Global, output, signals::Signals, words::counted};

pub(super) async fn run(global: &Global, args: &DispatchArgs, path: &Path) -> anyhow::Result<()> {
    let job = args.options()?;
    if let Some(refused) = args.refused.as_deref().filter(|refused| is_same(refused, path)) {
        return Err(Hinted::usage(
            format!("{} cannot be read and be the file of refused lines", refused.display()),
            "name another file with --refused",
        )
        .into());
    }
    let source = Source::open(path, args.source.as_deref())?;
    let signals = Signals::listen()?;
    let client = connect::client(global).await?;
    let mut stands = client.dispatch_lines(Lines::of(&source.name, 0, 0)).await?;
    let now = client.clock().await?;
    let defaults =
        Defaults { tenant: args.tenant.clone(), job_type: args.job_type.clone(), job, now };
    let origin = Origin {
        name: source.name.clone(),
        named: source.named,
        defaults: defaults.digest(),
        anew: false,
    };
    let origin = origin.meet(&mut stands)?;
    let report = args.refused.as_deref();
    let report = report
        .map(|path| Report::open(path, &origin.name, stands.lines, origin.anew))
        .transpose()?;
    let run = Run { client: &client, args, origin, began: Instant::now(), stands };
    tokio::select! {
        ended = run.send(source, report, defaults, &signals) => ended,
        () = signals.immediate() => Err(Hinted::interrupted(
            "stopped at once",
            "what was under way went in whole or not at all; run it again, which goes on from there",
        )
        .into()),
    }
}

/// Whether two paths lead to one file that is there.
fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// One run over a source.
struct Run<'a> {
    client: &'a Client,
    args: &'a DispatchArgs,
    origin: Origin,
    began: Instant,
    /// Where the source stood at its begin.
    stands: LinesProgress,
}

impl Run<'_> {
    async fn send(
        &self,
        source: Source,
        report: Option<Report>,
        defaults: Defaults,
        signals: &Signals,
    ) -> anyhow::Result<()> {
        let Source { input, bytes, resumable, .. } = source;
        let bar = bar(bytes)?;
        let reader = Reader {
            input: BufReader::with_capacity(1 << 16, input),
            defaults,
            skip: self.stands.lines,
            expected: self.stands.digest,
            grows: self.origin.named,
            mark: Mark::default(),
            spill: self.args.refused.clone(),
            live: bytes.is_none(),
        };
        // one batch is read while another one is on its way
        let (batches, mut waiting) = mpsc::channel(1);
        std::thread::Builder::new().name("lines".to_owned()).spawn(move || reader.run(&batches))?;
        let mut sender = Sender::new(self.client, &self.origin, self.stands, report, bar.clone());
        let (mut through, mut unfinished) = (self.stands.lines, None);
        loop {
            let batch = tokio::select! {
                biased;
                () = signals.graceful() => return Err(stopped(sender.stands.lines, resumable)),
                batch = waiting.recv() => batch,
            };
            let Some(batch) = batch else { break };
            let batch = batch.map_err(|fault| self.explain(fault, sender.stands.lines))?;
            let bytes = batch.bytes;
            through = batch.through;
            unfinished = batch.unfinished.then_some(through + 1);
            sender.send(batch).await?;
            bar.set_position(bytes);
            bar.set_message(format!("{} dispatched", HumanCount(sender.stands.dispatched)));
        }
        bar.finish_and_clear();
        sender.end(through)?;
        if let Some(line) = unfinished {
            eprintln!("line {line} has no end yet and is left for the next run");
        }
        let reported = sender.report.as_ref().map_or(0, Report::holds);
        self.tell(sender.stands, unfinished, reported)
    }

    fn explain(&self, fault: Fault, stands: u64) -> anyhow::Error {
        match fault {
            Fault::Ends(through) => self.origin.ends(stands, through),
            Fault::Differs => self.origin.differs(stands),
            Fault::Read(error) => Hinted::failed(
                format!("cannot read on behind line {stands}: {error}"),
                "what was read before went in; run it again, which goes on from there",
            )
            .into(),
        }
    }

    /// The totals; lines that were refused, now or in an earlier run, are a failure.
    fn tell(
        &self,
        stands: LinesProgress,
        unfinished: Option<u64>,
        reported: u64,
    ) -> anyhow::Result<()> {
        let took = self.began.elapsed();
        let now = stands.dispatched - self.stands.dispatched.min(stands.dispatched);
        if self.args.json {
            output::json(&json!({
                "source": self.origin.name,
                "lines": stands.lines,
                "dispatched": stands.dispatched,
                "refused": stands.refused,
                "before": {
                    "lines": self.stands.lines,
                    "dispatched": self.stands.dispatched,
                    "refused": self.stands.refused,
                },
                "unfinished": unfinished,
                "seconds": took.as_secs_f64(),
            }))?;
        } else {
            output::line(sentence(self.stands, stands, now, took))?;
        }
        if stands.refused == 0 {
            return Ok(());
        }
        let hint = match &self.args.refused {
            Some(file) if reported > 0 => mend(file, reported < stands.refused),
            Some(_) => format!(
                "an earlier run refused them, with no such file or with another one; {BY_HAND}"
            ),
            None => format!("{BY_HAND}; --refused FILE keeps such lines and their reasons"),
        };
        let verb = if stands.refused == 1 { "was" } else { "were" };
        let refused = counted(stands.refused, "line");
        Err(Hinted::failed(format!("{refused} {verb} refused"), hint).into())
    }
}

/// Without a report. A mended file as a whole would be a new source, and its good lines jobs once
/// more.
const BY_HAND: &str = "put these lines alone, mended, into a file of their own and send that: a changed file is a new source and is sent \
                       as a whole";

fn mend(file: &Path, partly: bool) -> String {
    let (file, reasons) = (file.display(), super::report::reasons_of(file));
    let rest =
        if partly { " (it lacks those that an earlier run kept elsewhere or nowhere)" } else { "" };
    format!(
        "{} says why; mend {file} and send it: fairclaim dispatch --file {file}{rest}",
        reasons.display()
    )
}

fn sentence(before: LinesProgress, stands: LinesProgress, now: u64, took: Duration) -> String {
    let count = |count: u64| HumanCount(count).to_string();
    if stands.lines == before.lines && before.lines > 0 {
        return format!(
            "nothing to do: {} dealt with before, {} dispatched, {} refused \
             (to send them once more, give --source another name)",
            match stands.lines {
                1 => "the 1 line was".to_owned(),
                lines => format!("all {} were", counted(lines, "line")),
            },
            count(stands.dispatched),
            count(stands.refused)
        );
    }
    let mut text = format!(
        "{}: {} dispatched, {} refused",
        counted(stands.lines, "line"),
        count(stands.dispatched),
        count(stands.refused)
    );
    if before.lines > 0 {
        text.push_str(&format!(
            ", of which {} dispatched and {} refused before",
            count(before.dispatched),
            count(before.refused)
        ));
    }
    let speed = now as f64 / took.as_secs_f64().max(0.001);
    text.push_str(&format!(" ({:.1} s, {} jobs/s)", took.as_secs_f64(), count(speed as u64)));
    text
}

fn stopped(line: u64, resumable: bool) -> anyhow::Error {
    let hint = if resumable {
        "run it again, which goes on from there".to_owned()
    } else {
        format!("send what comes behind line {line}; with --source NAME it would go on by itself")
    };
    Hinted::interrupted(format!("stopped behind line {line}"), hint).into()
}

/// How far it is, on a terminal.
fn bar(bytes: Option<u64>) -> anyhow::Result<ProgressBar> {
    let (bar, shape) = match bytes {
        Some(bytes) => (
            ProgressBar::new(bytes),
            "{bar:30} {percent:>3} %  {bytes}/{total_bytes}  {msg}  {eta} left",
        ),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes}  {msg}  {elapsed}"),
    };
    Ok(bar.with_style(ProgressStyle::with_template(shape)?))
}
