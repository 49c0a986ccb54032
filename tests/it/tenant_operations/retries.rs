use std::time::SystemTime;

use super::Stage;
use crate::calls::{refused, tenant, tick};

#[tokio::test]
async fn failed_jobs_run_again_at_a_bounded_rate_over_all_calls() {
    let stage = Stage::set().await;
    stage.failed(1, 50).await;
    stage.failed(2, 3).await;
    stage.dispatch(1, "default", 4).await;
    let others = stage.everything(2).await;
    let call = "select *, extract(epoch from until - fairclaim.clock())::float8 as ahead
                  from fairclaim.retry_failed($1, p_per_second => 10, p_after => $2, p_start_at => $3, p_limit => 20)";
    let (mut after, mut start, mut retried) = (None::<uuid::Uuid>, None::<SystemTime>, 0);
    let ahead = loop {
        let row = stage
            .operator
            .query_one(call, &[&tenant(1), &after, &start])
            .await
            .expect("retry_failed");
        retried += row.get::<_, i32>("retried");
        start = row.get("until");
        after = row.get("next");
        if after.is_none() {
            break row.get::<_, f64>("ahead");
        }
    };
    assert_eq!(retried, 50);
    assert!((3.0..=5.0).contains(&ahead), "50 jobs at 10 a second are due in {ahead} s");
    let most = "select max(n)::int from (select count(*) as n from fairclaim_internal.scheduled
                 group by floor(extract(epoch from run_at) * 2)) half";
    let most: i32 = stage.owner.query_one(most, &[]).await.expect("most").get(0);
    assert!(most <= 6, "{most} within half a second");
    assert_eq!(stage.everything(2).await, others, "another tenant was touched");
    stage.one_place_each().await;

    stage.db.advance("10 s").await;
    tick(&stage.worker).await;
    let jobs = stage.claim("failing", 100).await;
    assert_eq!(jobs.len(), 50);
    assert!(jobs.iter().all(|job| job.attempts == 2 && job.attempts_left == 25), "{:?}", jobs[0]);
    let history = "select count(*) from fairclaim_internal.attempt_error where error ->> 'ended_as' = 'failed'";
    assert_eq!(stage.owner.query_one(history, &[]).await.expect("history").get::<_, i64>(0), 50);
}

#[tokio::test]
async fn errors_choose_which_for_auditors_only() {
    let stage = Stage::set().await;
    stage.failed(1, 2).await;
    let sql = "update fairclaim_internal.finished set error = '{\"code\": \"timeout\"}'
                where id = (select id from fairclaim_internal.finished limit 1)";
    stage.owner.execute(sql, &[]).await.expect("an error");
    let call =
        "select retried from fairclaim.retry_failed($1, p_error => 'TIME', p_type => 'mail')";
    let plain = stage.db.plain_operator().await;
    refused(plain.query(call, &[&tenant(1)]).await, "JQ007");
    let row = stage.operator.query_one(call, &[&tenant(1)]).await.expect("retry_failed");
    assert_eq!(row.get::<_, i32>(0), 1);
    assert_eq!(stage.stands(1).await, ["failing failed 1", "failing scheduled 1"]);
}
