//! Two who want something of one job.

use uuid::Uuid;

use super::stage::{Stage, all_orders, part};
use crate::calls::{Claimed, Settled, claim_job, dispatch, settle, tenant};

const CLAIM: &str = "select id from fairclaim.claim_jobs('w', null, 10, p_lease => 300)";

const WISHES: &str = "select count(*) from fairclaim_internal.cancel_request";

/// What identifies an attempt, as arguments.
fn lease(job: &Claimed) -> String {
    format!(
        "'worker', array['{}'::uuid], array[{}], array['{}'::uuid]",
        job.id, job.attempts, job.token
    )
}

/// How an attempt is given back: what follows its lease in the call.
const GIVEN_BACK: [&str; 3] = [
    "array['snooze'], p_delays => '{3600}'",
    "array['retry'], p_delays => '{3600}'",
    "array['release']",
];

fn cancel_of(id: Uuid) -> String {
    format!("select status from fairclaim.cancel_jobs('{}', array['{id}'::uuid])", tenant(1))
}

/// The status of the one job, and whether somebody asked to cancel it.
async fn seen(stage: &Stage) -> (String, bool) {
    let sql = "select status, cancel_requested from fairclaim.job_queue";
    let row = stage.owner.query_one(sql, &[]).await.expect("the job");
    (row.get(0), row.get(1))
}

/// Longer than a wish is kept for a job that has ended.
async fn minutes_pass(stage: &Stage) {
    stage.db.advance("2 min").await;
    stage.ticks(2).await;
}

async fn claimed(stage: &Stage) -> Claimed {
    dispatch(&*stage.producers[0], tenant(1), "mail").await;
    claim_job(&stage.worker, "w").await.expect("the job")
}

/// The wish of whoever cancels is never lost, and a job that was given to nobody ends at once.
#[tokio::test]
async fn a_cancel_meets_a_claim_in_every_order() {
    let stage = Stage::set().await;
    let counts = [3, 3];
    for order in super::play::orders(&counts) {
        for end in ["commit", "rollback"] {
            stage.clear().await;
            let id = dispatch(&*stage.producers[0], tenant(1), "mail").await;
            let parts = [
                part(&stage.producers[0], &["begin", &cancel_of(id), "commit"]),
                part(&stage.workers[0], &["begin", CLAIM, end]),
            ];
            let outcome = stage.play(&parts, &order).await;
            assert!(outcome.waited.is_empty(), "{order:?} {end}: {outcome:?}");
            let told = format!("{order:?} {end}: {outcome:?}");
            let got = !outcome.of(1, 1).is_empty();
            let (status, wish) = seen(&stage).await;
            match (outcome.of(0, 1), got, end) {
                ("cancelled", false, _) => assert_eq!(status, "cancelled", "{told}"),
                // it is claimed, in a transaction that whoever cancels may not see yet
                ("pending" | "processing", true, "commit") => {
                    assert_eq!((status.as_str(), wish), ("processing", true), "{told}");
                }
                ("pending", true, "rollback") => {
                    assert_eq!(status, "pending", "{told}");
                    // whoever claims it next is told
                    let next = claim_job(&stage.worker, "w").await.expect("the job");
                    let settled = settle(&stage.worker, &next, "release").await;
                    assert_eq!(settled, Settled::as_status("cancelled"), "{told}");
                }
                // taken back before the cancel looked
                ("cancelled", true, "rollback") => assert_eq!(status, "cancelled", "{told}"),
                _ => panic!("{told}"),
            }
            stage.audit().await;
        }
    }
}

fn delete_of(id: Uuid) -> String {
    format!("select deleted::text from fairclaim.delete_jobs(null, array['{id}'::uuid])")
}

