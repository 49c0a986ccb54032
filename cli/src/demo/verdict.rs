//! The end of the demo: what it promised, against what the database says.

use std::time::Duration;

use indicatif::HumanCount;

use super::plan::Plan;
use super::queries::{Served, Totals};

/// Everything that the summary is made of.
#[derive(Debug)]
pub(super) struct Evidence {
    pub(super) totals: Totals,
    pub(super) served: Served,
    /// The worker that was killed.
    pub(super) killed: String,
    /// Jobs that it had claimed and not settled when it died.
    pub(super) held: usize,
    /// How many of these another worker has completed.
    pub(super) recovered: usize,
    /// Jobs that can be under way at once, over all workers.
    pub(super) slots: usize,
    /// From the start of the workers to the last job.
    pub(super) took: Duration,
}

/// One promise, kept or not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) kept: bool,
    pub(super) promise: &'static str,
    pub(super) figures: String,
}

/// The checks of the summary, in the order in which they are printed.
pub(super) fn checks(plan: &Plan, evidence: &Evidence) -> Vec<Check> {
    vec![once(plan, &evidence.totals), recovered(evidence), served(plan, evidence)]
}

fn once(plan: &Plan, totals: &Totals) -> Check {
    let whole = Totals {
        dispatched: plan.total(),
        finished: plan.total(),
        distinct: plan.total(),
        completed: plan.total(),
        missing: 0,
        left: 0,
        attempts: totals.attempts,
    };
    Check {
        kept: *totals == whole,
        promise: "every job finished exactly once",
        figures: format!(
            "{} dispatched, {} finished, {} different ones, {} completed; {} still waiting or running, {} without an \
             end",
            human(totals.dispatched),
            human(totals.finished),
            human(totals.distinct),
            human(totals.completed),
            human(totals.left),
            human(totals.missing),
        ),
    }
}

fn recovered(evidence: &Evidence) -> Check {
    Check {
        kept: evidence.held > 0 && evidence.recovered == evidence.held,
        promise: "the killed worker's jobs were recovered",
        figures: format!(
            "{} held {} jobs when it was killed; {} of them were claimed again and completed by others",
            evidence.killed,
            human(evidence.held),
            human(evidence.recovered),
        ),
    }
}

fn served(plan: &Plan, evidence: &Evidence) -> Check {
    let Served { tenants, all_begun, all_done } = evidence.served;
    let bound = bound(plan, evidence.slots);
    Check {
        kept: tenants == plan.small().len() && all_done <= bound,
        promise: "nobody waited behind the flood",
        figures: format!(
            "of {4} jobs, all {0} small tenants had their first one done among the first {1}, and their last one among \
             the first {2} (in turn: below {3})",
            human(tenants),
            human(all_begun),
            human(all_done),
            human(bound),
            human(plan.total()),
        ),
    }
}

/// In how many jobs all small tenants must be through. Taking turns needs their own jobs and a few of
/// the flood in between, half as many at most; besides, workers have jobs in hand. The tenth is for
/// a machine that lets one worker wait while the others go on, since what is counted is the order of
/// completion. In order of arrival it would be all of them.
fn bound(plan: &Plan, slots: usize) -> usize {
    plan.small_jobs() * 3 / 2 + 2 * slots + plan.total() / 10
}

/// The summary as it is printed.
pub(super) fn summary(checks: &[Check], evidence: &Evidence) -> String {
    let mut text = String::from("\n");
    for check in checks {
        let mark = if check.kept { "✔" } else { "✘" };
        text.push_str(&format!("{mark} {}\n    {}\n", check.promise, check.figures));
    }
    let seconds = evidence.took.as_secs_f64();
    text.push_str(&format!(
        "\n{} jobs in {seconds:.1} s, {} a second, counted in the database",
        human(evidence.totals.completed),
        human((evidence.totals.completed as f64 / seconds.max(0.001)) as usize),
    ));
    text
}

fn human(count: usize) -> HumanCount {
    HumanCount(count as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(plan: &Plan) -> Evidence {
        let total = plan.total();
        Evidence {
            totals: Totals {
                dispatched: total,
                finished: total,
                distinct: total,
                completed: total,
                missing: 0,
                left: 0,
                attempts: total + 7,
            },
            served: Served { tenants: plan.small().len(), all_begun: 60, all_done: 1100 },
            killed: "worker-2".to_owned(),
            held: 7,
            recovered: 7,
            slots: 48,
            took: Duration::from_secs(10),
        }
    }

    fn kept(change: impl Fn(&mut Evidence)) -> Vec<bool> {
        let plan = Plan::new("run", "demo".to_owned(), 50, 100_000).unwrap();
        let mut evidence = evidence(&plan);
        change(&mut evidence);
        checks(&plan, &evidence).iter().map(|check| check.kept).collect()
    }

    #[test]
    fn a_good_run_keeps_every_promise() {
        assert_eq!(kept(|_| {}), [true, true, true]);
    }

    #[test]
    fn each_promise_can_be_broken() {
        assert_eq!(kept(|e| e.totals.left = 1), [false, true, true]);
        assert_eq!(kept(|e| e.totals.distinct -= 1), [false, true, true]);
        assert_eq!(kept(|e| e.totals.completed -= 1), [false, true, true]);
        assert_eq!(kept(|e| e.recovered = 6), [true, false, true]);
        assert_eq!(kept(|e| (e.held, e.recovered) = (0, 0)), [true, false, true]);
        assert_eq!(kept(|e| e.served.tenants = 48), [true, true, false]);
        assert_eq!(kept(|e| e.served.all_done = 50_000), [true, true, false]);
    }
}
