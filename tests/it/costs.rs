//! What a call costs in counts that are the same on every machine: records and bytes of WAL, pages, functions called. The least of
//! a few calls, since a page now and then is split.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio_postgres::types::ToSql;

use crate::{
    calls::{
        Bound, Claimed, claim_jobs, dispatch, dispatch_batch, dispatch_many, set_limit, tenant,
        tick,
    },
    support::{Client, TestDb, waiting::until_open_transactions_end},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) records: i64,
    pub(crate) bytes: i64,
    pub(crate) pages: i64,
}

impl Cost {
    /// The least of each figure by itself: a checkpoint adds whole pages to one of several runs.
    fn least(self, other: Self) -> Self {
        Self {
            records: self.records.min(other.records),
            bytes: self.bytes.min(other.bytes),
            pages: self.pages.min(other.pages),
        }
    }
}

/// Of one statement, as the server counts for its own session.
async fn cost(session: &Client, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Cost {
    let sql = format!("explain (analyze, wal, buffers, format json) {sql}");
    let row = session.query_one(&sql, parameters).await.expect("explain");
    let plan = &row.get::<_, Value>(0)[0]["Plan"];
    let count = |name: &str| plan[name].as_i64().unwrap_or_else(|| panic!("{name}: {plan}"));
    let pages = count("Shared Hit Blocks") + count("Shared Read Blocks");
    Cost { records: count("WAL Records"), bytes: count("WAL Bytes"), pages }
}

pub(crate) async fn least(session: &Client, sql: &str) -> Cost {
    until_open_transactions_end(session).await;
    let mut least: Option<Cost> = None;
    for _ in 0..10 {
        let now = cost(session, sql, &[]).await;
        least = Some(least.map_or(now, |before| before.least(now)));
    }
    least.expect("some calls")
}

#[track_caller]
fn within(what: &str, cost: Cost, most: Cost) {
    assert!(
        cost.records <= most.records && cost.bytes <= most.bytes && cost.pages <= most.pages,
        "{what}: {cost:?}, and it may be {most:?}"
    );
}

#[tokio::test]
async fn a_dispatch_of_one_writes_its_rows_and_their_entries_and_no_more() {
    let db = TestDb::new().await;
    let producer = db.producer().await;
    for payload in [200, 2_000] {
        for tenant in ["'7e4a0000-0000-4000-8000-000000000001'", "gen_random_uuid()"] {
            for begin in ["read committed", "serializable"] {
                let set = format!("set default_transaction_isolation = '{begin}'");
                producer.batch_execute(&set).await.expect("set");
                let sql = format!(
                    "select fairclaim.dispatch_job({tenant}, 'mail', jsonb_build_object('m', repeat('m', {payload})))"
                );
                let what = format!("{payload} bytes of {tenant}, {begin}");
                // two rows with three entries in indexes
                let most = Cost { records: 5, bytes: 800, pages: 30 };
                within(&what, least(&producer, &sql).await, most);
            }
        }
    }
}

#[tokio::test]
async fn a_dispatch_in_bulk_writes_no_more_for_a_job_than_a_single_one() {
    let db = TestDb::new().await;
    let producer = db.producer().await;
    for tenant in ["'7e4a0000-0000-4000-8000-000000000001'", "gen_random_uuid()"] {
        let sql = format!(
            "select count(*) from fairclaim.dispatch_jobs((
               select jsonb_agg(jsonb_build_object('tenant_id', {tenant}::uuid, 'type', 'mail', 'payload', repeat('m', 200)))
                 from generate_series(1, 500) g where g = g))"
        );
        let most = Cost { records: 5 * 500 + 100, bytes: 870 * 500, pages: 20 * 500 };
        within(tenant, least(&producer, &sql).await, most);
    }
}

/// Own lanes of many tenants are found by one scan: a descent for each of them would be three pages more a job.
#[tokio::test]
async fn a_dispatch_in_bulk_of_many_tenants_finds_their_lanes_by_one_scan() {
    let db = TestDb::new().await;
    let producer = db.producer().await;
    let tenants = "select jsonb_agg(jsonb_build_object('tenant_id', fairclaim.tenant_uuid(g::text), 'type', 'mail'))
                     from generate_series(1, 500) g";
    let sql = format!("select count(*) from fairclaim.dispatch_jobs(({tenants}))");
    for _ in 0..9 {
        producer.batch_execute(&sql).await.expect("a backlog");
    }
    let most = Cost { records: 5 * 500 + 100, bytes: 600 * 500, pages: 5_200 };
    within("500 tenants", least(&producer, &sql).await, most);
}