/// What is deleted is claimed by nobody, and what is claimed is deleted by nobody.
#[tokio::test]
async fn a_delete_meets_a_claim_in_every_order() {
    let stage = Stage::set().await;
    for order in super::play::orders(&[3, 3]) {
        for end in ["commit", "rollback"] {
            stage.clear().await;
            let id = dispatch(&*stage.producers[0], tenant(1), "mail").await;
            let parts = [
                part(&stage.operator, &["begin", &delete_of(id), "commit"]),
                part(&stage.workers[0], &["begin", CLAIM, end]),
            ];
            let outcome = stage.play(&parts, &order).await;
            let told = format!("{order:?} {end}: {outcome:?}");
            assert!(outcome.waited.is_empty(), "{told}");
            let got = !outcome.of(1, 1).is_empty();
            stage.one_place_each().await;
            let left = stage.number("select count(*) from fairclaim_internal.job").await;
            let running = stage.number("select count(*) from fairclaim_internal.running").await;
            match outcome.of(0, 1) {
                "true" => assert_eq!((left, running), (0, 0), "{told}"),
                _ => assert_eq!((left, running), (1, i64::from(got && end == "commit")), "{told}"),
            }
            stage.audit().await;
        }
    }
}

/// A job that has ended is deleted or run again, and never both.
#[tokio::test]
async fn a_delete_meets_a_retry_in_every_order() {
    let stage = Stage::set().await;
    for order in super::play::orders(&[3, 3]) {
        stage.clear().await;
        let job = claimed(&stage).await;
        settle(&stage.worker, &job, "fail").await;
        let retry = format!(
            "select status from fairclaim.retry_jobs('{}', array['{}'::uuid])",
            tenant(1),
            job.id
        );
        let parts = [
            part(&stage.operator, &["begin", &delete_of(job.id), "commit"]),
            part(&stage.producers[0], &["begin", &retry, "commit"]),
        ];
        let outcome = stage.play(&parts, &order).await;
        let told = format!("{order:?}: {outcome:?}");
        assert!(outcome.waited.is_empty(), "{told}");
        stage.one_place_each().await;
        let left = stage.number("select count(*) from fairclaim_internal.job").await;
        let history = stage.number("select count(*) from fairclaim_internal.attempt_error").await;
        match outcome.of(0, 1) {
            "true" => assert_eq!((left, history), (0, 0), "{told}"),
            _ => assert_eq!((left, history), (1, 1), "{told}"),
        }
        stage.audit().await;
    }
}

/// A job that is given back does not outlive the wish to cancel it, whoever commits first.
#[tokio::test]
async fn a_cancel_meets_an_attempt_that_is_given_back_in_every_order() {
    let stage = Stage::set().await;
    for given_back in GIVEN_BACK {
        for order in super::play::orders(&[3, 3]) {
            stage.clear().await;
            let job = claimed(&stage).await;
            let settle =
                format!("select status from fairclaim.settle_jobs({}, {given_back})", lease(&job));
            let parts = [
                part(&stage.producers[0], &["begin", &cancel_of(job.id), "commit"]),
                part(&stage.workers[0], &["begin", &settle, "commit"]),
            ];
            let outcome = stage.play(&parts, &order).await;
            let told = format!("{order:?} {given_back}: {outcome:?}");
            assert!(outcome.waited.is_empty(), "{told}");
            assert!(matches!(outcome.of(0, 1), "processing" | "cancelled"), "{told}");
            minutes_pass(&stage).await;
            assert_eq!(seen(&stage).await.0, "cancelled", "{told}");
            assert!(stage.audit().await.is_empty(), "{told}");
            minutes_pass(&stage).await;
            assert_eq!(stage.number(WISHES).await, 0, "{told}");
        }
    }
}

/// A job that becomes due at the moment when it is cancelled ends as cancelled.
#[tokio::test]
async fn a_cancel_meets_a_promotion_in_every_order() {
    let stage = Stage::set().await;
    for order in super::play::orders(&[3, 3]) {
        stage.clear().await;
        let dispatch = format!(
            "select fairclaim.dispatch_job('{}', 'mail', p_run_at => fairclaim.clock() + interval '1 min')",
            tenant(1)
        );
        let id = stage.producers[0].query_one(&dispatch, &[]).await.expect("dispatch").get(0);
        stage.db.advance("2 min").await;
        let parts = [
            part(&stage.producers[0], &["begin", &cancel_of(id), "commit"]),
            part(&stage.workers[0], &["begin", "select promoted from fairclaim.tick()", "commit"]),
        ];
        let outcome = stage.play(&parts, &order).await;
        let told = format!("{order:?}: {outcome:?}");
        assert!(outcome.waited.is_empty(), "{told}");
        minutes_pass(&stage).await;
        assert_eq!(seen(&stage).await.0, "cancelled", "{told}");
        assert!(stage.audit().await.is_empty(), "{told}");
    }
}

