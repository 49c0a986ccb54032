//! What it costs, in counts of pages, and that nobody stops it.

use serde_json::Value;

use super::Stage;
use crate::{
    calls::{claim_jobs, dispatch_many, settle_all, tenant},
    support::{Client, waiting::until_open_transactions_end},
};

/// Tenants with this many jobs waiting each.
async fn backlog(stage: &Stage, tenants: i32, jobs: i32) {
    let sql = "select count(*) from fairclaim.dispatch_jobs((
                 select jsonb_agg(jsonb_build_object('tenant_id', fairclaim.tenant_uuid(t::text), 'queue', 'mail', 'type', 'send'))
                   from generate_series(1, $1::int) t, generate_series(1, $2::int) j))";
    for _ in 0..jobs / 5 {
        stage.producer.execute(sql, &[&tenants, &5]).await.expect("dispatch_jobs");
    }
}

async fn pages(session: &Client, sql: &str) -> i64 {
    let sql = format!("explain (analyze, buffers, format json) {sql}");
    let row = session.query_one(&sql, &[]).await.expect(&sql);
    let plan = &row.get::<_, Value>(0)[0]["Plan"];
    ["Shared Hit Blocks", "Shared Read Blocks"].iter().filter_map(|name| plan[*name].as_i64()).sum()
}

/// The pages that each call and a refresh read.
async fn costs(tenants: i32, jobs: i32) -> Vec<(&'static str, i64)> {
    let stage = Stage::new().await;
    backlog(&stage, tenants, jobs).await;
    for _ in 0..25 {
        stage.refresh(6).await; // until all tenants have been counted
    }
    let owner = stage.db.owner().await;
    let sql = "select id from fairclaim_internal.ready order by lane_id desc, seq desc limit 1";
    let id: uuid::Uuid = owner.query_one(sql, &[]).await.expect(sql).get(0);
    until_open_transactions_end(&owner).await;
    let mut found = Vec::new();
    for (name, session, sql) in [
        ("page", &stage.operator, "select * from fairclaim.tenant_stats()".to_owned()),
        ("queue", &stage.operator, "select * from fairclaim.queue_stats()".to_owned()),
        ("why", &stage.operator, {
            let sql = "select tenant_id::text from fairclaim_internal.ready where id = $1";
            let owner: String = owner.query_one(sql, &[&id]).await.expect(sql).get(0);
            format!("select * from fairclaim.why_waiting('{owner}', '{id}')")
        }),
        (
            "refresh",
            &owner,
            "select fairclaim_internal.refresh_stats(fairclaim.clock())".to_owned(),
        ),
    ] {
        let mut least = i64::MAX;
        for _ in 0..3 {
            least = least.min(pages(session, &sql).await);
        }
        found.push((name, least));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_refreshes_cost_no_more_with_100_000_waiting_jobs_of_2_000_tenants() {
    let (few, many) = (costs(400, 50).await, costs(2_000, 50).await);
    for ((name, few), (_, many)) in few.iter().zip(&many) {
        // a page counts 50 rows for each of a hundred tenants, and so does a slice of a refresh
        let most = match *name {
            "page" | "refresh" => 40_000,
            "queue" => 60_000,
            _ => 400,
        };
        // queue_stats looks into 1,000 lanes, where there are as many, and both read a row and a weight of each backlogged tenant,
        // up to 10,000 of them, for the shares
        let flat = *many <= few * 2 || ["queue", "page"].contains(name);
        assert!(*many <= most && flat, "{name}: {few} pages, then {many}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_between_two_refreshes_is_told_from_a_sample() {
    let stage = Stage::new().await;
    for n in 1..=3 {
        dispatch_many(&stage.producer, tenant(n), "mail", "send", 10_000).await;
    }
    stage.refresh(6).await;
    let mut cursor = None;
    for _ in 0..10 {
        let jobs = claim_jobs(&stage.worker, 1_000, &mut cursor).await;
        settle_all(&stage.worker, &jobs, "complete").await;
    }
    stage.refresh(6).await;
    let row = stage.queue("mail").await;
    let (dispatched, finished): (f64, f64) = (row.get("dispatched_1h"), row.get("finished_1h"));
    assert!((27_000.0..=33_000.0).contains(&dispatched), "30,000 dispatched: {dispatched}");
    assert!((9_000.0..=11_000.0).contains(&finished), "10,000 finished: {finished}");
    let sql = "select waiting, at_least from fairclaim.tenant_stats()";
    for row in stage.operator.query(sql, &[]).await.expect(sql) {
        assert_eq!((row.get::<_, i32>(0), row.get::<_, bool>(1)), (1_000, true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_holds_the_figures_stops_no_tick() {
    let stage = Stage::new().await;
    dispatch_many(&stage.producer, tenant(1), "mail", "send", 5).await;
    stage.refresh(6).await;
    for hold in [
        "lock table fairclaim_internal.stat",
        "lock table fairclaim_internal.seen_running",
        "select from fairclaim_internal.stat for update",
    ] {
        let open = stage.db.owner().await;
        open.batch_execute(&format!("begin; {hold}")).await.expect(hold);
        let before = claim_jobs(&stage.worker, 1, &mut None).await.len();
        stage.refresh(6).await; // which looks that no step failed
        open.batch_execute("rollback").await.expect("rollback");
        assert_eq!(before, 1, "{hold}");
    }
    stage.refresh(6).await;
    assert_eq!(stage.tenants().await[0].get::<_, i32>("running"), 3);
}
