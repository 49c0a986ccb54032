//! Every transition of a job: which outcome leads where, what it costs, and what never changes.

mod cancel;
mod delete;
mod release;
mod retry;
mod stage;

use serde_json::json;
use uuid::Uuid;

use self::stage::{Seen, Stage};
use crate::calls::{Claimed, Settled, claim_jobs, settle, settle_after, tenant, tick};

#[tokio::test]
async fn a_delayed_job_waits_for_its_time() {
    let stage = Stage::set().await;
    let sql = "select fairclaim.dispatch_job($1, 'mail', p_run_at => fairclaim.clock() + interval '1 min')";
    // the clock of the tests is the owner's
    let row = stage
        .owner
        .query_one("select fairclaim.clock() + interval '1 min'", &[])
        .await
        .expect("clock");
    let run_at: std::time::SystemTime = row.get(0);
    let one = stage.producer.query_one(sql, &[&tenant(1)]).await.expect("dispatch_job").get(0);
    let many: Uuid = stage
        .producer
        .query_one(
            "select id from fairclaim.dispatch_jobs(jsonb_build_array(
               jsonb_build_object('tenant_id', $1::uuid, 'type', 'mail', 'run_at', $2::timestamptz)))",
            &[&tenant(1), &run_at],
        )
        .await
        .expect("dispatch_jobs")
        .get(0);
    tick(&stage.worker).await;
    stage.nothing_to_claim().await;
    for id in [one, many] {
        assert_eq!(stage.seen(id).await, Seen::waiting("scheduled", 0, 25, 0));
    }
    stage.later("61 s").await;
    for id in [one, many] {
        assert_eq!(stage.seen(id).await, Seen::waiting("pending", 0, 25, 0));
    }
    let mut got = vec![stage.claim().await.id, stage.claim().await.id];
    got.sort_unstable();
    let mut wanted = vec![one, many];
    wanted.sort_unstable();
    assert_eq!(got, wanted);
    stage.one_place_each().await;
}

#[tokio::test]
async fn every_outcome_leads_where_it_should_alone_and_in_a_batch() {
    let stage = Stage::set().await;
    let table: [(&str, Option<f64>, &str, Seen); 8] = [
        ("complete", None, "completed", Seen::ended("completed", 1)),
        ("fail", None, "failed", Seen::ended("failed", 1)),
        ("cancel", None, "cancelled", Seen::ended("cancelled", 1)),
        ("retry", None, "scheduled", Seen::waiting("scheduled", 1, 2, 0)),
        ("retry", Some(0.0), "pending", Seen::waiting("pending", 1, 2, 0)),
        ("snooze", Some(9.0), "scheduled", Seen::waiting("scheduled", 1, 3, 0)),
        ("snooze", Some(0.1), "scheduled", Seen::waiting("scheduled", 1, 3, 0)),
        ("release", None, "pending", Seen::waiting("pending", 1, 3, 0)),
    ];
    // alone
    for (outcome, delay, to, wanted) in &table {
        let id = stage.job(3).await;
        let job = stage.claim().await;
        assert_eq!(job.id, id);
        assert_eq!(stage.seen(id).await, Seen::waiting("processing", 1, 3, 0));
        assert_eq!(
            settle_after(&stage.worker, &job, outcome, *delay).await,
            Settled::as_status(to),
            "{outcome}"
        );
        assert_eq!(&stage.seen(id).await, wanted, "{outcome} after {delay:?}");
        stage.one_place_each().await;
        // out of the way of the next
        stage.change("cancel_jobs", &[id]).await;
    }

    // all at once, and one that is stale among them
    for _ in &table {
        stage.job(3).await;
    }
    let jobs = claim_jobs(&stage.worker, 100, &mut None).await;
    assert_eq!(jobs.len(), table.len());
    let (mut ids, mut tokens): (Vec<_>, Vec<_>) =
        jobs.iter().map(|job| (job.id, job.token)).unzip();
    let mut outcomes: Vec<&str> = table.iter().map(|row| row.0).collect();
    let mut delays: Vec<Option<f64>> = table.iter().map(|row| row.1).collect();
    ids.push(Uuid::from_u128(7));
    tokens.push(tokens[0]);
    outcomes.push("retry");
    delays.push(None);
    let rows = stage
        .worker
        .query(
            "select id, kind = 'settled', status from fairclaim.settle_jobs('worker', $1, array_fill(1, array[cardinality($1::uuid[])]), $2, $3, null, null, $4)",
            &[&ids, &tokens, &outcomes, &delays],
        )
        .await
        .expect("settle_jobs");
    assert_eq!(rows.len(), ids.len());
    for (n, (_, _, to, wanted)) in table.iter().enumerate() {
        let row =
            rows.iter().find(|row| row.get::<_, Uuid>(0) == ids[n]).expect("a row for every id");
        assert_eq!((row.get(1), row.get(2)), (true, Some(*to)), "{}", outcomes[n]);
        assert_eq!(&stage.seen(ids[n]).await, wanted, "{}", outcomes[n]);
    }
    let row = rows.iter().find(|row| row.get::<_, Uuid>(0) == ids[8]).expect("a row for every id");
    assert_eq!((row.get(1), row.get(2)), (false, None::<&str>));
    stage.one_place_each().await;
}

