//! What changes while a queue is fair by seconds: run times, tenants, and the setting itself.

use serde_json::json;

use super::simulation::{Load, QUEUE, Simulation};
use crate::{
    calls::{dispatch_many, refused, tenant, tick},
    support::TestDb,
};

fn load(n: u128, weight: i32, seconds: f64) -> Load {
    Load { tenant: tenant(n), weight, seconds }
}

#[tokio::test(flavor = "multi_thread")]
async fn back_at_claims_lanes_have_their_plain_weights_and_nothing_is_kept() {
    let loads = [load(1, 1, 0.02), load(2, 7, 0.5)];
    let mut simulation = Simulation::new(&loads, |_| 3_000, 1).await;
    assert_eq!(simulation.weights().await, [1, 7]);
    simulation.fair_by("seconds").await;
    assert_eq!(simulation.weights().await, [1, 7], "nothing is known yet");
    while simulation.reports < 2 {
        simulation.run(10, 10.0).await;
    }
    let weights = simulation.weights().await;
    // 0.02 s of weight 1 and 0.5 s of weight 7: 7 jobs of the second for 25 of the first
    let ratio = f64::from(weights[0]) / f64::from(weights[1]);
    assert!((ratio * 7.0 / 25.0 - 1.0).abs() < 0.35, "{weights:?}");

    simulation.fair_by("claims").await;
    assert_eq!(simulation.weights().await, [1, 7]);
    simulation.round().await;
    simulation.db.advance("15 s").await;
    tick(&simulation.worker).await;
    let sql = "select (select count(*) from fairclaim_internal.tenant_time)
                    + (select count(*) from fairclaim_internal.queue_time)
                    + (select count(*) from fairclaim_internal.time_report)";
    let kept: i64 = simulation.db.owner().await.query_one(sql, &[]).await.expect("count").get(0);
    assert_eq!(kept, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn run_times_that_change_are_learnt_anew() {
    let loads = [load(1, 1, 0.1), load(2, 1, 0.1)];
    let mut simulation = Simulation::new(&loads, |_| 6_000, 1).await;
    simulation.fair_by("seconds").await;
    while simulation.reports < 2 {
        simulation.run(10, 10.0).await;
    }
    let weights = simulation.weights().await;
    assert_eq!(weights[0], weights[1]);
    simulation.loads[1].seconds = 1.0;
    while simulation.reports < 30 {
        simulation.run(10, 10.0).await;
    }
    let weights = simulation.weights().await;
    let ratio = f64::from(weights[0]) / f64::from(weights[1]);
    assert!((8.0..=12.5).contains(&ratio), "{weights:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_nothing_is_known_of_has_the_mean_of_its_queue() {
    let loads = [load(1, 1, 0.02), load(2, 1, 2.0)];
    let mut simulation = Simulation::new(&loads, |_| 6_000, 1).await;
    simulation.fair_by("seconds").await;
    while simulation.reports < 3 {
        simulation.run(10, 10.0).await;
    }
    dispatch_many(&simulation.db.producer().await, tenant(3), QUEUE, "mail", 100).await;
    simulation.loads.push(load(3, 1, 0.5));
    simulation.round().await;
    let weights = simulation.weights().await;
    assert!(weights[1] <= weights[2] && weights[2] <= 3 * weights[1], "{weights:?}");
    assert!(weights[0] > 20 * weights[2], "{weights:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_beyond_one_slice_are_weighed_in_the_next_ones() {
    let db = TestDb::with_test_clock().await;
    let (producer, worker, owner) = (db.producer().await, db.worker().await, db.owner().await);
    for n in 0..25 {
        dispatch_many(&producer, tenant(n), QUEUE, "mail", 9).await;
    }
    let set = "select fair_by from fairclaim.set_queue_fair_by($1, 'seconds')";
    db.operator().await.query_one(set, &[&QUEUE]).await.expect("set_queue_fair_by");
    let report = "select by_seconds from fairclaim.report_work('w', 'host', '1', array[$1], array[1], null, 20,
                    $2, array_fill($1, array[25]), array_fill(10, array[25]), $3)";
    let tenants: Vec<_> = (0..25).map(tenant).collect();
    // the last one's jobs take ten times as long
    let seconds: Vec<f64> = (0..25).map(|n| if n == 24 { 10.0 } else { 1.0 }).collect();
    let row = worker.query_one(report, &[&QUEUE, &tenants, &seconds]).await.expect("report_work");
    assert_eq!(row.get::<_, Vec<String>>(0), [QUEUE]);
    let fold = "select fairclaim_internal.fold_times(fairclaim.clock(), 5000)";
    assert_eq!(owner.query_one(fold, &[]).await.expect("fold").get::<_, i32>(0), 25);
    let weights = "select array_agg(distinct weight order by weight) from fairclaim_internal.lane where tenant_id is not null";
    // a slice of ten lanes: three for a pass, which says what a turn is worth, and three that write
    for _ in 0..6 {
        let weigh = "select fairclaim_internal.weigh_by_time(10)";
        owner.query_one(weigh, &[]).await.expect("weigh");
    }
    let seen: Vec<i16> = owner.query_one(weights, &[]).await.expect("weights").get(0);
    assert_eq!(seen, [3, 30]);
}

#[tokio::test]
async fn a_queue_keeps_what_it_is_fair_by_when_it_is_paused_and_resumed() {
    let db = TestDb::new().await;
    let operator = db.operator().await;
    let call = async |sql: &str| operator.query_one(sql, &[]).await.expect(sql);
    let row = call(
        "select fair_by, was_fair_by, in_use from fairclaim.set_queue_fair_by('mail', 'seconds')",
    )
    .await;
    assert_eq!(
        (row.get::<_, &str>(0), row.get::<_, &str>(1), row.get::<_, bool>(2)),
        ("seconds", "claims", false)
    );
    call("select paused_at from fairclaim.pause_queue('mail')").await;
    assert!(call("select was_paused from fairclaim.resume_queue('mail')").await.get::<_, bool>(0));
    let row = call("select queue, fair_by, paused_at is null from fairclaim.list_queues()").await;
    assert_eq!(
        (row.get::<_, &str>(0), row.get::<_, &str>(1), row.get::<_, bool>(2)),
        ("mail", "seconds", true)
    );
    let row = call("select was_fair_by from fairclaim.set_queue_fair_by('mail', 'claims')").await;
    assert_eq!(row.get::<_, &str>(0), "seconds");
    assert_eq!(
        operator.query("select * from fairclaim.list_queues()", &[]).await.expect("list").len(),
        0
    );
}

#[tokio::test]
async fn only_an_operator_says_by_what_a_queue_is_fair_and_only_with_words_it_knows() {
    let db = TestDb::new().await;
    for session in [db.producer().await, db.worker().await, db.tenant().await, db.auditor().await] {
        let sql = "select * from fairclaim.set_queue_fair_by('mail', 'seconds')";
        refused(session.query(sql, &[]).await, "42501");
    }
    let operator = db.operator().await;
    for (queue, fair_by, field) in [
        (Some("Mail"), Some("seconds"), "queue"),
        (None, Some("claims"), "queue"),
        (Some("mail"), Some("money"), "fair_by"),
        (Some("mail"), None, "fair_by"),
    ] {
        let sql = "select * from fairclaim.set_queue_fair_by($1, $2)";
        let error = refused(operator.query(sql, &[&queue, &fair_by]).await, "JQ004");
        let detail: serde_json::Value =
            serde_json::from_str(error.detail().expect("a detail")).expect("JSON");
        assert_eq!(detail["field"], json!(field));
    }
    let owner = db.owner().await;
    let count = "select count(*) from fairclaim_internal.queue";
    assert_eq!(owner.query_one(count, &[]).await.expect("count").get::<_, i64>(0), 0);
}
