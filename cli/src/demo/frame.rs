//! One picture of the run, as lines that fit a terminal. It has no effects: what it is made of is
//! looked up elsewhere, and it is drawn whole.

use std::collections::HashMap;

use anstyle::{AnsiColor, Style};
use indicatif::HumanCount;
use uuid::Uuid;

use super::plan::{Plan, Share};
use super::queries::Progress;
use crate::words::cut;

const MARGIN: &str = "  ";
/// How wide the columns are: label, jobs, done, first done, all done, and two before what comes
/// next.
const LABEL: usize = 18;
const NUMBER: usize = 10;
const TIME: usize = 12;
const BESIDE_BAR: usize = MARGIN.len() + LABEL + 2 * NUMBER + 2 * TIME + 3;
/// How wide a picture is at most: a wider one is not easier to read.
const BAR_MAX: usize = 60;
/// How short a bar may be: a shorter one shows nothing.
const BAR_MIN: usize = 8;
/// How the scale ends, below the last cell of the bars.
const LEGEND: &str = "in the order of arrival, they would be served here ┘";
/// How many lines there are beside those of the tenants, with what is left for what was said
/// before.
const FIXED: usize = 9;
const SAID_BEFORE: usize = 6;
const ROWS_MIN: usize = 3;
const ROWS_MAX: usize = 30;

const FLOOD: Style = AnsiColor::Yellow.on_default();
const SMALL: Style = AnsiColor::Green.on_default();
const FAINT: Style = Style::new().dimmed();

/// What one line of the picture is about: a tenant, or the sum of those that have no line.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Row {
    pub(super) label: String,
    pub(super) jobs: usize,
    pub(super) done: usize,
    /// How many seconds passed from the start until the first job was done; of several tenants,
    /// until the last of them had its first.
    pub(super) first: Option<f64>,
    /// How many seconds passed until the last one so far was.
    pub(super) last: Option<f64>,
    pub(super) floods: bool,
}

/// All that a picture shows.
#[derive(Debug, Clone, Default)]
pub(super) struct Frame {
    pub(super) rows: Vec<Row>,
    pub(super) finished: usize,
    pub(super) total: usize,
    pub(super) seconds: f64,
    /// Claims in a second.
    pub(super) rate: f64,
    pub(super) workers: usize,
    /// What goes on at this moment.
    pub(super) now: String,
}

/// Answers how many tenants have a line of their own on a terminal of this height, the flooding one
/// among them.
pub(super) fn rows_for(height: usize) -> usize {
    height.saturating_sub(FIXED + SAID_BEFORE).clamp(ROWS_MIN, ROWS_MAX)
}

/// Makes lines of the flooding tenant, some of the small ones, and the sum of the others.
pub(super) fn rows(plan: &Plan, progress: &HashMap<Uuid, Progress>, most: usize) -> Vec<Row> {
    let own = if plan.shares.len() > most { most - 1 } else { plan.shares.len() };
    let (shown, rest) = plan.shares.split_at(own);
    let mut rows: Vec<Row> = shown.iter().map(|share| row(share, progress)).collect();
    rows[0].label = format!("{} (flood)", plan.flood().name);
    rows[0].floods = true;
    if !rest.is_empty() {
        let others = rest.iter().map(|share| row(share, progress));
        let label = format!("{} others", rest.len());
        let sum = others.reduce(|sum, one| Row {
            jobs: sum.jobs + one.jobs,
            done: sum.done + one.done,
            first: sum.first.zip(one.first).map(|(sum, one)| sum.max(one)),
            last: later(sum.last, one.last),
            ..sum
        });
        rows.extend(sum.map(|sum| Row { label, ..sum }));
    }
    rows
}

fn row(share: &Share, progress: &HashMap<Uuid, Progress>) -> Row {
    let progress = progress.get(&share.tenant.uuid()).copied().unwrap_or_default();
    Row {
        label: share.name.clone(),
        jobs: share.jobs,
        done: progress.finished,
        first: progress.first,
        last: progress.last,
        floods: false,
    }
}

fn later(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}