/// What a light tenant has waiting is counted from an age bound on: what was claimed before it and cannot be cleaned away, because
/// somebody holds an old snapshot, is not walked.
#[tokio::test]
async fn a_dispatch_reads_no_more_when_a_held_snapshot_keeps_what_its_tenant_had() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    let held =
        "begin isolation level repeatable read; select count(*) from fairclaim_internal.ready";
    owner.batch_execute(held).await.expect("a snapshot");
    for _ in 0..300 {
        dispatch_many(&producer, tenant(1), "default", "mail", 7).await;
        assert_eq!(claim_jobs(&worker, 10, &mut None).await.len(), 7);
    }
    db.advance("2 s").await;
    tick(&worker).await;
    let sql = format!("select fairclaim.dispatch_job('{}', 'mail')", tenant(1));
    let most = Cost { records: 5, bytes: 800, pages: 36 };
    within("beside 2,100 dead rows", least(&producer, &sql).await, most);
    owner.batch_execute("rollback").await.expect("rollback");
}

/// A tenant's rows are found by the tenant, whatever the statistics say: those of a moment at which nearly nothing waited let the
/// lane look cheaper, and with it all the dead rows that somebody's snapshot keeps there.
#[tokio::test]
async fn a_claim_by_priority_reads_no_dead_rows_when_statistics_say_that_nothing_waits() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    let held =
        "begin isolation level repeatable read; select count(*) from fairclaim_internal.ready";
    owner.batch_execute(held).await.expect("a snapshot");
    let some = |first: u128| -> Vec<Value> {
        let job =
            |n| json!({"tenant_id": tenant(first + n % 100), "type": "mail", "priority": n % 3});
        (0..600_u128).map(job).collect()
    };
    for round in 0..10 {
        dispatch_batch(&producer, &some(round * 100)).await;
        let mut left = 600;
        while left > 0 {
            left -= claim_jobs(&worker, 100, &mut None).await.len();
        }
        db.advance("2 s").await;
        tick(&worker).await;
    }
    let few: Vec<Value> = some(5_000).into_iter().step_by(100).collect();
    dispatch_batch(&producer, &few).await; // of one tenant
    let other = db.owner().await;
    other.batch_execute("analyze fairclaim_internal.ready").await.expect("analyze");
    dispatch_batch(&producer, &some(6_000)).await;
    let claim = "select * from fairclaim.claim_jobs('w', array['default'], 10)";
    let pages = least(&worker, claim).await.pages;
    assert!(pages <= 500, "{pages} pages for ten jobs beside 6,000 dead rows");
    owner.batch_execute("rollback").await.expect("rollback");
}

/// Ids, attempts and tokens of claimed jobs.
fn lists(jobs: &[Claimed]) -> (Vec<uuid::Uuid>, Vec<i32>, Vec<uuid::Uuid>) {
    let ids = jobs.iter().map(|job| job.id).collect();
    let attempts = jobs.iter().map(|job| job.attempts).collect();
    (ids, attempts, jobs.iter().map(|job| job.token).collect())
}

#[tokio::test]
async fn a_settlement_writes_what_moves_and_no_more() {
    let db = TestDb::new().await;
    let (producer, worker) = (db.producer().await, db.worker().await);
    dispatch_many(&producer, tenant(1), "default", "mail", 1_000).await;
    let mut cursor = None;
    for (outcome, records, bytes, pages) in [
        ("complete", 310, 33_000, 900),
        ("retry", 620, 66_000, 2_100),
        ("release", 430, 42_000, 2_600),
    ] {
        let mut costs = Vec::new();
        for _ in 0..3 {
            let jobs = claim_jobs(&worker, 100, &mut cursor).await;
            assert_eq!(jobs.len(), 100);
            let (ids, attempts, tokens) = lists(&jobs);
            let sql = "select count(*) from fairclaim.settle_jobs('worker', $1, $2, $3, array_fill($4::text, array[100]))";
            costs.push(cost(&worker, sql, &[&ids, &attempts, &tokens, &outcome]).await);
        }
        let least = costs.into_iter().reduce(Cost::least).expect("three");
        within(outcome, least, Cost { records, bytes, pages });
    }
}