#[tokio::test]
async fn a_retry_waits_by_its_failures_not_by_its_attempts() {
    let stage = Stage::set().await;
    let id = stage.job(3).await;
    // released and snoozed attempts are no failures
    for outcome in ["release", "snooze", "release"] {
        let job = stage.claim().await;
        settle_after(&stage.worker, &job, outcome, (outcome == "snooze").then_some(1.0)).await;
        stage.later("2 s").await;
    }
    let pause = "select extract(epoch from s.run_at - e.at)::float8 from fairclaim_internal.scheduled s
                   join fairclaim_internal.attempt_error e on e.id = s.id where s.id = $1 order by e.attempt desc limit 1";
    for (failure, seconds) in [(1, 15.0), (2, 30.0)] {
        let job = stage.claim().await;
        assert_eq!((job.attempts, job.attempts_left), (3 + failure, 4 - failure));
        assert_eq!(settle(&stage.worker, &job, "retry").await, Settled::as_status("scheduled"));
        let wait: f64 = stage.owner.query_one(pause, &[&id]).await.expect("scheduled").get(0);
        assert!(
            (seconds * 0.8..=seconds * 1.2).contains(&wait),
            "{wait} s after failure {failure}"
        );
        stage.later("40 s").await;
    }
    let job = stage.claim().await;
    assert_eq!((job.attempts, job.attempts_left), (6, 1));
    assert_eq!(settle(&stage.worker, &job, "retry").await, Settled::as_status("failed"));
    assert_eq!(stage.seen(id).await, Seen::ended("failed", 6));
    let wanted = json!({"code": "boom", "message": "it failed"});
    assert_eq!(stage.history(id).await, [(4, wanted.clone()), (5, wanted.clone()), (6, wanted)]);
}

#[tokio::test]
async fn the_pause_doubles_up_to_an_hour() {
    let stage = Stage::set().await;
    stage.job(100).await;
    for failure in 1..=14 {
        let job = stage.claim().await;
        settle(&stage.worker, &job, "retry").await;
        let pause = "select extract(epoch from s.run_at - e.at)::float8 from fairclaim_internal.scheduled s
                       join fairclaim_internal.attempt_error e on e.id = s.id order by e.attempt desc limit 1";
        let wait: f64 = stage.owner.query_one(pause, &[]).await.expect("scheduled").get(0);
        let rule = f64::min(15.0 * f64::from(1 << (failure - 1)), 3600.0);
        assert!(
            (rule * 0.8..=rule * 1.2).contains(&wait),
            "{wait} s after failure {failure}, not about {rule}"
        );
        stage.later("73 min").await;
    }
}

