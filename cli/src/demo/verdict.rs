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
    /// Worker processes at the start.
    pub(super) workers: usize,
    /// Jobs that one of them may hold at once, running and claimed ahead.
    pub(super) in_hand: usize,
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
    vec![once(plan, evidence), recovered(plan, evidence), served(plan, evidence)]
}

/// Each job has one final fact. One attempt of each was accepted; any other was the killed worker's, or
/// was given back before a handler had it, which is the only way to end without an outcome.
fn once(plan: &Plan, evidence: &Evidence) -> Check {
    let totals = &evidence.totals;
    let whole = [totals.dispatched, totals.finished, totals.distinct, totals.completed];
    let unfinished = totals.missing + totals.left + totals.failed;
    let given_back = totals.attempts.saturating_sub(totals.finished + totals.lost + totals.failed);
    Check {
        kept: whole == [plan.total(); 4]
            && unfinished == 0
            && totals.attempts >= totals.finished
            && totals.attempts <= totals.finished + evidence.held + given_back,
        promise: "every job finished exactly once",
        figures: format!(
            "{} dispatched, {} finished, {} different ones, {} completed; {} still waiting or running, {} without an \
             end\n    {} attempts: one of each was accepted, {} were lost, {} given back before they ran, {} failed",
            human(totals.dispatched),
            human(totals.finished),
            human(totals.distinct),
            human(totals.completed),
            human(totals.left),
            human(totals.missing),
            human(totals.attempts),
            human(totals.lost),
            human(given_back),
            human(totals.failed),
        ),
    }
}

/// A fast machine may be done with a small flood before the kill; with a large one the worker held something.
fn recovered(plan: &Plan, evidence: &Evidence) -> Check {
    let Evidence { held, recovered, killed, .. } = evidence;
    let is_small = bound(plan, evidence) >= plan.total();
    let meaning = if *held == 0 { " (this shows nothing: take a larger flood)" } else { "" };
    Check {
        kept: recovered == held && (*held > 0 || is_small),
        promise: "the killed worker's jobs were recovered",
        figures: format!(
            "{killed} held {} jobs when it was killed; {} of them were claimed again and completed by others{meaning}",
            human(*held),
            human(*recovered),
        ),
    }
}

fn served(plan: &Plan, evidence: &Evidence) -> Check {
    let Served { tenants, all_begun, all_done } = evidence.served;
    let bound = bound(plan, evidence);
    let meaning = if bound < plan.total() {
        format!("in turn: within {}", human(bound))
    } else {
        "so small a flood shows nothing: any order would do".to_owned()
    };
    Check {
        kept: tenants == plan.small().len() && all_done <= bound,
        promise: "nobody waited behind the flood",
        figures: format!(
            "of {3} jobs, all {0} small tenants had their first one done among the first {1}, and the workers had done \
             {2} together when each had its last small one behind it ({meaning})",
            human(tenants),
            human(all_begun),
            human(all_done),
            human(plan.total()),
        ),
    }
}

/// In how many jobs all small tenants must be through. Every worker goes round all tenants, the flood
/// among them, and takes equally many of each: so a tenant's k jobs are claimed when the workers together
/// have made k rounds, and each of them may be in the middle of another one: tenants × (k + workers) claims.
/// What is counted is what each worker had completed with its own last small job, so that one which stands still for a
/// while does not make the others look unfair; and it may have been through with all else it had in hand. In order of arrival it would be all jobs.
fn bound(plan: &Plan, evidence: &Evidence) -> usize {
    plan.shares.len() * (plan.few() + evidence.workers) + evidence.workers * evidence.in_hand
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
                lost: 7,
                failed: 0,
            },
            served: Served { tenants: plan.small().len(), all_begun: 60, all_done: 1100 },
            killed: "worker-2".to_owned(),
            held: 7,
            recovered: 7,
            workers: 3,
            in_hand: 336,
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
        // a worker whose handlers were slow gave two jobs back
        assert_eq!(kept(|e| e.totals.attempts += 2), [true, true, true]);
    }

    #[test]
    fn each_promise_can_be_broken() {
        assert_eq!(kept(|e| e.totals.left = 1), [false, true, true]);
        assert_eq!(kept(|e| e.totals.distinct -= 1), [false, true, true]);
        assert_eq!(kept(|e| e.totals.completed -= 1), [false, true, true]);
        assert_eq!(kept(|e| e.totals.attempts -= 8), [false, true, true]);
        let one_more =
            |e: &mut Evidence| (e.totals.attempts, e.totals.lost) = (e.totals.attempts + 1, 8);
        assert_eq!(kept(one_more), [false, true, true], "a job that nobody held was claimed twice");
        assert_eq!(kept(|e| e.totals.failed = 1), [false, true, true]);
        assert_eq!(kept(|e| e.recovered = 6), [true, false, true]);
        let nothing_held = |e: &mut Evidence| {
            (e.held, e.recovered, e.totals.lost) = (0, 0, 0);
            e.totals.attempts = e.totals.finished;
        };
        assert_eq!(kept(nothing_held), [true, false, true], "the kill has shown nothing");
        assert_eq!(kept(|e| e.served.tenants = 48), [true, true, false]);
        assert_eq!(kept(|e| e.served.all_done = 2_158), [true, true, true]);
        assert_eq!(kept(|e| e.served.all_done = 2_159), [true, true, false]);
    }

    #[test]
    fn a_small_flood_may_be_over_before_the_kill() {
        let plan = Plan::new("run", "demo".to_owned(), 5, 1_000).unwrap();
        let mut evidence = evidence(&plan);
        (evidence.held, evidence.recovered, evidence.totals.lost) = (0, 0, 0);
        evidence.totals.attempts = plan.total();
        let check = &checks(&plan, &evidence)[1];
        assert!(check.kept);
        assert!(check.figures.ends_with("(this shows nothing: take a larger flood)"));
        evidence.held = 7;
        assert!(!checks(&plan, &evidence)[1].kept, "what was held has to come back");
    }
}
