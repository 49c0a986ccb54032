//! `fairclaim jobs list --watch`: the same page again and again. On a terminal each look takes the
//! place of the one before; in a pipe they follow each other. A database that is away for a while
//! is said and waited for.

use std::time::Duration;

use fairclaim::{Client, Error, JobFilter, JobPage};
use jiff::Timestamp;

use super::table;
use crate::output::printable;
use crate::signals::Signals;
use crate::words::{counted, cut};
use crate::{output, screen};

/// Looks until it is stopped, which is how it ends well. What is wrong at the first look will not
/// get better.
pub(super) async fn run(
    client: &Client,
    filter: &JobFilter,
    pause: Duration,
    json: bool,
) -> anyhow::Result<()> {
    let signals = Signals::listen()?;
    let mut view = View { pause, json, seen: None, drawn: 0, size: None };
    loop {
        let looked = tokio::select! {
            () = signals.graceful() => return view.end(),
            looked = client.jobs(filter) => looked,
        };
        match looked {
            Ok(page) => view.show(page)?,
            Err(error) if view.seen.is_some() && error.is_transient() => view.miss(&error)?,
            Err(error) => return Err(error.into()),
        }
        if output::is_closed() {
            return Ok(());
        }
        tokio::select! {
            () = signals.graceful() => return view.end(),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

struct View {
    pause: Duration,
    json: bool,
    /// The page of the last look that was answered.
    seen: Option<JobPage>,
    /// How many lines stand on the terminal.
    drawn: usize,
    /// How large the terminal was then.
    size: Option<(usize, usize)>,
}

impl View {
    /// Leaves what the terminal made of Ctrl-C on a line of its own.
    fn end(&self) -> anyhow::Result<()> {
        if self.drawn > 0 { output::line("") } else { Ok(()) }
    }

    fn show(&mut self, page: JobPage) -> anyhow::Result<()> {
        if self.json {
            self.seen = Some(JobPage { jobs: Vec::new(), next: None });
            return output::line(output::compact(&page)?);
        }
        let lines = table::page_lines(&page);
        self.seen = Some(page);
        self.draw(&format!("every {} s; Ctrl-C ends it", self.pause.as_secs_f64()), lines)
    }

    /// Keeps what was seen last.
    fn miss(&mut self, error: &Error) -> anyhow::Result<()> {
        let why = format!("not answered, trying again: {error}");
        if self.json || screen::size().is_none() {
            eprintln!("{}", printable(&why));
            return Ok(());
        }
        let lines = self.seen.as_ref().map(table::page_lines).unwrap_or_default();
        self.draw(&why, lines)
    }

    fn draw(&mut self, state: &str, lines: Vec<String>) -> anyhow::Result<()> {
        let at = Timestamp::now().strftime("%H:%M:%SZ").to_string();
        let state = printable(&format!("{at}  {state}"));
        let Some((columns, rows)) = screen::size() else {
            return output::line(format!("{at}\n{}\n", lines.join("\n")));
        };
        // one that is not as large as it was has moved its lines about
        let start = match self.size {
            Some(size) if size == (columns, rows) => format!("\r\u{1b}[{}A", self.drawn),
            Some(_) => "\u{1b}[2J\u{1b}[H".to_owned(),
            None => String::new(),
        };
        let room = rows.saturating_sub(2);
        let hidden = lines.len().saturating_sub(room);
        let state = match hidden {
            0 => state,
            _ => format!("{state}; {} not shown", counted(hidden as u64, "more line")),
        };
        let shown = std::iter::once(cut(&state, columns)).chain(lines.into_iter().take(room));
        let shown: Vec<String> = shown.map(|line| format!("{line}\u{1b}[K\n")).collect();
        (self.drawn, self.size) = (shown.len(), Some((columns, rows)));
        output::part(&format!("{start}{}\u{1b}[J", shown.concat()))
    }
}