#[tokio::test]
async fn a_lost_lease_uses_no_attempt_and_the_third_one_fails_the_job() {
    let stage = Stage::set().await;
    let id = stage.job(1).await;
    for lost in 0..3 {
        let job = if lost < 2 { stage.claim().await } else { stage.claim_alone().await };
        assert_eq!((job.attempts, job.attempts_left, job.lost), (lost + 1, 1, lost));
        tick(&stage.worker).await;
        assert_eq!(
            stage.seen(id).await,
            Seen::waiting("processing", lost + 1, 1, lost),
            "the lease is good for 30 s"
        );
        stage.later("36 s").await;
        assert_eq!(settle(&stage.worker, &job, "complete").await, Settled::REFUSED, "too late");
        assert_eq!(stage.extend(&job, "30 s").await, (false, false), "too late");
    }
    assert_eq!(stage.seen(id).await, Seen::ended("failed", 3));
    stage.nothing_to_claim().await;
    let sql = "select error ->> 'code', worker_id from fairclaim.job_queue where id = $1";
    let row = stage.auditor.query_one(sql, &[&id]).await.expect("job_queue");
    assert_eq!((row.get(0), row.get(1)), (Some("lost"), Some("worker")));
    let codes: Vec<_> =
        stage.history(id).await.into_iter().map(|(n, error)| (n, error["code"].clone())).collect();
    assert_eq!(codes, [(1, json!("lost")), (2, json!("lost")), (3, json!("lost"))]);
    stage.one_place_each().await;
}

#[tokio::test]
async fn an_extended_lease_is_kept() {
    let stage = Stage::set().await;
    let id = stage.job(3).await;
    let job = stage.claim().await;
    for _ in 0..4 {
        stage.db.advance("25 s").await;
        assert_eq!(stage.extend(&job, "30 s").await, (true, false));
        tick(&stage.worker).await;
    }
    // another attempt, another token, another id: no
    for forged in [
        Claimed { attempts: 2, ..job.clone() },
        Claimed { token: Uuid::from_u128(1), ..job.clone() },
        Claimed { id: Uuid::from_u128(1), ..job.clone() },
    ] {
        assert_eq!(stage.extend(&forged, "1 h").await, (false, false));
        assert_eq!(settle(&stage.worker, &forged, "complete").await, Settled::REFUSED);
        assert_eq!(settle(&stage.worker, &forged, "fail").await, Settled::REFUSED);
    }
    assert_eq!(stage.seen(id).await, Seen::waiting("processing", 1, 3, 0));
    assert_eq!(settle(&stage.worker, &job, "complete").await, Settled::as_status("completed"));
    assert_eq!(
        settle(&stage.worker, &job, "complete").await,
        Settled::REFUSED,
        "an attempt ends once"
    );
    assert_eq!(settle(&stage.worker, &job, "retry").await, Settled::REFUSED);
    assert_eq!(stage.extend(&job, "30 s").await, (false, false));
    assert_eq!(stage.seen(id).await, Seen::ended("completed", 1));
    assert_eq!(stage.history(id).await, []);
}

/// A job that polls something snoozes for weeks; what counts its attempts must not overflow, or no claim of its queue
/// succeeds any more.
#[tokio::test]
async fn a_job_claimed_a_hundred_thousand_times_goes_on() {
    let stage = Stage::set().await;
    let id = stage.job(2).await;
    let set = "update fairclaim_internal.ready set attempts = 100000 where id = $1";
    stage.owner.execute(set, &[&id]).await.expect("attempts");
    let job = stage.claim().await;
    assert_eq!(job.attempts, 100_001);
    assert_eq!(settle(&stage.worker, &job, "complete").await, Settled::as_status("completed"));
    assert_eq!(stage.change("retry_jobs", &[id]).await, [stage::status("pending")]);

    let job = claim_jobs(&stage.worker, 10, &mut None).await.remove(0);
    assert_eq!(
        settle_after(&stage.worker, &job, "snooze", Some(1.0)).await,
        Settled::as_status("scheduled")
    );
    stage.later("2 s").await;
    let job = stage.claim().await;
    assert_eq!(settle(&stage.worker, &job, "retry").await, Settled::as_status("scheduled"));
    stage.later("20 s").await;
    stage.claim().await;
    stage.later("36 s").await;
    let job = stage.claim().await;
    assert_eq!((job.attempts, job.attempts_left, job.lost), (100_005, 1, 1));
    assert_eq!(settle(&stage.worker, &job, "fail").await, Settled::as_status("failed"));
    assert_eq!(stage.seen(id).await, Seen::ended("failed", 100_005));
}
