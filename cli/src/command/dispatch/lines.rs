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
    DispatchArgs, item::Defaults, reader::Reader, report::Report, sender::Sender, source::Source,
};
use crate::{connect, error::Hinted, global::Global, output, signals::Signals};

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
    let stands = client.dispatch_lines(Lines::of(&source.name, 0, 0)).await?;
    let now = client.clock().await?;
    let report = args.refused.as_deref();
    let report = report.map(|path| Report::open(path, &source.name, stands.lines)).transpose()?;
    let defaults = Defaults { tenant: args.tenant, job_type: args.job_type.clone(), job, now };
    let run = Run { client: &client, args, began: Instant::now(), stands };
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
        let Source { input, name, bytes, resumable } = source;
        let bar = bar(bytes)?;
        let reader = Reader {
            input: BufReader::with_capacity(1 << 16, input),
            defaults,
            skip: self.stands.lines,
            spill: self.args.refused.clone(),
            live: bytes.is_none(),
        };
        // one batch is read while another one is on its way
        let (batches, mut waiting) = mpsc::channel(1);
        std::thread::Builder::new().name("lines".to_owned()).spawn(move || reader.run(&batches))?;
        let mut sender = Sender::new(self.client, &name, self.stands, report, bar.clone());
        loop {
            let batch = tokio::select! {
                biased;
                () = signals.graceful() => return Err(stopped(sender.stands.lines, resumable)),
                batch = waiting.recv() => batch,
            };
            let Some(batch) = batch else { break };
            let batch = batch.map_err(|error| {
                Hinted::failed(
                    format!("cannot read on behind line {}: {error}", sender.stands.lines),
                    "what was read before went in; run it again, which goes on from there",
                )
            })?;
            let bytes = batch.bytes;
            sender.send(batch).await?;
            bar.set_position(bytes);
            bar.set_message(format!("{} dispatched", HumanCount(sender.stands.dispatched)));
        }
        bar.finish_and_clear();
        self.tell(&name, sender.stands)
    }

    /// The totals; lines that were refused, now or in an earlier run, are a failure.
    fn tell(&self, source: &str, stands: LinesProgress) -> anyhow::Result<()> {
        let took = self.began.elapsed();
        let now = stands.dispatched - self.stands.dispatched.min(stands.dispatched);
        if self.args.json {
            output::json(&json!({
                "source": source,
                "lines": stands.lines,
                "dispatched": stands.dispatched,
                "refused": stands.refused,
                "before": {
                    "lines": self.stands.lines,
                    "dispatched": self.stands.dispatched,
                    "refused": self.stands.refused,
                },
                "seconds": took.as_secs_f64(),
            }))?;
        } else {
            output::line(sentence(self.stands, stands, now, took))?;
        }
        if stands.refused == 0 {
            return Ok(());
        }
        let hint = match &self.args.refused {
            Some(file) => mend(file),
            None => {
                "mend a copy of these lines and send it; --refused FILE would have kept them and \
                     their reasons"
                    .to_owned()
            }
        };
        Err(Hinted::failed(format!("{} lines were refused", HumanCount(stands.refused)), hint)
            .into())
    }
}

fn mend(file: &Path) -> String {
    let (file, reasons) = (file.display(), super::report::reasons_of(file));
    format!(
        "{} says why; mend {file} and send it: fairclaim dispatch --file {file}",
        reasons.display()
    )
}

fn sentence(before: LinesProgress, stands: LinesProgress, now: u64, took: Duration) -> String {
    let count = |count: u64| HumanCount(count).to_string();
    if stands.lines == before.lines && before.lines > 0 {
        return format!(
            "nothing to do: all {} lines were dealt with before, {} dispatched, {} refused \
             (to send them once more, name them anew with --source)",
            count(stands.lines),
            count(stands.dispatched),
            count(stands.refused)
        );
    }
    let mut text = format!(
        "{} lines: {} dispatched, {} refused",
        count(stands.lines),
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
