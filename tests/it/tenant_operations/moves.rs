use super::{Stage, all_steps};
use crate::calls::{settle_all, tenant, tick};

#[tokio::test]
async fn a_backlog_moves_to_another_queue_with_ids_attempts_and_order() {
    let stage = Stage::set().await;
    stage.dispatch(1, "mail", 40).await;
    let tried = stage.claim("mail", 3).await;
    settle_all(&stage.worker, &tried, "release").await;
    let running = stage.claim("mail", 2).await;
    stage.delayed(1, "mail", 4).await;
    stage.dispatch(2, "mail", 9).await;
    let (before, others) = (stage.everything(1).await, stage.everything(2).await);
    let call = format!(
        "select * from fairclaim.move_waiting('{}', 'mail', 'bulk', p_after => $1, p_limit => 11)",
        tenant(1)
    );
    assert_eq!(all_steps(&stage.operator, &call, "moved").await, 42);
    assert_eq!(stage.stands(1).await, ["bulk pending 38", "bulk scheduled 4", "mail processing 2"]);
    assert_eq!(stage.everything(2).await, others, "another tenant was touched");
    stage.one_place_each().await;

    // the wide rows are as they were but for the queue
    let after = stage.everything(1).await;
    let wide = |all: &serde_json::Value| {
        let mut jobs = all["job"].as_array().expect("jobs").clone();
        for job in &mut jobs {
            job["queue"] = "any".into();
        }
        jobs
    };
    assert_eq!(wide(&after), wide(&before));
    assert_eq!(after["scheduled"], before["scheduled"]);

    assert_eq!(stage.claim("mail", 100).await.len(), 9, "of the other tenant");
    let jobs = stage.claim("bulk", 100).await;
    assert_eq!(jobs.len(), 38);
    assert!(jobs.iter().all(|job| job.queue == "bulk"));
    let again = jobs.iter().filter(|job| job.attempts == 2).count();
    let released = tried.iter().filter(|job| !running.iter().any(|run| run.id == job.id)).count();
    assert_eq!(again, released, "attempts stay");
    stage.db.advance("2 hours").await;
    tick(&stage.worker).await;
    tick(&stage.worker).await;
    assert!(stage.claim("bulk", 100).await.iter().filter(|job| job.attempts == 1).count() >= 4);
}

#[tokio::test]
async fn a_job_that_is_claimed_meanwhile_stays_where_it_is() {
    let stage = Stage::set().await;
    stage.dispatch(1, "mail", 5).await;
    let holder = stage.db.worker().await;
    holder.batch_execute("begin").await.expect("begin");
    let claim = "select id from fairclaim.claim_jobs('other', array['mail'], 2)";
    assert_eq!(holder.query(claim, &[]).await.expect("claim_jobs").len(), 2);
    let sql = "select moved, passed from fairclaim.move_waiting($1, 'mail', 'bulk')";
    let row = stage.operator.query_one(sql, &[&tenant(1)]).await.expect("move_waiting");
    assert_eq!((row.get::<_, i32>(0), row.get::<_, i32>(1)), (3, 2));
    holder.batch_execute("commit").await.expect("commit");
    assert_eq!(stage.stands(1).await, ["bulk pending 3", "mail processing 2"]);
    stage.one_place_each().await;
}
