//! Jobs as lines of a table that fits the screen: it has more columns where there is room for them,
//! and long names are cut where there is little. What does not fit beside a job, its last error,
//! stands below it.

use std::time::{Duration, SystemTime};

use anstyle::Style;
use fairclaim::{JobPage, JobRow, Status};

use crate::output::printable;
use crate::words::{cut, span};
use crate::{color, screen};

/// What stands between two columns.
const GAP: usize = 2;
/// How much of an error has to be readable for a column of its own; else it has a line.
const ERROR_LEAST: usize = 40;
/// What stands in front of an error that has a line of its own.
const INDENT: &str = "    ";

/// Renders a page as people read it.
pub(super) fn page_lines(page: &JobPage) -> Vec<String> {
    if page.jobs.is_empty() {
        return vec!["no jobs".to_owned()];
    }
    let mut lines = JobTable::new().lines(&page.jobs);
    lines.extend(page.next.map(|next| format!("more: --before {next}")));
    lines
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Id,
    Status,
    Type,
    Attempts,
    Next,
    Queue,
    Age,
    Tenant,
    Worker,
    Error,
}

impl Column {
    /// The columns in the order in which they stand.
    const ALL: [Self; 10] = [
        Self::Id,
        Self::Status,
        Self::Type,
        Self::Attempts,
        Self::Next,
        Self::Queue,
        Self::Age,
        Self::Tenant,
        Self::Worker,
        Self::Error,
    ];
    /// The columns that every table has.
    const ALWAYS: [Self; 5] = [Self::Id, Self::Status, Self::Type, Self::Attempts, Self::Next];
    /// The other columns, in the order in which room is given to them.
    const MORE: [Self; 5] = [Self::Queue, Self::Age, Self::Error, Self::Tenant, Self::Worker];

    fn heading(self) -> &'static str {
        match self {
            Self::Id => "ID",
            Self::Status => "STATUS",
            Self::Type => "TYPE",
            Self::Attempts => "ATTEMPTS",
            Self::Next => "NEXT",
            Self::Queue => "QUEUE",
            Self::Age => "AGE",
            Self::Tenant => "TENANT",
            Self::Worker => "WORKER",
            Self::Error => "ERROR",
        }
    }

    /// How few characters it may be cut to; none for what makes sense only as a whole.
    fn least(self) -> Option<usize> {
        match self {
            Self::Type => Some(5),
            Self::Error => Some(ERROR_LEAST),
            _ => None,
        }
    }

    fn text(self, job: &JobRow) -> String {
        let text = match self {
            Self::Id => job.id.to_string(),
            Self::Status => job.status.to_string(),
            Self::Type => job.job_type.clone(),
            Self::Attempts => attempts(job),
            Self::Next => next(job),
            Self::Queue => job.queue.clone(),
            Self::Age => span(since(job.created_at, job.read_at)),
            Self::Tenant => job.tenant.clone().unwrap_or_else(|| job.tenant_id.to_string()),
            Self::Worker => job.worker_id.clone().unwrap_or_else(|| "-".to_owned()),
            Self::Error => error(job),
        };
        printable(&text)
    }

    fn style(self, job: &JobRow) -> Style {
        if self == Self::Status { color::of_status(job.status) } else { Style::new() }
    }
}

fn since(earlier: SystemTime, later: SystemTime) -> Duration {
    later.duration_since(earlier).unwrap_or_default()
}

/// Counts attempts: `3/25` where every attempt so far failed, or runs as the third; where some were
/// snoozed, given back or made before an operator ran the job again, how many there were, and how
/// many may still fail.
fn attempts(job: &JobRow) -> String {
    let Some(left) = job.attempts_left else { return job.attempts.to_string() };
    let runs = i32::from(job.status == Status::Processing);
    if job.attempts == job.max_attempts - left + runs {
        format!("{}/{}", job.attempts, job.max_attempts)
    } else {
        format!("{}, {left} left", job.attempts)
    }
}

/// Says when it can be claimed.
fn next(job: &JobRow) -> String {
    let wait = job.next_retry_at.map(|at| since(job.read_at, at)).filter(|wait| !wait.is_zero());
    match (job.status, wait) {
        (Status::Scheduled, Some(wait)) => format!("in {}", span(wait)),
        (Status::Scheduled | Status::Pending, _) => "due".to_owned(),
        _ => "-".to_owned(),
    }
}

/// Tells the code, and as much of the message as this login may see.
fn error(job: &JobRow) -> String {
    let parts = [job.error_code.as_deref(), job.error_message.as_deref()];
    parts.into_iter().flatten().collect::<Vec<_>>().join(": ")
}

/// A table that grows page by page. Its columns are chosen with the first page.
#[derive(Debug)]
pub(super) struct JobTable {
    /// How wide a line may be; none where that does not matter.
    width: Option<usize>,
    columns: Vec<(Column, usize)>,
}

impl JobTable {
    /// Makes one for stdout as it is now.
    pub(super) fn new() -> Self {
        Self { width: screen::width(), columns: Vec::new() }
    }

