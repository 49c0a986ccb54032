//! What the demo shows while it runs: a picture on a terminal, plain lines elsewhere. Both tell the
//! same story.

use std::collections::{HashMap, VecDeque};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::HumanCount;
use uuid::Uuid;

use super::frame::{self, Frame};
use super::plan::Plan;
use super::queries::Progress;
use super::screen::{self, Screen};
use crate::{color, output};

/// How much time the rate is taken over.
const WINDOW: Duration = Duration::from_secs(1);
/// How often there is a line of progress without a terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(2);
const MARGIN: &str = "  ";

/// The picture, and what it remembers between two looks.
#[derive(Debug)]
pub(super) struct View {
    screen: Option<Screen>,
    started: Instant,
    last_plain: Option<Instant>,
    /// How many jobs had been claimed, and when.
    history: VecDeque<(Instant, u64)>,
}

/// One look at the run.
#[derive(Debug)]
pub(super) struct Look<'a> {
    pub(super) progress: &'a HashMap<Uuid, Progress>,
    /// Jobs started so far.
    pub(super) claims: u64,
    pub(super) workers: usize,
    /// Jobs that come back when the leases of a killed worker end, if nothing else is left, and in
    /// how many seconds at most.
    pub(super) leases: Option<(usize, u64)>,
}

impl View {
    /// Draws on stdout if that is a terminal.
    pub(super) fn new() -> Self {
        let screen = std::io::stdout().is_terminal().then(Screen::default);
        Self { screen, started: Instant::now(), last_plain: None, history: VecDeque::new() }
    }

    /// Says something that stays on the screen.
    pub(super) fn say(&mut self, text: &str) -> anyhow::Result<()> {
        match &mut self.screen {
            Some(screen) => Ok(screen.say(text)?),
            None => output::line(text),
        }
    }

    /// Shows what the demo waits for before it begins.
    pub(super) fn waiting(&mut self, what: &str) -> anyhow::Result<()> {
        if let Some(screen) = &mut self.screen {
            screen.draw(vec![format!("{MARGIN}{what} …")])?;
        }
        Ok(())
    }

    /// Shows the progress of the dispatching.
    pub(super) fn dispatching(&mut self, jobs: usize, total: usize) -> anyhow::Result<()> {
        let (jobs, total) = (HumanCount(jobs as u64), HumanCount(total as u64));
        self.waiting(&format!("dispatching: {jobs} of {total} jobs"))
    }

    /// Says that the workers start now: from here on time counts.
    pub(super) fn begin(&mut self) {
        self.started = Instant::now();
    }

    /// Shows one look.
    pub(super) fn show(&mut self, plan: &Plan, look: &Look<'_>) -> anyhow::Result<()> {
        let rate = self.rate(look.claims);
        let finished: usize = look.progress.values().map(|progress| progress.finished).sum();
        let (width, height) = screen::size();
        let frame = Frame {
            rows: frame::rows(plan, look.progress, frame::rows_for(height)),
            finished,
            total: plan.total(),
            seconds: self.started.elapsed().as_secs_f64(),
            rate,
            workers: look.workers,
            now: now(plan, look),
        };
        if let Some(screen) = &mut self.screen {
            return Ok(screen.draw(frame.lines(width, color::on_stdout()))?);
        }
        let is_due = self.last_plain.is_none_or(|last| last.elapsed() >= PLAIN_EVERY);
        if is_due || finished >= plan.total() {
            self.last_plain = Some(Instant::now());
            output::line(plain(&frame))?;
        }
        Ok(())
    }

    /// Leaves the last picture standing, without the line about what goes on.
    pub(super) fn end(&mut self) {
        self.screen = None;
    }

    /// Takes the picture away.
    pub(super) fn clear(&mut self) -> anyhow::Result<()> {
        if let Some(screen) = &mut self.screen {
            screen.clear()?;
        }
        Ok(())
    }

    /// Counts the claims of the last second.
    fn rate(&mut self, claims: u64) -> f64 {
        let now = Instant::now();
        self.history.push_back((now, claims));
        while self.history.len() > 2 && now - self.history[1].0 >= WINDOW {
            self.history.pop_front();
        }
        let (since, before) = self.history[0];
        let seconds = (now - since).as_secs_f64();
        if seconds > 0.0 { (claims - before) as f64 / seconds } else { 0.0 }
    }
}

/// Counts the small tenants that have all their jobs done, and says when the last of them had.
pub(super) fn small_done(plan: &Plan, progress: &HashMap<Uuid, Progress>) -> (usize, f64) {
    let done = plan.small().iter().filter_map(|share| {
        let progress = progress.get(&share.tenant.uuid())?;
        (progress.finished >= share.jobs).then_some(progress.last.unwrap_or_default())
    });
    done.fold((0, 0.0), |(count, last), at| (count + 1, f64::max(last, at)))
}

/// Says what goes on at this moment, in one sentence.
fn now(plan: &Plan, look: &Look<'_>) -> String {
    let small = plan.small().len();
    let flood = look.progress.get(&plan.flood().tenant.uuid()).copied().unwrap_or_default();
    let waiting = HumanCount(flood.waiting as u64);
    if let Some((jobs, seconds)) = look.leases {
        return format!(
            "{jobs} jobs of the killed worker come back when their leases end: {seconds} s at most"
        );
    }
    let (done, last) = small_done(plan, look.progress);
    if done < small {
        format!("{done} of {small} small tenants done; {waiting} jobs of the flood wait")
    } else if flood.waiting > 0 {
        format!(
            "{done} of {small} small tenants done after {last:.1} s; {waiting} jobs of the flood still wait"
        )
    } else {
        format!(
            "{done} of {small} small tenants done after {last:.1} s, and the flood {:.1} s",
            flood.last.unwrap_or_default()
        )
    }
}

/// Says it in one line.
fn plain(frame: &Frame) -> String {
    format!(
        "{MARGIN}{:5.1} s  {:3.0} %  {} of {} done  {} claims/s  {} workers  {}",
        frame.seconds,
        100.0 * frame.finished as f64 / frame.total as f64,
        HumanCount(frame.finished as u64),
        HumanCount(frame.total as u64),
        HumanCount(frame.rate.max(0.0).round() as u64),
        frame.workers,
        frame.now,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan::new("run", "demo".to_owned(), 3, 1000).unwrap()
    }

    fn progress(plan: &Plan, of: [Progress; 3]) -> HashMap<Uuid, Progress> {
        plan.tenant_ids().into_iter().zip(of).collect()
    }

    fn done(last: f64) -> Progress {
        Progress { finished: 20, first: Some(0.1), last: Some(last), ..Progress::default() }
    }

    fn says(plan: &Plan, of: [Progress; 3], leases: Option<(usize, u64)>) -> String {
        let progress = progress(plan, of);
        now(plan, &Look { progress: &progress, claims: 0, workers: 3, leases })
    }

    #[test]
    fn it_says_what_goes_on() {
        let plan = plan();
        let flood = Progress { waiting: 900, finished: 100, ..Progress::default() };
        let at_first = says(&plan, [flood, done(0.8), Progress::default()], None);
        assert_eq!(at_first, "1 of 2 small tenants done; 900 jobs of the flood wait");
        let then = says(&plan, [flood, done(0.8), done(1.1)], None);
        assert_eq!(then, "2 of 2 small tenants done after 1.1 s; 900 jobs of the flood still wait");
        let at_last =
            says(&plan, [Progress { waiting: 0, ..flood }, done(0.8), done(1.1)], Some((7, 4)));
        assert_eq!(
            at_last,
            "7 jobs of the killed worker come back when their leases end: 4 s at most"
        );
    }
}