impl Frame {
    /// Renders the lines, none wider than the terminal, with colours where they are wanted.
    pub(super) fn lines(&self, width: usize, colors: bool) -> Vec<String> {
        let paint = |style: Style, text: &str| {
            if colors { format!("{style}{text}{style:#}") } else { text.to_owned() }
        };
        // a line as wide as the terminal would make some of them begin another one
        let width = width.saturating_sub(1);
        let bar = width.saturating_sub(BESIDE_BAR).min(BAR_MAX);
        let figures = cut(&self.figures(), width);
        let mut lines = vec![String::new(), self.progress(width, &paint), figures, String::new()];
        let heading = format!(
            "{MARGIN}{:LABEL$}{:>NUMBER$}{:>NUMBER$}{:>TIME$}{:>TIME$}   {}",
            "tenant",
            "jobs",
            "done",
            "first done",
            "all done",
            if bar < BAR_MIN { "" } else { "when" }
        );
        lines.push(paint(FAINT, &cut(heading.trim_end(), width)));
        for row in &self.rows {
            let style = if row.floods { FLOOD } else { SMALL };
            let label = format!("{MARGIN}{:LABEL$}", cut(&row.label, LABEL - 1));
            let all_done = if row.done >= row.jobs { seconds(row.last) } else { "…".to_owned() };
            let numbers = format!(
                "{:>NUMBER$}{:>NUMBER$}{:>TIME$}{:>TIME$}   ",
                human(row.jobs),
                human(row.done),
                seconds(row.first),
                all_done
            );
            lines.push(if bar >= BAR_MIN {
                format!("{}{numbers}{}", paint(style, &label), self.when(row, bar, &paint))
            } else {
                cut(&format!("{label}{}", numbers.trim_end()), width)
            });
        }
        if bar >= BAR_MIN {
            lines.push(paint(FAINT, &format!("{LEGEND:>0$}", BESIDE_BAR + bar)));
        }
        lines.push(String::new());
        lines.push(cut(&format!("{MARGIN}{}", self.now), width));
        lines
    }

    fn progress(&self, width: usize, paint: &impl Fn(Style, &str) -> String) -> String {
        let percent = 100.0 * self.finished as f64 / self.total.max(1) as f64;
        let cells = width.saturating_sub(MARGIN.len() + 9).min(100);
        let done = cells * self.finished / self.total.max(1);
        format!(
            "{MARGIN}{}{}  {percent:3.0} %",
            paint(SMALL, &"━".repeat(done)),
            paint(FAINT, &"─".repeat(cells - done))
        )
    }

    fn figures(&self) -> String {
        format!(
            "{MARGIN}{} of {} jobs done   {:.1} s   {} a second   {} workers",
            human(self.finished),
            human(self.total),
            self.seconds,
            human(self.rate.max(0.0).round() as usize),
            self.workers
        )
    }

    /// Draws a bar from the first job of all at the left to the last one at the right: where in
    /// this order the jobs of a tenant were done, and where they would be in the order of arrival.
    fn when(&self, row: &Row, cells: usize, paint: &impl Fn(Style, &str) -> String) -> String {
        let cell = |jobs: f64| {
            let cell = jobs / self.total.max(1) as f64 * cells as f64;
            (cell as usize).min(cells.saturating_sub(1))
        };
        let firsts = self.rows.iter().filter_map(|row| row.first);
        let began = firsts.reduce(f64::min).unwrap_or(0.0);
        let at = |seconds: f64| {
            let part = ((seconds - began) / (self.seconds - began).max(0.001)).clamp(0.0, 1.0);
            cell(part * self.finished as f64)
        };
        let (now, flood) = (at(self.seconds), self.rows.first().map_or(0, |row| row.jobs));
        let arrived = if row.floods { cells } else { cell(flood as f64) };
        let done = row.first.zip(row.last).map(|(first, last)| at(first)..=at(last));
        let (mut bar, mut drawn) = (String::new(), String::new());
        let style = if row.floods { FLOOD } else { SMALL };
        let mut last_style = FAINT;
        for place in 0..cells {
            let (sign, style) = match &done {
                Some(done) if done.contains(&place) => ('━', style),
                _ if place >= arrived => ('░', FAINT),
                _ if place <= now => ('·', FAINT),
                _ => (' ', FAINT),
            };
            if style != last_style {
                bar.push_str(&paint(last_style, &std::mem::take(&mut drawn)));
                last_style = style;
            }
            drawn.push(sign);
        }
        bar.push_str(&paint(last_style, drawn.trim_end()));
        bar
    }
}