    /// Renders the lines of a page, with the heading before the first.
    pub(super) fn lines(&mut self, jobs: &[JobRow]) -> Vec<String> {
        let first = self.columns.is_empty();
        let natural = |column: Column| {
            let widths = jobs.iter().map(|job| column.text(job).chars().count());
            widths.max().unwrap_or(0).max(column.heading().len())
        };
        if first {
            let errors = jobs.iter().any(|job| !error(job).is_empty());
            let all = Column::ALL.into_iter().filter(|column| errors || *column != Column::Error);
            let natural: Vec<_> = all.map(|column| (column, natural(column))).collect();
            self.columns = match self.width {
                Some(width) => fitted(&natural, width),
                None => natural,
            };
        } else {
            for (column, width) in &mut self.columns {
                if self.width.is_none() || column.least().is_none() {
                    *width = (*width).max(natural(*column));
                }
            }
        }
        let heading = first.then(|| self.heading());
        heading.into_iter().chain(jobs.iter().flat_map(|job| self.job(job))).collect()
    }

    fn heading(&self) -> String {
        let cells = self.columns.iter().map(|&(column, width)| {
            let heading = column.heading();
            format!("{heading:width$}")
        });
        cells.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end().to_owned()
    }

    fn job(&self, job: &JobRow) -> Vec<String> {
        let colors = color::on_stdout();
        let cells = self.columns.iter().map(|&(column, width)| {
            let text = cut(&column.text(job), width);
            let padding = " ".repeat(width - text.chars().count());
            let style = column.style(job);
            if colors && style != Style::new() {
                format!("{style}{text}{style:#}{padding}")
            } else {
                format!("{text}{padding}")
            }
        });
        let line = cells.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end().to_owned();
        let has_column = self.columns.iter().any(|(column, _)| *column == Column::Error);
        let below = printable(&error(job));
        match self.width {
            Some(width) if !has_column && !below.is_empty() => {
                let below = cut(&below, width.saturating_sub(INDENT.len()));
                vec![line, format!("{INDENT}{below}")]
            }
            _ => vec![line],
        }
    }
}

/// Chooses the columns for which there is room, and how wide they are.
fn fitted(natural: &[(Column, usize)], width: usize) -> Vec<(Column, usize)> {
    let of = |wanted: Column| natural.iter().find(|(column, _)| *column == wanted);
    let mut chosen: Vec<(Column, usize)> =
        Column::ALWAYS.into_iter().filter_map(of).copied().collect();
    let used = |chosen: &[(Column, usize)]| {
        chosen.iter().map(|(_, width)| width + GAP).sum::<usize>().saturating_sub(GAP)
    };
    let excess = used(&chosen).saturating_sub(width);
    for (column, width) in &mut chosen {
        if let Some(least) = column.least() {
            *width = (*width).saturating_sub(excess).max(least.min(*width));
        }
    }
    for (column, wanted) in Column::MORE.into_iter().filter_map(of) {
        let room = width.saturating_sub(used(&chosen) + GAP);
        let least = column.least().map_or(*wanted, |least| least.min(*wanted));
        if least <= room {
            chosen.push((*column, least));
        }
    }
    let room = width.saturating_sub(used(&chosen));
    if let Some((_, given)) = chosen.iter_mut().find(|(column, _)| *column == Column::Error) {
        let wanted = of(Column::Error).map_or(0, |(_, wanted)| *wanted);
        *given = (*given + room).min(wanted);
    }
    chosen.sort_by_key(|(column, _)| Column::ALL.iter().position(|other| other == column));
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn natural(job_type: usize, error: usize) -> Vec<(Column, usize)> {
        let width = |column| match column {
            Column::Id | Column::Tenant => 36,
            Column::Status | Column::Attempts => 10,
            Column::Type => job_type,
            Column::Next | Column::Worker => 9,
            Column::Queue => 7,
            Column::Age => 6,
            Column::Error => error,
        };
        Column::ALL.map(|column| (column, width(column))).to_vec()
    }

    fn used(columns: &[(Column, usize)]) -> usize {
        columns.iter().map(|(_, width)| width + GAP).sum::<usize>() - GAP
    }

    #[test]
    fn eighty_columns_hold_what_is_needed_however_long_its_texts() {
        let columns = fitted(&natural(64, 200), 80);
        assert_eq!(columns.iter().map(|(column, _)| *column).collect::<Vec<_>>(), Column::ALWAYS);
        assert_eq!(used(&columns), 80);
        assert_eq!(columns[2].1, 7, "the type is cut");
    }

    #[test]
    fn more_columns_hold_more() {
        let has = |width, column| fitted(&natural(12, 60), width).iter().any(|(c, _)| *c == column);
        assert!(has(100, Column::Queue) && has(110, Column::Age) && !has(110, Column::Tenant));
        assert!(has(160, Column::Error) && has(220, Column::Tenant) && has(220, Column::Worker));
        for width in 80..240 {
            assert!(used(&fitted(&natural(12, 60), width)) <= width.max(83), "{width}");
        }
    }
}
