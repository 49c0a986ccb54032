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
    /// Whether a worker was killed: a small run may be over before.
    pub(super) was_killed: bool,
    /// How many jobs it had claimed and not settled when it died.
    pub(super) held: usize,
    /// How many of these another worker has completed.
    pub(super) recovered: usize,
    /// How many worker processes there were at the start.
    pub(super) workers: usize,
    /// How many jobs one of them may hold at once, running and claimed ahead.
    pub(super) in_hand: usize,
    /// How long it took from the start of the workers to the last job.
    pub(super) took: Duration,
    /// How much of that nothing was left but what the killed worker had held.
    pub(super) waited: Duration,
}

/// One promise: kept, broken, or (none) not put to the test by this run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) kept: Option<bool>,
    pub(super) promise: &'static str,
    pub(super) figures: String,
}

/// The checks of the summary, in the order in which they are printed.
pub(super) fn checks(plan: &Plan, evidence: &Evidence) -> Vec<Check> {
    vec![served(plan, evidence), once(plan, evidence), recovered(plan, evidence)]
}

/// Checks that each job has one final fact. One attempt of each was accepted; any other was the
/// killed worker's, or was given back before a handler had it, which is the only way to end without
/// an outcome.
fn once(plan: &Plan, evidence: &Evidence) -> Check {
    let totals = &evidence.totals;
    let whole = [totals.dispatched, totals.finished, totals.distinct, totals.completed];
    let unfinished = totals.missing + totals.left + totals.failed;
    let given_back = totals.attempts.saturating_sub(totals.finished + totals.lost + totals.failed);
    Check {
        kept: Some(
            whole == [plan.total(); 4]
                && unfinished == 0
                && totals.attempts >= totals.finished
                && totals.attempts <= totals.finished + evidence.held + given_back,
        ),
        promise: "every job finished exactly once",
        figures: format!(
            "{} dispatched, {} finished, {} different ones, {} completed; {} still waiting or running, {} without an end\n    \
             {} attempts: one of each was accepted, {} were lost, {} given back before they ran, {} failed",
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

/// Checks what the killed worker held. A fast machine may be done with a small flood before the
/// kill; with a large one it held something.
fn recovered(plan: &Plan, evidence: &Evidence) -> Check {
    let Evidence { held, recovered, killed, .. } = evidence;
    let promise = "the killed worker's jobs were recovered";
    if *held == 0 && *recovered == 0 && bound(plan, evidence) >= plan.total() {
        let why = if evidence.was_killed {
            "held no job when it was killed"
        } else {
            "was not killed: everything was done before"
        };
        let figures = format!("not tried: {killed} {why}; a larger flood shows it");
        return Check { kept: None, promise, figures };
    }
    Check {
        kept: Some(recovered == held && *held > 0),
        promise,
        figures: format!(
            "{killed} held {} jobs when it was killed; {} of them were claimed again and completed by others",
            human(*held),
            human(*recovered),
        ),
    }
}

fn served(plan: &Plan, evidence: &Evidence) -> Check {
    let Served { tenants, all_done, done_with, flood_with, seconds } = evidence.served;
    let (bound, small) = (bound(plan, evidence), plan.small().len());
    let promise = "no small tenant waited behind the flood";
    let figures = format!(
        "{tenants} of {small} small tenants were done after {seconds:.1} s, among the first {} of {} jobs; the flood had {} of \
         these, and {} left to do",
        human(done_with),
        human(plan.total()),
        human(flood_with),
        human(plan.flood().jobs.saturating_sub(flood_with)),
    );
    if bound >= plan.total() {
        let figures = format!("{figures}\n    not tried: of so small a flood any order would do");
        return Check { kept: None, promise, figures };
    }
    Check {
        kept: Some(tenants == small && all_done <= bound),
        promise,
        figures: format!(
            "{figures}\n    served in turn, it takes at most {} jobs ({} here, each worker counted to its last small one); in \
             order of arrival it takes all {}",
            human(bound),
            human(all_done),
            human(plan.total()),
        ),
    }
}

/// Counts in how many jobs all small tenants must be through. Every worker goes round all tenants,
/// the flood among them, and takes equally many of each: so a tenant's k jobs are claimed when the
/// workers together have made k rounds, and each of them may be in the middle of another one:
/// tenants × (k + workers) claims. What is counted is what each worker had completed with its own
/// last small job, so that one which stands still for a while does not make the others look unfair;
/// and it may have been through with all else it had in hand. In order of arrival it would be all
/// jobs.
fn bound(plan: &Plan, evidence: &Evidence) -> usize {
    plan.shares.len() * (plan.few() + evidence.workers) + evidence.workers * evidence.in_hand
}

/// Renders the summary as it is printed.
pub(super) fn summary(checks: &[Check], evidence: &Evidence) -> String {
    let mut text = String::from("\n");
    for check in checks {
        let mark = match check.kept {
            Some(true) => "✔",
            Some(false) => "✘",
            None => "–",
        };
        text.push_str(&format!("{mark} {}\n    {}\n", check.promise, check.figures));
    }
    let (seconds, waited) = (evidence.took.as_secs_f64(), evidence.waited.as_secs_f64());
    let rate = human((evidence.totals.completed as f64 / (seconds - waited).max(0.001)) as usize);
    text.push_str(&format!("\n{} jobs in {seconds:.1} s", human(evidence.totals.completed)));
    if waited >= 0.5 {
        text.push_str(&format!(
            ", {waited:.1} s of it waiting for the leases of {}; {rate} a second before that",
            evidence.killed
        ));
    } else {
        text.push_str(&format!(", {rate} a second"));
    }
    text.push_str(", counted in the database");
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
            served: Served {
                tenants: plan.small().len(),
                all_done: 1100,
                done_with: 1074,
                flood_with: 94,
                seconds: 1.1,
            },
            killed: "worker-2".to_owned(),
            was_killed: true,
            held: 7,
            recovered: 7,
            workers: 3,
            in_hand: 336,
            took: Duration::from_secs(10),
            waited: Duration::ZERO,
        }
    }

    fn kept(change: impl Fn(&mut Evidence)) -> Vec<bool> {
        let plan = Plan::new("run", "demo".to_owned(), 50, 100_000).unwrap();
        let mut evidence = evidence(&plan);
        change(&mut evidence);
        checks(&plan, &evidence).iter().map(|check| check.kept == Some(true)).collect()
    }

    #[test]
    fn a_good_run_keeps_every_promise() {
        assert_eq!(kept(|_| {}), [true, true, true]);
        // a worker whose handlers were slow gave two jobs back
        assert_eq!(kept(|e| e.totals.attempts += 2), [true, true, true]);
    }

    #[test]
    fn each_promise_can_be_broken() {
        assert_eq!(kept(|e| e.totals.left = 1), [true, false, true]);
        assert_eq!(kept(|e| e.totals.distinct -= 1), [true, false, true]);
        assert_eq!(kept(|e| e.totals.completed -= 1), [true, false, true]);
        assert_eq!(kept(|e| e.totals.attempts -= 8), [true, false, true]);
        let one_more =
            |e: &mut Evidence| (e.totals.attempts, e.totals.lost) = (e.totals.attempts + 1, 8);
        assert_eq!(
            kept(one_more),
            [true, false, true],
            "a job that no worker held was claimed twice"
        );
        assert_eq!(kept(|e| e.totals.failed = 1), [true, false, true]);
        assert_eq!(kept(|e| e.recovered = 6), [true, true, false]);
        let nothing_held = |e: &mut Evidence| {
            (e.held, e.recovered, e.totals.lost) = (0, 0, 0);
            e.totals.attempts = e.totals.finished;
        };
        assert_eq!(kept(nothing_held), [true, true, false], "the kill has shown nothing");
        assert_eq!(kept(|e| e.served.tenants = 48), [false, true, true]);
        assert_eq!(kept(|e| e.served.all_done = 2_158), [true, true, true]);
        assert_eq!(kept(|e| e.served.all_done = 2_159), [false, true, true]);
    }

    #[test]
    fn what_was_not_tried_is_not_said_to_be_kept() {
        let plan = Plan::new("run", "demo".to_owned(), 5, 1_000).unwrap();
        let mut evidence = evidence(&plan);
        (evidence.held, evidence.recovered, evidence.totals.lost) = (0, 0, 0);
        evidence.totals.attempts = plan.total();
        let kept = |evidence: &Evidence| {
            checks(&plan, evidence).iter().map(|check| check.kept).collect::<Vec<_>>()
        };
        assert_eq!(kept(&evidence), [None, Some(true), None]);
        let text = summary(&checks(&plan, &evidence), &evidence);
        assert_eq!(
            (text.matches('✔').count(), text.matches("not tried").count()),
            (1, 2),
            "{text}"
        );
        evidence.held = 7;
        assert_eq!(kept(&evidence)[2], Some(false), "what was held has to come back");
    }

    #[test]
    fn the_rate_is_that_of_the_time_when_there_was_work() {
        let plan = Plan::new("run", "demo".to_owned(), 50, 100_000).unwrap();
        let mut evidence = evidence(&plan);
        evidence.waited = Duration::from_secs(5);
        let text = summary(&[], &evidence);
        assert!(
            text.contains(
                "in 10.0 s, 5.0 s of it waiting for the leases of worker-2; 20,196 a second"
            ),
            "{text}"
        );
    }
}