fn seconds(span: Option<f64>) -> String {
    span.map_or_else(|| "…".to_owned(), |span| format!("{span:.2} s"))
}

fn human(count: usize) -> String {
    HumanCount(count as u64).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(tenants: usize) -> Plan {
        Plan::new("run", "demo".to_owned(), tenants, 100_000).unwrap()
    }

    fn frame(plan: &Plan, height: usize) -> Frame {
        let mut progress: HashMap<Uuid, Progress> = plan
            .small()
            .iter()
            .map(|share| {
                let progress = Progress {
                    finished: 20,
                    first: Some(0.04),
                    last: Some(1.1),
                    ..Progress::default()
                };
                (share.tenant.uuid(), progress)
            })
            .collect();
        let flood = Progress {
            waiting: 40_000,
            finished: 60_000,
            first: Some(0.05),
            last: Some(8.4),
            ..Progress::default()
        };
        progress.insert(plan.flood().tenant.uuid(), flood);
        Frame {
            rows: rows(plan, &progress, rows_for(height)),
            finished: 60_000 + plan.small_jobs(),
            total: plan.total(),
            seconds: 8.4,
            rate: 7122.4,
            workers: 3,
            now: "49 of 49 small tenants done after 1.1 s; of the flood 40,000 wait still"
                .to_owned(),
        }
    }

    #[test]
    fn it_fits_every_terminal_and_leaves_room_for_what_was_said() {
        for (width, height) in [(40, 12), (80, 24), (120, 40), (200, 60)] {
            let lines = frame(&plan(50), height).lines(width, false);
            let widest = lines.iter().map(|line| line.chars().count()).max().unwrap();
            assert!(widest < width, "{widest} of {width}: {lines:#?}");
            assert!(lines.len() < height, "{} of {height}", lines.len());
        }
        assert_eq!(rows_for(24), 9);
        assert!(rows_for(40) > 2 * rows_for(24), "a high terminal shows more tenants");
    }

    #[test]
    fn the_lines_of_the_tenants_add_up_to_all() {
        for height in [24, 40] {
            let frame = frame(&plan(50), height);
            assert_eq!(frame.rows.iter().map(|row| row.jobs).sum::<usize>(), frame.total);
            assert_eq!(frame.rows.iter().map(|row| row.done).sum::<usize>(), frame.finished);
        }
        assert_eq!(frame(&plan(2), 24).rows.len(), 2, "two tenants need no line for the rest");
    }

    #[test]
    fn the_sum_of_the_others_is_as_late_as_the_last_of_them() {
        let plan = plan(5);
        let one = |n: usize, first, last| {
            let progress = Progress { finished: 20, first, last, ..Progress::default() };
            (plan.shares[n].tenant.uuid(), progress)
        };
        let progress = HashMap::from([
            one(2, Some(0.2), Some(0.9)),
            one(3, Some(0.3), Some(0.8)),
            one(4, Some(0.1), Some(1.0)),
        ]);
        let rows = rows(&plan, &progress, 3);
        assert_eq!(
            (rows[2].label.as_str(), rows[2].first, rows[2].last),
            ("3 others", Some(0.3), Some(1.0))
        );
        let none_yet = HashMap::from([one(2, Some(0.2), Some(0.9)), one(3, None, None)]);
        assert_eq!(super::rows(&plan, &none_yet, 3)[2].first, None, "not all of them have one");
    }

    #[test]
    fn small_tenants_stand_at_the_left_and_the_flood_goes_on() {
        let lines = frame(&plan(50), 24).lines(120, false);
        let (flood, small) = (&lines[5], &lines[6]);
        assert!(flood.contains("━━━━━━━━━━━━━━━━━━━━━━━━"), "{flood}");
        assert!(small.contains("━━━━·······"), "{small}");
        assert!(small.ends_with('░') && !flood.contains('░'), "in order of arrival: {small}");
    }
}