/// How often each function was called by a statement. What is inlined is called by nobody.
async fn called(
    session: &mut Client,
    sql: &str,
    values: &[&(dyn ToSql + Sync)],
) -> BTreeMap<String, i64> {
    let open = session.transaction().await.expect("begin");
    let count = "select funcname::text, calls from pg_stat_xact_user_functions where schemaname in ('fairclaim', 'fairclaim_internal')";
    // what the server has not added up yet is counted too, whichever transaction it is of
    let before = open.query(count, &[]).await.expect("functions");
    open.query(sql, values).await.expect(sql);
    let after = open.query(count, &[]).await.expect("functions");
    open.commit().await.expect("commit");
    let before: BTreeMap<String, i64> = before.iter().map(|row| (row.get(0), row.get(1))).collect();
    let since = after.iter().map(|row| {
        let (name, calls): (String, i64) = (row.get(0), row.get(1));
        let calls = calls - before.get(&name).copied().unwrap_or(0);
        (name, calls)
    });
    since.filter(|&(_, calls)| calls > 0).collect()
}

/// A database that counts calls of functions.
async fn counting() -> TestDb {
    let db = TestDb::new().await;
    let count = format!("alter database {} set track_functions = 'all'", db.name());
    db.superuser().await.batch_execute(&count).await.expect("alter database");
    db
}

#[tokio::test]
async fn a_dispatch_calls_few_functions_and_wakes_only_while_somebody_is_idle() {
    let db = counting().await;
    let (mut producer, worker) =
        (db.direct_session("test_producer").await, db.direct_session("test_worker").await);
    dispatch(&producer, tenant(1), "mail").await; // makes the lane
    let deep = serde_json::json!({"a": [[[["m".repeat(3_000)]]]]});
    let sql = "select fairclaim.dispatch_job($1, 'mail', $2)";
    let calls = called(&mut producer, sql, &[&tenant(1), &deep]).await;
    let names: Vec<&str> = calls.keys().map(String::as_str).collect();
    assert_eq!(names, ["dispatch_job", "id_prefix", "into_lane"], "a payload of 3,000 bytes");

    let tagged = "select fairclaim.dispatch_job($1, 'mail', p_tags => '{a,b}', p_metadata => $2)";
    let calls = called(&mut producer, tagged, &[&tenant(1), &deep]).await;
    assert_eq!((calls.get("extras_fault"), calls.get("json_fault")), (Some(&1), Some(&1)));
    assert_eq!(calls.get("wake"), None, "nobody was ever idle");

    while !claim_jobs(&worker, 10, &mut None).await.is_empty() {}
    let calls = called(&mut producer, sql, &[&tenant(1), &deep]).await;
    assert_eq!(calls.get("wake"), Some(&1), "somebody is idle");
}

#[tokio::test]
async fn completions_whose_lists_are_all_nulls_are_checked_by_one_expression() {
    let db = counting().await;
    let producer = db.producer().await;
    let mut worker = db.direct_session("test_worker").await;
    dispatch_many(&producer, tenant(1), "default", "mail", 60).await;
    let sql = "select count(*) from fairclaim.settle_jobs('worker', $1, $2, $3, $4, $5, $6, $7) where kind = 'settled'";
    for (n, given, checked) in [
        (20, None, false),
        (1, Some(None), false),
        (20, Some(None), false),
        (10, Some(Some("\"a result\"")), true),
    ] {
        let jobs = claim_jobs(&worker, n, &mut None).await;
        let (ids, attempts, tokens) = lists(&jobs);
        let outcomes = vec!["complete"; jobs.len()];
        let results = given.map(|result| vec![result; jobs.len()]);
        let nulls = given.as_ref().map(|_| vec![None::<&str>; jobs.len()]);
        let delays = given.as_ref().map(|_| vec![None::<f64>; jobs.len()]);
        let values: [&(dyn ToSql + Sync); 7] =
            [&ids, &attempts, &tokens, &outcomes, &results, &nulls, &delays];
        let calls = called(&mut worker, sql, &values).await;
        assert_eq!(calls.contains_key("read_texts"), checked, "{n} with {given:?}: {calls:?}");
        assert_eq!(calls.get("check_settle"), None, "{n} with {given:?}");
        assert_eq!(calls.get("settle_mixed"), None, "{n} with {given:?}");
    }
    let sql = "select count(*) from fairclaim_internal.finished where result = '\"a result\"'";
    assert_eq!(db.owner().await.query_one(sql, &[]).await.expect("results").get::<_, i64>(0), 10);
}

