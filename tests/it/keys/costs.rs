//! A busy key with many jobs costs nobody more than one with few.

use crate::{
    calls::{claim_jobs, settle, tenant, tick},
    costs::least,
};

use super::Stage;

const PASS: &str = "
    create function pg_temp.pass() returns int language plpgsql as $$
    declare v_job record;
    begin
      select * into strict v_job from fairclaim.claim_jobs('worker', null, 1, p_lease => 300);
      perform fairclaim.settle_jobs('worker', array[v_job.id], array[v_job.attempts], array[v_job.lease_token],
        array['complete']);
      return 1;
    end $$";

impl Stage {
    async fn many(&self, key: &str, count: i32) {
        let sql = "select count(*) from fairclaim.dispatch_jobs((
                     select jsonb_agg(jsonb_build_object('tenant_id', $1::uuid, 'type', 'import', 'key', $2::text))
                       from generate_series(1, $3::int)))";
        self.producer.query_one(sql, &[&tenant(1), &key, &count]).await.expect("a backlog");
    }
}

#[tokio::test]
async fn a_claim_and_a_settlement_read_as_much_beside_20_000_jobs_of_a_key_as_beside_100() {
    let mut pages = Vec::new();
    for backlog in [1, 200] {
        let stage = Stage::new().await;
        for _ in 0..backlog {
            stage.many("a", 100).await;
        }
        stage.tick().await;
        stage.worker.batch_execute(PASS).await.expect("a function");
        stage.worker.batch_execute("select pg_temp.pass()").await.expect("a first one");
        pages.push(least(&stage.worker, "select pg_temp.pass()").await.pages);
        let job = stage.one().await;
        let none = "select count(*) from fairclaim.claim_jobs('worker', null, 1)";
        pages.push(least(&stage.worker, none).await.pages);
        settle(&stage.worker, &job, "complete").await;
    }
    assert!(pages[2] <= pages[0] + 30 && pages[3] <= pages[1] + 5, "{pages:?}");
}

/// What has passed cannot be cleaned away while somebody holds an old snapshot, and is not walked: each slot knows up to where the
/// key's rows are gone, as far as ticks have seen open transactions end.
#[tokio::test]
async fn a_settlement_walks_no_dead_rows_of_its_key_under_a_held_snapshot() {
    let stage = Stage::new().await;
    stage.many("a", 4_000).await;
    stage.tick().await;
    let owner = stage.db.owner().await;
    let held =
        "begin isolation level repeatable read; select count(*) from fairclaim_internal.held";
    owner.batch_execute(held).await.expect("a snapshot");
    stage.worker.batch_execute(PASS).await.expect("a function");
    let pass = |n: i32| format!("select sum(pg_temp.pass()) from generate_series(1, {n})");
    let mut pages = Vec::new();
    for round in [20, 1_500] {
        for _ in 0..round / 10 {
            stage.worker.batch_execute(&pass(10)).await.expect("ten jobs");
            stage.db.advance("1 s").await;
            tick(&stage.worker).await;
        }
        stage.worker.batch_execute("select pg_temp.pass()").await.expect("one");
        pages.push(least(&stage.worker, "select pg_temp.pass()").await.pages);
    }
    assert!(pages[1] <= pages[0] + 150, "{pages:?}");
    owner.batch_execute("rollback").await.expect("rollback");
    assert_eq!(claim_jobs(&stage.worker, 10, &mut None).await.len(), 1);
}
