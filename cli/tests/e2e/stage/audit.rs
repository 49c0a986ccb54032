//! The judge of every fault test: it asks the database, when all is over, whether anything was
//! lost, doubled or left.

use std::fmt;
use std::path::Path;

use uuid::Uuid;

use super::Stage;

pub(crate) const AUDIT: &str = include_str!("audit.sql");

/// What a run came to.
const TOTALS: &str = "select (select count(*) from fairclaim_internal.job),
  (select count(*) from witness.claim),
  (select count(*) from fairclaim_internal.attempt_error e where e.error ->> 'code' = 'lost'),
  (select count(*) from fairclaim_internal.finished where status = 'failed'),
  (select count(*) from fairclaim_internal.finished where status = 'completed')";

/// Something that must not be.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) what: String,
    pub(crate) times: i64,
    #[allow(dead_code, reason = "shown where a finding is printed")]
    pub(crate) example: String,
}

/// How many jobs may fail of a fault, each with three lost leases on record.
#[derive(Debug, Clone, Copy)]
pub(crate) enum MayFail {
    /// Nobody loses a lease of it, or nobody three times.
    None,
    /// Workers die all the time: a few jobs in a thousand meet that three times, and luck varies.
    AFew,
    /// Those that are poison.
    Poison(usize),
}

impl MayFail {
    fn most(self, jobs: i64) -> i64 {
        match self {
            Self::None => 0,
            Self::AFew => 2 + jobs / 100,
            Self::Poison(count) => i64::try_from(count).unwrap(),
        }
    }
}

/// The verdict, and the sums that the reports print.
#[derive(Debug)]
pub(crate) struct Audit {
    pub(crate) findings: Vec<Finding>,
    pub(crate) answered: usize,
    pub(crate) jobs: i64,
    pub(crate) claims: i64,
    pub(crate) starts: usize,
    pub(crate) losses: i64,
    pub(crate) failed: i64,
    pub(crate) completed: i64,
}

impl Audit {
    /// Looks at everything. To be called when nobody works any more.
    pub(crate) async fn of(stage: &Stage) -> Self {
        let answered: Vec<Uuid> =
            lines(&stage.answered).iter().map(|line| line.parse().unwrap()).collect();
        let (mut ids, mut attempts) = (Vec::<Uuid>::new(), Vec::<i32>::new());
        for line in lines(&stage.starts) {
            let (id, attempt) = line.split_once(' ').unwrap();
            ids.push(id.parse().unwrap());
            attempts.push(attempt.parse().unwrap());
        }
        let rows = stage.ask(AUDIT, &[&answered, &ids, &attempts]).await;
        let findings = rows
            .iter()
            .map(|row| Finding { what: row.get(0), times: row.get(1), example: row.get(2) })
            .collect();
        let totals = &stage.ask(TOTALS, &[]).await[0];
        Self {
            findings,
            answered: answered.len(),
            jobs: totals.get(0),
            claims: totals.get(1),
            starts: ids.len(),
            losses: totals.get(2),
            failed: totals.get(3),
            completed: totals.get(4),
        }
    }

    /// Prints the sums and insists that all is well, and that no more jobs failed than this fault
    /// may cost.
    pub(crate) fn pass(&self, name: &str, may_fail: MayFail) {
        println!("{name}: {self}");
        assert!(self.findings.is_empty(), "{name}: {:#?}", self.findings);
        assert!(self.completed > 0, "{name}: nothing was done at all");
        let most = may_fail.most(self.jobs);
        assert!(self.failed <= most, "{name}: {} jobs failed, {most} may", self.failed);
    }

    pub(crate) fn finds(&self, what: &str) -> bool {
        self.findings.iter().any(|finding| finding.what.starts_with(what))
    }

    /// For negative controls: the audit must find this.
    pub(crate) fn must_find(&self, what: &str) {
        println!("control: {self}; {:?}", self.findings);
        assert!(self.finds(what), "the audit is blind to this: {what}");
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} jobs ({} answered), {} completed, {} failed, {} claims, {} handler starts, {} lost leases, {} findings",
            self.jobs,
            self.answered,
            self.completed,
            self.failed,
            self.claims,
            self.starts,
            self.losses,
            self.findings.len()
        )
    }
}

/// The whole lines of a file, which may not exist yet.
fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}
