//! The model has teeth: a queue with one mistake in one function is told from one without.

use std::fs;

use crate::model::{Mutant, Plan, run};

/// Enough for the rarest of them; a mistake ends it.
const CASES: u32 = 40;

fn plan() -> Plan {
    Plan { cases: CASES, steps: 150, seed: 7, kept: None, shrink: 0 }
}

/// Runs the model on a queue with this mistake, and gives what it says.
fn noticed(function: &'static str, text: &'static str, instead: &'static str) -> String {
    noticed_from(plan().seed, function, text, instead)
}

/// The same from another seed, where the first sign of the mistake depends on the steps.
fn noticed_from(
    seed: u64,
    function: &'static str,
    text: &'static str,
    instead: &'static str,
) -> String {
    let what = run(&Plan { seed, ..plan() }, &[Mutant { function, text, instead }]);
    what.expect_err("nobody noticed")
}

#[test]
fn the_model_notices_a_settlement_that_ignores_the_token() {
    let told = noticed("settle_jobs", "\n         and running.lease_token = p_lease_tokens[1]", "");
    assert!(told.contains("settle_jobs answered"), "{told}");
}

#[test]
fn the_model_notices_a_settlement_in_a_batch_that_ignores_the_token() {
    let told = noticed(
        "settle_mixed",
        "given.attempt = held.attempt
                and given.token = held.lease_token",
        "true",
    );
    // what ends a job twice may meet the key of its final fact first
    let ways = ["answered", "expected", "duplicate key"];
    assert!(ways.iter().any(|way| told.contains(way)), "{told}");
}

#[test]
fn the_model_notices_a_release_of_what_others_claimed() {
    let told = noticed("release_claims", "running.worker_id = p_worker_id and ", "");
    assert!(told.contains("release_claims answered"), "{told}");
}

#[test]
fn the_model_notices_a_claim_that_does_not_raise_the_attempts() {
    let told = noticed("take_jobs", "taken.attempts + 1", "taken.attempts");
    assert!(told.contains("expected"), "{told}");
}

#[test]
fn the_model_notices_a_claim_that_answers_other_attempts_than_it_starts() {
    let told = noticed("claim_jobs", "taken.attempts + 1", "taken.attempts");
    assert!(told.contains("claimed Claimed"), "{told}");
}

#[test]
fn the_model_notices_a_claim_beyond_a_limit() {
    let told = noticed("room_under_limits", "visit.total - held.total - taken.here", "visit.total");
    assert!(told.contains("limit"), "{told}");
}

#[test]
fn the_model_notices_a_claim_beyond_a_limit_of_a_queue() {
    let told = noticed("room_in_queue", "least(p_limit, v_room)", "least(p_limit, v_room + 1)");
    assert!(told.contains("limit"), "{told}");
}

#[test]
fn the_model_notices_a_default_limit_that_nobody_heeds() {
    let told = noticed("default_limits", "filter (where bound.queue = '')", "filter (where false)");
    assert!(told.contains("limit"), "{told}");
}

#[test]
fn the_model_notices_a_claim_that_leaves_a_type_out() {
    let (whole, part) = ("lane.type = any (p_types)", "lane.type = p_types[1]");
    let told = noticed_from(2, "claim_from_queue", whole, part);
    assert!(told.contains("a claim found nothing"), "{told}");
}

#[test]
fn the_model_notices_a_lost_lease_that_is_not_counted() {
    let told = noticed("settle_mixed", "(held.lost + (given.outcome = 'lost')::int)", "held.lost");
    assert!(told.contains("expected"), "{told}");
}

#[test]
fn the_model_notices_a_lease_that_is_taken_back_too_early() {
    let told = noticed(
        "return_expired",
        "running.lease_expires_at < p_now and",
        "running.lease_expires_at < p_now + interval '10 s' and",
    );
    assert!(told.contains("tick answered"), "{told}");
}

#[test]
fn the_model_notices_a_retry_that_leaves_the_old_end_in_place() {
    let told = noticed(
        "reopen_ended",
        "delete from finished using locked
     where finished.id = any (p_ids)
       and finished.id = locked.id and finished.tenant_id = locked.tenant_id
    returning finished.id, finished.tenant_id, finished.attempts, finished.status,
              finished.completed_at, finished.worker_id, finished.error)",
        "select finished.id, finished.tenant_id, finished.attempts, finished.status,
                finished.completed_at, finished.worker_id, finished.error
           from finished
           join locked on finished.id = locked.id and finished.tenant_id = locked.tenant_id)",
    );
    assert!(told.contains("retry_jobs answered"), "{told}");
}

#[test]
fn the_model_notices_a_wish_to_cancel_that_is_forgotten() {
    let told = noticed("settle_mixed", " or timed.is_cancel_requested then", " then");
    assert!(told.contains("cancelled"), "{told}");
}

#[test]
fn the_model_notices_a_job_that_starts_before_its_time() {
    let told =
        noticed("promote_due", "due.run_at <= p_now", "due.run_at <= p_now + interval '1 min'");
    assert!(told.contains("tick answered"), "{told}");
}

#[test]
fn the_model_notices_a_prune_that_takes_what_is_not_past_retention() {
    let told = noticed(
        "prune_step",
        "look.completed_at < $3 and look.id <> all ($5)))
         and finished.completed_at < $3",
        "true))",
    );
    assert!(told.contains("before its time"), "{told}");
}

/// A mistake that the very first dispatch shows, so that what is kept fails whatever the database chooses.
#[test]
fn a_case_that_failed_is_kept_and_replayed_first() {
    let folder = std::env::temp_dir().join(format!("fairclaim-model-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let kept = folder.join("regressions.txt");
    let wrong =
        Mutant { function: "dispatch_job", text: "v_now, p_payload,", instead: "v_now, '7'," };
    let plan = Plan { kept: Some(kept.clone()), shrink: 8, ..plan() };
    let told = run(&plan, &[wrong]).expect_err("the mistake");
    let text = fs::read_to_string(&kept).expect("the kept case");
    assert!(text.lines().any(|line| line.starts_with("cc ")), "{text}");

    // no case is drawn any more: what fails now is the one that was kept
    let again = Plan { cases: 0, ..plan };
    assert!(run(&again, &[wrong]).is_err(), "it was not replayed");
    run(&again, &[]).expect("without the mistake it does not fail");
    fs::remove_dir_all(&folder).expect("remove the folder");
    assert!(told.contains("seed 7") && told.contains("after these steps"), "{told}");
}