/// However long a claim stays open, its worker is told of the wish that came meanwhile.
#[tokio::test]
async fn a_wish_is_kept_for_a_claim_that_stays_open() {
    let stage = Stage::set().await;
    let id = dispatch(&*stage.producers[0], tenant(1), "mail").await;
    stage.workers[0].batch_execute(&format!("begin; {CLAIM}")).await.expect("claim");
    stage.producers[0].batch_execute(&cancel_of(id)).await.expect("cancel");
    minutes_pass(&stage).await;
    stage.workers[0].batch_execute("commit").await.expect("commit");
    assert_eq!(seen(&stage).await, ("processing".to_owned(), true));
    minutes_pass(&stage).await;
    assert_eq!(seen(&stage).await, ("processing".to_owned(), true));
}

/// The wish for an earlier round of attempts, which a tick is deleting, does not stand for the new one.
#[tokio::test]
async fn a_cancel_after_a_retry_counts_while_a_tick_deletes_the_old_wish() {
    let stage = Stage::set().await;
    let job = claimed(&stage).await;
    stage.producers[0].batch_execute(&cancel_of(job.id)).await.expect("cancel");
    assert_eq!(settle(&stage.worker, &job, "complete").await, Settled::as_status("completed"));
    stage.workers[1].batch_execute("begin; select fairclaim.tick()").await.expect("tick");
    let retry = format!("select fairclaim.retry_jobs('{}', array['{}'::uuid])", tenant(1), job.id);
    stage.producers[0].batch_execute(&retry).await.expect("retry");
    claim_job(&stage.worker, "w").await.expect("the job again");
    stage.producers[0].batch_execute(&cancel_of(job.id)).await.expect("cancel");
    stage.workers[1].batch_execute("commit").await.expect("commit");
    assert_eq!(seen(&stage).await, ("processing".to_owned(), true));
}

/// Whether a retry comes before or after the end of an attempt: nothing runs twice, and nothing is forgotten.
#[tokio::test]
async fn a_retry_meets_a_settlement_in_every_order() {
    let stage = Stage::set().await;
    for order in super::play::orders(&[3, 3]) {
        stage.clear().await;
        let job = claimed(&stage).await;
        let settle = format!(
            "select kind = 'settled', status from fairclaim.settle_jobs({}, array['fail'])",
            lease(&job)
        );
        let retry = format!(
            "select status from fairclaim.retry_jobs('{}', array['{}'::uuid])",
            tenant(1),
            job.id
        );
        let parts = [
            part(&stage.workers[0], &["begin", &settle, "commit"]),
            part(&stage.producers[0], &["begin", &retry, "commit"]),
        ];
        let outcome = stage.play(&parts, &order).await;
        let told = format!("{order:?}: {outcome:?}");
        assert!(outcome.waited.is_empty(), "{told}");
        assert_eq!(outcome.of(0, 1), "t|failed", "{told}");
        let place = |part: usize, n: usize| {
            order.iter().enumerate().filter(|(_, p)| **p == part).nth(n).expect("a place").0
        };
        let committed_first = place(0, 2) < place(1, 1);
        let expected = if committed_first { "pending" } else { "processing" };
        assert_eq!(outcome.of(1, 1), expected, "{told}");
        let again = stage.audit().await;
        assert_eq!(again.len(), usize::from(committed_first), "{told}");
        assert!(again.iter().all(|job| job.attempts == 2), "{told}");
    }
}