/// Room under a limit wakes whoever sleeps; who has no limit pays nothing for it.
#[tokio::test]
async fn a_settlement_of_jobs_without_a_limit_asks_for_no_room() {
    let db = counting().await;
    let (producer, owner) = (db.producer().await, db.owner().await);
    let mut worker = db.direct_session("test_worker").await;
    let limit = "insert into fairclaim_internal.running_limit (subject, tenant_id, queue, max_running) values ('tenant', $1, '', 50)";
    owner.execute(limit, &[&tenant(2)]).await.expect("a limit");
    while !owner
        .query_one("select bool_and(active) from fairclaim_internal.running_limit", &[])
        .await
        .expect("limits")
        .get::<_, bool>(0)
    {
        tick(&worker).await;
    }
    let sql = "select count(*) from fairclaim.settle_jobs('worker', $1, $2, $3, $4) where kind = 'settled'";
    for (n, limited, outcome) in [
        (1, false, "complete"),
        (20, false, "complete"),
        (20, false, "fail"),
        (1, true, "complete"),
        (20, true, "complete"),
        (20, true, "fail"),
    ] {
        dispatch_many(&producer, tenant(1 + u128::from(limited)), "default", "mail", n).await;
        let jobs = claim_jobs(&worker, 100, &mut None).await;
        assert!(claim_jobs(&worker, 1, &mut None).await.is_empty(), "somebody sleeps now");
        let (ids, attempts, tokens) = lists(&jobs);
        let outcomes = vec![outcome; jobs.len()];
        let values: [&(dyn ToSql + Sync); 4] = [&ids, &attempts, &tokens, &outcomes];
        let calls = called(&mut worker, sql, &values).await;
        assert_eq!(calls.contains_key("wake_freed"), limited, "{n}, {outcome}: {calls:?}");
    }
}

/// Pages and WAL of a claim of ten and of its settlement, with or without a default limit.
async fn claim_and_settlement(limited: bool) -> [Cost; 2] {
    let db = TestDb::new().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    if limited {
        set_limit(&owner, Bound::Default, Some(5_000)).await;
        for _ in 0..5 {
            tick(&worker).await;
        }
    }
    // four jobs of each of fifty tenants
    let jobs: Vec<Value> =
        (0..200).map(|n| json!({"tenant_id": tenant(1 + n / 4), "type": "mail"})).collect();
    dispatch_batch(&producer, &jobs).await;
    dispatch_many(&producer, tenant(100), "default", "mail", 60).await;
    let claim = least(&worker, "select id from fairclaim.claim_jobs('worker', null, 10)").await;
    let ten = "select r.id, r.attempt, r.lease_token from fairclaim_internal.running r order by r.id limit 10";
    let settle = format!(
        "select count(*) from fairclaim.settle_jobs('worker', array(select id from ({ten}) r),
           array(select attempt from ({ten}) r), array(select lease_token from ({ten}) r), array_fill('complete'::text, array[10]))"
    );
    [claim, least(&owner, &settle).await]
}

#[tokio::test]
async fn a_default_limit_costs_a_claim_of_ten_a_few_pages_for_each_job() {
    let [claim, settlement] = claim_and_settlement(false).await;
    let [limited_claim, limited_settlement] = claim_and_settlement(true).await;
    let told = format!(
        "{claim:?} and {settlement:?}; with a limit {limited_claim:?} and {limited_settlement:?}"
    );
    println!("{told}");
    // of each job the lock of its tenant's slot, and its entry among the limited
    assert!(limited_claim.records <= claim.records + 20, "{told}");
    assert!(limited_claim.bytes <= claim.bytes + 10 * 150, "{told}");
    assert!(limited_claim.pages <= claim.pages + 10 * 27, "{told}");
    assert!(limited_settlement.records <= settlement.records, "{told}");
    assert!(limited_settlement.bytes <= settlement.bytes, "{told}");
    assert!(limited_settlement.pages <= settlement.pages + 10, "{told}");
}
