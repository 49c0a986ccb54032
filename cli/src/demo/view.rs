//! What the demo shows while it runs: a live picture on a terminal, plain lines elsewhere.

use std::collections::{HashMap, VecDeque};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use uuid::Uuid;

use super::plan::Plan;
use super::queries::Counts;
use crate::output;

/// Small tenants that have a line of their own; the rest is summed up in one.
const SMALL_ROWS: usize = 6;
/// Rates and shares are those of the last second.
const WINDOW: Duration = Duration::from_secs(1);
/// Without a terminal, a line of progress this often.
const PLAIN_EVERY: Duration = Duration::from_secs(2);
const MARGIN: &str = "  ";

/// The picture, and what it remembers between two looks.
#[derive(Debug)]
pub(super) struct View {
    screen: Option<Screen>,
    total: usize,
    started: Instant,
    last_plain: Option<Instant>,
    history: VecDeque<(Instant, HashMap<Uuid, u64>)>,
}

/// One look at the run.
#[derive(Debug)]
pub(super) struct Look<'a> {
    pub(super) counts: &'a HashMap<Uuid, Counts>,
    /// Jobs started so far, by tenant.
    pub(super) claims: HashMap<Uuid, u64>,
    pub(super) workers: usize,
}

/// What one line of the picture is about.
#[derive(Debug, Clone, Default, PartialEq)]
struct Line {
    label: String,
    counts: Counts,
    /// Of the claims of the last second, from 0 to 1.
    share: f64,
}

impl View {
    /// Draws on stdout if that is a terminal.
    pub(super) fn new(total: usize) -> Self {
        let screen = std::io::stdout().is_terminal().then(|| Screen::new(total));
        Self { screen, total, started: Instant::now(), last_plain: None, history: VecDeque::new() }
    }

    /// Says something that stays on the screen.
    pub(super) fn say(&self, text: &str) -> anyhow::Result<()> {
        match &self.screen {
            Some(screen) => Ok(screen.bars.println(text)?),
            None => output::line(text),
        }
    }

    /// Progress of the dispatching.
    pub(super) fn dispatched(&self, jobs: usize) {
        if let Some(screen) = &self.screen {
            screen.progress.set_prefix("dispatched");
            screen.progress.set_position(jobs as u64);
        }
    }

    /// The workers start now: from here on time counts.
    pub(super) fn begin(&mut self) {
        self.started = Instant::now();
        if let Some(screen) = &self.screen {
            screen.progress.set_prefix("finished");
            screen.progress.set_position(0);
            screen.progress.reset_elapsed();
        }
    }

    /// Shows one look.
    pub(super) fn show(&mut self, plan: &Plan, look: Look<'_>) -> anyhow::Result<()> {
        let (rate, recent) = self.recent(look.claims);
        let finished: usize = look.counts.values().map(|counts| counts.finished).sum();
        let lines = lines(plan, look.counts, &recent);
        if let Some(screen) = &self.screen {
            screen.draw(finished, rate, look.workers, &lines);
            return Ok(());
        }
        if self.last_plain.is_some_and(|last| last.elapsed() < PLAIN_EVERY) && finished < self.total
        {
            return Ok(());
        }
        self.last_plain = Some(Instant::now());
        output::line(self.plain(finished, rate, look.workers, &lines))
    }

    /// Takes the picture away, so that the summary stands alone.
    pub(super) fn end(&mut self) {
        if let Some(screen) = self.screen.take() {
            let _ = screen.bars.clear();
        }
    }

    /// Claims per second, and how many of them each tenant got, over the last second.
    fn recent(&mut self, claims: HashMap<Uuid, u64>) -> (f64, HashMap<Uuid, u64>) {
        let now = Instant::now();
        self.history.push_back((now, claims));
        while self.history.len() > 2 && now - self.history[1].0 >= WINDOW {
            self.history.pop_front();
        }
        let (since, before) = &self.history[0];
        let (_, latest) = &self.history[self.history.len() - 1];
        let recent: HashMap<Uuid, u64> = latest
            .iter()
            .map(|(tenant, count)| (*tenant, count - before.get(tenant).copied().unwrap_or(0)))
            .collect();
        let seconds = (now - *since).as_secs_f64();
        let sum: u64 = recent.values().sum();
        (if seconds > 0.0 { sum as f64 / seconds } else { 0.0 }, recent)
    }

    fn plain(&self, finished: usize, rate: f64, workers: usize, lines: &[Line]) -> String {
        let sum = |pick: fn(&Line) -> usize| lines[1..].iter().map(pick).sum::<usize>();
        let share: f64 = lines[1..].iter().map(|line| line.share).sum();
        format!(
            "{MARGIN}{:5.1} s  {:3.0} %  {} of {} finished  {} claims/s  {workers} workers  running {}  \
             waiting: flood {}, others {}  share of claims: flood {:.0} %, others {:.0} %",
            self.started.elapsed().as_secs_f64(),
            100.0 * finished as f64 / self.total as f64,
            HumanCount(finished as u64),
            HumanCount(self.total as u64),
            thousands(rate),
            lines[0].counts.running + sum(|line| line.counts.running),
            HumanCount(lines[0].counts.waiting as u64),
            HumanCount(sum(|line| line.counts.waiting) as u64),
            100.0 * lines[0].share,
            100.0 * share,
        )
    }
}