/// An attempt whose lease has expired ends once: by its worker or by a tick.
#[tokio::test]
async fn an_expired_lease_meets_its_settlement_in_every_order() {
    let stage = Stage::set().await;
    for order in super::play::orders(&[3, 3]) {
        stage.clear().await;
        let job = claimed(&stage).await;
        stage.db.advance("1 hour").await;
        let settle = format!(
            "select kind = 'settled', status from fairclaim.settle_jobs({}, array['complete'])",
            lease(&job)
        );
        let parts = [
            part(&stage.workers[0], &["begin", &settle, "commit"]),
            part(&stage.workers[1], &["begin", "select returned from fairclaim.tick()", "commit"]),
        ];
        let outcome = stage.play(&parts, &order).await;
        let told = format!("{order:?}: {outcome:?}");
        // a settlement waits for the tick that has just taken the job back, and never the other way round
        assert!(outcome.waited.iter().all(|place| *place == (0, 1)), "{told}");
        match (outcome.of(0, 1), outcome.of(1, 1)) {
            ("t|completed", "0") => assert!(stage.audit().await.is_empty(), "{told}"),
            ("f|null", "1") => {
                let again = stage.audit().await;
                assert_eq!((again.len(), again[0].attempts, again[0].lost), (1, 2, 1), "{told}");
            }
            _ => panic!("{told}"),
        }
    }
}

/// A heartbeat in time keeps the job, one that is too late is told so.
#[tokio::test]
async fn an_expired_lease_meets_its_heartbeat_in_every_order() {
    let stage = Stage::set().await;
    for order in super::play::orders(&[3, 3]) {
        stage.clear().await;
        let job = claimed(&stage).await;
        stage.db.advance("1 hour").await;
        let beat = format!("select accepted from fairclaim.extend_leases({})", lease(&job));
        let parts = [
            part(&stage.workers[0], &["begin", &beat, "commit"]),
            part(&stage.workers[1], &["begin", "select returned from fairclaim.tick()", "commit"]),
        ];
        let outcome = stage.play(&parts, &order).await;
        let told = format!("{order:?}: {outcome:?}");
        assert!(outcome.waited.is_empty(), "{told}");
        let settled = settle(&stage.worker, &job, "complete").await;
        match (outcome.of(0, 1), outcome.of(1, 1)) {
            ("t", "0") => assert_eq!(settled, Settled::as_status("completed"), "{told}"),
            ("f", "1") => assert_eq!(settled, Settled::REFUSED, "{told}"),
            // the tick held the row, and had not ended when the worker asked
            ("t", "1") => {
                assert_eq!(settled, Settled::REFUSED, "{told}");
                let tick_was_open = order.iter().rposition(|part| *part == 1)
                    > order.iter().enumerate().filter(|(_, p)| **p == 0).nth(1).map(|(n, _)| n);
                assert!(tick_was_open, "{told}");
            }
            _ => panic!("{told}"),
        }
        stage.audit().await;
    }
}

/// Two who settle one attempt: one is accepted.
#[tokio::test]
async fn two_settlements_of_one_attempt_meet_in_every_order() {
    let stage = Stage::set().await;
    for end in ["commit", "rollback"] {
        for order in super::play::orders(&[3, 3]) {
            stage.clear().await;
            let job = claimed(&stage).await;
            let settle = |outcome: &str| {
                format!(
                    "select kind = 'settled' from fairclaim.settle_jobs({}, array['{outcome}'])",
                    lease(&job)
                )
            };
            let parts = [
                part(&stage.workers[0], &["begin", &settle("release"), end]),
                part(&stage.workers[1], &["begin", &settle("complete"), "commit"]),
            ];
            assert_eq!(all_orders(&parts).len(), 20);
            let outcome = stage.play(&parts, &order).await;
            let told = format!("{order:?} {end}: {outcome:?}");
            let accepted = (outcome.of(0, 1), outcome.of(1, 1));
            let undone = end == "rollback";
            match accepted {
                ("t", "f") => assert!(!undone, "{told}"),
                ("f", "t") => {}
                ("t", "t") => assert!(undone, "{told}"),
                _ => panic!("{told}"),
            }
            let again = stage.audit().await;
            assert_eq!(again.len(), usize::from(accepted == ("t", "f")), "{told}");
        }
    }
}