/// The flooding tenant, a few of the small ones, and the sum of the others.
fn lines(plan: &Plan, counts: &HashMap<Uuid, Counts>, recent: &HashMap<Uuid, u64>) -> Vec<Line> {
    let all: u64 = recent.values().sum();
    let line = |label: String, tenants: &[super::plan::Share]| {
        let mut line = Line { label, ..Line::default() };
        for tenant in tenants.iter().map(|share| share.tenant.uuid()) {
            let one = counts.get(&tenant).copied().unwrap_or_default();
            line.counts.waiting += one.waiting;
            line.counts.running += one.running;
            line.counts.finished += one.finished;
            let claims = recent.get(&tenant).copied().unwrap_or(0);
            line.share += if all == 0 { 0.0 } else { claims as f64 / all as f64 };
        }
        line
    };
    let (shown, rest) = plan.small().split_at(plan.small().len().min(SMALL_ROWS));
    let mut lines =
        vec![line(format!("{} (flood)", plan.flood().name), std::slice::from_ref(plan.flood()))];
    lines.extend(shown.iter().map(|share| line(share.name.clone(), std::slice::from_ref(share))));
    if !rest.is_empty() {
        lines.push(line(format!("{} others", rest.len()), rest));
    }
    lines
}

/// The bars and lines of a terminal.
#[derive(Debug)]
struct Screen {
    bars: MultiProgress,
    progress: ProgressBar,
    heading: ProgressBar,
    rows: Vec<ProgressBar>,
}

impl Screen {
    fn new(total: usize) -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        let style = |template: &str| {
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
        };
        let progress = bars.add(ProgressBar::new(total as u64));
        progress.set_style(
            style("  {bar:40.green} {human_pos} of {human_len} {prefix}  {msg}")
                .progress_chars("━╸─"),
        );
        let text = || {
            let row = bars.add(ProgressBar::new(0));
            row.set_style(style("{msg}"));
            row
        };
        let heading = text();
        let rows = (0..SMALL_ROWS + 2).map(|_| text()).collect();
        Self { bars, progress, heading, rows }
    }

    fn draw(&self, finished: usize, rate: f64, workers: usize, lines: &[Line]) {
        self.progress.set_position(finished as u64);
        let seconds = self.progress.elapsed().as_secs_f64();
        self.progress.set_message(format!(
            "{} claims/s  {workers} workers  {seconds:.0} s",
            thousands(rate)
        ));
        self.heading.set_message(format!(
            "{MARGIN}{:20}{:>10}{:>10}{:>10}   share of claims",
            "", "waiting", "running", "finished"
        ));
        for (row, line) in self.rows.iter().zip(lines) {
            row.set_message(format!(
                "{MARGIN}{:20}{:>10}{:>10}{:>10}   {:>5.1} % {}",
                line.label,
                HumanCount(line.counts.waiting as u64).to_string(),
                HumanCount(line.counts.running as u64).to_string(),
                HumanCount(line.counts.finished as u64).to_string(),
                100.0 * line.share,
                bar(line.share),
            ));
        }
    }
}

fn bar(share: f64) -> String {
    const WIDTH: f64 = 20.0;
    "▪".repeat((share.clamp(0.0, 1.0) * WIDTH).round() as usize)
}

fn thousands(rate: f64) -> String {
    HumanCount(rate.max(0.0).round() as u64).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_shows_the_flood_a_few_tenants_and_the_rest() {
        let plan = Plan::new("run", "demo".to_owned(), 50, 1000).unwrap();
        let tenant = |n: usize| plan.shares[n].tenant.uuid();
        let counts = HashMap::from([
            (tenant(0), Counts { waiting: 900, running: 10, finished: 90 }),
            (tenant(48), Counts { waiting: 5, running: 0, finished: 15 }),
            (tenant(49), Counts { waiting: 1, running: 1, finished: 18 }),
        ]);
        let lines = lines(&plan, &counts, &HashMap::from([(tenant(0), 30), (tenant(49), 10)]));
        assert_eq!(lines.len(), SMALL_ROWS + 2);
        assert_eq!((lines[0].label.as_str(), lines[0].share), ("tenant-01 (flood)", 0.75));
        let rest = lines.last().unwrap();
        assert_eq!(rest.label, "43 others");
        assert_eq!(rest.counts, Counts { waiting: 6, running: 1, finished: 33 });
        assert!((rest.share - 0.25).abs() < f64::EPSILON);
    }

    #[test]
    fn two_tenants_need_no_line_for_the_rest() {
        let plan = Plan::new("run", "demo".to_owned(), 2, 10).unwrap();
        assert_eq!(lines(&plan, &HashMap::new(), &HashMap::new()).len(), 2);
    }
}
